//! How the stream is doing.

use super::Stream;
use crate::{SAMPLE_RATE_HZ, SAMPLES_PER_MS, quality};

/// A stream's statistics since it began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// RTP packets sent, modulo 2^32.
    pub packets_sent: u32,
    /// RTP packets of our source that came.
    pub packets_received: u64,
    /// Packets that should have come and did not (RFC 3550 appendix A.3); negative when there were more doubles than losses.
    pub lost: i64,
    /// Of the packets that should have come.
    pub loss_percent: f64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Datagrams that were nothing of this stream's.
    pub ignored: u64,
    /// Interarrival jitter (RFC 3550 appendix A.8).
    pub jitter_ms: f64,
    /// The mean opinion score that [`quality`] estimates for what we heard, 1 to 4.5; `None` when nothing was heard.
    pub mos: Option<f64>,
    /// By RTCP; `None` before the first report that tells.
    pub round_trip_ms: Option<f64>,
    /// How long sound waits in the jitter buffer.
    pub buffer_ms: f64,
    /// Sound that came and was played, without what was made up.
    pub seconds_heard: f64,
    /// Loss of our packets in its last interval, as the other side reports it.
    pub remote_loss_percent: Option<f64>,
    /// Jitter of our packets, as the other side reports it.
    pub remote_jitter_ms: Option<f64>,
}

impl Stream {
    /// The statistics so far.
    pub fn report(&self) -> Report {
        let (received, expected) = self.remote.totals();
        let lost = expected as i64 - received as i64;
        let percent = |packets: i64| if expected == 0 { 0.0 } else { packets.max(0) as f64 * 100.0 / expected as f64 };
        let (late, duplicates) = (self.buffer.late, self.buffer.duplicates);
        // A double makes up for a loss in the RFC's count, but not to the ear.
        let unheard = percent(lost + (late + duplicates) as i64);
        let round_trip_ms = self.control.round_trip.map(|t| t.as_secs_f64() * 1000.0);
        let delay_ms = round_trip_ms.unwrap_or(0.0) / 2.0 + self.buffer.delay_ms() + f64::from(self.config.ptime_ms);
        let rating = quality::r_factor(unheard, self.burst_ratio(unheard), delay_ms);
        Report {
            packets_sent: self.control.packets_sent,
            packets_received: received,
            lost,
            loss_percent: percent(lost),
            late,
            duplicates,
            ignored: self.counts.ignored,
            jitter_ms: self.remote.stats().map_or(0.0, |s| s.jitter() / f64::from(SAMPLES_PER_MS)),
            mos: (self.buffer.samples_heard > 0).then(|| quality::mos(rating)),
            round_trip_ms,
            buffer_ms: self.buffer.delay_ms(),
            seconds_heard: self.buffer.samples_heard as f64 / f64::from(SAMPLE_RATE_HZ),
            remote_loss_percent: self.control.reported.map(|r| f64::from(r.fraction_lost) * 100.0 / 256.0),
            remote_jitter_ms: self.control.reported.map(|r| f64::from(r.jitter) / f64::from(SAMPLES_PER_MS)),
        }
    }

    /// G.107's BurstR: the mean length of the gaps over what it would be if each packet were lost by chance.
    fn burst_ratio(&self, loss_percent: f64) -> f64 {
        match self.counts.gaps {
            0 => 1.0,
            gaps => self.counts.gap_packets as f64 / gaps as f64 * (1.0 - loss_percent / 100.0),
        }
    }
}
