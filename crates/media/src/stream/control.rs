//! RTCP: what we tell the other side, when, and what it tells us (RFC 3550 section 6).

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use engine::{Now, Rng};
use rtp::rtcp::{Compound, ReportBlock, RtcpPacket, SenderInfo, Writer};

use super::{Component, Config, Output, Stream};
use crate::SAMPLE_RATE_HZ;

/// The least interval of RFC 3550 section 6.2, which two participants never exceed.
const INTERVAL: Duration = Duration::from_secs(5);
/// "e - 3/2": makes up for what timer reconsideration adds (section 6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// Seconds from 1900 to 1970.
const NTP_EPOCH_S: u64 = 2_208_988_800;

#[derive(Debug)]
pub(super) struct Control {
    pub(super) next_report: Instant,
    cname: String,
    /// Where RTCP goes when it has a port of its own; learned from where it comes.
    to: SocketAddr,
    pub(super) packets_sent: u32,
    pub(super) octets_sent: u32,
    /// Packets sent when the last two reports were, newest first: a sender is who sent since the older one.
    sent_before: [u32; 2],
    /// The middle of the NTP time of the last sender report, and when it came.
    last_sr: Option<(u32, Instant)>,
    pub(super) round_trip: Option<Duration>,
    /// What the other side last said of our packets.
    pub(super) reported: Option<ReportBlock>,
}

impl Control {
    pub(super) fn new(config: &Config, rng: &mut Rng, now: Now) -> Self {
        Control {
            // Half an interval for the first (section 6.2).
            next_report: now.mono + interval(rng) / 2,
            // A name that tells nothing and does not repeat (RFC 7022 section 4.2).
            cname: format!("{:08x}{:08x}{:08x}", rng.next_u32(), rng.next_u32(), rng.next_u32()),
            to: config.remote_rtcp,
            packets_sent: 0,
            octets_sent: 0,
            sent_before: [0; 2],
            last_sr: None,
            round_trip: None,
            reported: None,
        }
    }

    pub(super) fn moved(&mut self, config: &Config) {
        self.to = config.remote_rtcp;
    }

    pub(super) fn sent(&mut self, payload_bytes: u32) {
        self.packets_sent = self.packets_sent.wrapping_add(1);
        self.octets_sent = self.octets_sent.wrapping_add(payload_bytes);
    }
}

/// Five seconds, times 0.5 to 1.5, over 1.21828 (RFC 3550 section 6.3.1).
fn interval(rng: &mut Rng) -> Duration {
    let chance = f64::from(rng.next_u32()) / f64::from(u32::MAX);
    INTERVAL.mul_f64((0.5 + chance) / COMPENSATION)
}

impl Stream {
    /// Sends a report now and sets the time of the next.
    pub(super) fn send_report(&mut self, now: Now) {
        self.control.next_report = now.mono + interval(&mut self.rng);
        let mut bytes = Vec::with_capacity(128);
        self.write_report(now, &mut bytes);
        self.send_control(bytes);
        self.control.sent_before = [self.control.packets_sent, self.control.sent_before[0]];
    }

    /// Sends a report with a BYE, unless nothing was ever sent or heard (RFC 3550 section 6.3.7).
    pub(super) fn send_goodbye(&mut self, now: Now) {
        if self.control.packets_sent == 0 && self.remote.stats().is_none() {
            return;
        }
        let mut bytes = Vec::with_capacity(128);
        self.write_report(now, &mut bytes);
        Writer::new(&mut bytes).goodbye(self.ssrc);
        self.send_control(bytes);
    }

    fn send_control(&mut self, bytes: Vec<u8>) {
        let (component, to) = match self.config.rtcp_mux {
            true => (Component::Rtp, self.remote.send_to()),
            false => (Component::Rtcp, self.control.to),
        };
        if !to.ip().is_unspecified() && to.port() != 0 {
            self.outputs.push_back(Output::Packet { component, to, bytes });
        }
    }

    fn write_report(&mut self, now: Now, bytes: &mut Vec<u8>) {
        let is_sender = self.control.packets_sent != self.control.sent_before[1];
        let info = is_sender.then(|| SenderInfo {
            ntp: self.ntp(now),
            rtp_timestamp: self.timestamp_at(now.mono),
            packets: self.control.packets_sent,
            octets: self.control.octets_sent,
        });
        let (last_sr, delay) = match self.control.last_sr {
            Some((sr, came)) => (sr, in_65536ths(now.mono.saturating_duration_since(came))),
            None => (0, 0),
        };
        let block = self.remote.stats_mut().map(|stats| stats.report(last_sr, delay));
        Writer::new(bytes).report(self.ssrc, info, block.as_slice()).cname(self.ssrc, &self.control.cname);
    }

    /// The timestamp that a sample of this moment has: `self.timestamp` belongs to `self.next_send`.
    fn timestamp_at(&self, now: Instant) -> u32 {
        let ahead = self.next_send.saturating_duration_since(now);
        self.timestamp.wrapping_sub((ahead.as_micros() * u128::from(SAMPLE_RATE_HZ) / 1_000_000) as u32)
    }

    /// NTP's 32.32 time: the wall clock as it was when the stream began, and the monotonic one since, so that setting the
    /// clock does not upset round trips.
    fn ntp(&self, now: Now) -> u64 {
        let unix = self.start.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = unix + now.mono.saturating_duration_since(self.start.mono);
        let seconds = time.as_secs().wrapping_add(NTP_EPOCH_S) << 32;
        seconds | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
    }

    /// `None` when the packet is not from whom we hear.
    pub(super) fn receive_rtcp(&mut self, now: Now, from: SocketAddr, bytes: &[u8]) -> Option<()> {
        let compound = Compound::parse(bytes).ok()?;
        let ssrc = match compound.packets().next()? {
            RtcpPacket::SenderReport(ssrc, ..) | RtcpPacket::ReceiverReport(ssrc, _) => ssrc,
            _ => return None,
        };
        let is_ours = match self.remote.stats() {
            Some(stats) => stats.ssrc() == ssrc,
            // Who only listens sends no RTP; then its address must do.
            None => from == self.control.to || from.ip() == self.config.remote.ip(),
        };
        if !is_ours {
            return None;
        }
        if !self.config.rtcp_mux {
            self.control.to = from;
        }
        for packet in compound.packets() {
            match packet {
                RtcpPacket::SenderReport(_, info, report) => {
                    self.control.last_sr = Some(((info.ntp >> 16) as u32, now.mono));
                    report.blocks().for_each(|block| self.told(now, block));
                }
                RtcpPacket::ReceiverReport(_, report) => report.blocks().for_each(|block| self.told(now, block)),
                RtcpPacket::SourceDescription(_) | RtcpPacket::Goodbye(_) | RtcpPacket::Other(_) => {}
            }
        }
        Some(())
    }

    /// The other side about our packets: round trip by RFC 3550 section 6.4.1.
    fn told(&mut self, now: Now, block: ReportBlock) {
        if block.ssrc != self.ssrc {
            return;
        }
        self.control.reported = Some(block);
        if block.last_sr != 0 {
            let arrival = (self.ntp(now) >> 16) as u32;
            let units = arrival.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr).cast_signed();
            // Rounding on both sides can make it a little negative; a large value is a report of something else.
            if (-65..65536 * 60).contains(&units) {
                self.control.round_trip = Some(Duration::from_secs_f64(f64::from(units.max(0)) / 65536.0));
            }
        }
    }
}

fn in_65536ths(time: Duration) -> u32 {
    u32::try_from((time.as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX)
}
