use crate::BadValue;
use crate::text::{find_unquoted, is_lws, is_token, kind, leading, trim_lws, unquote};
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
        let mut rest = params;
        while let Some(param) = next_param(&mut rest) {
            well_formed &= param.plain || is_token(param.name);
            each(param.name, param.value);
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
        std::iter::from_fn(move || next_param(&mut rest).map(|param| (param.name, param.value)))
    }
}

struct Param<'a> {
    name: &'a str,
    /// As written.
    value: &'a str,
    /// Whether the name is known to be a token.
    plain: bool,
}

/// The parameter that `rest` begins with; moves behind it. Empty places between commas are none.
fn next_param<'a>(rest: &mut &'a str) -> Option<Param<'a>> {
    let text = &rest[rest.bytes().position(|b| b != b',' && !is_lws(b))?..];
    let bytes = text.as_bytes();
    // As nearly everybody writes them: a name, `=`, and a token or a quoted string without escapes, with no white space between them.
    let equals = leading(bytes, kind::TOKEN);
    if bytes.get(equals) == Some(&b'=') && equals > 0 {
        let begin = equals + 1;
        let end = match bytes.get(begin) {
            Some(b'"') => match memchr2(b'"', b'\\', &bytes[begin + 1..]) {
                Some(length) => begin + length + 1 + usize::from(bytes[begin + 1 + length] == b'"'),
                None => begin,
            },
            _ => begin + leading(&bytes[begin..], kind::TOKEN),
        };
        if matches!(bytes.get(end), None | Some(b',')) {
            *rest = &text[end..];
            return Some(Param { name: &text[..equals], value: &text[begin..end], plain: true });
        }
    }
    let (one, after) = text.split_at(find_unquoted(text, b',').unwrap_or(text.len()));
    *rest = after;
    let (name, value) = one.split_once('=').unwrap_or((one, ""));
    Some(Param { name: trim_lws(name), value: trim_lws(value), plain: false })
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
