use crate::text::{find_unquoted, kind, leading, split_once, trim_lws};

/// The `;name=value` parameters behind a URI or a header field's value, in the order they were written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// The parameters in `text`, which is empty or begins with `;`.
    pub fn new(text: &'a str) -> Params<'a> {
        Params(text)
    }

    /// A value such as `1800;refresher=uac`, and the parameters behind it.
    pub fn behind(text: &'a str) -> (&'a str, Params<'a>) {
        let end = find_unquoted(text, b';').unwrap_or(text.len());
        let (value, params) = text.split_at(end);
        (trim_lws(value), Params(params))
    }

    /// The text of all of them, beginning with `;`, or empty.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The value of the first parameter with this name (in any case), quotes kept; `""` for a flag without a value.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or(""))
    }

    /// Every parameter: its name, and its value when it has one.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.read().map(|(name, value, _)| (name, value))
    }

    /// The same, and whether both are known to be of nothing but the characters of tokens.
    fn read(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>, bool)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            rest = match rest.strip_prefix(';') {
                Some(behind) => behind,
                None => trim_lws(rest).strip_prefix(';')?,
            };
            // As nearly everybody writes them: tokens without white space.
            let bytes = rest.as_bytes();
            let name_end = leading(bytes, kind::TOKEN);
            let value = bytes.get(name_end).filter(|b| **b == b'=').map(|_| name_end + 1);
            let end = value.map_or(name_end, |begin| begin + leading(&bytes[begin..], kind::TOKEN));
            if matches!(bytes.get(end), None | Some(b';')) {
                let (one, after) = rest.split_at(end);
                rest = after;
                return Some((&one[..name_end], value.map(|begin| &one[begin..]), true));
            }
            let end = find_unquoted(rest, b';').unwrap_or(rest.len());
            let (one, after) = rest.split_at(end);
            rest = after;
            Some(match split_once(one, b'=') {
                Some((name, value)) => (trim_lws(name), Some(trim_lws(value)), false),
                None => (trim_lws(one), None, false),
            })
        })
    }

    /// Whether each is `name` or `name=value` with a token, a host or a quoted string (RFC 3261 section 25.1, generic-param).
    pub fn well_formed(&self) -> bool {
        self.read().all(|(name, value, plain)| {
            if plain {
                return !name.is_empty() && value != Some("");
            }
            crate::text::is_token(name)
                && value.is_none_or(|value| {
                    crate::text::is_quoted(value)
                        || (!value.is_empty()
                            && value.bytes().all(|b| crate::text::is_token_byte(b) || b"[]:@/?&=$,(){}<>".contains(&b)))
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn parameters_with_quotes_flags_and_spaces() {
        let params = Params::new(" ;lr; a=1 ;Text=\"x;y\\\"z\";q = 0.5");
        assert_eq!(params.get("lr"), Some(""));
        assert_eq!(params.get("A"), Some("1"));
        assert_eq!(params.get("text"), Some("\"x;y\\\"z\""));
        assert_eq!(params.get("q"), Some("0.5"));
        assert_eq!(params.get("none"), None);
        assert_eq!(Params::new("").iter().count(), 0);
        let (value, params) = Params::behind("SIP ;cause=200;text=\"a;b\"");
        assert_eq!((value, params.get("cause"), params.get("text")), ("SIP", Some("200"), Some("\"a;b\"")));
    }
}
