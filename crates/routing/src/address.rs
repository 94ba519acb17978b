use crate::{Pattern, Wanted};
use sip_message::{Scheme, TelephoneNumber, Uri};
use std::borrow::Cow;
use std::fmt;

/// What somebody's address looks like: a [`Pattern`] for the user part, or two for `user@host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPattern {
    user: Pattern,
    /// Compared without regard to case.
    host: Option<Pattern>,
}

impl AddressPattern {
    /// Reads `user` or `user@host`.
    pub fn parse(text: &str) -> Result<AddressPattern, Wanted> {
        let lower = text.to_ascii_lowercase();
        if ["sip:", "sips:", "tel:"].iter().any(|scheme| lower.starts_with(scheme)) {
            return Err(Wanted("a number, or user@host, without the scheme in front"));
        }
        let (user, host) = match text.rsplit_once('@') {
            Some((user, host)) => (user, Some(Pattern::parse(host)?)),
            None => (text, None),
        };
        Ok(AddressPattern { user: Pattern::parse(user)?, host })
    }

    /// Whether it speaks of the host, too.
    pub fn has_host(&self) -> bool {
        self.host.is_some()
    }

    /// Whether a number (see [`number`]) at a host looks like this.
    pub(crate) fn matches(&self, number: &str, uri: &Uri<'_>) -> bool {
        // Most hosts are names, and those are there already.
        let host = |pattern: &Pattern| match uri.host {
            sip_message::Host::Name(name) => pattern.matches_any_case(name),
            literal => pattern.matches_any_case(&literal.to_string()),
        };
        self.user.matches(number) && self.host.as_ref().is_none_or(host)
    }

    /// Whether all that looks like `other` looks like this, too.
    pub(crate) fn covers(&self, other: &AddressPattern) -> bool {
        let hosts = match (&self.host, &other.host) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => ours.covers(theirs),
            // Without a host the one says "here", and the other where "here" is.
            (None, Some(_)) | (Some(_), None) => false,
        };
        hosts && self.user.covers(&other.user)
    }

    /// Whether a star code seems to have been meant ([`Pattern::resembles_star_code`]).
    pub fn resembles_star_code(&self) -> bool {
        self.host.is_none() && self.user.resembles_star_code()
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{}@{host}", self.user),
            None => self.user.fmt(f),
        }
    }
}

/// The number or name that a URI is for: its user part without escapes; of a telephone number (`tel:`, or `user=phone`) without
/// visual separators and parameters (RFC 3966 section 3, RFC 3261 section 19.1.6). Empty when there is none.
pub(crate) fn number<'a>(uri: &Uri<'a>) -> Cow<'a, str> {
    if let Some(telephone) = TelephoneNumber::of(uri) {
        return Cow::Owned(telephone.digits().to_owned());
    }
    let user = uri.user.unwrap_or_default();
    let user = if user.contains('%') { Cow::Owned(uri.user_unescaped()) } else { Cow::Borrowed(user) };
    // What is dialled with visual separators is the same number, whatever kind of URI it stands in: switches behind us think so, too.
    let separates = |letter: char| matches!(letter, '-' | '.' | '(' | ')');
    let number = |letter: char| letter.is_ascii_digit() || letter == '+' || separates(letter);
    if user.contains(separates) && user.chars().all(number) { user.replace(separates, "").into() } else { user }
}

/// Whether it is a telephone number that names no host.
pub(crate) fn is_tel(uri: &Uri<'_>) -> bool {
    uri.scheme == Scheme::Tel
}

/// `text` as it may stand in the user part of a URI (RFC 3261 section 25.1, user).
pub(crate) fn escape_user(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        // `;`, `?` and `/` are allowed, too, and misread by many.
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{AddressPattern, escape_user, number};
    use sip_message::Uri;

    #[test]
    fn the_number_of_a_uri() {
        for (uri, is) in [
            ("sip:alice@a", "alice"),
            ("sip:%61lice@a", "alice"),
            ("sip:anna.b-c@a", "anna.b-c"),
            ("sip:+1-201-555-0123@a;user=phone", "+12015550123"),
            ("sip:+358-555-1234567;postd=pp22@a;user=phone", "+3585551234567"),
            ("tel:+1-(201)-555.0123;phone-context=x", "+12015550123"),
            ("sip:%2397@a", "#97"),
            ("sip:a", ""),
        ] {
            assert_eq!(number(&Uri::parse(uri).unwrap()), is, "{uri}");
        }
    }

    #[test]
    fn addresses_match_by_user_and_host() {
        let matches = |pattern: &str, uri: &str| {
            let uri = Uri::parse(uri).unwrap();
            AddressPattern::parse(pattern).unwrap().matches(&number(&uri), &uri)
        };
        assert!(matches("1*", "sip:100@anywhere") && !matches("1*", "sip:200@anywhere"));
        assert!(matches("*@Example.NET", "sip:x@example.net") && !matches("*@example.net", "sip:x@sub.example.net"));
        assert!(matches("1??@*.example.net", "sip:100@sub.example.net"));
        assert!(matches("*@[2001:db8::1]", "sip:x@[2001:DB8:0::1]") && matches("*@10.0.*", "sip:10.0.0.1"));
        assert!(!matches("Alice", "sip:alice@a"), "user parts have case (RFC 3261 section 19.1.4)");
        for bad in ["", "sip:a@b", "tel:1", "@a", "a@"] {
            assert!(AddressPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_gets_out_of_a_user_part() {
        assert_eq!(escape_user("+49(30)*1"), "+49(30)*1");
        assert_eq!(escape_user("a@b;c?d>\r\n ü#"), "a%40b%3Bc%3Fd%3E%0D%0A%20%C3%BC%23");
    }
}
