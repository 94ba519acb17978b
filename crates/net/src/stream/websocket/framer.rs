use super::encode::{Role, apply};
use bytes::{Buf, Bytes, BytesMut};
use sip_message::MESSAGE_BYTES_MAX;
use std::io::Cursor;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The longest payload of a ping, a pong or a close (RFC 6455 section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// What a WebSocket brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stream) enum WebSocketFrame {
    /// What should be one SIP message.
    Message(Bytes),
    /// The peer wants this back in a pong.
    Ping(Bytes),
    /// The answer to a ping.
    Pong,
    /// The peer ends the connection.
    Close,
}

/// Why a WebSocket makes no sense any more, as a close says it (RFC 6455 section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum WebSocketError {
    Protocol,
    NotUtf8,
    TooBig,
}

impl WebSocketError {
    pub(in crate::stream) fn code(self) -> u16 {
        match self {
            WebSocketError::Protocol => 1002,
            WebSocketError::NotUtf8 => 1007,
            WebSocketError::TooBig => 1009,
        }
    }
}

/// Cuts a byte stream into frames and puts them together to messages, of at most [`MESSAGE_BYTES_MAX`] in however many frames.
#[derive(Debug)]
pub(in crate::stream) struct WebSocketFramer {
    role: Role,
    buffer: BytesMut,
    /// The message that has begun and not ended, and whether it is text.
    begun: Option<(BytesMut, bool)>,
}

impl WebSocketFramer {
    /// For our end of a connection, after the handshake.
    pub(in crate::stream) fn new(role: Role) -> WebSocketFramer {
        WebSocketFramer { role, buffer: BytesMut::new(), begun: None }
    }

    pub(in crate::stream) fn role(&self) -> Role {
        self.role
    }

    /// Adds what was read from the stream. Take all frames out before pushing more: that is what bounds the buffer.
    pub(in crate::stream) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message or a frame has begun and not yet ended.
    pub(in crate::stream) fn in_message(&self) -> bool {
        !self.buffer.is_empty() || self.begun.is_some()
    }

    /// The next frame, `None` when more bytes are needed. After an error the stream is of no use any more.
    pub(in crate::stream) fn next_frame(&mut self) -> Result<Option<WebSocketFrame>, WebSocketError> {
        loop {
            let mut cursor = Cursor::new(&self.buffer);
            let header = FrameHeader::parse(&mut cursor).map_err(|_| WebSocketError::Protocol)?;
            let Some((header, length)) = header else { return Ok(None) };
            let head = cursor.position() as usize;
            self.check(&header, length)?;
            let length = length as usize; // bounded by the check
            if self.buffer.len() < head + length {
                return Ok(None);
            }
            if let (Some(mask), Some(payload)) = (header.mask, self.buffer.get_mut(head..head + length)) {
                apply(mask, payload);
            }
            self.buffer.advance(head);
            // A copy, so that an idle connection holds no buffer.
            let payload = Bytes::copy_from_slice(&self.buffer[..length]);
            self.buffer.advance(length);
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            match header.opcode {
                OpCode::Control(Control::Ping) => return Ok(Some(WebSocketFrame::Ping(payload))),
                OpCode::Control(Control::Pong) => return Ok(Some(WebSocketFrame::Pong)),
                OpCode::Control(_) => return Ok(Some(WebSocketFrame::Close)),
                OpCode::Data(kind) => {
                    if let Some(message) = self.put_together(kind, header.is_final, payload)? {
                        return Ok(Some(WebSocketFrame::Message(message)));
                    }
                }
            }
        }
    }

