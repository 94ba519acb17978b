//! What a receiver knows of one synchronisation source (RFC 3550 appendix A.1, A.3, A.8).

use crate::rtcp::ReportBlock;

const SEQ_MOD: u32 = 1 << 16;
/// A jump ahead by this much or more is a restart (a minute at 50 packets per second).
const DROPOUT_MAX: u16 = 3000;
/// Older by up to this much is reordering (two seconds).
const MISORDER_MAX: u16 = 100;
/// Packets in sequence before a source is believed.
const SEQUENTIAL_MIN: u8 = 2;

/// What [`SourceStats::received`] made of a packet's sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The source is not believed yet.
    Probation,
    /// The packet belongs to the source; its extended sequence number.
    Valid(u32),
    /// The sequence number made a large jump, not to be believed before the next packet confirms it.
    Jump,
    /// The jump was confirmed: the source restarted and the counts begin anew; the extended sequence number.
    Restarted(u32),
}

/// Counts of one source, as the appendix of RFC 3550 keeps them.
#[derive(Debug, Clone)]
pub struct SourceStats {
    ssrc: u32,
    max_seq: u16,
    cycles: u32,
    base_seq: u32,
    bad_seq: Option<u16>,
    probation: u8,
    received: u32,
    expected_prior: u32,
    received_prior: u32,
    /// Arrival minus timestamp of the last packet, in timestamp units.
    transit: Option<u32>,
    jitter: f64,
}

impl SourceStats {
    /// A source heard for the first time with this sequence number: it must send [`Received::Probation`]'s worth of packets
    /// in order before it is believed. The packet itself is then given to [`received`](Self::received).
    pub fn on_probation(ssrc: u32, sequence: u16) -> Self {
        let mut stats = Self::believed(ssrc, sequence);
        stats.max_seq = sequence.wrapping_sub(1);
        stats.probation = SEQUENTIAL_MIN;
        stats
    }

    /// A source that something else vouches for (it sends from where signalling said): believed from its first packet.
    pub fn believed(ssrc: u32, sequence: u16) -> Self {
        let mut stats = SourceStats {
            ssrc,
            max_seq: 0,
            cycles: 0,
            base_seq: 0,
            bad_seq: None,
            probation: 0,
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            jitter: 0.0,
        };
        stats.start(sequence);
        stats
    }

    fn start(&mut self, sequence: u16) {
        self.base_seq = u32::from(sequence);
        self.max_seq = sequence;
        self.bad_seq = None;
        self.cycles = 0;
        self.received = 0;
        self.expected_prior = 0;
        self.received_prior = 0;
        self.transit = None;
    }

    /// Counts a packet (appendix A.1, `update_seq`).
    pub fn received(&mut self, sequence: u16) -> Received {
        let ahead = sequence.wrapping_sub(self.max_seq);
        if self.probation > 0 {
            if ahead == 1 {
                self.probation -= 1;
                self.max_seq = sequence;
                if self.probation == 0 {
                    self.start(sequence);
                    self.received = 1;
                    return Received::Valid(u32::from(sequence));
                }
            } else {
                self.probation = SEQUENTIAL_MIN - 1;
                self.max_seq = sequence;
            }
            return Received::Probation;
        }
        if ahead < DROPOUT_MAX {
            if sequence < self.max_seq {
                self.cycles = self.cycles.wrapping_add(SEQ_MOD);
            }
            self.max_seq = sequence;
        } else if u32::from(ahead) <= SEQ_MOD - u32::from(MISORDER_MAX) {
            if self.bad_seq != Some(sequence) {
                self.bad_seq = Some(sequence.wrapping_add(1));
                return Received::Jump;
            }
            self.start(sequence);
            self.received = 1;
            return Received::Restarted(u32::from(sequence));
        }
        self.received = self.received.wrapping_add(1);
        // A packet from before the wrap belongs to the cycle before.
        let cycles = if sequence > self.max_seq { self.cycles.wrapping_sub(SEQ_MOD) } else { self.cycles };
        Received::Valid(cycles.wrapping_add(u32::from(sequence)))
    }

