use crate::algorithm::{DIGITS, NIBBLES, NO_NIBBLE};
use engine::{Mac, Now, Rng};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// A nonce: when it was made (milliseconds of its maker's, see [`NonceMaker::ms`]), a random part, and the signature over both.
///
/// On the wire 12, 16 and 16 hexadecimal digits. The signature covers the maker, too, so that a nonce of another engine,
/// or of an earlier run with the same key, is no nonce of ours: the counts that would expose its replay are not here. And it covers the
/// address that was challenged (RFC 7616 section 3.3 suggests it): who forges another's address never sees a nonce that is good there, so
/// that nobody can guess passwords in another's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonce {
    pub(crate) made_ms: u64,
    pub(crate) random: u64,
}

pub(crate) struct NonceMaker {
    mac: Mac,
    maker: u64,
    lifetime: Duration,
    /// When the first nonce was made.
    since: Option<Instant>,
}

const LENGTH: usize = 44;

impl NonceMaker {
    pub(crate) fn new(mac: Mac, lifetime: Duration, rng: &mut Rng) -> NonceMaker {
        NonceMaker { mac, maker: rng.next_u64(), lifetime, since: None }
    }

    /// A new nonce for `source`, written out.
    pub(crate) fn make(&mut self, now: Now, source: IpAddr, rng: &mut Rng) -> String {
        self.since.get_or_insert(now.mono);
        let nonce = Nonce { made_ms: self.ms(now), random: rng.next_u64() };
        let mut text = String::with_capacity(LENGTH);
        push_hex(&mut text, nonce.made_ms, 12);
        push_hex(&mut text, nonce.random, 16);
        push_hex(&mut text, self.signature(nonce, source), 16);
        text
    }

    /// The nonce in `text`, when this engine has made it for `source` and it is still young enough.
    pub(crate) fn check(&self, now: Now, source: IpAddr, text: &str) -> Option<Nonce> {
        let digits = text.as_bytes();
        if digits.len() != LENGTH {
            return None;
        }
        let nonce = Nonce { made_ms: hex_number(&digits[..12])?, random: hex_number(&digits[12..28])? };
        let signed = bool::from(self.signature(nonce, source).ct_eq(&hex_number(&digits[28..])?));
        let young = self.ms(now).saturating_sub(nonce.made_ms) <= self.lifetime.as_millis() as u64;
        (signed && young).then_some(nonce)
    }

    /// Milliseconds of the monotonic clock, the first nonce's being 1: a calendar that is put back makes no nonce older than those
    /// that were forgotten (and nobody but this engine needs to read them).
    pub(crate) fn ms(&self, now: Now) -> u64 {
        let since = self.since.map_or(Duration::ZERO, |since| now.mono.saturating_duration_since(since));
        (since.as_millis() as u64 + 1) & 0xffff_ffff_ffff
    }

    fn signature(&self, nonce: Nonce, source: IpAddr) -> u64 {
        let source = match source {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let (maker, made_ms, random) =
            (self.maker.to_le_bytes(), nonce.made_ms.to_le_bytes(), nonce.random.to_le_bytes());
        self.mac.of(&[b"nonce", &maker, &made_ms, &random, &source.octets()]) as u64
    }
}

/// The last `digits` hexadecimal digits of a number.
fn push_hex(text: &mut String, number: u64, digits: u32) {
    text.extend((0..digits).rev().map(|at| char::from(DIGITS[(number >> (4 * at) & 15) as usize])));
}

/// The number of at most 16 hexadecimal digits.
fn hex_number(digits: &[u8]) -> Option<u64> {
    let (mut number, mut bad) = (0, 0);
    for digit in digits {
        let nibble = NIBBLES[usize::from(*digit)];
        bad |= nibble;
        number = number << 4 | u64::from(nibble);
    }
    (bad & NO_NIBBLE == 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::NonceMaker;
    use engine::{Mac, Now, Rng};
    use std::time::Duration;

    #[test]
    fn only_our_own_young_nonces_count() {
        let mut rng = Rng::from_u64(1);
        let mac = Mac::new(&mut rng);
        let lifetime = Duration::from_secs(300);
        let mut ours = NonceMaker::new(mac, lifetime, &mut rng);
        let other_shard = NonceMaker::new(mac, lifetime, &mut rng);
        let now = Now::read_clocks();
        let source = "192.0.2.1".parse().unwrap();
        let text = ours.make(now, source, &mut rng);

        assert!(ours.check(now, source, &text).is_some());
        assert!(ours.check(now + lifetime, source, &text).is_some());
        assert!(ours.check(now + lifetime + Duration::from_millis(1), source, &text).is_none());
        assert!(other_shard.check(now, source, &text).is_none());
        assert!(
            ours.check(now, "::ffff:192.0.2.1".parse().unwrap(), &text).is_some(),
            "the same address, written otherwise"
        );
        for other in ["192.0.2.2", "2001:db8::1"] {
            assert!(ours.check(now, other.parse().unwrap(), &text).is_none(), "challenged elsewhere");
        }
        for at in 0..text.len() {
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            let forged = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
            assert!(ours.check(now, source, &forged).is_none(), "{at}");
        }
        for bad in ["", "x", &text[1..], &format!("{text}0"), &"é".repeat(22)] {
            assert!(ours.check(now, source, bad).is_none(), "{bad}");
        }
    }
}
