//! The one pass over a message's bytes.

use crate::message::{Slot, Start};
use crate::text::{all, is_lws, is_token_byte, kind};
use crate::{Defect, HeaderName, Malformed, Message, Method};
use bytes::Bytes;
use bytestring::ByteString;
use memchr::{memchr, memchr_iter, memchr2};

/// The longest message in bytes: what one UDP datagram can carry, and as much on a stream.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

/// Header fields that one message may have; one with more is malformed.
pub const HEADERS_MAX: usize = 250;

/// Fields for which room is made at once: all but the longest messages need one allocation.
const HEADERS_USUAL: usize = 24;

/// The fields that [`Message::missing_field`] looks for, as bits.
const MANDATORY: u128 = 1 << HeaderName::Via as u8
    | 1 << HeaderName::From as u8
    | 1 << HeaderName::To as u8
    | 1 << HeaderName::CallId as u8
    | 1 << HeaderName::CSeq as u8;

impl Message {
    /// Finds the start line, the header fields and the body in `bytes`, which hold one whole message.
    ///
    /// What is checked is what must hold for the message to be forwarded or answered at all: a start line, lines that end in
    /// CR LF, names that are tokens, UTF-8, the five mandatory fields, none of them twice, and a Content-Length that
    /// fits (bytes behind the body are ignored, RFC 3261 section 18.3). The values themselves are parsed when asked for.
    pub fn parse(bytes: Bytes) -> Result<Message, Malformed> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Malformed::at(MESSAGE_BYTES_MAX, Defect::Text("message is too long")));
        }
        let mut scan = Scan {
            text: &bytes,
            at: 0,
            slots: Vec::with_capacity(HEADERS_USUAL),
            seen: 0,
            unfolded: true,
            defect: None,
        };
        while scan.text[scan.at..].starts_with(b"\r\n") {
            scan.at += 2; // RFC 3261 section 7.5: empty lines before the start line are ignored
        }
        let start = scan.start_line()?;
        let head_end = scan.fields();
        let Scan { at, slots, seen, unfolded, mut defect, .. } = scan;
        let unfolded = unfolded && defect.is_none();
        let names = (seen | seen >> 64) as u64;
        let body = (at as u16, bytes.len() as u16);
        let (text, binary) =
            if bytes.is_ascii() { (ByteString::try_from(bytes).ok(), None) } else { text_of(bytes, head_end)? };
        let text = text.unwrap_or_default();
        let mut message =
            Message { text, binary, start, slots, seen: names, unfolded, head_end: head_end as u16, body };
        if defect.is_none() && seen & MANDATORY != MANDATORY {
            defect = message.missing_field().map(|text| (head_end, Defect::Text(text)));
        }
        if defect.is_none() {
            defect = message.fit_body().err().map(|text| (head_end, Defect::Text(text)));
        }
        match defect {
            None => Ok(message),
            Some((offset, defect)) => {
                let defect = if message.is_request() { defect } else { Defect::StatusLine };
                Err(Malformed { defect, offset, partial: Some(Box::new(message)) })
            }
        }
    }
}

/// The text of a message that is not ASCII alone: its head, and its body if that is text, too; all of it where it is not.
#[cold]
fn text_of(bytes: Bytes, head_end: usize) -> Result<(Option<ByteString>, Option<Box<Bytes>>), Malformed> {
    if let Err(error) = std::str::from_utf8(&bytes[..head_end]) {
        return Err(not_utf8(&bytes, head_end, error.valid_up_to()));
    }
    if std::str::from_utf8(&bytes).is_ok() {
        return Ok((ByteString::try_from(bytes).ok(), None));
    }
    Ok((ByteString::try_from(bytes.slice(..head_end)).ok(), Some(Box::new(bytes))))
}

