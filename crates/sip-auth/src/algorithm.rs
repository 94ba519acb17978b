use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// A hash algorithm for Digest (RFC 8760 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// What every phone can do, and the default where none is named.
    Md5,
    /// RFC 7616.
    Sha256,
    /// RFC 7616 and RFC 8760: SHA-512 with another beginning, cut to 256 bits.
    Sha512_256,
}

impl Algorithm {
    /// Every algorithm, the strongest first.
    pub const ALL: [Algorithm; 3] = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];

    /// The algorithm with this name, in any case.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str()))
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    /// Bytes of one hash.
    pub(crate) fn hash_bytes(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha256 | Algorithm::Sha512_256 => 32,
        }
    }

    /// The hash of `parts`, put together.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> Hash {
        fn run<D: Digest>(parts: &[&[u8]]) -> Hash {
            let mut hasher = D::new();
            parts.iter().for_each(|part| hasher.update(part));
            Hash::from_slice(&hasher.finalize())
        }
        match self {
            Algorithm::Md5 => run::<Md5>(parts),
            Algorithm::Sha256 => run::<Sha256>(parts),
            Algorithm::Sha512_256 => run::<Sha512_256>(parts),
        }
    }
}

/// A hash value, at most 32 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Hash {
    bytes: [u8; 32],
    length: usize,
}

impl Hash {
    /// A copy of the first 32 bytes of `slice`.
    pub(crate) fn from_slice(slice: &[u8]) -> Hash {
        let mut bytes = [0; 32];
        let length = slice.len().min(32);
        bytes[..length].copy_from_slice(&slice[..length]);
        Hash { bytes, length }
    }

    /// The hash written as hexadecimal digits in any case; `None` unless it is exactly as long as this algorithm's.
    pub(crate) fn from_hex(text: &str, algorithm: Algorithm) -> Option<Hash> {
        let length = algorithm.hash_bytes();
        let mut bytes = [0; 32];
        if text.len() != 2 * length {
            return None;
        }
        let mut bad = 0;
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (NIBBLES[usize::from(digits[0])], NIBBLES[usize::from(digits[1])]);
            bad |= high | low;
            *byte = high << 4 | low;
        }
        (bad & NO_NIBBLE == 0).then_some(Hash { bytes, length })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Lower-case hexadecimal digits (RFC 8760 section 2.2).
    pub(crate) fn hex(&self) -> Hex {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Hex { digits, length: 2 * self.length }
    }
}

/// In lower case, as RFC 8760 section 2.2 wants them.
pub(crate) const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A hash value in lower-case hexadecimal digits.
#[derive(Clone, Copy)]
pub(crate) struct Hex {
    digits: [u8; 64],
    length: usize,
}

impl Hex {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[..self.length]
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// What [`NIBBLES`] has for what is no digit.
pub(crate) const NO_NIBBLE: u8 = 0x80;

/// The values of hexadecimal digits in any case.
pub(crate) static NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_NIBBLE; 256];
    let mut value = 0;
    while value < 16 {
        let digit = DIGITS[value];
        nibbles[digit as usize] = value as u8;
        nibbles[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    nibbles
};

#[cfg(test)]
mod tests {
    use super::{Algorithm, Hash};

    /// RFC 3261 section 22.4 item 7, RFC 8760 section 2.6 item 7.
    #[test]
    fn the_hash_of_nothing() {
        assert_eq!(Algorithm::Md5.hash(&[b""]).hex().as_str(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            Algorithm::Sha256.hash(&[]).hex().as_str(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            Algorithm::Sha512_256.hash(&[]).hex().as_str(),
            "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"
        );
    }

    #[test]
    fn hexadecimal_digits_both_ways() {
        let hash = Algorithm::Md5.hash(&[b"a", b"bc"]);
        assert_eq!(hash.hex().as_str(), "900150983cd24fb0d6963f7d28e17f72");
        for text in ["900150983cd24fb0d6963f7d28e17f72", "900150983CD24FB0D6963F7D28E17F72"] {
            assert_eq!(Hash::from_hex(text, Algorithm::Md5).unwrap().as_bytes(), hash.as_bytes());
        }
        for bad in [
            "",
            "900150983cd24fb0d6963f7d28e17f7",
            "900150983cd24fb0d6963f7d28e17f7g",
            "900150983cd24fb0d6963f7d28e17f7200",
        ] {
            assert!(Hash::from_hex(bad, Algorithm::Md5).is_none(), "{bad}");
        }
        assert!(Hash::from_hex("900150983cd24fb0d6963f7d28e17f72", Algorithm::Sha256).is_none());
    }

    #[test]
    fn names() {
        assert_eq!(Algorithm::parse("md5"), Some(Algorithm::Md5));
        assert_eq!(Algorithm::parse("SHA-256"), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::parse("sha-512-256"), Some(Algorithm::Sha512_256));
        assert_eq!(Algorithm::parse("MD5-sess"), None);
    }
}
