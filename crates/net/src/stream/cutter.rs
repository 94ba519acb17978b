use super::websocket::{self, Role, WebSocketError, WebSocketFrame, WebSocketFramer};
use bytes::Bytes;
use sip_message::{Frame, Framer};

/// The answer to a ping (RFC 5626 section 4.4.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// Finds where the messages of a connection end.
#[derive(Debug)]
pub(super) enum Cutter {
    Stream(Framer),
    WebSocket(WebSocketFramer),
}

/// What a connection brings.
pub(super) enum Cut {
    Message(Bytes),
    /// A keep-alive, which wants this answer.
    Ping(Bytes),
    /// A keep-alive that wants none.
    Nothing,
    /// The peer says that this is the end.
    Close,
}

impl Cutter {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Cutter::Stream(framer) => framer.push(bytes),
            Cutter::WebSocket(framer) => framer.push(bytes),
        }
    }

    /// Whether something has begun that must end in time.
    pub(super) fn in_message(&self) -> bool {
        match self {
            Cutter::Stream(framer) => framer.in_message(),
            Cutter::WebSocket(framer) => framer.in_message(),
        }
    }

    /// Our end of a WebSocket; `None` for a plain stream.
    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Cutter::Stream(_) => None,
            Cutter::WebSocket(framer) => Some(framer.role()),
        }
    }

    /// The next thing, `None` when more bytes are needed. The error is what to tell a peer that makes no sense before it is cut.
    pub(super) fn next(&mut self) -> Result<Option<Cut>, Option<Bytes>> {
        match self {
            Cutter::Stream(framer) => match framer.next_frame() {
                Ok(frame) => Ok(frame.map(|frame| match frame {
                    Frame::Message(bytes) => Cut::Message(bytes),
                    Frame::Ping => Cut::Ping(PONG),
                    Frame::Pong => Cut::Nothing,
                })),
                Err(_) => Err(None),
            },
            Cutter::WebSocket(framer) => {
                let role = framer.role();
                let next = framer.next_frame();
                let frame = next.map_err(|error: WebSocketError| Some(websocket::closing(role, error.code())))?;
                Ok(frame.map(|frame| match frame {
                    // The keep-alive of RFC 5626, which RFC 7118 section 6 allows beside WebSocket's own.
                    WebSocketFrame::Message(bytes) => match &bytes[..] {
                        b"\r\n\r\n" => Cut::Ping(websocket::message(role, &PONG)),
                        b"" | b"\r\n" => Cut::Nothing,
                        _ => Cut::Message(bytes),
                    },
                    WebSocketFrame::Ping(payload) => Cut::Ping(websocket::pong(role, &payload)),
                    WebSocketFrame::Pong => Cut::Nothing,
                    WebSocketFrame::Close => Cut::Close,
                }))
            }
        }
    }
}
