use crate::{AddressOfRecord, Binding};
use engine::{Mac, Rng};
use sip_message::{Uri, unescape};
use std::fmt;

/// What a temporary GRUU's user part begins with.
const PREFIX: &str = "tgruu.";

/// Bytes that the user part of a temporary GRUU may have; a longer one is none of ours.
pub const TEMPORARY_GRUU_BYTES_MAX: usize = 1700;

/// Makes GRUUs (RFC 5627) and knows them again, without keeping any.
///
/// A public one is the address-of-record with the instance ID in `gr`. A temporary one is a token that says the address-of-record, the
/// instance and the [`Binding::epoch`] that it was made in, and a random number, so that no two are alike; encrypted, so that nobody else
/// can tell whose it is. The construction is a synthetic IV (as RFC 5297 has it, of other parts): the token begins with the 128-bit keyed
/// hash (SipHash-2-4) of what it says, and goes on with that text XORed with the ChaCha20 stream whose key is the keyed hash, under a
/// second key, of the first. What does not decrypt to a text with that hash is not ours.
#[derive(Clone, Copy)]
pub struct Gruus {
    sign: Mac,
    seal: Mac,
}

/// Whom a GRUU stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gruu {
    /// Whose.
    pub aor: AddressOfRecord,
    /// Which phone: its instance ID, without quotes and angle brackets.
    pub instance: String,
    /// Of a temporary one: the epoch that it was made in.
    epoch: Option<u32>,
}

impl Gruu {
    /// Whether it stands for the phone of this binding (of the same address-of-record), and has not been invalidated since
    /// (RFC 5627 section 5.4).
    pub fn reaches(&self, binding: &Binding) -> bool {
        binding.instance().is_some_and(|instance| instance.eq_ignore_ascii_case(&self.instance))
            && self.epoch.is_none_or(|epoch| epoch == binding.epoch())
    }

    /// Whether it is valid only while it reaches some binding: one that does not is answered with 404, a public one with 480
    /// (RFC 5627 section 6.1).
    pub fn is_temporary(&self) -> bool {
        self.epoch.is_some()
    }
}

impl Gruus {
    /// With keys that outlive a restart, and are the same in all shards.
    pub fn new(rng: &mut Rng) -> Gruus {
        Gruus { sign: Mac::new(rng), seal: Mac::new(rng) }
    }

    /// The public GRUU of an instance (RFC 5627 section 3.1.1).
    pub fn public(&self, aor: &AddressOfRecord, instance: &str) -> String {
        let mut uri = String::with_capacity(aor.as_str().len() + instance.len() + 16);
        uri.push_str("sip:");
        if !aor.user().is_empty() {
            push_escaped(&mut uri, aor.user(), b"-_.!~*'()&=+$,;?/");
            uri.push('@');
        }
        uri.push_str(aor.domain());
        uri.push_str(";gr=");
        push_escaped(&mut uri, instance, b"-_.!~*'()[]/:&+$");
        uri
    }

    /// A new temporary GRUU of an instance (RFC 5627 section 3.1.2); `random` was never used before.
    pub fn temporary(&self, random: u64, epoch: u32, aor: &AddressOfRecord, instance: &str) -> String {
        let mut text = Vec::with_capacity(32 + aor.as_str().len() + instance.len());
        text.extend_from_slice(&random.to_be_bytes());
        text.extend_from_slice(&epoch.to_be_bytes());
        text.extend_from_slice(&(aor.as_str().len() as u16).to_be_bytes());
        text.extend_from_slice(aor.as_str().as_bytes());
        text.extend_from_slice(instance.as_bytes());
        let hash = self.sign.of(&[&text]).to_be_bytes();
        self.stream(hash, &mut text);
        let mut uri = String::with_capacity(64 + 2 * text.len() + aor.domain().len());
        uri.push_str("sip:");
        uri.push_str(PREFIX);
        for byte in hash.iter().chain(&text) {
            uri.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
        }
        uri.push('@');
        uri.push_str(aor.domain());
        uri.push_str(";gr");
        uri
    }

    /// Whom a URI of our domain stands for, when it is a GRUU: `None` for one without `gr`, and for one that we have not made (which is
    /// answered with 404). `aor_of` says whose a public one is.
    pub fn resolve(&self, uri: &Uri<'_>, aor_of: impl FnOnce(&Uri<'_>) -> Option<AddressOfRecord>) -> Option<Gruu> {
        let instance = uri.param("gr")?;
        if instance.is_empty() {
            return self.open(uri.user?);
        }
        let instance = String::from_utf8(unescape(instance).into_owned()).ok()?;
        Some(Gruu { aor: aor_of(uri)?, instance, epoch: None })
    }

    fn open(&self, user: &str) -> Option<Gruu> {
        let digits = user.strip_prefix(PREFIX)?.as_bytes();
        if digits.len() > TEMPORARY_GRUU_BYTES_MAX || digits.len() % 2 == 1 {
            return None;
        }
        let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
        let byte = |pair: &[u8]| Some(nibble(*pair.first()?)? << 4 | nibble(*pair.last()?)?);
        let token: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>()?;
        let (hash, sealed) = token.split_first_chunk::<16>()?;
        let mut text = sealed.to_vec();
        self.stream(*hash, &mut text);
        // One comparison of two numbers takes as long for every wrong one.
        if self.sign.of(&[&text]) ^ u128::from_be_bytes(*hash) != 0 {
            return None;
        }
        let (_, rest) = text.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (aor, instance) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let aor = std::str::from_utf8(aor).ok()?;
        let (user, domain) = aor.rsplit_once('@').unwrap_or(("", aor));
        Some(Gruu {
            aor: AddressOfRecord::in_canonical(user, domain).ok()?,
            instance: std::str::from_utf8(instance).ok()?.to_owned(),
            epoch: Some(u32::from_be_bytes(*epoch)),
        })
    }

    /// Seals `text`, or opens it.
    fn stream(&self, hash: [u8; 16], text: &mut [u8]) {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&self.seal.of(&[b"1", &hash]).to_be_bytes());
        key[16..].copy_from_slice(&self.seal.of(&[b"2", &hash]).to_be_bytes());
        let mut stream = vec![0; text.len()];
        Rng::from_seed(key).fill(&mut stream);
        text.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
    }
}

