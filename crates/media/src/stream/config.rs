use std::net::SocketAddr;
use std::time::Duration;

use sdp::{Codec, Direction, NegotiatedAudio};

use crate::SAMPLES_PER_MS;
use crate::source::Source;

/// What a stream is to do: what was negotiated, what to send, whether to record.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where RTP goes before we know better; nothing is sent to an unspecified address.
    pub remote: SocketAddr,
    /// Where RTCP goes before we know better.
    pub remote_rtcp: SocketAddr,
    /// Whether RTCP shares the RTP port.
    pub rtcp_mux: bool,
    /// What we send.
    pub codec: Codec,
    /// The payload type to send it with.
    pub payload_type: u8,
    /// What may come, by payload type.
    pub receive: Vec<(u8, Codec)>,
    /// The payload type to send digits with.
    pub telephone_event: Option<u8>,
    /// The payload type that digits come with.
    pub telephone_event_receive: Option<u8>,
    /// Length of the packets we send, 10 to 100.
    pub ptime_ms: u32,
    /// Ours: `sends()` means that we send.
    pub direction: Direction,
    /// What to send.
    pub source: Source,
    /// Whether to keep what is heard.
    pub record: bool,
}

impl Config {
    /// The stream that offer and answer agreed on.
    pub fn new(agreed: &NegotiatedAudio, source: Source, record: bool) -> Self {
        let mut config = Config {
            remote: agreed.remote,
            remote_rtcp: agreed.remote_rtcp,
            rtcp_mux: agreed.rtcp_mux,
            codec: agreed.codec,
            payload_type: agreed.payload_type,
            receive: Vec::new(),
            telephone_event: None,
            telephone_event_receive: None,
            ptime_ms: agreed.ptime_ms,
            direction: agreed.direction,
            source,
            record,
        };
        config.apply(agreed);
        config
    }

    pub(super) fn apply(&mut self, agreed: &NegotiatedAudio) {
        // An unspecified address only says "do not send" (old-style hold); where the other is, we still know.
        if !agreed.remote.ip().is_unspecified() {
            self.remote = agreed.remote;
            self.remote_rtcp = agreed.remote_rtcp;
        }
        self.rtcp_mux = agreed.rtcp_mux;
        self.codec = agreed.codec;
        self.payload_type = agreed.payload_type;
        self.receive.clone_from(&agreed.receive);
        self.telephone_event = agreed.telephone_event;
        self.telephone_event_receive = agreed.telephone_event_receive;
        self.ptime_ms = agreed.ptime_ms;
        self.direction = agreed.direction;
    }

    pub(super) fn packet_time(&self) -> Duration {
        Duration::from_millis(self.ptime_ms.clamp(10, 100).into())
    }

    pub(super) fn packet_samples(&self) -> u32 {
        self.ptime_ms.clamp(10, 100) * SAMPLES_PER_MS
    }
}
