//! WebSocket (RFC 6455) as RFC 7118 has it: the sub-protocol `sip`, one SIP message in each of its messages.
//!
//! Of tungstenite come the heads of HTTP and of frames. Messages are put together here, because its own reader keeps buffers for each
//! connection, and does not say whether a message has begun, which must be known to cut those that drip.

mod encode;
mod framer;
mod handshake;

pub(super) use encode::{Role, closing, message, pong};
pub(super) use framer::{WebSocketError, WebSocketFrame, WebSocketFramer};
pub use handshake::WEBSOCKET_HEAD_BYTES_MAX;
pub(super) use handshake::{accept, ask};