impl fmt::Debug for Gruus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gruus(secret)")
    }
}

/// `text` with `%41` for everything but letters, digits and `plain` (RFC 3261 section 25.1).
fn push_escaped(uri: &mut String, text: &str, plain: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let digit = |digit: u8| char::from(b"0123456789ABCDEF"[usize::from(digit)]);
            uri.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Gruus, TEMPORARY_GRUU_BYTES_MAX};
    use crate::{AOR_BYTES_MAX, AddressOfRecord, CONTACT_BYTES_MAX};
    use engine::Rng;
    use sip_message::Uri;

    const INSTANCE: &str = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

    fn made() -> (Gruus, AddressOfRecord) {
        (Gruus::new(&mut Rng::from_u64(1)), AddressOfRecord::new("a b@c", "pbx.example").unwrap())
    }

    #[test]
    fn a_public_gruu_is_the_address_of_record_with_the_instance() {
        let (gruus, aor) = made();
        let text = gruus.public(&aor, "urn:x;\"y\"");
        assert_eq!(text, "sip:a%20b%40c@pbx.example;gr=urn:x%3B%22y%22");
        let found = gruus.resolve(&Uri::parse(&text).unwrap(), |uri| AddressOfRecord::of(uri).ok()).unwrap();
        assert_eq!((found.aor, &*found.instance, found.epoch), (aor, "urn:x;\"y\"", None));
        let alice = AddressOfRecord::new("alice", "example.com").unwrap();
        assert_eq!(gruus.public(&alice, INSTANCE), format!("sip:alice@example.com;gr={INSTANCE}"));
        assert!(gruus.resolve(&Uri::parse("sip:alice@example.com").unwrap(), |_| Some(alice)).is_none());
    }

    /// RFC 5627 section 5.1: no two are equal, and nothing shows for whom they are.
    #[test]
    fn a_temporary_gruu_is_sealed_and_comes_back() {
        let (gruus, aor) = made();
        let (one, other) = (gruus.temporary(1, 77, &aor, INSTANCE), gruus.temporary(2, 77, &aor, INSTANCE));
        let token = |uri: &str| uri["sip:tgruu.".len()..uri.find('@').unwrap()].to_owned();
        assert_eq!(one, format!("sip:tgruu.{}@pbx.example;gr", token(&one)));
        let (a, b) = (token(&one), token(&other));
        let alike = a.bytes().zip(b.bytes()).filter(|(a, b)| a == b).count();
        assert!(a.len() == b.len() && alike < a.len() / 6, "{alike} of {} digits are alike", a.len());
        for uri in [&one, &other] {
            let found = gruus.resolve(&Uri::parse(uri).unwrap(), |_| None).unwrap();
            assert_eq!((found.aor, &*found.instance, found.epoch), (aor.clone(), INSTANCE, Some(77)));
        }
        let strangers = Gruus::new(&mut Rng::from_u64(2));
        assert!(strangers.resolve(&Uri::parse(&one).unwrap(), |_| None).is_none());
        for at in 0..a.len() {
            let digit = if &a[at..=at] == "0" { "1" } else { "0" };
            let forged = format!("sip:tgruu.{}{digit}{}@pbx.example;gr", &a[..at], &a[at + 1..]);
            assert!(gruus.resolve(&Uri::parse(&forged).unwrap(), |_| None).is_none(), "{at}");
        }
        for bad in ["sip:tgruu.@h;gr", "sip:tgruu.0@h;gr", "sip:tgruu.zz@h;gr", "sip:x@h;gr", "sip:h;gr"] {
            assert!(gruus.resolve(&Uri::parse(bad).unwrap(), |_| None).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_longest_that_we_make_is_one_that_we_read() {
        let gruus = made().0;
        let aor = AddressOfRecord::new(&"x".repeat(AOR_BYTES_MAX - 4), "y.z").unwrap();
        let longest = gruus.temporary(1, 1, &aor, &"i".repeat(CONTACT_BYTES_MAX - 20));
        assert!(gruus.resolve(&Uri::parse(&longest).unwrap(), |_| None).is_some());
        let token = "0".repeat(TEMPORARY_GRUU_BYTES_MAX + 2);
        assert!(gruus.resolve(&Uri::parse(&format!("sip:tgruu.{token}@y.z;gr")).unwrap(), |_| None).is_none());
    }
}
