use crate::text::{unescape, unescape_unreserved};
use crate::{BadValue, Scheme, Uri};
use std::borrow::Cow;
use std::fmt;

/// Digits that an E.164 number may have.
const E164_DIGITS_MAX: usize = 15;

/// A telephone number as RFC 3966 section 3 has it (telephone-subscriber), in the one form that all its spellings have in common:
/// without visual separators, in small letters, its parameters in the order of RFC 3261 section 19.1.6. Two of them are equal when RFC 3966
/// section 4 calls their URIs equivalent.
///
/// A local number should have a phone-context; one without is taken too, since that is what phones dial.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TelephoneNumber {
    digits: String,
    /// Names and values; a flag has none.
    params: Vec<(String, Option<String>)>,
}

impl TelephoneNumber {
    /// The number that a `tel:` URI is, or that the user part of a `sip:` or `sips:` URI with `user=phone` is (RFC 3261 section
    /// 19.1.1); `None` for any other URI.
    pub fn of(uri: &Uri<'_>) -> Option<TelephoneNumber> {
        match uri.scheme {
            Scheme::Tel => TelephoneNumber::parse(&format!("{}{}", uri.user?, uri.params.as_str())).ok(),
            Scheme::Sip | Scheme::Sips => {
                uri.param("user").filter(|user| user.eq_ignore_ascii_case("phone"))?;
                TelephoneNumber::parse(uri.user?).ok()
            }
            Scheme::Other(_) => None,
        }
    }

    /// Parses a telephone-subscriber, which may be escaped.
    pub fn parse(text: &str) -> Result<TelephoneNumber, BadValue> {
        let escaped = text.split('%').skip(1);
        if !escaped
            .map(|rest| rest.get(..2))
            .all(|hex| hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())))
        {
            return Err(BadValue("bad escape in a telephone number"));
        }
        let mut parts = text.split(';');
        let digits = dialled(parts.next().unwrap_or(""))?;
        let mut params: Vec<(String, Option<String>)> = Vec::new();
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            let name = name.to_ascii_lowercase();
            let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !good || params.iter().any(|(earlier, _)| *earlier == name) {
                return Err(BadValue("bad parameter of a telephone number"));
            }
            let value = value.map(|value| canonical_value(&name, value)).transpose()?;
            params.push((name, value));
        }
        params.sort_by(|a, b| place(&a.0).cmp(&place(&b.0)).then_with(|| a.cmp(b)));
        Ok(TelephoneNumber { digits, params })
    }

    /// Whether it means the same everywhere: it begins with `+` (RFC 3966 section 5.1.4).
    pub fn is_global(&self) -> bool {
        self.digits.starts_with('+')
    }

    /// What is dialled: digits, of a local number `*`, `#` and `a` to `f` too, behind the `+` of a global one.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The number in E.164 form, `+` and at most 15 digits; `None` for a local one.
    pub fn e164(&self) -> Option<&str> {
        (self.is_global() && self.digits.len() <= E164_DIGITS_MAX + 1).then_some(&self.digits)
    }

    /// The value of a parameter such as `phone-context`, `ext` or `isub`; `""` for a flag.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_deref().unwrap_or(""))
    }

    /// The `tel:` URI.
    pub fn to_tel(&self) -> String {
        format!("tel:{self}")
    }

    /// The `sip:` URI of this number at a host (written as in a URI), all of it in the user part (RFC 3261 section 19.1.6).
    pub fn to_sip(&self, host: impl fmt::Display) -> String {
        let mut user = String::new();
        for byte in self.to_string().bytes() {
            // What a telephone-subscriber may hold and a user part may not is escaped (section 19.1.2); what is escaped stays so.
            match byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&byte) {
                true => user.push(byte.into()),
                false => user.push_str(&format!("%{byte:02X}")),
            }
        }
        format!("sip:{user}@{host};user=phone")
    }
}

impl fmt::Display for TelephoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digits)?;
        for (name, value) in &self.params {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// global-number-digits or local-number-digits without their visual separators.
fn dialled(text: &str) -> Result<String, BadValue> {
    let text = unescape(text);
    let plain: String = text.iter().map(|byte| char::from(*byte)).filter(|letter| !is_separator(*letter)).collect();
    let good = match plain.strip_prefix('+') {
        Some(global) => !global.is_empty() && global.bytes().all(|byte| byte.is_ascii_digit()),
        None => !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_hexdigit() || b"*#".contains(&byte)),
    };
    if good { Ok(plain.to_ascii_lowercase()) } else { Err(BadValue("not a telephone number")) }
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '-' | '.' | '(' | ')')
}

/// Values are compared in any case; those that are numbers without separators; a domain name with its last dot or without.
fn canonical_value(name: &str, value: &str) -> Result<String, BadValue> {
    let value: Cow<'_, str> = unescape_unreserved(value);
    let value = match name {
        "ext" => dialled(&value)?,
        "phone-context" if value.starts_with('+') => dialled(&value)?,
        "phone-context" => value.trim_end_matches('.').to_ascii_lowercase(),
        _ => value.to_ascii_lowercase(),
    };
    if value.is_empty() { Err(BadValue("parameter of a telephone number without its value")) } else { Ok(value) }
}

