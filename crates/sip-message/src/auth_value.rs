use crate::BadValue;
use crate::message::split_commas;
use crate::text::{is_token, trim_lws, unquote};
use std::borrow::Cow;

/// The value of WWW-Authenticate, Authorization, Proxy-Authenticate or Proxy-Authorization: a scheme and its parameters
/// (RFC 3261 sections 20.7, 20.27, 20.28, 20.44).
#[derive(Debug, Clone, Copy)]
pub struct AuthValue<'a> {
    /// The scheme, `Digest` as a rule.
    pub scheme: &'a str,
    params: &'a str,
}

impl<'a> AuthValue<'a> {
    /// Parses one whole field's value; commas in it part parameters, not values.
    pub fn parse(text: &'a str) -> Result<AuthValue<'a>, BadValue> {
        let (scheme, params) =
            trim_lws(text).split_once([' ', '\t', '\r', '\n']).ok_or(BadValue("credentials without parameters"))?;
        let value = AuthValue { scheme, params };
        if !is_token(scheme) || value.iter().any(|(name, _)| !is_token(name)) {
            return Err(BadValue("credentials are not a scheme and parameters"));
        }
        Ok(value)
    }

    /// The value of the first parameter of this name (in any case), without quotes.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| unquote(value))
    }

    /// Every parameter: its name, and its value as written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        split_commas(self.params).filter(|one| !one.is_empty()).map(|one| {
            let (name, value) = one.split_once('=').unwrap_or((one, ""));
            (trim_lws(name), trim_lws(value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::AuthValue;

    #[test]
    fn digest_credentials() {
        let value =
            AuthValue::parse("Digest username=\"bob, \\\"x\\\"\",realm=\"r\",\r\n nc=00000001 , qop=auth").unwrap();
        assert_eq!(value.scheme, "Digest");
        assert_eq!(value.get("USERNAME").unwrap(), "bob, \"x\"");
        assert_eq!(value.get("nc").unwrap(), "00000001");
        assert_eq!(value.get("opaque"), None);
        assert!(AuthValue::parse("Digest").is_err());
        assert!(AuthValue::parse("Digest a b=c").is_err());
    }
}
