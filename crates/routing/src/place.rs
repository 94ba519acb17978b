use crate::Wanted;
use crate::address::escape_user;
use sip_message::{Host, Scheme, Uri};
use std::fmt;

/// Where something goes: a user or number of ours (`100`, `+49301234`), or a `sip:`, `sips:` or `tel:` URI.
///
/// In it `{user}` stands for the number that was dialled, as the rule has changed it, `{host}` for the host of the Request-URI and
/// `{from}` for the number of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    text: String,
    is_number: bool,
}

/// What is filled in: plain texts, not escaped.
pub(crate) struct Filling<'a> {
    pub(crate) user: &'a str,
    /// As in a URI.
    pub(crate) host: &'a str,
    pub(crate) from: &'a str,
    /// The host of numbers without one.
    pub(crate) home: &'a str,
    /// Whether numbers of ours are `sips:` URIs.
    pub(crate) secure: bool,
}

impl Place {
    /// Reads a place.
    pub fn parse(text: &str) -> Result<Place, Wanted> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let is_number = match scheme.as_deref() {
            Some("sip" | "sips" | "tel") => false,
            Some(_) => return Err(Wanted("a number, or a URI that begins with sip:, sips: or tel:")),
            None if text.contains('@') => return Err(Wanted("sip: in front of an address with a host")),
            None => true,
        };
        let place = Place { text: text.to_owned(), is_number };
        let sample = Filling { user: "1", host: "example.org", from: "2", home: "example.org", secure: false };
        let wanted =
            Wanted("a number, or a URI such as sip:{user}@gateway.example.net; {user}, {host}, {from} are filled in");
        let unknown = |letter: char| matches!(letter, '{' | '}') || letter.is_whitespace() || letter.is_control();
        if replace(text, &sample, str::to_owned).contains(unknown) {
            return Err(wanted);
        }
        let filled = place.uri(&sample).ok_or(wanted)?;
        Uri::parse(&filled).map_err(|_| wanted)?;
        Ok(place)
    }

    /// Whether it is a number or user of ours, not a URI.
    pub fn is_number(&self) -> bool {
        self.is_number
    }

    /// Whether the number that was dialled is in it.
    pub fn has_user(&self) -> bool {
        self.text.contains("{user}")
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URI; `None` when nothing is left of the user part.
    pub(crate) fn uri(&self, filling: &Filling<'_>) -> Option<String> {
        if self.is_number {
            let user = replace(&self.text, filling, str::to_owned);
            let scheme = if filling.secure { "sips" } else { "sip" };
            return (!user.is_empty()).then(|| format!("{scheme}:{}@{}", escape_user(&user), filling.home));
        }
        let uri = replace(&self.text, filling, escape_user);
        let empty_user = uri.split_once(':').is_none_or(|(_, rest)| rest.is_empty() || rest.starts_with('@'));
        (!empty_user).then_some(uri)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// In one pass: what is filled in is not looked at again.
fn replace(text: &str, filling: &Filling<'_>, user: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from_here) = rest.split_at(open);
        filled += before;
        let names =
            [("{user}", user(filling.user)), ("{from}", user(filling.from)), ("{host}", filling.host.to_owned())];
        let known = names.iter().find(|(name, _)| from_here.starts_with(name));
        let (name, value) = known.map_or(("{", "{"), |(name, value)| (*name, value.as_str()));
        filled += value;
        rest = &from_here[name.len()..];
    }
    filled + rest
}

/// `uri` with another user part; what is not for the Request-URI of another request (password, headers) is left out.
pub(crate) fn with_user(uri: &Uri<'_>, user: &str, home: &str) -> Option<String> {
    let scheme = match uri.scheme {
        Scheme::Sips => "sips",
        Scheme::Sip => "sip",
        Scheme::Tel => return (!user.is_empty()).then(|| format!("sip:{}@{home}", escape_user(user))),
        Scheme::Other(_) => return None,
    };
    let port = uri.port.map_or(String::new(), |port| format!(":{port}"));
    let (host, params) = (uri.host, uri.params.as_str());
    (!user.is_empty() && host != Host::Name("")).then(|| format!("{scheme}:{}@{host}{port}{params}", escape_user(user)))
}

#[cfg(test)]
mod tests {
    use super::{Filling, Place, with_user};
    use sip_message::Uri;

    #[test]
    fn places_are_filled_in() {
        let filling = Filling { user: "+49 1@", host: "a.b", from: "{user}", home: "home", secure: false };
        for (place, uri) in [
            ("sip:{user}@gw;transport=tls", "sip:+49%201%40@gw;transport=tls"),
            ("sip:00{user}@{host}:5070", "sip:00+49%201%40@a.b:5070"),
            ("sip:{from}@gw", "sip:%7Buser%7D@gw"),
            ("sips:gw", "sips:gw"),
            ("tel:+123", "tel:+123"),
            ("100", "sip:100@home"),
            ("9{user}", "sip:9+49%201%40@home"),
        ] {
            assert_eq!(Place::parse(place).unwrap().uri(&filling).as_deref(), Some(uri), "{place}");
        }
        let nothing = Filling { user: "", secure: true, ..filling };
        for place in ["sip:{user}@gw", "{user}", "tel:{user}"] {
            assert_eq!(Place::parse(place).unwrap().uri(&nothing), None, "{place}");
        }
        assert_eq!(Place::parse("100").unwrap().uri(&nothing).as_deref(), Some("sips:100@home"));
    }

    #[test]
    fn what_is_no_place() {
        for bad in
            ["", "a@b", "http://x", "sip:", "sip:{number}@x", "sip:a b@c", "{nobody}", "sip:a@b:port", "sip:{user@gw"]
        {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_user_at_the_same_host() {
        let with = |uri: &str, user| with_user(&Uri::parse(uri).unwrap(), user, "home");
        assert_eq!(with("sip:gw:5070;transport=tcp", "+1#").as_deref(), Some("sip:+1%23@gw:5070;transport=tcp"));
        assert_eq!(with("sips:a:secret@[2001:db8::1]?x=y", "b").as_deref(), Some("sips:b@[2001:db8::1]"));
        assert_eq!(with("tel:+1", "2").as_deref(), Some("sip:2@home"));
        assert_eq!((with("sip:gw", ""), with("urn:x", "1")), (None, None));
    }
}
