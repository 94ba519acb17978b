//! The codecs we can negotiate, by the names and numbers of RFC 3551 section 6.

/// An audio codec that we know how to name in a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 mu-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
}

impl Codec {
    /// Every codec, in the order we prefer them.
    pub const ALL: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    /// The encoding name of `a=rtpmap` (compared without regard to case, RFC 8866 section 6.6).
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The RTP clock rate.
    pub fn clock_rate_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8000,
        }
    }

    /// The payload type which means this codec when there is no `a=rtpmap` (RFC 3551 table 4).
    pub fn static_payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The codec of this encoding name, clock rate and number of channels, if we have it.
    pub fn from_rtpmap(name: &str, clock_rate_hz: u32, channels: u32) -> Option<Codec> {
        Self::ALL
            .into_iter()
            .find(|c| channels == 1 && c.name().eq_ignore_ascii_case(name) && c.clock_rate_hz() == clock_rate_hz)
    }

    /// The codec of this static payload type, if we have it.
    pub fn from_static_payload_type(payload_type: u8) -> Option<Codec> {
        Self::ALL.into_iter().find(|c| c.static_payload_type() == payload_type)
    }

    /// The codec of this name as typed on a command line (`pcmu`, `PCMA`).
    pub fn from_name(name: &str) -> Option<Codec> {
        Self::ALL.into_iter().find(|c| c.name().eq_ignore_ascii_case(name))
    }
}
