//! Small questions about text that every header's parser asks.

use memchr::{memchr, memchr2, memchr3};
use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;

/// Linear white space of RFC 3261 section 25.1, the line breaks of a folded value among them.
pub(crate) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `text` without linear white space at both ends.
pub(crate) fn trim_lws(text: &str) -> &str {
    let bytes = text.as_bytes();
    if let (Some(first), Some(last)) = (bytes.first(), bytes.last())
        && !is_lws(*first)
        && !is_lws(*last)
    {
        return text; // as most come
    }
    let begin = bytes.iter().position(|b| !is_lws(*b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !is_lws(*b)).map_or(begin, |last| last + 1);
    &text[begin..end]
}

/// Where the first `wanted` is, eight bytes at a time: lines and values are so short that calling `memchr` costs more.
pub(crate) fn find(text: &[u8], wanted: u8) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    let (words, rest) = text.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        // A zero byte where the wanted one was; the lowest high bit that is set is right, those above it may not be.
        let zero = u64::from_le_bytes(*word) ^ (ONES * u64::from(wanted));
        let found = zero.wrapping_sub(ONES) & !zero & (ONES << 7);
        if found != 0 {
            return Some(8 * nth + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| *byte == wanted).map(|at| text.len() - rest.len() + at)
}

/// What stands before and behind the first `byte`, which is ASCII.
pub(crate) fn split_once(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = find(text.as_bytes(), byte)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Kinds of bytes, as bits of [`KINDS`].
pub(crate) mod kind {
    /// token of RFC 3261 section 25.1.
    pub(crate) const TOKEN: u8 = 1;
    /// user and password of RFC 3261 section 25.1, and `#`, which dialled numbers carry unescaped in practice.
    pub(crate) const USER: u8 = 2;
    /// A domain name's letters, and `_`, which names carry in practice.
    pub(crate) const HOST: u8 = 4;
    /// Whatever may stand in a URI at all: no spaces, controls or angle brackets.
    pub(crate) const URI: u8 = 8;
    /// Words of an unquoted display name, and the white space between them.
    pub(crate) const WORDS: u8 = 16;
    /// Digits.
    pub(crate) const DIGIT: u8 = 32;
}

static KINDS: [u8; 256] = {
    const fn among(byte: u8, list: &[u8]) -> bool {
        let mut i = 0;
        while i < list.len() {
            if list[i] == byte {
                return true;
            }
            i += 1;
        }
        false
    }
    let mut kinds = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        let token = byte.is_ascii_alphanumeric() || among(byte, b"-.!%*_+`'~");
        if token {
            kinds[i] |= kind::TOKEN | kind::USER | kind::WORDS;
        }
        if among(byte, b"()&=$,;?/:#[]") || byte >= 0x80 {
            kinds[i] |= kind::USER;
        }
        if is_lws(byte) || byte >= 0x80 {
            kinds[i] |= kind::WORDS;
        }
        if byte.is_ascii_alphanumeric() || among(byte, b"-._") {
            kinds[i] |= kind::HOST;
        }
        if !(byte <= b' ' || among(byte, b"<>\x7f")) {
            kinds[i] |= kind::URI;
        }
        if byte.is_ascii_digit() {
            kinds[i] |= kind::DIGIT;
        }
        i += 1;
    }
    kinds
};

/// How many bytes of this kind `text` begins with.
pub(crate) fn leading(text: &[u8], kind: u8) -> usize {
    let kinds = |byte: u8| KINDS[usize::from(byte)];
    let mut at = 0;
    while let Some([a, b, c, d]) = text.get(at..).and_then(<[u8]>::first_chunk) {
        if kinds(*a) & kinds(*b) & kinds(*c) & kinds(*d) & kind == 0 {
            break;
        }
        at += 4;
    }
    while let Some(byte) = text.get(at)
        && kinds(*byte) & kind != 0
    {
        at += 1;
    }
    at
}

/// Whether every byte of `text` is of this kind.
pub(crate) fn all(text: &[u8], kind: u8) -> bool {
    text.iter().fold(kind, |left, byte| left & KINDS[*byte as usize]) != 0
}

/// token of RFC 3261 section 25.1.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    KINDS[byte as usize] & kind::TOKEN != 0
}

/// Whether `text` is one token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && all(text.as_bytes(), kind::TOKEN)
}

/// Whether `text` is digits, perhaps none.
pub(crate) fn is_digits(text: &str) -> bool {
    all(text.as_bytes(), kind::DIGIT)
}

/// Whether `text` is one whole quoted string.
pub(crate) fn is_quoted(text: &str) -> bool {
    text.starts_with('"') && quoted_end(text) == Some(text.len())
}

/// Where the quoted string that begins `text` ends (behind its closing quote), `None` when it does not.
pub(crate) fn quoted_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut i = 1;
    while i < bytes.len() {
        match bytes[i] {
            b'"' => return Some(i + 1),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
    None
}

/// The place of the first `wanted` (a comma, a semicolon, ..) outside quotes and outside `<>`, unless it is `<` that is wanted.
pub(crate) fn find_unquoted(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut i = 0;
    loop {
        i += memchr3(wanted, b'"', b'<', bytes.get(i..)?)?;
        match bytes[i] {
            found if found == wanted => return Some(i),
            b'"' => i += quoted_end(&text[i..])?,
            _ => i += find(&bytes[i..], b'>')? + 1,
        }
    }
}

/// A quoted string without its quotes and escapes; any other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else { return Cow::Borrowed(text) };
    if find(inner.as_bytes(), b'\\').is_none() {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

/// A folded value on one line (RFC 3261 section 7.3.1): each line break with its white space becomes one space.
pub fn unfold(text: &str) -> Cow<'_, str> {
    if memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let lines: Vec<&str> = text.split(['\r', '\n']).map(trim_lws).filter(|line| !line.is_empty()).collect();
    Cow::Owned(lines.join(" "))
}

/// `%41` becomes `A`; a stray `%` stays (RFC 3261 section 19.1.2).
pub fn unescape(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
        match (bytes[i], hex(i + 1), hex(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                i += 3;
            }
            (other, ..) => {
                plain.push(other);
                i += 1;
            }
        }
    }
    Cow::Owned(plain)
}

