use sip_message::{BadValue, Host, Scheme, Uri, unescape};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bytes that an address-of-record may have in its canonical form.
pub const AOR_BYTES_MAX: usize = 256;

/// Whom bindings belong to: `user@domain` in canonical form (RFC 3261 section 10.3 step 5).
///
/// Scheme, password, port and parameters are gone, the user is unescaped, the domain in lower case, an address as it is
/// commonly written: the same person, however a phone writes them. A clone is a pointer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressOfRecord(Arc<str>);

impl AddressOfRecord {
    /// The address-of-record that a `sip:` or `sips:` URI means.
    pub fn of(uri: &Uri<'_>) -> Result<AddressOfRecord, BadValue> {
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            return Err(BadValue("address-of-record is not a SIP URI"));
        }
        let user = unescape(uri.user.unwrap_or(""));
        let user = std::str::from_utf8(&user).map_err(|_| BadValue("user of an address-of-record is not UTF-8"))?;
        AddressOfRecord::canonical(user, &uri.host)
    }

    /// That of `user` (without escapes) in `domain` (a name or an address, without a port).
    pub fn new(user: &str, domain: &str) -> Result<AddressOfRecord, BadValue> {
        AddressOfRecord::canonical(user, &Host::parse(domain)?)
    }

    /// That of `user` (without escapes) in a domain that is written as in [`AddressOfRecord::domain`] already.
    pub fn in_canonical(user: &str, domain: &str) -> Result<AddressOfRecord, BadValue> {
        check_user(user)?;
        if user.is_empty() {
            return AddressOfRecord::of_text(domain);
        }
        let mut room = [0; AOR_BYTES_MAX];
        let length = user.len() + 1 + domain.len();
        let place = room.get_mut(..length).ok_or(TOO_LONG)?;
        let (name, rest) = place.split_at_mut(user.len());
        name.copy_from_slice(user.as_bytes());
        rest[0] = b'@';
        rest[1..].copy_from_slice(domain.as_bytes());
        AddressOfRecord::of_text(std::str::from_utf8(place).unwrap_or(domain)) // which it is, made of text
    }

    fn canonical(user: &str, host: &Host<'_>) -> Result<AddressOfRecord, BadValue> {
        check_user(user)?;
        let host_bytes = if let Host::Name(name) = host { name.len() } else { 41 };
        let mut text = String::with_capacity(user.len() + 1 + host_bytes);
        if !user.is_empty() {
            text.push_str(user);
            text.push('@');
        }
        match host {
            Host::Name(name) => text.extend(name.trim_end_matches('.').bytes().map(|b| b.to_ascii_lowercase() as char)),
            address => {
                let _ = fmt::Write::write_fmt(&mut text, format_args!("{address}"));
            }
        }
        AddressOfRecord::of_text(&text)
    }

    /// That with this text, which was one's [`AddressOfRecord::as_str`] before.
    pub(crate) fn of_canonical(text: &str) -> Option<AddressOfRecord> {
        check_user(text).and_then(|()| AddressOfRecord::of_text(text)).ok()
    }

    fn of_text(text: &str) -> Result<AddressOfRecord, BadValue> {
        if text.len() > AOR_BYTES_MAX { Err(TOO_LONG) } else { Ok(AddressOfRecord(text.into())) }
    }

    /// `user@domain`, or `domain` alone when there is no user.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user without escapes; empty when there is none.
    pub fn user(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(user, _)| user)
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or(&*self.0, |(_, domain)| domain)
    }
}

const TOO_LONG: BadValue = BadValue("address-of-record too long");

fn check_user(user: &str) -> Result<(), BadValue> {
    let control =
        if user.is_ascii() { user.bytes().any(|b| b.is_ascii_control()) } else { user.chars().any(char::is_control) };
    if control { Err(BadValue("control character in an address-of-record")) } else { Ok(()) }
}

impl Hash for AddressOfRecord {
    /// One write instead of the two that a `str` makes: it is hashed a few times for each REGISTER.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.as_bytes());
    }
}

impl fmt::Display for AddressOfRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AddressOfRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{AOR_BYTES_MAX, AddressOfRecord};
    use sip_message::Uri;

    fn canonical(uri: &str) -> Result<String, &'static str> {
        AddressOfRecord::of(&Uri::parse(uri).unwrap()).map(|aor| aor.to_string()).map_err(|bad| bad.0)
    }

    #[test]
    fn however_it_is_written_it_is_one() {
        for uri in [
            "sip:101@pbx.example",
            "sips:101@PBX.Example.",
            "sip:%3101@pbx.example:5070;transport=tcp;user=phone?x=y",
            "sip:101:secret@pbx.example",
        ] {
            assert_eq!(canonical(uri).unwrap(), "101@pbx.example", "{uri}");
        }
        assert_eq!(canonical("sip:Ann%40home@[2001:DB8:0::1]:5060").unwrap(), "Ann@home@[2001:db8::1]");
        assert_eq!(canonical("sip:pbx.example").unwrap(), "pbx.example");
        assert_ne!(canonical("sip:Ann@a.example"), canonical("sip:ann@a.example"));
    }

    #[test]
    fn its_parts() {
        let aor = AddressOfRecord::new("a@b", "PBX.example").unwrap();
        assert_eq!((aor.user(), aor.domain(), aor.as_str()), ("a@b", "pbx.example", "a@b@pbx.example"));
        let aor = AddressOfRecord::new("", "192.0.2.1").unwrap();
        assert_eq!((aor.user(), aor.domain()), ("", "192.0.2.1"));
        assert_eq!(AddressOfRecord::new("1", "[::1]").unwrap().as_str(), "1@[::1]");
    }

    #[test]
    fn what_is_none() {
        assert!(canonical("tel:101").is_err());
        assert!(canonical("sip:a%0d%0a@pbx.example").is_err());
        assert!(canonical("sip:%ff@pbx.example").is_err());
        assert!(AddressOfRecord::new("a", "not a host").is_err());
        let longest = "x".repeat(AOR_BYTES_MAX - "@b.example".len());
        assert!(AddressOfRecord::new(&longest, "b.example").is_ok());
        assert!(AddressOfRecord::new(&format!("{longest}x"), "b.example").is_err());
    }
}
