use crate::message::seconds;
use crate::text::{quoted_end, trim_lws};
use crate::{BadValue, Params};

/// The value of Retry-After (RFC 3261 section 20.33).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    /// How long not to try again.
    pub after_s: u32,
    /// How long it will then be possible, when that is said.
    pub duration_s: Option<u32>,
    /// What people are told about it, without its parentheses.
    pub comment: Option<&'a str>,
}

impl<'a> RetryAfter<'a> {
    /// Parses a value.
    pub fn parse(text: &'a str) -> Result<RetryAfter<'a>, BadValue> {
        let bad = BadValue("Retry-After is not a number, perhaps with a comment");
        let text = trim_lws(text);
        let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let after_s = seconds(number).ok_or(bad)?;
        let rest = trim_lws(rest);
        let (comment, params) = if rest.starts_with('(') {
            let end = comment_end(rest).ok_or(bad)?;
            (rest.get(1..end - 1), trim_lws(&rest[end..]))
        } else {
            (None, rest)
        };
        if !(params.is_empty() || params.starts_with(';')) {
            return Err(bad);
        }
        let duration_s = Params::new(params).get("duration").and_then(seconds);
        Ok(RetryAfter { after_s, duration_s, comment })
    }
}

/// Where the comment that begins `text` ends (behind its closing parenthesis): they nest, and may hold quoted strings and pairs.
fn comment_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut i, mut depth) = (0, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 1,
            b'"' => i += quoted_end(text.get(i..)?)? - 1,
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(i + 1),
            b')' => depth -= 1,
            _ => {}
        }
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::RetryAfter;

    #[test]
    fn forms_of_retry_after() {
        let parse = |text| RetryAfter::parse(text).map(|value| (value.after_s, value.duration_s, value.comment)).ok();
        assert_eq!(parse("18000;duration=3600"), Some((18000, Some(3600), None)));
        assert_eq!(parse("120 (I'm in a meeting)"), Some((120, None, Some("I'm in a meeting"))));
        assert_eq!(parse("5(a (b \\) \")\" c)) ;duration=9"), Some((5, Some(9), Some("a (b \\) \")\" c)"))));
        assert_eq!(parse("949302838503028349304023988"), Some((u32::MAX, None, None)));
        for bad in ["", "x", "-1", "5 (", "5 (a))", "5 x", "()"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