/// Text in which two spellings of one thing are the same (RFC 3261 section 19.1.4): escapes of unreserved characters resolved, all others,
/// which mean something else unescaped or may not stand there, in capitals.
pub(crate) fn unescape_unreserved(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'%', rest.as_bytes()) {
        plain.push_str(&rest[..at]);
        let Some(byte) = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
            plain.push('%');
            rest = &rest[at + 1..];
            continue;
        };
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            plain.push(byte as char);
        } else {
            plain.push('%');
            plain.push_str(&rest[at + 1..at + 3].to_ascii_uppercase());
        }
        rest = &rest[at + 3..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// A number in decimal digits, without the formatting machinery.
pub fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// A literal address; an IPv6 one without brackets.
pub(crate) fn push_address(text: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (nth, octet) in v4.octets().into_iter().enumerate() {
                if nth > 0 {
                    text.push('.');
                }
                push_number(text, octet.into());
            }
        }
        IpAddr::V6(v6) => {
            let _ = write!(text, "{v6}"); // writing to a String cannot fail
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_are_written_as_formatted() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            let mut text = String::from("=");
            push_number(&mut text, number);
            assert_eq!(text, format!("={number}"));
        }
        for address in ["0.0.0.0", "192.0.2.255", "::1", "2001:db8::1"] {
            let mut text = String::new();
            push_address(&mut text, address.parse().unwrap());
            assert_eq!(text, address);
        }
    }

    #[test]
    fn quotes_folds_and_escapes() {
        assert_eq!(unquote(r#""a \"b\" \\c""#), r#"a "b" \c"#);
        assert_eq!(unquote("plain"), "plain");
        assert_eq!(unfold("one\r\n  two\r\n\tthree"), "one two three");
        assert_eq!(unescape("%61b%zz%4").as_ref(), b"ab%zz%4");
        assert_eq!(find_unquoted("\"a,b\" <x,y>, c", b','), Some(11));
        assert_eq!(find_unquoted("\"open", b','), None);
        assert!(is_quoted("\"a\\\"\"") && !is_quoted("\"a\"b") && !is_quoted("\""));
    }

    #[test]
    fn bytes_are_found_wherever_they_stand() {
        for length in 0..40 {
            for at in 0..length {
                for (other, wanted) in [(b'a', b'b'), (b'\r', b'\n'), (0x80, 0), (0, 0x80), (b'\n' + 1, b'\n')] {
                    let mut text = vec![other; length];
                    assert_eq!(find(&text, wanted), None);
                    text[at..].fill(wanted);
                    assert_eq!(find(&text, wanted), Some(at));
                    text[at + 1..].fill(wanted ^ 1);
                    assert_eq!(find(&text, wanted), Some(at));
                }
            }
        }
    }

    /// What [`find_unquoted`] does, one byte at a time.
    fn find_slowly(text: &[u8], wanted: u8) -> Option<usize> {
        let mut i = 0;
        while i < text.len() {
            match text[i] {
                byte if byte == wanted => return Some(i),
                b'"' => {
                    i += 1;
                    while *text.get(i)? != b'"' {
                        i += if text[i] == b'\\' { 2 } else { 1 };
                    }
                }
                b'<' => i += text[i..].iter().position(|b| *b == b'>')?,
                _ => {}
            }
            i += 1;
        }
        None
    }

    #[test]
    fn every_short_text_is_searched_as_if_byte_by_byte() {
        const LETTERS: &[u8; 7] = b"a,;<>\"\\";
        for length in 0..=6 {
            for number in 0..7usize.pow(length) {
                let text: Vec<u8> = (0..length).map(|place| LETTERS[number / 7usize.pow(place) % 7]).collect();
                for wanted in [b',', b';', b'<'] {
                    let text = std::str::from_utf8(&text).unwrap();
                    assert_eq!(find_unquoted(text, wanted), find_slowly(text.as_bytes(), wanted), "{text} {wanted}");
                }
            }
        }
    }

    #[test]
    fn bytes_are_of_the_kinds_that_the_grammar_says() {
        let of = |kind| (0..=255).filter(|b| all(&[*b], kind)).map(char::from).collect::<String>();
        let alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let sorted = |text: &str| {
            let mut letters: Vec<char> = text.chars().collect();
            letters.sort_unstable();
            letters.into_iter().collect::<String>()
        };
        assert_eq!(of(kind::TOKEN), sorted(&format!("{alphanumeric}-.!%*_+`'~")));
        assert_eq!(of(kind::HOST), sorted(&format!("{alphanumeric}-._")));
        assert_eq!(of(kind::DIGIT), "0123456789");
        assert!(all(b"", kind::TOKEN) && !all(b"a b", kind::URI) && all(b"a(&=$,;?/:#[]", kind::USER));
        assert!(all("B\u{e9}la Bart\u{f3}k".as_bytes(), kind::WORDS) && !all(b"a\"", kind::WORDS));
    }
}
