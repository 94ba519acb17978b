//! Bytes as letters and digits of one case, which a token needs (RFC 3261 section 7.3.1 has tokens compare without case).

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

pub(crate) fn write(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    for chunk in bytes.chunks(5) {
        let bits = chunk.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte)) << (8 * (5 - chunk.len()));
        let letters = (chunk.len() * 8).div_ceil(5);
        (0..letters).for_each(|n| text.push(ALPHABET[(bits >> (35 - 5 * n)) as usize & 31] as char));
    }
    text
}

/// The bytes that [`write`] has written as `text`.
pub(crate) fn read(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    for chunk in text.as_bytes().chunks(8) {
        let mut bits = 0u64;
        for letter in chunk {
            let value = match letter.to_ascii_lowercase() {
                letter @ b'a'..=b'z' => letter - b'a',
                letter @ b'2'..=b'7' => letter - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        bits <<= 5 * (8 - chunk.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[3..3 + chunk.len() * 5 / 8]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn what_is_written_is_read_again() {
        for length in 0..40u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(77) ^ 0xa5).collect();
            let text = write(&bytes);
            assert_eq!(read(&text), Some(bytes.clone()), "{text}");
            assert_eq!(read(&text.to_uppercase()), Some(bytes));
        }
        assert_eq!((read("a1"), read("ä")), (None, None));
    }
}
