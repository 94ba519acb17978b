//! Sending sound and digits, one packet per packet time.

use rtp::Header;

use super::{Component, Event, Output, Stream};
use crate::g711;

/// Bytes of an RTP header as we write it.
const HEADER_BYTES: usize = 12;

impl Stream {
    /// Sends the packet of one packet time. The timestamp goes on even when nothing is sent.
    pub(super) fn send_packet(&mut self) {
        let samples = self.config.packet_samples();
        let timestamp = self.timestamp;
        self.timestamp = self.timestamp.wrapping_add(samples);
        let to = self.remote.send_to();
        if !self.config.direction.sends() || to.ip().is_unspecified() || to.port() == 0 {
            return;
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + samples as usize);
        let digit = self.config.telephone_event.and_then(|pt| Some((pt, self.digits.next(timestamp, samples)?)));
        let payload_bytes = if let Some((payload_type, event)) = digit {
            let header = self.header(payload_type, event.timestamp, event.marker);
            rtp::write_packet(&header, &mut bytes, |out| out.extend_from_slice(&event.report.to_bytes()));
            self.talk_spurt = true;
            4
        } else {
            // No packet time is longer than 100 ms.
            let mut frame = [0; 800];
            let frame = &mut frame[..samples as usize];
            if self.player.fill(frame) {
                self.event(Event::SourceEnded);
            }
            let marker = std::mem::take(&mut self.talk_spurt);
            let header = self.header(self.config.payload_type, timestamp, marker);
            rtp::write_packet(&header, &mut bytes, |out| g711::encode(self.config.codec, frame, out));
            samples
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.control.sent(payload_bytes);
        self.outputs.push_back(Output::Packet { component: Component::Rtp, to, bytes });
    }

    fn header(&self, payload_type: u8, timestamp: u32, marker: bool) -> Header {
        Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc }
    }
}
