use sip_message::HeaderName;

/// Who asks for a proof: a registrar or another user agent (401), or a proxy (407).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 401, `WWW-Authenticate`, `Authorization` (RFC 3261 section 22.2).
    Www,
    /// 407, `Proxy-Authenticate`, `Proxy-Authorization` (RFC 3261 section 22.3).
    Proxy,
}

impl Kind {
    /// The kind of challenge that a response with this status is; `None` when it is none.
    pub fn of_status(status: u16) -> Option<Kind> {
        match status {
            401 => Some(Kind::Www),
            407 => Some(Kind::Proxy),
            _ => None,
        }
    }

    /// The status of the challenge.
    pub fn status(self) -> u16 {
        match self {
            Kind::Www => 401,
            Kind::Proxy => 407,
        }
    }

    /// The header field that challenges.
    pub fn challenge_field(self) -> HeaderName {
        match self {
            Kind::Www => HeaderName::WwwAuthenticate,
            Kind::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    /// The header field that answers.
    pub fn answer_field(self) -> HeaderName {
        match self {
            Kind::Www => HeaderName::Authorization,
            Kind::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}