    /// What a header may say (RFC 6455 section 5.2), before its payload has come.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<(), WebSocketError> {
        // No extension was agreed upon that would give these bits a meaning; and a client's frames are masked, a server's are not.
        let reserved = header.rsv1 || header.rsv2 || header.rsv3;
        if reserved || header.mask.is_some() != (self.role == Role::Server) {
            return Err(WebSocketError::Protocol);
        }
        let fits = match header.opcode {
            OpCode::Control(_) => header.is_final && length <= CONTROL_BYTES_MAX,
            OpCode::Data(kind) => (kind == Data::Continue) == self.begun.is_some(),
        };
        if !fits {
            return Err(WebSocketError::Protocol);
        }
        let before = self.begun.as_ref().map_or(0, |(message, _)| message.len() as u64);
        // Both are bounded here, so the sum is.
        if length > MESSAGE_BYTES_MAX as u64 || before + length > MESSAGE_BYTES_MAX as u64 {
            return Err(WebSocketError::TooBig);
        }
        Ok(())
    }

    fn put_together(&mut self, kind: Data, is_final: bool, payload: Bytes) -> Result<Option<Bytes>, WebSocketError> {
        let (message, is_text) = match self.begun.take() {
            None if is_final => (payload, kind == Data::Text),
            begun => {
                let (mut message, is_text) = begun.unwrap_or_else(|| (BytesMut::new(), kind == Data::Text));
                message.extend_from_slice(&payload);
                if !is_final {
                    self.begun = Some((message, is_text));
                    return Ok(None);
                }
                (message.freeze(), is_text)
            }
        };
        if is_text && std::str::from_utf8(&message).is_err() {
            return Err(WebSocketError::NotUtf8);
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::{closing, message, pong};
    use super::*;

    fn all(framer: &mut WebSocketFramer, bytes: &[u8], chunk: usize) -> Result<Vec<WebSocketFrame>, WebSocketError> {
        let mut frames = Vec::new();
        for chunk in bytes.chunks(chunk) {
            framer.push(chunk);
            while let Some(frame) = framer.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    fn read(bytes: &[u8]) -> Result<Vec<WebSocketFrame>, WebSocketError> {
        let whole = all(&mut WebSocketFramer::new(Role::Server), bytes, usize::MAX);
        assert_eq!(all(&mut WebSocketFramer::new(Role::Server), bytes, 1), whole, "however it is cut");
        whole
    }

    /// A masked frame whose mask is 0, so that it can be read.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        assert!(payload.len() < 126);
        [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
    }

    fn text(what: &str) -> WebSocketFrame {
        WebSocketFrame::Message(Bytes::copy_from_slice(what.as_bytes()))
    }

    #[test]
    fn what_a_client_sends_a_server_reads_and_the_other_way_round() {
        for (from, to) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            for length in [0, 1, 125, 126, 65_535] {
                let what = vec![b'x'; length];
                let bytes =
                    [message(from, &what), pong(from, b"p"), message(from, &[0xff]), closing(from, 1000)].concat();
                let frames = all(&mut WebSocketFramer::new(to), &bytes, 1000).unwrap();
                let binary = WebSocketFrame::Message(Bytes::from_static(&[0xff]));
                let expected =
                    [WebSocketFrame::Message(what.into()), WebSocketFrame::Pong, binary, WebSocketFrame::Close];
                assert_eq!(frames, expected);
            }
        }
        assert_eq!((message(Role::Server, b"x")[0], message(Role::Server, &[0xff])[0]), (0x81, 0x82));
    }

    #[test]
    fn a_message_in_several_frames_is_one_and_pings_may_come_between() {
        let bytes = [masked(0x01, b"one "), masked(0x89, b"?"), masked(0x00, b"two "), masked(0x80, b"three")].concat();
        assert_eq!(read(&bytes), Ok(vec![WebSocketFrame::Ping(Bytes::from_static(b"?")), text("one two three")]));
        let mut framer = WebSocketFramer::new(Role::Server);
        framer.push(&masked(0x01, b"one"));
        assert_eq!(framer.next_frame(), Ok(None));
        assert!(framer.in_message());
        framer.push(&masked(0x80, b""));
        assert_eq!(framer.next_frame(), Ok(Some(text("one"))));
        assert!(!framer.in_message());
    }

    #[test]
    fn what_rfc_6455_forbids_is_refused() {
        let long_ping = [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[0; 126]].concat();
        let again = [masked(0x01, b"x"), masked(0x81, b"y")].concat();
        let bad: [&[u8]; 7] = [
            &[0x81, 0x01, b'x'], // not masked
            &masked(0xc1, b"x"), // a bit that means nothing
            &masked(0x83, b"x"), // an opcode that means nothing
            &masked(0x80, b"x"), // goes on with what never began
            &masked(0x09, b"x"), // a ping in pieces
            &long_ping,
            &again, // begins before the other has ended
        ];
        for bytes in bad {
            assert_eq!(read(bytes), Err(WebSocketError::Protocol), "{bytes:?}");
        }
        assert_eq!(read(&masked(0x81, &[0xff])), Err(WebSocketError::NotUtf8));
        let mut client = WebSocketFramer::new(Role::Client);
        assert_eq!(all(&mut client, &masked(0x81, b"x"), 9), Err(WebSocketError::Protocol));
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_by_its_header() {
        let header = |first: u8, length: u64| [&[first, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(read(&header(0x81, MESSAGE_BYTES_MAX as u64)), Ok(vec![]));
        assert_eq!(read(&header(0x81, MESSAGE_BYTES_MAX as u64 + 1)), Err(WebSocketError::TooBig));
        assert_eq!(read(&header(0x81, u64::MAX)), Err(WebSocketError::TooBig));
        let pieces = [masked(0x01, b"x"), header(0x80, MESSAGE_BYTES_MAX as u64)].concat();
        assert_eq!(read(&pieces), Err(WebSocketError::TooBig));
    }
}
