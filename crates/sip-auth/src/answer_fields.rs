use sip_message::{AuthValue, unquote};
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
    pub(crate) fn of(value: &AuthValue<'a>) -> AnswerFields<'a> {
        let mut fields = AnswerFields::default();
        for (name, text) in value.iter() {
            if let Some(place) = fields.place(name) {
                place.get_or_insert(text);
            }
        }
        fields
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        let places = [
            ("username", &mut self.username),
            ("realm", &mut self.realm),
            ("nonce", &mut self.nonce),
            ("uri", &mut self.uri),
            ("response", &mut self.response),
            ("cnonce", &mut self.cnonce),
            ("nc", &mut self.nc),
            ("qop", &mut self.qop),
            ("algorithm", &mut self.algorithm),
        ];
        places.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, place)| place)
    }

    unquoted!(realm algorithm username nonce uri response qop nc cnonce);
}
