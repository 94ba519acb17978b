//! The offer/answer model (RFC 3264) as pure functions: [`offer`], [`answer`], [`accept_answer`].
//!
//! One audio stream over RTP/AVP is negotiated; every other line of an offer is refused in its place with port 0.

mod accept;
mod answering;
mod offering;
mod result;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

pub use accept::{AcceptError, accept_answer};
pub use answering::{Answer, AnswerError, answer};
pub use offering::offer;
pub use result::{MediaError, Negotiated, NegotiatedAudio};

use crate::{Attribute, Codec, Connection, Direction, Line, Media, Origin, SessionDescription};

/// The packet time we send with, and ask for, when nobody says otherwise (RFC 3551 section 4.2).
pub const PTIME_MS_DEFAULT: u32 = 20;

/// The payload type we offer `telephone-event` with; what most phones use.
const TELEPHONE_EVENT_PAYLOAD_TYPE: u8 = 101;

/// What our side can do with one session, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCapabilities {
    /// The `o=` session id of our first description in this session; only its low 62 bits are used (RFC 3264 section 5).
    pub session_id: u64,
    /// Where we receive RTP; RTCP on the next port unless multiplexed.
    pub rtp: SocketAddr,
    /// In order of preference; the order matters in offers only.
    pub codecs: Vec<Codec>,
    /// Whether we do RFC 4733 digits.
    pub telephone_event: bool,
    /// The packet time we would like to receive.
    pub ptime_ms: u32,
    /// What we want of the stream: `SendOnly` puts the other on hold.
    pub direction: Direction,
    /// Whether we can take RTCP on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
}

impl LocalCapabilities {
    /// Everything this program can do, at this address.
    pub fn new(session_id: u64, rtp: SocketAddr) -> Self {
        LocalCapabilities {
            session_id,
            rtp,
            codecs: Codec::ALL.to_vec(),
            telephone_event: true,
            ptime_ms: PTIME_MS_DEFAULT,
            direction: Direction::SendRecv,
            rtcp_mux: true,
        }
    }

    /// An accepted or offered audio line of ours. `rtcp_mux` is an argument because an answer may say it only if the offer did.
    fn audio(&self, formats: &[(u8, Codec)], events: Option<u8>, direction: Direction, rtcp_mux: bool) -> Media {
        let mut attributes = Vec::with_capacity(formats.len() + 5);
        for (payload_type, codec) in formats {
            let rtpmap = format!("{payload_type} {}/{}", codec.name(), codec.clock_rate_hz());
            attributes.push(Attribute::new("rtpmap", rtpmap));
        }
        if let Some(payload_type) = events {
            attributes.push(Attribute::new("rtpmap", format!("{payload_type} telephone-event/8000")));
            attributes.push(Attribute::new("fmtp", format!("{payload_type} 0-15")));
        }
        attributes.push(Attribute::new("ptime", self.ptime_ms.to_string()));
        attributes.push(Attribute::flag(direction.as_str()));
        if rtcp_mux {
            attributes.push(Attribute::flag("rtcp-mux"));
        }
        Media {
            kind: "audio".into(),
            port: self.rtp.port(),
            port_count: None,
            protocol: "RTP/AVP".into(),
            formats: formats.iter().map(|(pt, _)| *pt).chain(events).map(|pt| pt.to_string()).collect(),
            connection: None,
            lines: Vec::new(),
            attributes,
        }
    }

    /// Our description around these media lines; its origin follows `previous`, the last one we sent in this session.
    ///
    /// The version grows by one when anything changed, and never otherwise (RFC 3264 section 8).
    fn describe(
        &self,
        media: Vec<Media>,
        lines: Vec<Line>,
        previous: Option<&SessionDescription>,
    ) -> SessionDescription {
        let address = Connection::Ip(self.rtp.ip());
        let origin = match previous {
            Some(previous) => previous.origin.clone(),
            None => Origin {
                username: "-".into(),
                session_id: (self.session_id & (u64::MAX >> 2)).to_string(),
                version: 1,
                address: address.clone(),
            },
        };
        let mut description = SessionDescription {
            origin,
            name: "-".into(),
            connection: Some(address),
            lines,
            attributes: Vec::new(),
            media,
        };
        if let Some(previous) = previous
            && *previous != description
        {
            description.origin.version = description.origin.version.saturating_add(1);
        }
        description
    }
}

/// The same line, refused or removed: its kind and formats stay, its port is 0 (RFC 3264 sections 6 and 8.2).
fn refused(media: &Media) -> Media {
    Media {
        kind: media.kind.clone(),
        port: 0,
        port_count: None,
        protocol: media.protocol.clone(),
        formats: media.formats.clone(),
        connection: None,
        lines: Vec::new(),
        attributes: Vec::new(),
    }
}

/// Whether this connection says "do not send to me" in the old way of putting on hold (RFC 3264 section 8.4).
fn is_old_hold(connection: &Connection) -> bool {
    connection.ip().is_some_and(|ip: IpAddr| ip.is_unspecified())
}
