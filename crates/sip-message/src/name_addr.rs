use crate::text::{all, find, find_unquoted, is_lws, kind, quoted_end, trim_lws};
use crate::{BadValue, Params, Uri};

/// A value of From, To, Contact, Route, Record-Route and their like: a URI, perhaps named, with the field's own parameters
/// (RFC 3261 section 20.10).
#[derive(Debug, Clone, Copy)]
pub struct NameAddr<'a> {
    /// The display name as written, quotes included.
    pub display: Option<&'a str>,
    /// The URI's text.
    pub uri: &'a str,
    /// The parameters of the field. Without angle brackets, all parameters are the field's.
    pub params: Params<'a>,
}

const NEITHER: BadValue = BadValue("display name is neither words nor one quoted string");

impl<'a> NameAddr<'a> {
    /// Parses one value.
    pub fn parse(text: &'a str) -> Result<NameAddr<'a>, BadValue> {
        let text = trim_lws(text);
        if text.starts_with('<') {
            return NameAddr::parse_bracketed("", text);
        }
        if text.starts_with('"') {
            let nothing = BadValue("display name without a URI in angle brackets, or quotes that do not close");
            let (display, rest) = text.split_at(quoted_end(text).ok_or(nothing)?);
            let rest = trim_lws(rest);
            return match rest.find('<') {
                Some(0) => NameAddr::parse_bracketed(display, rest),
                Some(_) => Err(NEITHER),
                None => Err(nothing),
            };
        }
        let Some(open) = find_unquoted(text, b'<') else {
            let end = text.find(';').unwrap_or(text.len());
            let (uri, params) = text.split_at(end);
            let uri = trim_lws(uri);
            if uri.is_empty() || uri.contains([',', '?', '>']) || uri.bytes().any(is_lws) {
                return Err(BadValue("a URI with commas, question marks or spaces needs angle brackets"));
            }
            return Ok(NameAddr { display: None, uri, params: Params::new(params) });
        };
        let display = trim_lws(&text[..open]);
        if !all(display.as_bytes(), kind::WORDS) {
            return Err(NEITHER);
        }
        NameAddr::parse_bracketed(display, &text[open..])
    }

    /// What follows the display name, beginning with `<`.
    fn parse_bracketed(display: &'a str, text: &'a str) -> Result<NameAddr<'a>, BadValue> {
        let close = find(text.as_bytes(), b'>').ok_or(BadValue("angle bracket without its match"))?;
        let uri = &text[1..close];
        let params = trim_lws(&text[close + 1..]);
        if !(params.is_empty() || params.starts_with(';')) {
            return Err(BadValue("something other than parameters behind a URI"));
        }
        if uri.is_empty() {
            return Err(BadValue("empty URI"));
        }
        Ok(NameAddr { display: (!display.is_empty()).then_some(display), uri, params: Params::new(params) })
    }

    /// The URI, parsed.
    pub fn uri_parsed(&self) -> Result<Uri<'a>, BadValue> {
        Uri::parse(self.uri)
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The `q` parameter in thousandths (RFC 3261 section 20.10): 1000 when absent.
    pub fn q(&self) -> Result<u16, BadValue> {
        let Some(text) = self.params.get("q") else { return Ok(1000) };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let bad = BadValue("q is not a number from 0 to 1 with at most three decimals");
        if !matches!(whole, "0" | "1") || fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad);
        }
        let thousandths = format!("{whole}{fraction:0<3}").parse().map_err(|_| bad)?;
        if thousandths > 1000 { Err(bad) } else { Ok(thousandths) }
    }

    /// The `expires` parameter in seconds; one that is no number counts as absent (RFC 3261 section 20.10 has 3600 stand for it).
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").and_then(crate::message::seconds)
    }
}

/// The value of a Contact: addresses, or the star that means all of them.
#[derive(Debug, Clone)]
pub enum Contacts<'a> {
    /// `*`
    Star,
    /// Addresses, perhaps none.
    List(Vec<NameAddr<'a>>),
}

#[cfg(test)]
mod tests {
    use super::NameAddr;

    #[test]
    fn forms_of_an_address() {
        let a = NameAddr::parse("\"A. \\\"<G>\\\" Bell\" <sip:agb@bell.com;lr>;tag=a48s;q=0.5").unwrap();
        assert_eq!(
            (a.display, a.uri, a.tag(), a.q()),
            (Some("\"A. \\\"<G>\\\" Bell\""), "sip:agb@bell.com;lr", Some("a48s"), Ok(500))
        );
        let a = NameAddr::parse("sip:agb@bell.com;tag=1").unwrap();
        assert_eq!((a.display, a.uri, a.tag(), a.q()), (None, "sip:agb@bell.com", Some("1"), Ok(1000)));
        let a = NameAddr::parse("Bell Phone\r\n <sip:x@y>").unwrap();
        assert_eq!((a.display, a.uri, a.tag()), (Some("Bell Phone"), "sip:x@y", None));
        assert_eq!(NameAddr::parse("<sip:x@y>;expires=30;q=1.0").unwrap().expires(), Some(30));
    }

    #[test]
    fn what_is_no_address() {
        for bad in [
            "",
            "<>",
            "\"open <sip:a@b>",
            "Bell, Alexander <sip:a@b>",
            "<sip:a@b",
            "<sip:a@b> x",
            "\"a\" \"b\" <sip:a@b>",
            "sip:a@b?x=y",
            "\"a\"",
        ] {
            assert!(NameAddr::parse(bad).is_err(), "{bad}");
        }
        for q in ["2", "0.1234", "1.001", "-1", "x", ""] {
            let text = format!("<sip:a@b>;q={q}");
            assert!(NameAddr::parse(&text).unwrap().q().is_err(), "{q}");
        }
    }
}
