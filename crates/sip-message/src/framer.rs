use crate::message::seconds;
use crate::{HeaderName, MESSAGE_BYTES_MAX};
use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memmem};

/// The longest header on a stream, in bytes: a stream that sends more without an empty line is cut.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// What a stream brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One whole message, to be parsed.
    Message(Bytes),
    /// A double CR LF: the peer wants a single one back (RFC 5626 section 4.4.1).
    Ping,
    /// A single CR LF between messages: the answer to a ping of ours.
    Pong,
}

/// Why a stream makes no sense any more; it is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A first line that names no version of SIP: whatever speaks there, it is not SIP.
    NotSip,
    /// More than [`HEAD_BYTES_MAX`] bytes without the empty line that ends a header.
    HeadTooLong,
    /// Header and Content-Length are together more than [`MESSAGE_BYTES_MAX`].
    MessageTooLong,
    /// A Content-Length that is no number, or two that differ: where the message ends cannot be known.
    BadContentLength,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FrameError::NotSip => "what comes over a stream is not SIP",
            FrameError::HeadTooLong => "header on a stream does not end",
            FrameError::MessageTooLong => "message on a stream is too long",
            FrameError::BadContentLength => "Content-Length on a stream makes no sense",
        })
    }
}

/// Cuts a byte stream into messages by Content-Length (RFC 3261 section 18.3). Holds at most one unfinished message.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// Bytes of the buffer that were already searched for the end of the header.
    searched: usize,
}

impl Framer {
    /// Nothing has come yet.
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Adds what was read from the stream. Take all frames out before pushing more: that is what bounds the buffer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and not yet ended.
    pub fn in_message(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame, `None` when more bytes are needed. After an error the stream is of no use any more.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.buffer.starts_with(b"\r\n") {
            let ping = self.buffer.starts_with(b"\r\n\r\n");
            self.buffer.advance(if ping { 4 } else { 2 });
            self.searched = 0;
            return Ok(Some(if ping { Frame::Ping } else { Frame::Pong }));
        }
        // Once, when the first line is whole: it has not been looked at if the search ended before its end.
        if let Some(end) = memchr(b'\n', &self.buffer)
            && (self.searched..HEAD_BYTES_MAX).contains(&end)
            && !names_sip(&self.buffer[..end])
        {
            return Err(FrameError::NotSip);
        }
        let from = self.searched.saturating_sub(3);
        let Some(found) = memmem::find(&self.buffer[from..], b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            return if self.buffer.len() > HEAD_BYTES_MAX { Err(FrameError::HeadTooLong) } else { Ok(None) };
        };
        let head = from + found + 4;
        if head > HEAD_BYTES_MAX {
            return Err(FrameError::HeadTooLong);
        }
        let length = head + content_length(&self.buffer[..head])?;
        if length > MESSAGE_BYTES_MAX {
            return Err(FrameError::MessageTooLong);
        }
        if self.buffer.len() < length {
            self.searched = head - 1;
            return Ok(None);
        }
        self.searched = 0;
        let message = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new(); // an idle connection holds no buffer
        }
        Ok(Some(Frame::Message(message)))
    }
}

/// Whether a start line names some version of SIP; a wrong one earns a 505 and is none of our business here.
fn names_sip(line: &[u8]) -> bool {
    line.windows(4).any(|four| four.eq_ignore_ascii_case(b"SIP/"))
}

/// The Content-Length of a header; 0 when it has none.
fn content_length(head: &[u8]) -> Result<usize, FrameError> {
    let mut rest = head;
    let mut length = None;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = memchr(b':', line) else { continue };
        if HeaderName::from_bytes(line[..colon].trim_ascii_end()) != HeaderName::ContentLength {
            continue;
        }
        let folded = rest.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
        let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).ok().filter(|_| !folded).and_then(seconds);
        let value = value.ok_or(FrameError::BadContentLength)?;
        if length.replace(value).is_some_and(|earlier| earlier != value) {
            return Err(FrameError::BadContentLength);
        }
    }
    Ok(length.unwrap_or(0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(chunks: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
        let mut framer = Framer::new();
        let mut frames = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            while let Some(frame) = framer.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn messages_are_cut_wherever_the_stream_breaks() {
        let stream =
            b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc\r\n\r\nINFO sip:b SIP/2.0\r\nContent-Length : 0\r\n\r\n";
        let whole = frames(&[stream]).unwrap();
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0], Frame::Message(Bytes::from_static(b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc")));
        assert_eq!(whole[1], Frame::Ping);
        for at in 1..stream.len() {
            let parts = frames(&[&stream[..at], &stream[at..]]).unwrap();
            let messages = |frames: &[Frame]| {
                frames.iter().filter(|f| matches!(f, Frame::Message(_))).cloned().collect::<Vec<_>>()
            };
            assert_eq!(messages(&parts), messages(&whole), "broken at {at}");
        }
        assert_eq!(frames(&[b"\r\n"]).unwrap(), [Frame::Pong]);
    }

    #[test]
    fn what_is_not_sip_is_an_error_as_soon_as_its_first_line_is_there() {
        for other in ["x\r\n", "GET / HTTP/1.1\r\nHost: a", "\x16\x03\x01\n", " \n"] {
            assert_eq!(frames(&[other.as_bytes()]), Err(FrameError::NotSip), "{other:?}");
            let bytes: Vec<&[u8]> = other.as_bytes().chunks(1).collect();
            assert_eq!(frames(&bytes), Err(FrameError::NotSip), "{other:?} byte by byte");
            let second = format!("X sip:a SIP/2.0\r\n\r\n{other}");
            assert_eq!(frames(&[second.as_bytes()]), Err(FrameError::NotSip), "{other:?} behind a message");
        }
        for sip in ["X sip:a SIP/3.0\r\n\r\n", "sip/2.0 200 OK\r\n\r\n", "a sip/\n\r\n\r\n"] {
            let bytes: Vec<&[u8]> = sip.as_bytes().chunks(1).collect();
            assert_eq!(frames(&bytes).unwrap().len(), 1, "{sip:?}");
        }
        assert_eq!(frames(&[b"a line without end"]), Ok(vec![]));
        // Wherever it is cut, it is the same error.
        assert_eq!(frames(&[b"\r", b"\n\n"]), Err(FrameError::NotSip));
        let long = [&vec![b'a'; HEAD_BYTES_MAX + 1][..], b"\n\r\n\r\n"];
        assert_eq!(
            (frames(&long), frames(&[&long.concat()])),
            (Err(FrameError::HeadTooLong), Err(FrameError::HeadTooLong))
        );
    }

    #[test]
    fn a_stream_without_end_or_sense_is_an_error() {
        let endless = vec![b'a'; HEAD_BYTES_MAX + 1];
        assert_eq!(frames(&[&endless]), Err(FrameError::HeadTooLong));
        assert_eq!(frames(&[b"X sip:a SIP/2.0\r\nl: 70000\r\n\r\n"]), Err(FrameError::MessageTooLong));
        for bad in ["-1", "x", "", "1\r\nContent-Length: 2", "1\r\n 2"] {
            let text = format!("X sip:a SIP/2.0\r\nl: {bad}\r\n\r\n");
            assert_eq!(frames(&[text.as_bytes()]), Err(FrameError::BadContentLength), "{bad}");
        }
    }

    /// Found by fuzzing: what was searched of a keep-alive counted for the line behind it.
    #[test]
    fn what_is_not_sip_is_found_behind_a_keep_alive_in_two_pieces() {
        assert_eq!(frames(&[b"\r", b"\n\nnoise"]), Err(FrameError::NotSip));
    }
}
