//! When a message is sent again, and when its sender gives up (RFC 3261 sections 17.1.1.2, 17.1.2.2 and 13.3.1.4).

use std::time::Duration;

/// The estimate of the round trip (RFC 3261 section 17.1.1.1).
const T1: Duration = Duration::from_millis(500);

/// The chain of timers of one message: timer A with B, or E with F; the retransmissions of a 2xx go like the latter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    /// Doubles from T1 on (timers A and B).
    Invite,
    /// Doubles from T1 up to T2 (timers E and F, and section 13.3.1.4).
    Other,
}

impl Chain {
    /// From one link of the chain to the next: from the first sending to the first repetition is link 0. `None` when 64*T1 are
    /// over and it is time to give up.
    pub(crate) fn wait(self, link: u8) -> Option<Duration> {
        match (self, link) {
            (Chain::Invite, 0..=5) => Some(T1 * (1 << link)),
            (Chain::Invite, 6) => Some(T1),
            (Chain::Other, 0..=2) => Some(T1 * (1 << link)),
            (Chain::Other, 3..=9) => Some(T1 * 8),
            (Chain::Other, 10) => Some(T1),
            _ => None,
        }
    }

    /// Whether the link's end is that of the whole chain, where nothing is sent any more.
    pub(crate) fn ends_with(self, link: u8) -> bool {
        self.wait(link + 1).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, T1};
    use std::time::Duration;

    #[test]
    fn both_chains_are_those_of_the_rfc() {
        let times = |chain: Chain| {
            let mut at = Duration::ZERO;
            let mut times = Vec::new();
            for link in 0.. {
                at += chain.wait(link).unwrap();
                times.push(at.as_millis());
                if chain.ends_with(link) {
                    break;
                }
            }
            times
        };
        assert_eq!(times(Chain::Invite), [500, 1500, 3500, 7500, 15500, 31500, 32000]);
        assert_eq!(times(Chain::Other), [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000]);
        assert_eq!(T1 * 64, Duration::from_secs(32));
    }
}
