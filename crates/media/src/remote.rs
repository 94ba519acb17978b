//! Whom we hear, and so whom we talk to: symmetric RTP (RFC 4961) with the caution of RFC 3550 appendix A.1.
//!
//! The address that signalling named is believed from its first packet. Anybody else must send two packets in sequence, and
//! may replace a source that is being heard only if it continues that source's SSRC, or sends from its address or the one
//! that signalling named, or the source has been silent for a while. So a phone behind a NAT is found, a moving one followed,
//! and a stranger who sprays packets at our port changes nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtp::{Header, Received, SourceStats};

/// Sources that may be on probation at a time; the one heard longest ago makes room.
pub const SOURCE_CANDIDATES_MAX: usize = 4;

/// After so long without a packet, a source may be replaced by anybody who passes probation.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not from our source, or not to be believed yet.
    Ignore,
    /// Ours, in sequence or nearly: its extended sequence number.
    Play(u32),
    /// Ours, of a source that begins here: forget the timeline of the one before.
    PlayNew(u32),
}

#[derive(Debug)]
struct Heard {
    from: SocketAddr,
    stats: SourceStats,
    last: Instant,
}

/// Sums over sources that came before the present one.
#[derive(Debug, Default, Clone, Copy)]
struct Past {
    received: u64,
    expected: u64,
}

#[derive(Debug)]
pub(crate) struct Remote {
    signalled: SocketAddr,
    current: Option<Heard>,
    candidates: Vec<Heard>,
    past: Past,
}

impl Remote {
    pub(crate) fn new(signalled: SocketAddr) -> Self {
        Remote { signalled, current: None, candidates: Vec::new(), past: Past::default() }
    }

    /// Where to send: to whom we hear, else where signalling said.
    pub(crate) fn send_to(&self) -> SocketAddr {
        self.current.as_ref().map_or(self.signalled, |c| c.from)
    }

    /// Signalling named another address: what was learned no longer counts.
    pub(crate) fn moved(&mut self, signalled: SocketAddr) {
        if self.signalled != signalled {
            self.signalled = signalled;
            self.candidates.clear();
            self.retire();
        }
    }

    pub(crate) fn stats(&self) -> Option<&SourceStats> {
        self.current.as_ref().map(|c| &c.stats)
    }

    pub(crate) fn stats_mut(&mut self) -> Option<&mut SourceStats> {
        self.current.as_mut().map(|c| &mut c.stats)
    }

