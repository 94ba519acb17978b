use std::time::Duration;

/// The timers of RFC 3261 (Table 4), RFC 6026 (L and M) and those that the text has without a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// INVITE request retransmission.
    A,
    /// INVITE transaction timeout.
    B,
    /// Wait for retransmitted responses of an INVITE client transaction.
    D,
    /// Non-INVITE request retransmission.
    E,
    /// Non-INVITE transaction timeout.
    F,
    /// INVITE response retransmission.
    G,
    /// Wait for the ACK.
    H,
    /// Wait for retransmitted ACKs.
    I,
    /// Wait for retransmitted non-INVITE requests.
    J,
    /// Wait for retransmitted responses of a non-INVITE client transaction.
    K,
    /// Wait for retransmitted INVITEs after a 2xx (RFC 6026 section 7.1).
    L,
    /// Wait for more 2xx (RFC 6026 section 7.2).
    M,
    /// How long an INVITE's TU may be silent before a 100 is sent for it (RFC 3261 section 17.2.1).
    Trying,
    /// The same for other requests (RFC 4320 section 4.1).
    LateTrying,
    /// The client of a non-INVITE transaction has given up by now (RFC 4320 section 4.2).
    Expiry,
    /// The end of an INVITE that was cancelled and did not care (RFC 3261 section 9.1).
    Cancelled,
}

/// The three numbers every timer's length comes from (RFC 3261 section 17 and Table 4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) t1: Duration,
    pub(crate) t2: Duration,
    pub(crate) t4: Duration,
}

impl Lengths {
    /// The first length of `timer`; `None` when this transport does without it.
    pub(crate) fn first(&self, timer: Timer, reliable: bool) -> Option<Duration> {
        let only_unreliable = |length| if reliable { Duration::ZERO } else { length };
        match timer {
            Timer::A | Timer::E | Timer::G => (!reliable).then_some(self.t1),
            Timer::B | Timer::F | Timer::H | Timer::L | Timer::M => Some(self.t1 * 64),
            Timer::Expiry | Timer::Cancelled => Some(self.t1 * 64),
            Timer::D => Some(only_unreliable((self.t1 * 64).max(Duration::from_secs(32)))),
            Timer::I | Timer::K => Some(only_unreliable(self.t4)),
            Timer::J => Some(only_unreliable(self.t1 * 64)),
            Timer::Trying => Some(Duration::from_millis(200)),
            Timer::LateTrying => Some(self.until_t2()),
        }
    }

    /// The length of `timer` after `doublings` retransmissions: A doubles without end, E and G up to T2.
    pub(crate) fn doubled(&self, timer: Timer, doublings: u8) -> Duration {
        let length = self.t1.saturating_mul(1u32.checked_shl(doublings.into()).unwrap_or(u32::MAX));
        if timer == Timer::A { length } else { length.min(self.t2) }
    }

    /// What passes before a client's timer E is reset to T2: T1 + 2*T1 + ... (3.5 s by default).
    fn until_t2(&self) -> Duration {
        let mut total = Duration::ZERO;
        let mut length = self.t1;
        // A T1 of zero would never reach T2.
        while length < self.t2 && !length.is_zero() {
            total += length;
            length *= 2;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::{Lengths, Timer};
    use std::time::Duration;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn default_lengths() -> Lengths {
        Lengths { t1: MS(500), t2: MS(4000), t4: MS(5000) }
    }

    /// RFC 3261 Table 4 and RFC 6026 sections 7.1 and 7.2, with the default T1, T2 and T4.
    #[test]
    fn lengths_are_those_of_table_4() {
        let table = [
            (Timer::A, Some(500), None),
            (Timer::B, Some(32_000), Some(32_000)),
            (Timer::D, Some(32_000), Some(0)),
            (Timer::E, Some(500), None),
            (Timer::F, Some(32_000), Some(32_000)),
            (Timer::G, Some(500), None),
            (Timer::H, Some(32_000), Some(32_000)),
            (Timer::I, Some(5000), Some(0)),
            (Timer::J, Some(32_000), Some(0)),
            (Timer::K, Some(5000), Some(0)),
            (Timer::L, Some(32_000), Some(32_000)),
            (Timer::M, Some(32_000), Some(32_000)),
            (Timer::Trying, Some(200), Some(200)),
            (Timer::LateTrying, Some(3500), Some(3500)),
            (Timer::Expiry, Some(32_000), Some(32_000)),
            (Timer::Cancelled, Some(32_000), Some(32_000)),
        ];
        for (timer, unreliable, reliable) in table {
            assert_eq!(default_lengths().first(timer, false), unreliable.map(MS), "{timer:?} over UDP");
            assert_eq!(default_lengths().first(timer, true), reliable.map(MS), "{timer:?} over TCP");
        }
    }

    #[test]
    fn timer_d_never_is_less_than_32_s() {
        let fast = Lengths { t1: MS(10), ..default_lengths() };
        assert_eq!(fast.first(Timer::D, false), Some(MS(32_000)));
        assert_eq!(fast.first(Timer::B, false), Some(MS(640)));
    }

    #[test]
    fn a_doubles_without_end_and_e_and_g_up_to_t2() {
        let after = |timer| (0..6).map(|n| default_lengths().doubled(timer, n).as_millis()).collect::<Vec<_>>();
        assert_eq!(after(Timer::A), [500, 1000, 2000, 4000, 8000, 16000]);
        assert_eq!(after(Timer::E), [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(after(Timer::G), [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(default_lengths().doubled(Timer::E, 200), MS(4000));
    }
}
