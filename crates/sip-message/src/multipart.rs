use crate::text::{trim_lws, unquote};
use crate::{BadValue, HeaderName, Params};
use memchr::memmem;

/// Parts that a multipart body may have.
pub const PARTS_MAX: usize = 32;

/// One part of a multipart body (RFC 2046 section 5.1, RFC 5621).
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    head: &'a str,
    /// What it holds, as it came.
    pub body: &'a [u8],
}

impl<'a> Part<'a> {
    /// The parts of a body with this Content-Type, which must be a multipart one.
    pub fn all(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, BadValue> {
        let delimiter = delimiter(content_type)?;
        let mut parts = Vec::new();
        // A delimiter begins a line; the line break before it belongs to it.
        let mut at = match body.starts_with(delimiter.as_bytes()) {
            true => delimiter.len(),
            false => next(body, 0, &delimiter)?.1,
        };
        loop {
            let rest = body.get(at..).unwrap_or_default();
            if rest.starts_with(b"--") {
                return Ok(parts);
            }
            let line =
                memmem::find(rest, b"\r\n").filter(|end| rest.iter().take(*end).all(|b| matches!(b, b' ' | b'\t')));
            let begin = at + line.ok_or(BadValue("something behind a delimiter in a multipart body"))?;
            if parts.len() == PARTS_MAX {
                return Err(BadValue("too many parts in a multipart body"));
            }
            let (end, behind) = next(body, begin, &delimiter)?;
            parts.push(Part::parse(body.get(begin..end).unwrap_or_default())?);
            at = behind;
        }
    }

    /// A part, from the line break in front of it on.
    fn parse(part: &'a [u8]) -> Result<Part<'a>, BadValue> {
        let end =
            memmem::find(part, b"\r\n\r\n").ok_or(BadValue("a part of a multipart body without an empty line"))?;
        let (head, body) = (part.get(..end).unwrap_or_default(), part.get(end + 4..).unwrap_or_default());
        let head = std::str::from_utf8(head).map_err(|_| BadValue("the header of a part is not UTF-8"))?;
        Ok(Part { head, body })
    }

    /// The value of a field of this part.
    pub fn header(&self, name: HeaderName) -> Option<&'a str> {
        let fields = self.head.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut found = fields.filter(|(found, _)| HeaderName::from_bytes(trim_lws(found).as_bytes()) == name);
        found.next().map(|(_, value)| trim_lws(value))
    }
}

/// What parts parts: two hyphens and the boundary.
fn delimiter(content_type: &str) -> Result<String, BadValue> {
    let (kind, params) = Params::behind(content_type);
    if !kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/")) {
        return Err(BadValue("body is not a multipart one"));
    }
    let boundary = unquote(params.get("boundary").unwrap_or(""));
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    if !(1..=70).contains(&boundary.len()) || !boundary.bytes().all(good) || boundary.ends_with(' ') {
        return Err(BadValue("a multipart body without a boundary"));
    }
    Ok(format!("--{boundary}"))
}

/// Where the next delimiter is, from its line break on, and where it ends.
fn next(body: &[u8], from: usize, delimiter: &str) -> Result<(usize, usize), BadValue> {
    let mark = format!("\r\n{delimiter}");
    let found = body.get(from..).and_then(|rest| memmem::find(rest, mark.as_bytes()));
    let begin = from + found.ok_or(BadValue("a multipart body without its last delimiter"))?;
    Ok((begin, begin + mark.len()))
}

#[cfg(test)]
mod tests {
    use super::{PARTS_MAX, Part};
    use crate::HeaderName;

    fn parts(body: &str) -> Result<Vec<(&str, String)>, &'static str> {
        let parts = Part::all("Multipart/Mixed ; Boundary=\"a b\"", body.as_bytes()).map_err(|bad| bad.0)?;
        let text = |part: &Part<'_>| String::from_utf8_lossy(part.body).into_owned();
        Ok(parts.iter().map(|part| (part.header(HeaderName::ContentType).unwrap_or("-"), text(part))).collect())
    }

    #[test]
    fn forms_of_a_multipart_body() {
        let body = "preamble\r\n--a b\r\nContent-Type: text/plain\r\n\r\none\r\ntwo --a b\r\n--a b \t\r\nc : x/y\r\nX: z\r\n\r\n\r\n--a b--\r\nend";
        assert_eq!(parts(body), Ok(vec![("text/plain", "one\r\ntwo --a b".to_owned()), ("x/y", String::new())]));
        assert_eq!(parts("--a b\r\n\r\nx\r\n--a b--"), Ok(vec![("-", "x".to_owned())]), "a part without fields");
        for (bad, why) in [
            ("", "a multipart body without its last delimiter"),
            ("--a b\r\n\r\nx", "a multipart body without its last delimiter"),
            ("--a b\r\nx\r\n--a b--", "a part of a multipart body without an empty line"),
            ("--a bc\r\n\r\nx\r\n--a b--", "something behind a delimiter in a multipart body"),
        ] {
            assert_eq!(parts(bad), Err(why), "{bad:?}");
        }
        for bad in [
            "text/plain;boundary=x",
            "multipart/mixed",
            "multipart/mixed;boundary=\"\"",
            "multipart/mixed;boundary=\"x \"",
        ] {
            assert!(Part::all(bad, b"--x--").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_limit_on_parts() {
        let body = |count| format!("{}--a b--", "--a b\r\n\r\nx\r\n".repeat(count));
        assert_eq!(parts(&body(PARTS_MAX)).map(|parts| parts.len()), Ok(PARTS_MAX));
        assert_eq!(parts(&body(PARTS_MAX + 1)), Err("too many parts in a multipart body"));
    }
}