/// A header that cannot be read as text; for an answer, which copies fields, what is wrong in it becomes question marks.
#[cold]
fn not_utf8(bytes: &Bytes, head_end: usize, offset: usize) -> Malformed {
    let mut repaired = bytes.to_vec();
    let mut from = offset;
    while let Err(error) = std::str::from_utf8(&repaired[from..head_end]) {
        let bad = from + error.valid_up_to();
        from = error.error_len().map_or(head_end, |length| bad + length);
        repaired[bad..from].fill(b'?');
    }
    let partial = match Message::parse(Bytes::from(repaired)) {
        Ok(message) => Some(Box::new(message)),
        Err(malformed) => malformed.partial,
    };
    let response = partial.as_ref().is_some_and(|message| !message.is_request());
    let defect = if response { Defect::StatusLine } else { Defect::Text("header is not UTF-8") };
    Malformed { defect, offset, partial }
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    slots: Vec<Slot>,
    /// The names of the fields that have been read, as bits (`1 << name`).
    seen: u128,
    unfolded: bool,
    defect: Option<(usize, Defect)>,
}

impl Scan<'_> {
    fn found(&mut self, offset: usize, text: &'static str) {
        self.defect.get_or_insert((offset, Defect::Text(text)));
    }

    /// The end of the line that begins at `at` (before its CR LF); moves behind it.
    fn line(&mut self) -> usize {
        let Some(length) = memchr(b'\n', &self.text[self.at..]) else {
            self.found(self.text.len(), "header does not end with an empty line");
            self.at = self.text.len();
            return self.at;
        };
        let end = self.at + length;
        self.at = end + 1;
        if end > 0 && self.text[end - 1] == b'\r' {
            return end - 1;
        }
        self.found(end, "line does not end in CR LF");
        end
    }

    fn start_line(&mut self) -> Result<Start, Malformed> {
        let begin = self.at;
        let end = self.line();
        let line = &self.text[begin..end];
        if line.len() > 8 && line[..8].eq_ignore_ascii_case(b"SIP/2.0 ") {
            return self.status_line(begin + 8, end);
        }
        let not_sip = Malformed::at(begin, Defect::NotSip);
        let Some(method_length) = memchr(b' ', line) else { return Err(not_sip) };
        let Some(last) = line.iter().rposition(|b| *b == b' ') else { return Err(not_sip) };
        let method = &line[..method_length];
        if method.is_empty() || !method.iter().copied().all(is_token_byte) {
            return Err(not_sip);
        }
        let (mut uri, mut version) = ((method_length + 1).min(last), &line[last + 1..]);
        let mut uri_end = last;
        if version.is_empty() {
            self.found(begin + last, "space behind the request line");
            let trimmed = line.trim_ascii_end();
            let Some(space) = trimmed.iter().rposition(|b| *b == b' ') else { return Err(not_sip) };
            (version, uri_end) = (&trimmed[space + 1..], space);
        }
        if version.len() < 4 || !version[..4].eq_ignore_ascii_case(b"SIP/") {
            return Err(not_sip);
        }
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            self.defect.get_or_insert((begin + last + 1, Defect::Version));
        }
        uri = uri.min(uri_end);
        let uri_text = &line[uri..uri_end];
        if uri_text.is_empty() || uri_text.iter().any(|b| is_lws(*b)) {
            self.found(begin + uri, "request line is not method, URI and version with single spaces");
        }
        Ok(Start::Request {
            method: Method::from_bytes(method),
            method_at: (begin as u16, (begin + method_length) as u16),
            uri: ((begin + uri) as u16, (begin + uri_end) as u16),
        })
    }

    fn status_line(&mut self, begin: usize, end: usize) -> Result<Start, Malformed> {
        let bad = Malformed::at(begin, Defect::StatusLine);
        let line = &self.text[begin..end];
        let (digits, reason) = match line {
            [a, b, c] => ([*a, *b, *c], end),
            [a, b, c, b' ', ..] => ([*a, *b, *c], begin + 4),
            _ => return Err(bad),
        };
        if !digits.iter().all(u8::is_ascii_digit) || !(b'1'..=b'6').contains(&digits[0]) {
            return Err(bad);
        }
        let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        Ok(Start::Response { status, reason: (reason as u16, end as u16) })
    }

    /// Reads fields up to the empty line; the result is where that line begins.
    fn fields(&mut self) -> usize {
        let text = self.text;
        let (first, mut lines) = (self.at, 0);
        let head_end = loop {
            let begin = self.at;
            let end = self.line();
            if end == begin {
                break begin;
            }
            lines += 1;
            let line = &text[begin..end];
            if line[0] == b' ' || line[0] == b'\t' {
                self.unfolded = false;
                let trimmed = end - line.iter().rev().take_while(|b| is_lws(**b)).count();
                match self.slots.last_mut() {
                    Some(slot) if trimmed > begin => slot.value.1 = trimmed as u16,
                    Some(_) => {}
                    None => self.found(begin, "white space before the first header field"),
                }
                continue;
            }
            let Some(colon) = line.iter().position(|b| *b == b':') else {
                self.found(begin, "header field without a colon");
                continue;
            };
            // RFC 3261 section 25.1: HCOLON = *( SP / HTAB ) ":" SWS
            let mut name = &line[..colon];
            while let [shorter @ .., b' ' | b'\t'] = name {
                name = shorter;
            }
            let known = HeaderName::from_bytes(name);
            if known == HeaderName::Other && (!(1..=255).contains(&name.len()) || !all(name, kind::TOKEN)) {
                self.found(begin, "header field's name is not a token");
                continue;
            }
            if self.slots.len() == HEADERS_MAX {
                self.found(begin, "too many header fields");
                continue;
            }
            let bit = 1 << known as u8;
            if self.seen & bit & HeaderName::SINGLE != 0 {
                self.found(begin, "header field that must be single stands twice");
                continue;
            }
            self.seen |= bit;
            let mut value = &line[colon + 1..];
            while let [b' ' | b'\t' | b'\r' | b'\n', shorter @ ..] = value {
                value = shorter;
            }
            let value_begin = end - value.len();
            while let [shorter @ .., b' ' | b'\t' | b'\r' | b'\n'] = value {
                value = shorter;
            }
            self.slots.push(Slot {
                name: known,
                name_length: name.len() as u8,
                line: begin as u16,
                value: (value_begin as u16, (value_begin + value.len()) as u16),
            });
        };
        self.controls(first, head_end, lines);
        head_end
    }

    /// Looks for what some other parser would take for a line's end. All lines are searched at once, and one by one only if there
    /// is something to be found: each of them ends in the only CR that it has.
    fn controls(&mut self, first: usize, head_end: usize, lines: usize) {
        let head = &self.text[first..head_end];
        if memchr_iter(b'\r', head).count() == lines && memchr2(0, 0x7f, head).is_none() {
            return;
        }
        self.controls_in_lines(first, head_end);
    }

    #[cold]
    fn controls_in_lines(&mut self, first: usize, head_end: usize) {
        let head = &self.text[first..head_end];
        let (mut begin, mut quoted) = (first, false);
        for line in head.split_inclusive(|b| *b == b'\n') {
            let content = line.strip_suffix(b"\r\n").unwrap_or(line);
            let folded = matches!(line, [b' ' | b'\t', ..]);
            quoted &= folded;
            if has_control(content, &mut quoted) {
                if self.defect.is_none_or(|(offset, _)| begin < offset) {
                    self.defect = Some((begin, Defect::Text("control character in a header field")));
                }
                return;
            }
            begin += line.len();
        }
    }
}

/// Whether a CR, a NUL or a DEL stands in a line other than as a quoted-pair, which can be any of them but CR (RFC 3261 section
/// 25.1). `quoted` says whether the line begins inside a quoted string, and afterwards whether it ends there.
fn has_control(line: &[u8], quoted: &mut bool) -> bool {
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | 0 | 0x7f => return true,
            b'"' => *quoted = !*quoted,
            b'\\' if *quoted && bytes.as_slice().first() != Some(&b'\r') => {
                bytes.next();
            }
            _ => {}
        }
    }
    false
}
