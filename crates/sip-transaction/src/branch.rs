use engine::{Mac, Rng};
use sip_message::MAGIC_COOKIE;
use std::fmt;

/// A client transaction, or the branch of a request that has none (the ACK to a 2xx).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientTransactionId(u64);

impl ClientTransactionId {
    pub(crate) const FIRST: ClientTransactionId = ClientTransactionId(0);
    pub(crate) const LAST: ClientTransactionId = ClientTransactionId(u64::MAX);

    /// The id of the CANCEL of this INVITE: both share one branch (RFC 3261 section 9.1).
    pub(crate) fn of_cancel(self) -> ClientTransactionId {
        ClientTransactionId(self.0 | 1)
    }

    pub(crate) fn is_cancel(self) -> bool {
        self.0 & 1 == 1
    }

    /// 64 bits that spread neighbouring ids.
    pub(crate) fn spread(self) -> u64 {
        let product = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ (product >> 32)
    }
}

/// Bits of a branch that count: the id of the transaction without the CANCEL bit.
const SERIAL_BITS: u32 = 47;
/// Characters of a branch after the magic cookie: 5 bits each hold shard, serial and 64 bits of the MAC.
const CODE_LENGTH: usize = 26;
const LENGTH: usize = MAGIC_COOKIE.len() + CODE_LENGTH;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A branch of ours: it says under a MAC which shard and which transaction a response belongs to, so that nobody else
/// can make one (RFC 3261 section 8.1.1.7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    id: ClientTransactionId,
    text: [u8; LENGTH],
}

impl Branch {
    fn new(mac: &Mac, shard: u16, serial: u64) -> Branch {
        let payload = u64::from(shard) << 48 | serial;
        let code = u128::from(payload) << 64 | u128::from(signature(mac, payload));
        let mut text = [0; LENGTH];
        text[..MAGIC_COOKIE.len()].copy_from_slice(MAGIC_COOKIE.as_bytes());
        for (n, letter) in text[MAGIC_COOKIE.len()..].iter_mut().rev().enumerate() {
            *letter = ALPHABET[(code >> (5 * n)) as usize & 31];
        }
        Branch { id: ClientTransactionId(serial << 1), text }
    }

    /// The transaction that a request with this branch starts.
    pub fn id(&self) -> ClientTransactionId {
        self.id
    }

    /// The value of the Via's branch parameter: a token of 33 characters.
    pub fn as_str(&self) -> &str {
        // Always ASCII; the check is cheap and `unsafe` is not.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The shard and the transaction that a branch names, `None` for one that is not ours. What a proxy has written behind it, after a
    /// dot (RFC 5393 section 4.2.1), does not count.
    pub(crate) fn read(mac: &Mac, text: &str) -> Option<(u16, ClientTransactionId)> {
        let code = text.strip_prefix(MAGIC_COOKIE)?;
        let (code, more) = code.split_at_checked(CODE_LENGTH)?;
        if !more.is_empty() && !more.starts_with('.') {
            return None;
        }
        let mut bits = 0u128;
        for letter in code.bytes() {
            let value = match letter {
                b'a'..=b'z' => letter - b'a',
                b'2'..=b'7' => letter - b'2' + 26,
                _ => return None,
            };
            // 26 letters hold two bits more than we use, which are zero in what we write.
            if bits >> 123 != 0 {
                return None;
            }
            bits = bits << 5 | u128::from(value);
        }
        let payload = (bits >> 64) as u64;
        let (shard, serial) = ((payload >> 48) as u16, payload & ((1 << 48) - 1));
        (bits as u64 == signature(mac, payload)).then_some((shard, ClientTransactionId(serial << 1)))
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Branch({self})")
    }
}

/// The word keeps a signature of ours for another purpose from being one for a branch.
fn signature(mac: &Mac, payload: u64) -> u64 {
    mac.of(&[b"branch", &payload.to_be_bytes()]) as u64
}

/// The source of branches: counts on from a random number, so that no branch of an earlier run returns.
#[derive(Debug)]
pub(crate) struct Mint {
    mac: Mac,
    shard: u16,
    next: u64,
}

impl Mint {
    pub(crate) fn new(mac: Mac, shard: u16, rng: &mut Rng) -> Mint {
        Mint { mac, shard, next: rng.next_u64() }
    }

    pub(crate) fn mint(&mut self) -> Branch {
        self.next = self.next.wrapping_add(1);
        Branch::new(&self.mac, self.shard, self.next & ((1 << SERIAL_BITS) - 1))
    }

    /// The transaction of this shard that a branch names.
    pub(crate) fn recognise(&self, text: &str) -> Option<ClientTransactionId> {
        let (shard, id) = Branch::read(&self.mac, text)?;
        (shard == self.shard).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::{Branch, Mint};
    use engine::{Mac, Rng};

    #[test]
    fn a_branch_names_its_shard_and_transaction() {
        let mac = Mac::from_key([9; 16]);
        let mut mint = Mint::new(mac, 513, &mut Rng::from_u64(1));
        let (one, two) = (mint.mint(), mint.mint());
        assert_ne!(one, two);
        assert!(one.as_str().starts_with("z9hG4bK") && one.as_str().len() == 33, "{one}");
        assert_eq!(Branch::read(&mac, one.as_str()), Some((513, one.id())));
        assert_eq!(mint.recognise(two.as_str()), Some(two.id()));
        assert_eq!(mint.recognise(&format!("{two}.more")), Some(two.id()));
        assert_eq!(mint.recognise(&format!("{two}more")), None);
        assert_eq!(Mint::new(mac, 514, &mut Rng::from_u64(1)).recognise(two.as_str()), None);
    }

    #[test]
    fn a_forged_branch_is_nobodys() {
        let mac = Mac::from_key([9; 16]);
        let branch = Mint::new(mac, 0, &mut Rng::from_u64(1)).mint();
        assert_eq!(Branch::read(&Mac::from_key([8; 16]), branch.as_str()), None);
        for at in 0..branch.as_str().len() {
            let mut text = branch.as_str().to_owned();
            let other = if text.as_bytes()[at] == b'c' { "d" } else { "c" };
            text.replace_range(at..=at, other);
            assert_eq!(Branch::read(&mac, &text), None, "{text}");
        }
        for text in [
            "",
            "z9hG4bK",
            "z9hG4bK-",
            "z9hG4bK77777777777777777777777777",
            "z9hG4bKäääääääääääää",
            &branch.as_str()[1..],
        ] {
            assert_eq!(Branch::read(&mac, text), None, "{text}");
        }
    }
}