    /// Takes a packet's arrival into the jitter estimate (appendix A.8); both in units of the codec's clock rate.
    pub fn arrived(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = f64::from(transit.wrapping_sub(before).cast_signed().unsigned_abs());
            self.jitter += (difference - self.jitter) / 16.0;
        }
    }

    /// The source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Whether the source has passed its probation.
    pub fn is_believed(&self) -> bool {
        self.probation == 0
    }

    /// The highest sequence number so far with its cycles.
    pub fn extended_max(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.max_seq))
    }

    /// Packets that should have come (appendix A.3).
    pub fn expected(&self) -> u32 {
        self.extended_max().wrapping_sub(self.base_seq).wrapping_add(1)
    }

    /// Packets that came, late and doubled ones included.
    pub fn packets_received(&self) -> u32 {
        self.received
    }

    /// Packets missing; negative when more came than were sent.
    pub fn lost(&self) -> i64 {
        if self.received == 0 { 0 } else { i64::from(self.expected()) - i64::from(self.received) }
    }

    /// The interarrival jitter, in units of the codec's clock rate.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// The report block about this source, and begins the next interval (appendix A.3). `last_sr` and `delay_since_last_sr`
    /// are the caller's, who read the sender reports.
    pub fn report(&mut self, last_sr: u32, delay_since_last_sr: u32) -> ReportBlock {
        let expected = self.expected();
        let expected_interval = i64::from(expected.wrapping_sub(self.expected_prior));
        let received_interval = i64::from(self.received.wrapping_sub(self.received_prior));
        self.expected_prior = expected;
        self.received_prior = self.received;
        let lost_interval = expected_interval - received_interval;
        let fraction_lost = if expected_interval == 0 || lost_interval <= 0 {
            0
        } else {
            u8::try_from((lost_interval << 8) / expected_interval).unwrap_or(u8::MAX)
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost,
            cumulative_lost: self.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            extended_max: self.extended_max(),
            jitter: self.jitter as u32,
            last_sr,
            delay_since_last_sr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(sequences: impl IntoIterator<Item = u16>) -> SourceStats {
        let mut sequences = sequences.into_iter().peekable();
        let mut stats = SourceStats::believed(1, *sequences.peek().unwrap());
        sequences.for_each(|s| {
            stats.received(s);
        });
        stats
    }

    #[test]
    fn a_stranger_must_send_two_in_a_row() {
        let mut stats = SourceStats::on_probation(9, 100);
        assert_eq!(stats.received(100), Received::Probation);
        assert_eq!(stats.received(105), Received::Probation);
        assert!(!stats.is_believed());
        assert_eq!(stats.received(106), Received::Valid(106));
        assert!(stats.is_believed());
        assert_eq!((stats.expected(), stats.packets_received(), stats.lost()), (1, 1, 0));
    }

    #[test]
    fn loss_duplicates_and_wrapping() {
        let cases: &[(&[u16], u32, i64, u32)] = &[
            (&[1, 2, 3], 3, 0, 3),
            (&[1, 3, 4], 4, 1, 4),
            (&[1, 3, 2], 3, 0, 3),
            (&[1, 2, 2, 3], 3, -1, 3),
            (&[65534, 65535, 0, 1], 4, 0, 65537),
            (&[65534, 1], 4, 2, 65537),
            (&[65535, 1, 0], 3, 0, 65537),
        ];
        for (sequences, expected, lost, extended) in cases {
            let stats = fed(sequences.iter().copied());
            assert_eq!(
                (stats.expected(), stats.lost(), stats.extended_max()),
                (*expected, *lost, *extended),
                "{sequences:?}"
            );
        }
    }

    #[test]
    fn a_late_packet_belongs_to_the_cycle_before_the_wrap() {
        let mut stats = fed([65534, 0]);
        assert_eq!(stats.received(65535), Received::Valid(65535));
        assert_eq!(stats.received(1), Received::Valid(65537));
    }

    #[test]
    fn a_jump_is_believed_when_confirmed() {
        let mut stats = fed([1, 2, 3]);
        assert_eq!(stats.received(3 + DROPOUT_MAX), Received::Jump);
        assert_eq!(stats.received(4), Received::Valid(4));
        assert_eq!(stats.received(30000), Received::Jump);
        assert_eq!(stats.received(30001), Received::Restarted(30001));
        assert_eq!((stats.expected(), stats.lost()), (1, 0));
    }

    #[test]
    fn fraction_lost_is_of_the_interval() {
        let mut stats = fed((0..100).filter(|s| s % 4 != 3));
        let first = stats.report(0, 0);
        assert_eq!((first.fraction_lost, first.cumulative_lost), (62, 24)); // 24 of 99: 99 itself was lost
        for s in 100..200 {
            stats.received(s);
        }
        let second = stats.report(0, 0);
        assert_eq!((second.fraction_lost, second.cumulative_lost, second.extended_max), (2, 25, 199));
        assert_eq!(stats.report(0, 0).fraction_lost, 0);
    }

    #[test]
    fn jitter_follows_the_appendix() {
        let mut stats = SourceStats::believed(1, 0);
        for n in 0..10u32 {
            stats.arrived(5000 + n * 160, n.wrapping_mul(160).wrapping_sub(800));
        }
        assert_eq!(stats.jitter(), 0.0);
        stats.arrived(5000 + 10 * 160 + 32, 10 * 160 - 800);
        assert_eq!(stats.jitter(), 2.0);
        stats.arrived(5000 + 11 * 160, 11 * 160 - 800);
        assert_eq!(stats.jitter(), 2.0 + 30.0 / 16.0);
    }
}