    /// Packets that came, and that should have come, of all sources.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let (received, expected) = match self.stats() {
            Some(s) if s.packets_received() > 0 => (s.packets_received().into(), s.expected().into()),
            _ => (0, 0),
        };
        (self.past.received + received, self.past.expected + expected)
    }

    /// Judges a packet of a payload type that was agreed on.
    pub(crate) fn judge(&mut self, now: Instant, from: SocketAddr, header: &Header) -> Verdict {
        if let Some(current) = &mut self.current
            && current.from == from
            && current.stats.ssrc() == header.ssrc
        {
            let before = (current.stats.packets_received(), current.stats.expected());
            let verdict = match current.stats.received(header.sequence) {
                Received::Valid(sequence) => Verdict::Play(sequence),
                Received::Restarted(sequence) => {
                    self.past.received += u64::from(before.0);
                    self.past.expected += u64::from(before.1);
                    Verdict::PlayNew(sequence)
                }
                Received::Jump | Received::Probation => Verdict::Ignore,
            };
            current.last = now;
            return verdict;
        }
        if !self.may_replace(now, from, header.ssrc) {
            return Verdict::Ignore;
        }
        if self.current.is_none() && from == self.signalled {
            let mut stats = SourceStats::believed(header.ssrc, header.sequence);
            stats.received(header.sequence);
            return self.replace(Heard { from, stats, last: now }, header.sequence.into());
        }
        self.on_probation(now, from, header)
    }

    fn may_replace(&self, now: Instant, from: SocketAddr, ssrc: u32) -> bool {
        self.current.as_ref().is_none_or(|current| {
            current.from == from
                || current.stats.ssrc() == ssrc
                || from == self.signalled
                || now.saturating_duration_since(current.last) >= SILENT_AFTER
        })
    }

    fn on_probation(&mut self, now: Instant, from: SocketAddr, header: &Header) -> Verdict {
        let known = self.candidates.iter().position(|c| c.from == from && c.stats.ssrc() == header.ssrc);
        let index = known.unwrap_or_else(|| {
            if self.candidates.len() == SOURCE_CANDIDATES_MAX {
                let oldest = (0..self.candidates.len()).min_by_key(|i| self.candidates[*i].last).unwrap_or(0);
                self.candidates.swap_remove(oldest);
            }
            let stats = SourceStats::on_probation(header.ssrc, header.sequence);
            self.candidates.push(Heard { from, stats, last: now });
            self.candidates.len() - 1
        });
        let candidate = &mut self.candidates[index];
        candidate.last = now;
        match candidate.stats.received(header.sequence) {
            Received::Valid(sequence) => {
                let heard = self.candidates.swap_remove(index);
                self.replace(heard, sequence)
            }
            Received::Restarted(_) | Received::Jump | Received::Probation => Verdict::Ignore,
        }
    }

    fn replace(&mut self, heard: Heard, sequence: u32) -> Verdict {
        self.candidates.clear();
        if let Some(current) = &mut self.current
            && current.stats.ssrc() == heard.stats.ssrc()
        {
            // The same source from another address: its counts and its timeline go on.
            current.from = heard.from;
            current.last = heard.last;
            return match current.stats.received(sequence as u16) {
                Received::Valid(sequence) => Verdict::Play(sequence),
                Received::Restarted(sequence) => Verdict::PlayNew(sequence),
                Received::Jump | Received::Probation => Verdict::Ignore,
            };
        }
        self.retire();
        self.current = Some(heard);
        Verdict::PlayNew(sequence)
    }

    fn retire(&mut self) {
        let (received, expected) = self.totals();
        self.past = Past { received, expected };
        self.current = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], 4000))
    }

    struct World {
        remote: Remote,
        start: Instant,
    }

    impl World {
        fn new() -> Self {
            World { remote: Remote::new(address(1)), start: engine::Now::read_clocks().mono }
        }

        fn packet(&mut self, at_ms: u64, host: u8, ssrc: u32, sequence: u16) -> Verdict {
            let header = Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc };
            self.remote.judge(self.start + Duration::from_millis(at_ms), address(host), &header)
        }
    }

    #[test]
    fn the_signalled_address_is_believed_at_once() {
        let mut w = World::new();
        assert_eq!(w.packet(0, 1, 7, 100), Verdict::PlayNew(100));
        assert_eq!(w.packet(20, 1, 7, 101), Verdict::Play(101));
        assert_eq!(w.remote.totals(), (2, 2));
    }

    #[test]
    fn a_phone_behind_a_nat_is_found_by_its_second_packet() {
        let mut w = World::new();
        assert_eq!(w.packet(0, 9, 7, 100), Verdict::Ignore);
        assert_eq!(w.remote.send_to(), address(1));
        assert_eq!(w.packet(20, 9, 7, 101), Verdict::PlayNew(101));
        assert_eq!(w.remote.send_to(), address(9));
    }

    #[test]
    fn a_stranger_changes_nothing_while_the_source_is_heard() {
        let mut w = World::new();
        w.packet(0, 1, 7, 100);
        for n in 0..100u16 {
            assert_eq!(w.packet(20 + u64::from(n) * 20, 66, 13, n), Verdict::Ignore);
            assert_eq!(w.packet(20 + u64::from(n) * 20, 1, 7, 101 + n), Verdict::Play(101 + u32::from(n)));
        }
        assert_eq!(w.remote.send_to(), address(1));
        w.packet(6900, 66, 13, 500);
        assert_eq!(w.packet(6920, 66, 13, 501), Verdict::Ignore);
        // Silence for five seconds, and somebody else may speak.
        assert_eq!(w.packet(7001, 66, 13, 1000), Verdict::Ignore);
        assert_eq!(w.packet(7021, 66, 13, 1001), Verdict::PlayNew(1001));
        assert_eq!(w.remote.send_to(), address(66));
        assert_eq!(w.remote.totals(), (102, 102));
    }

    #[test]
    fn a_moving_source_is_followed_with_its_counts() {
        let mut w = World::new();
        for n in 0..10 {
            w.packet(20 * u64::from(n), 1, 7, n);
        }
        assert_eq!(w.packet(200, 2, 7, 10), Verdict::Ignore);
        assert_eq!(w.packet(220, 2, 7, 11), Verdict::Play(11));
        assert_eq!((w.remote.send_to(), w.remote.totals()), (address(2), (11, 12)));
    }

    #[test]
    fn a_new_source_at_the_same_address_takes_over() {
        let mut w = World::new();
        w.packet(0, 1, 7, 100);
        assert_eq!(w.packet(20, 1, 8, 500), Verdict::Ignore);
        assert_eq!(w.packet(40, 1, 8, 501), Verdict::PlayNew(501));
    }

    #[test]
    fn a_flood_of_sources_is_bounded() {
        let mut w = World::new();
        for n in 0..10_000u32 {
            assert_eq!(w.packet(u64::from(n), (n % 250) as u8 + 2, n, n as u16), Verdict::Ignore);
            assert!(w.remote.candidates.len() <= SOURCE_CANDIDATES_MAX);
        }
        assert_eq!(w.packet(10_000, 1, 7, 1), Verdict::PlayNew(1));
        assert!(w.remote.candidates.is_empty());
    }

    #[test]
    fn the_signalled_address_takes_over_from_who_came_first() {
        let mut w = World::new();
        w.packet(0, 66, 13, 1);
        assert_eq!(w.packet(1, 66, 13, 2), Verdict::PlayNew(2));
        assert_eq!(w.packet(20, 1, 7, 100), Verdict::Ignore);
        assert_eq!(w.packet(40, 1, 7, 101), Verdict::PlayNew(101));
        assert_eq!(w.packet(41, 66, 13, 3), Verdict::Ignore);
    }

    #[test]
    fn another_signalled_address_forgets_what_was_learned() {
        let mut w = World::new();
        w.packet(0, 1, 7, 100);
        w.remote.moved(address(3));
        assert_eq!((w.remote.send_to(), w.remote.totals()), (address(3), (1, 1)));
        assert_eq!(w.packet(20, 3, 8, 1), Verdict::PlayNew(1));
    }
}
