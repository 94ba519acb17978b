//! Small questions about text that every header's parser asks.

use std::borrow::Cow;

/// Linear white space of RFC 3261 section 25.1, the line breaks of a folded value among them.
pub(crate) fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `text` without linear white space at both ends.
pub(crate) fn trim_lws(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// token of RFC 3261 section 25.1.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// Whether `text` is one token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
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

/// The place of the first of `wanted` outside quotes (and outside `<>`, unless `wanted` looks for those).
pub(crate) fn find_unquoted(text: &str, wanted: &[u8]) -> Option<usize> {
    let bytes = text.as_bytes();
    let brackets = !wanted.contains(&b'<') && !wanted.contains(&b'>');
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes[i];
        if wanted.contains(&byte) {
            return Some(i);
        }
        match byte {
            b'"' => i += quoted_end(&text[i..])?,
            b'<' if brackets => i += memchr::memchr(b'>', &bytes[i..])? + 1,
            _ => i += 1,
        }
    }
    None
}

/// A quoted string without its quotes and escapes; any other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else { return Cow::Borrowed(text) };
    if !inner.contains('\\') {
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
    if !text.contains(['\r', '\n']) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_folds_and_escapes() {
        assert_eq!(unquote(r#""a \"b\" \\c""#), r#"a "b" \c"#);
        assert_eq!(unquote("plain"), "plain");
        assert_eq!(unfold("one\r\n  two\r\n\tthree"), "one two three");
        assert_eq!(unescape("%61b%zz%4").as_ref(), b"ab%zz%4");
        assert_eq!(find_unquoted("\"a,b\" <x,y>, c", b","), Some(11));
        assert_eq!(find_unquoted("\"open", b","), None);
        assert!(is_quoted("\"a\\\"\"") && !is_quoted("\"a\"b") && !is_quoted("\""));
    }
}
