//! What comes to the ports: sorting, learning, counting, filling the jitter buffer.

use std::net::SocketAddr;
use std::time::Duration;

use engine::Now;
use rtp::{Packet, PacketKind, TelephoneEvent};

use super::{Event, Stream};
use crate::jitter::{DELAY_MS, PAYLOAD_SAMPLES_MAX};
use crate::remote::Verdict;
use crate::{SAMPLES_PER_MS, g711};

/// Comfort noise (RFC 3389): belongs to the stream, and sounds like what we make up anyway.
const COMFORT_NOISE: u8 = 13;

/// What is counted beside the source's own statistics.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Datagrams that were not RTP or RTCP of this stream.
    pub(super) ignored: u64,
    pub(super) events_dropped: u64,
    /// Gaps in the sequence numbers, and the packets missing in them.
    pub(super) gaps: u64,
    pub(super) gap_packets: u64,
    /// The highest extended sequence number, of the present source.
    newest: Option<u32>,
    /// The timestamp of the last digit reported.
    digit: Option<u32>,
    heard_anything: bool,
}

impl Stream {
    pub(super) fn receive(&mut self, now: Now, from: SocketAddr, bytes: &[u8]) {
        let taken = match PacketKind::of(bytes) {
            PacketKind::Rtp => self.receive_rtp(now, from, bytes),
            PacketKind::Rtcp => self.receive_rtcp(now, from, bytes),
            PacketKind::Other => None,
        };
        self.counts.ignored += u64::from(taken.is_none());
    }

    /// `None` when the packet is not this stream's.
    fn receive_rtp(&mut self, now: Now, from: SocketAddr, bytes: &[u8]) -> Option<()> {
        let packet = Packet::parse(bytes).ok()?;
        let header = packet.header;
        let codec = self.config.receive.iter().find(|(pt, _)| *pt == header.payload_type).map(|(_, codec)| *codec);
        let is_event = self.config.telephone_event_receive == Some(header.payload_type);
        if codec.is_none() && !is_event && header.payload_type != COMFORT_NOISE
            || packet.payload().len() > PAYLOAD_SAMPLES_MAX
            || !self.config.direction.receives()
        {
            return None;
        }
        let sequence = match self.remote.judge(now.mono, from, &header) {
            Verdict::Ignore => return None,
            Verdict::Play(sequence) => sequence,
            Verdict::PlayNew(sequence) => {
                self.buffer.restart();
                self.counts.newest = None;
                self.counts.digit = None;
                sequence
            }
        };
        self.count_gap(sequence);
        if !std::mem::replace(&mut self.counts.heard_anything, true) {
            self.event(Event::FirstPacket { from });
        }
        if is_event {
            self.receive_event(header.timestamp, packet.payload());
        } else if let Some(codec) = codec {
            let arrival = self.rtp_units(now);
            if let Some(stats) = self.remote.stats_mut() {
                stats.arrived(arrival, header.timestamp);
            }
            self.buffer.insert(header.timestamp, g711::decode(codec, packet.payload()));
            self.next_play.get_or_insert(now.mono + Duration::from_millis(DELAY_MS.into()));
        }
        Some(())
    }

    /// Notes how losses come: one by one or in bursts.
    fn count_gap(&mut self, sequence: u32) {
        let ahead = self.counts.newest.map_or(1, |newest| sequence.wrapping_sub(newest).cast_signed());
        if ahead > 1 {
            self.counts.gaps += 1;
            self.counts.gap_packets += u64::from(ahead.cast_unsigned() - 1);
        }
        if ahead > 0 {
            self.counts.newest = Some(sequence);
        }
    }

    /// Reports a key press once, at whichever of its packets comes first; all of them carry its timestamp.
    fn receive_event(&mut self, timestamp: u32, payload: &[u8]) {
        let is_new = self.counts.digit.is_none_or(|last| timestamp.wrapping_sub(last).cast_signed() > 0);
        if let Some(digit) = TelephoneEvent::parse(payload).and_then(TelephoneEvent::digit)
            && is_new
        {
            self.counts.digit = Some(timestamp);
            self.event(Event::DtmfReceived { digit });
        }
    }

    /// Time since the stream began in units of the RTP clock.
    fn rtp_units(&self, now: Now) -> u32 {
        let elapsed = now.mono.saturating_duration_since(self.start.mono);
        (elapsed.as_micros() * u128::from(SAMPLES_PER_MS) / 1000) as u32
    }
}
