use sip_message::{AuthValue, BadValue, unquote};
use std::borrow::Cow;

/// The parameters of Digest credentials that a server looks at, found in one pass (RFC 7616 section 3.4). Of two with one name
/// the first counts.
#[derive(Debug, Default)]
pub(crate) struct AnswerFields<'a> {
    realm: Option<&'a str>,
    algorithm: Option<&'a str>,
    username: Option<&'a str>,
    nonce: Option<&'a str>,
    uri: Option<&'a str>,
    response: Option<&'a str>,
    qop: Option<&'a str>,
    nc: Option<&'a str>,
    cnonce: Option<&'a str>,
}

macro_rules! unquoted {
    ($($name:ident)*) => {
        $(pub(crate) fn $name(&self) -> Option<Cow<'a, str>> {
            self.$name.map(unquote)
        })*
    };
}

impl<'a> AnswerFields<'a> {
    /// Those of a field's value; `None` for another scheme than Digest.
    pub(crate) fn of(text: &'a str) -> Result<Option<AnswerFields<'a>>, BadValue> {
        let mut fields = AnswerFields::default();
        let value = AuthValue::read(text, |name, written| {
            if let Some(place) = fields.place(name) {
                place.get_or_insert(written);
            }
        })?;
        Ok(value.scheme.eq_ignore_ascii_case("Digest").then_some(fields))
    }

    /// No two names of one length begin alike, so that one comparison is enough.
    fn place(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        let first = name.as_bytes().first()?.to_ascii_lowercase();
        let (known, place) = match (name.len(), first) {
            (2, b'n') => ("nc", &mut self.nc),
            (3, b'u') => ("uri", &mut self.uri),
            (3, b'q') => ("qop", &mut self.qop),
            (5, b'r') => ("realm", &mut self.realm),
            (5, b'n') => ("nonce", &mut self.nonce),
            (6, b'c') => ("cnonce", &mut self.cnonce),
            (8, b'u') => ("username", &mut self.username),
            (8, b'r') => ("response", &mut self.response),
            (9, b'a') => ("algorithm", &mut self.algorithm),
            _ => return None,
        };
        (known == name || known.eq_ignore_ascii_case(name)).then_some(place)
    }

    unquoted!(realm algorithm username nonce uri response qop nc cnonce);
}
