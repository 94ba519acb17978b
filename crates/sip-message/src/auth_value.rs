use crate::BadValue;
use crate::text::{find_unquoted, is_lws, is_token, is_token_byte, trim_lws, unquote};
use memchr::memchr2;
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
        AuthValue::read(text, |_, _| {})
    }

    /// The same, and shows each parameter as [`AuthValue::iter`] does: for those who want several in one pass.
    pub fn read(text: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> Result<AuthValue<'a>, BadValue> {
        let text = trim_lws(text);
        let end = text.bytes().position(is_lws).ok_or(BadValue("credentials without parameters"))?;
        let (scheme, params) = text.split_at(end);
        let value = AuthValue { scheme, params };
        let mut well_formed = is_token(scheme);
        for (name, written) in value.iter() {
            well_formed &= is_token(name);
            each(name, written);
        }
        if well_formed { Ok(value) } else { Err(BadValue("credentials are not a scheme and parameters")) }
    }

    /// The value of the first parameter of this name (in any case), without quotes.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| unquote(value))
    }

    /// Every parameter: its name, and its value as written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.params;
        std::iter::from_fn(move || {
            let begin = rest.bytes().position(|b| b != b',' && !is_lws(b))?;
            rest = &rest[begin..];
            if let Some((name, value, end)) = plain_param(rest) {
                rest = &rest[end..];
                return Some((name, value));
            }
            let (one, after) = rest.split_at(find_unquoted(rest, b',').unwrap_or(rest.len()));
            rest = after;
            let (name, value) = one.split_once('=').unwrap_or((one, ""));
            Some((trim_lws(name), trim_lws(value)))
        })
    }
}

/// The parameter that `text` begins with, and where it ends, if it is written as nearly everybody writes it: a name, `=`, and a token or
/// a quoted string without escapes, with no white space between them.
fn plain_param(text: &str) -> Option<(&str, &str, usize)> {
    let bytes = text.as_bytes();
    let equals = bytes.iter().position(|b| !is_token_byte(*b)).filter(|at| bytes[*at] == b'=')?;
    let begin = equals + 1;
    let end = if bytes.get(begin) == Some(&b'"') {
        let close = begin + 1 + memchr2(b'"', b'\\', &bytes[begin + 1..])?;
        if bytes[close] == b'\\' {
            return None;
        }
        close + 1
    } else {
        begin + bytes[begin..].iter().position(|b| !is_token_byte(*b)).unwrap_or(bytes.len() - begin)
    };
    matches!(bytes.get(end), None | Some(b',')).then(|| (&text[..equals], &text[begin..end], end))
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
        assert_eq!(value.iter().count(), 4);
        let spaced = AuthValue::parse("Digest ,a = \"1\" , , b=2 x, c=\"\",d=,e").unwrap();
        let all: Vec<_> = spaced.iter().collect();
        assert_eq!(all, [("a", "\"1\""), ("b", "2 x"), ("c", "\"\""), ("d", ""), ("e", "")]);
        assert!(AuthValue::parse("Digest").is_err());
        assert!(AuthValue::parse("Digest a b=c").is_err());
    }
}
