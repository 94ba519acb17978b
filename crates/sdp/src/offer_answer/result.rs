//! What offer and answer agreed on.

use std::fmt;
use std::net::SocketAddr;

use super::is_old_hold;
use crate::{Codec, Connection, Direction, Media, SessionDescription};

/// Shortest and longest packet time we send with: 10 ms of G.711 is 80 bytes, 100 ms still fits an Ethernet frame.
const PTIME_MS: std::ops::RangeInclusive<u32> = 10..=100;

/// The streams that both sides agreed on. Lines that were refused are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Negotiated {
    /// The audio streams; at present at most one.
    pub audio: Vec<NegotiatedAudio>,
}

/// One agreed audio stream, as seen from our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedAudio {
    /// Which `m=` line it is, from 0.
    pub media_index: usize,
    /// What we send.
    pub codec: Codec,
    /// The payload type we send it with.
    pub payload_type: u8,
    /// What we must be ready to receive, each with its payload type; at most one entry per codec we have.
    pub receive: Vec<(u8, Codec)>,
    /// Where RTP goes. May be the unspecified address, to which nothing may be sent (old-style hold).
    pub remote: SocketAddr,
    /// Where RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// Whether RTCP shares the RTP ports (RFC 5761).
    pub rtcp_mux: bool,
    /// Ours: `sends()` means that we send.
    pub direction: Direction,
    /// The packet time to send with.
    pub ptime_ms: u32,
    /// The payload type to send RFC 4733 digits with, if both sides do them.
    pub telephone_event: Option<u8>,
    /// The payload type that digits arrive with.
    pub telephone_event_receive: Option<u8>,
}

/// Why a media line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaError {
    /// Its port is 0: removed, or refused by the other side.
    Removed,
    /// Not `audio` over `RTP/AVP`: the kind and protocol that it is.
    NotPlainAudio(String, String),
    /// Neither the line nor the session has a `c=`.
    NoConnection,
    /// The address is not a literal unicast address: a host name, a multicast group. We do not resolve names in descriptions.
    NotAnAddress(String),
    /// No format of the line is a codec of ours.
    NoCommonCodec,
    /// One audio stream per session is all we do, and an earlier line is it.
    OneStreamOnly,
}

impl fmt::Display for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediaError::Removed => f.write_str("port 0"),
            MediaError::NotPlainAudio(kind, protocol) => write!(f, "{kind} over {protocol} is not audio over RTP/AVP"),
            MediaError::NoConnection => f.write_str("no c= line says where to send"),
            MediaError::NotAnAddress(what) => write!(f, "c={what} is a host name or group, not a unicast address"),
            MediaError::NoCommonCodec => f.write_str("no codec in common"),
            MediaError::OneStreamOnly => f.write_str("only one audio stream is taken"),
        }
    }
}

impl std::error::Error for MediaError {}

/// Where a remote line receives and which way it says media flows.
pub(super) struct Remote {
    pub(super) rtp: SocketAddr,
    pub(super) rtcp: SocketAddr,
    pub(super) direction: Direction,
}

/// What a line of the other side's description says, when it is one that we can use at all.
pub(super) fn usable(description: &SessionDescription, line: &Media) -> Result<Remote, MediaError> {
    if line.port == 0 {
        return Err(MediaError::Removed);
    }
    if !line.is_plain_audio() {
        return Err(MediaError::NotPlainAudio(line.kind.clone(), line.protocol.clone()));
    }
    let connection = description.connection_of(line).ok_or(MediaError::NoConnection)?;
    let ip = match connection {
        Connection::Ip(ip) if !ip.is_multicast() => *ip,
        other => return Err(MediaError::NotAnAddress(other.to_string())),
    };
    let mut direction = description.direction_of(line);
    if is_old_hold(connection) {
        direction = direction.intersect(Direction::SendOnly);
    }
    let rtcp = match line.rtcp() {
        Some((port, address)) => SocketAddr::new(address.unwrap_or(ip), port),
        None => SocketAddr::new(ip, line.port.saturating_add(1)),
    };
    Ok(Remote { rtp: SocketAddr::new(ip, line.port), rtcp, direction })
}

/// The packet time to send to this line with: what it asks for within what it can take, in whole 10 ms.
pub(super) fn ptime_ms(line: &Media, default_ms: u32) -> u32 {
    let wished = line.ptime_ms().unwrap_or(default_ms).min(line.maxptime_ms().unwrap_or(u32::MAX));
    (wished / 10 * 10).clamp(*PTIME_MS.start(), *PTIME_MS.end())
}