/// Which parameters come first: RFC 3966 section 3, and the post-dial string of the older RFC 2806 as RFC 3261 section 19.1.6 wants it.
fn place(name: &str) -> u8 {
    match name {
        "isub" => 0,
        "ext" => 1,
        "postd" => 2,
        "phone-context" => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::TelephoneNumber;
    use crate::Uri;

    fn of(uri: &str) -> Option<TelephoneNumber> {
        TelephoneNumber::of(&Uri::parse(uri).unwrap())
    }

    /// RFC 3966 section 4.
    #[test]
    fn comparison_of_telephone_numbers() {
        let same = |a: &str, b: &str| {
            let (a, b) = (Uri::parse(a).unwrap(), Uri::parse(b).unwrap());
            assert_eq!(a.equivalent(&b), b.equivalent(&a));
            a.equivalent(&b)
        };
        assert!(same("tel:+1-201-555-0123", "tel:+1(201)555.0123"));
        assert!(same("TEL:+358-555-1234567;postd=pp22", "tel:+358-555-1234567;POSTD=PP22"));
        assert!(same("tel:+358-555-1234567;postd=pp22;isub=1411", "tel:+358-555-1234567;isub=1411;postd=pp22"));
        assert!(same("tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914555"));
        assert!(same("tel:7042;phone-context=Example.COM", "tel:7042;phone-context=example.com"));
        assert!(same("tel:+12;ext=1-2", "tel:+12;ext=12"));
        assert!(same("tel:+12;x=%61", "tel:+12;x=A"));
        assert!(!same("tel:+12015550123", "tel:12015550123;phone-context=+1"), "one global, one local");
        assert!(!same("tel:7042;phone-context=example.com", "tel:7042;phone-context=example.org"));
        assert!(!same("tel:+12", "tel:+12;ext=1"), "a parameter that only one has");
        assert!(!same("tel:+12", "sip:+12@example.com;user=phone"));
        assert!(same("tel:x", "tel:x") && !same("tel:x", "tel:y"), "what is no number is compared as text");
    }

    #[test]
    fn forms_of_a_telephone_number() {
        let number = of("tel:+1-201-555-0123;ext=12;tsp=a.b").unwrap();
        assert!(number.is_global());
        assert_eq!((number.digits(), number.e164()), ("+12015550123", Some("+12015550123")));
        assert_eq!((number.param("EXT"), number.param("isub"), number.param("tsp")), (Some("12"), None, Some("a.b")));
        let local = of("tel:*21%23;phone-context=example.com").unwrap();
        assert_eq!((local.is_global(), local.digits(), local.e164()), (false, "*21#", None));
        assert_eq!(local.param("phone-context"), Some("example.com"));
        assert_eq!(of("tel:+1234567890123456").unwrap().e164(), None, "longer than E.164 has it");
        assert_eq!(of("sip:+1-212-555-1212:1234@gateway.com;user=phone").unwrap().digits(), "+12125551212");
        assert_eq!(of("sip:+1-212-555-1212@gateway.com"), None, "a user name that looks like a number");
        assert_eq!(of("sip:alice@gateway.com;user=phone"), None);
        assert_eq!(of("sip:gateway.com;user=phone"), None);
        for bad in [
            "",
            "+",
            "+1a",
            "12g",
            "--",
            "1;;",
            "1;a=1;A=2",
            "1;=2",
            "1;ext=",
            "1;ext=x",
            "+1 2",
            "1;phone-context=.",
            "1;a=%",
            "1;a=%%341",
        ] {
            assert!(TelephoneNumber::parse(bad).is_err(), "{bad}");
        }
    }

    /// RFC 3261 section 19.1.6.
    #[test]
    fn tel_and_sip_uris_of_one_number() {
        let to_sip = |tel: &str| of(tel).unwrap().to_sip("foo.com");
        let expected = "sip:+3585551234567;postd=pp22@foo.com;user=phone";
        assert_eq!(to_sip("tel:+358-555-1234567;postd=pp22"), expected);
        assert_eq!(to_sip("tel:+358-555-1234567;POSTD=PP22"), expected);
        let expected = "sip:+3585551234567;isub=1411;postd=pp22@foo.com;user=phone";
        assert_eq!(to_sip("tel:+358-555-1234567;postd=pp22;isub=1411"), expected);
        assert_eq!(to_sip("tel:+358-555-1234567;isub=1411;postd=pp22"), expected);
        let expected = "sip:+3585551234567;phone-context=5;tsp=a.b@foo.com;user=phone";
        assert_eq!(to_sip("tel:+358-555-1234567;tsp=a.b;phone-context=5"), expected);
        assert_eq!(to_sip("tel:+358-555-1234567;phone-context=5;tsp=a.b"), expected);
        let expected = "sip:+358;isub=1;postd=2;phone-context=5;a=b@foo.com;user=phone";
        assert_eq!(to_sip("tel:+358;a=b;phone-context=5;postd=2;isub=1"), expected);
        let dialled = to_sip("tel:*21%23;phone-context=example.com;x=[%3A]");
        assert_eq!(dialled, "sip:*21%23;phone-context=example.com;x=%5B%3a%5D@foo.com;user=phone");
        assert_eq!(to_sip("tel:1;x=@\"a:b"), "sip:1;x=%40%22a%3Ab@foo.com;user=phone");
        // And back.
        for tel in ["tel:+3585551234567;isub=1411;postd=pp22", "tel:*21#;phone-context=example.com"] {
            let sip = to_sip(tel);
            assert_eq!(of(&sip).unwrap().to_tel(), tel);
        }
    }
}
