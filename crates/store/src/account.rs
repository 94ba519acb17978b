use routing::{Forwards, Limits};
use sip_auth::Secrets;

/// Bytes that the name of an account may have.
pub const NAME_BYTES_MAX: usize = 64;

/// Somebody who may register: the digest secrets instead of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user part of the address-of-record, and the user name of Digest.
    pub name: String,
    /// The realm that the secrets were made for; they are worth nothing in another.
    pub realm: String,
    /// H(name:realm:password).
    pub secrets: Secrets,
    /// Where calls to it go instead.
    pub forwards: Forwards,
    /// What its calls may come to, if not what everybody's may.
    pub limits: Option<Limits>,
}

impl Account {
    /// An account whose calls go nowhere else, with everybody's limits.
    pub fn new(name: &str, realm: &str, secrets: Secrets) -> Account {
        Account { name: name.to_owned(), realm: realm.to_owned(), secrets, forwards: Forwards::default(), limits: None }
    }
}

/// Whether an account may have this name: one that needs no escapes in a URI and no quoting anywhere (RFC 3261 section 25.1, user).
pub fn valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~!*-".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::{NAME_BYTES_MAX, valid_name};

    #[test]
    fn names() {
        for good in ["100", "alice", "anna.b-c_d+e", &"n".repeat(NAME_BYTES_MAX)] {
            assert!(valid_name(good), "{good}");
        }
        for bad in ["", "a b", "a@b", "a:b", "a\"b", "ä", "a\n", &"n".repeat(NAME_BYTES_MAX + 1)] {
            assert!(!valid_name(bad), "{bad}");
        }
    }
}
