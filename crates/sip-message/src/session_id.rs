use crate::{BadValue, Params};

/// The value of Session-ID: one number for each end of a session (RFC 7989 section 5), by which logs of many elements are brought
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId<'a> {
    /// 32 hexadecimal digits of the end that sent the message.
    pub local: &'a str,
    /// Those of the other end; `None` in the older form of RFC 7329.
    pub remote: Option<&'a str>,
}

impl<'a> SessionId<'a> {
    /// What stands for an end that is not known yet.
    pub const NIL: &'static str = "00000000000000000000000000000000";

    /// Parses a value.
    pub fn parse(text: &'a str) -> Result<SessionId<'a>, BadValue> {
        let (local, params) = Params::behind(text);
        let remote = params.get("remote");
        if is_uuid(local) && remote.is_none_or(is_uuid) {
            return Ok(SessionId { local, remote });
        }
        Err(BadValue("Session-ID is not 32 hexadecimal digits in small letters"))
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::SessionId;

    #[test]
    fn forms_of_session_id() {
        let (one, other) = ("ab30317f1a784dc48ff824d0d3715d86", "47755a9de7794ba387653f2099600ef2");
        let both = format!("{one} ; remote={other};x=y");
        assert_eq!(SessionId::parse(&both), Ok(SessionId { local: one, remote: Some(other) }));
        assert_eq!(SessionId::parse(one), Ok(SessionId { local: one, remote: None }));
        assert!(SessionId::parse(SessionId::NIL).is_ok());
        for bad in ["", &one[1..], &one.to_uppercase(), &format!("{one};remote=1"), &format!("{one}{one}")] {
            assert!(SessionId::parse(bad).is_err(), "{bad}");
        }
    }
}
