use crate::message::seconds;
use crate::{BadValue, HeaderName, Message, Params};

/// The value of Session-Expires (RFC 4028 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// How long the session lasts without a refresh.
    pub interval_s: u32,
    /// Who refreshes, when that is said.
    pub refresher: Option<Refresher>,
}

/// Who refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answered it.
    Uas,
}

impl SessionExpires {
    /// Parses a value.
    pub fn parse(text: &str) -> Result<SessionExpires, BadValue> {
        let (number, params) = Params::behind(text);
        let interval_s = seconds(number).ok_or(BadValue("Session-Expires is not a number"))?;
        let refresher = match params.get("refresher") {
            Some(uac) if uac.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(uas) if uas.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Ok(SessionExpires { interval_s, refresher })
    }
}

impl Message {
    /// Session-Expires, when there is one.
    pub fn session_expires(&self) -> Option<Result<SessionExpires, BadValue>> {
        self.header(HeaderName::SessionExpires).map(SessionExpires::parse)
    }

    /// Min-SE in seconds, when there is one (RFC 4028 section 5).
    pub fn min_se(&self) -> Option<Result<u32, BadValue>> {
        let number = Params::behind(self.header(HeaderName::MinSe)?).0;
        Some(seconds(number).ok_or(BadValue("Min-SE is not a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Refresher, SessionExpires};

    #[test]
    fn forms_of_session_expires() {
        let parse = |text| SessionExpires::parse(text).map(|value| (value.interval_s, value.refresher)).ok();
        assert_eq!(parse("4000;refresher=uac"), Some((4000, Some(Refresher::Uac))));
        assert_eq!(parse("90 ; Refresher = UAS;x=y"), Some((90, Some(Refresher::Uas))));
        assert_eq!(parse("1800"), Some((1800, None)));
        assert_eq!(parse("1800;refresher=nobody"), Some((1800, None)));
        assert_eq!(parse("99999999999"), Some((u32::MAX, None)));
        for bad in ["", "-1", "x", ";refresher=uac", "18 00"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
