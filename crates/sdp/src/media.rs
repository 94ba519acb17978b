//! One media description: an `m=` line and what belongs to it.

use std::net::IpAddr;

use crate::{Attribute, Codec, Connection, Direction, Line};

/// A media description (RFC 8866 section 5.14). Its attributes stay in order; the methods read them on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image`, ..
    pub kind: String,
    /// Where the describer receives; 0 rejects or removes the stream (RFC 3264 sections 6 and 8.2).
    pub port: u16,
    /// The count in `port/count`, for layered streams.
    pub port_count: Option<u32>,
    /// `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVPF`, ..
    pub protocol: String,
    /// Payload types for RTP, in order of preference; never empty.
    pub formats: Vec<String>,
    /// `c=` of this line; the first one when there are several.
    pub connection: Option<Connection>,
    /// Other lines (`i b k`, further `c`) in the order they came.
    pub lines: Vec<Line>,
    /// `a=` lines, in order.
    pub attributes: Vec<Attribute>,
}

/// What a payload type stands for: `a=rtpmap:101 telephone-event/8000` (RFC 8866 section 6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// 0..=127.
    pub payload_type: u8,
    /// The encoding name, compared without regard to case.
    pub name: &'a str,
    /// The RTP clock rate.
    pub clock_rate_hz: u32,
    /// Audio channels; 1 when not given.
    pub channels: u32,
}

impl Media {
    /// The value of the first attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.name == name)?.value.as_deref()
    }

    /// Whether there is an attribute of this name, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|a| a.name == name)
    }

    /// This line's own direction attribute, if it has one.
    pub fn direction(&self) -> Option<Direction> {
        self.attributes.iter().find_map(|a| Direction::from_attribute(&a.name))
    }

    /// The well-formed `a=rtpmap` lines, in order; malformed ones are passed over.
    pub fn rtpmaps(&self) -> impl Iterator<Item = RtpMap<'_>> {
        self.attributes.iter().filter(|a| a.name == "rtpmap").filter_map(|a| parse_rtpmap(a.value.as_deref()?))
    }

    /// The parameters of this payload type: the rest of `a=fmtp:101 0-15`.
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.attributes.iter().filter(|a| a.name == "fmtp").find_map(|a| {
            let (format, parameters) = a.value.as_deref()?.split_once(' ')?;
            (format.parse() == Ok(payload_type)).then_some(parameters.trim())
        })
    }

    /// The formats that are payload types, in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats.iter().filter_map(|f| f.parse().ok()).filter(|pt| *pt < 128)
    }

    /// The codec that a payload type of this line stands for, if we have it: by `a=rtpmap`, else by RFC 3551.
    pub fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        match self.rtpmaps().find(|m| m.payload_type == payload_type) {
            Some(map) => Codec::from_rtpmap(map.name, map.clock_rate_hz, map.channels),
            None => Codec::from_static_payload_type(payload_type),
        }
    }

    /// The payload type of `telephone-event` at this clock rate, when the line lists it (RFC 4733 section 2.4).
    pub fn telephone_event(&self, clock_rate_hz: u32) -> Option<u8> {
        self.payload_types().find(|pt| {
            self.rtpmaps().any(|m| {
                m.payload_type == *pt
                    && m.clock_rate_hz == clock_rate_hz
                    && m.name.eq_ignore_ascii_case("telephone-event")
            })
        })
    }

    /// `a=ptime`: the packet time the describer would like to receive (RFC 8866 section 6.4).
    pub fn ptime_ms(&self) -> Option<u32> {
        milliseconds(self.attribute("ptime")?)
    }

    /// `a=maxptime`: the longest packet time the describer can receive.
    pub fn maxptime_ms(&self) -> Option<u32> {
        milliseconds(self.attribute("maxptime")?)
    }

    /// `a=rtcp`: where RTCP goes if not to the next port (RFC 3605), with its address when one is given.
    pub fn rtcp(&self) -> Option<(u16, Option<IpAddr>)> {
        let mut words = self.attribute("rtcp")?.split_ascii_whitespace();
        let port = words.next()?.parse().ok()?;
        Some((port, words.nth(2).and_then(|a| a.parse().ok())))
    }

    /// Whether this is an audio stream over plain RTP, the kind we accept.
    pub fn is_plain_audio(&self) -> bool {
        self.kind.eq_ignore_ascii_case("audio") && self.protocol.eq_ignore_ascii_case("RTP/AVP")
    }
}

fn parse_rtpmap(value: &str) -> Option<RtpMap<'_>> {
    let (payload_type, encoding) = value.trim().split_once(|c: char| c.is_ascii_whitespace())?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next().filter(|n| !n.is_empty())?;
    let clock_rate_hz = parts.next()?.parse().ok().filter(|r| *r > 0)?;
    // Some phones write an empty or textual channel count for mono.
    let channels = parts.next().and_then(|c| c.parse().ok()).unwrap_or(1);
    Some(RtpMap { payload_type: payload_type.parse().ok().filter(|pt| *pt < 128)?, name, clock_rate_hz, channels })
}

/// Whole milliseconds of a packet time; fractions (`a=ptime:2.5`) are cut, zero is no answer.
fn milliseconds(value: &str) -> Option<u32> {
    value.trim().split('.').next()?.parse().ok().filter(|ms| *ms > 0)
}
