use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Which end of a connection we are: a client masks what it sends, a server does not (RFC 6455 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum Role {
    Server,
    Client,
}

/// A SIP message in one frame: of text, unless it is none (RFC 7118 section 4.2).
pub(in crate::stream) fn message(role: Role, bytes: &[u8]) -> Bytes {
    let kind = if std::str::from_utf8(bytes).is_ok() { Data::Text } else { Data::Binary };
    frame(role, OpCode::Data(kind), bytes)
}

/// The answer to a ping with this payload.
pub(in crate::stream) fn pong(role: Role, payload: &[u8]) -> Bytes {
    frame(role, OpCode::Control(Control::Pong), payload)
}

/// The end of a connection, and its reason (RFC 6455 section 7.4.1).
pub(in crate::stream) fn closing(role: Role, code: u16) -> Bytes {
    frame(role, OpCode::Control(Control::Close), &code.to_be_bytes())
}

fn frame(role: Role, opcode: OpCode, payload: &[u8]) -> Bytes {
    let mask = (role == Role::Client).then(mask);
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    let mut bytes = Vec::with_capacity(header.len(payload.len() as u64) + payload.len());
    header.format(payload.len() as u64, &mut bytes).expect("a Vec takes everything");
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply(mask, &mut bytes[start..]);
    }
    bytes.into()
}

/// Nobody in between may guess it (RFC 6455 section 10.3).
fn mask() -> [u8; 4] {
    let mut mask = [0; 4];
    getrandom::fill(&mut mask).unwrap_or_else(|error| panic!("the system gives no randomness: {error}"));
    mask
}

/// Puts a mask on or takes it off (RFC 6455 section 5.3).
pub(super) fn apply(mask: [u8; 4], payload: &mut [u8]) {
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}
