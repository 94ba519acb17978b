//! Session descriptions and the offer/answer model (RFC 8866, RFC 3264).
//!
//! What this crate does not do: it resolves no host names, opens no ports, knows nothing of SIP, and understands of ICE,
//! DTLS and SDES only that their lines must be kept. Everything here is a value or a pure function over values.

mod codec;
mod description;
mod direction;
mod media;
pub mod offer_answer;
mod parse;
#[cfg(test)]
mod parse_tests;
mod write;

pub use codec::Codec;
pub use description::{Attribute, Connection, Line, Origin, SessionDescription};
pub use direction::Direction;
pub use media::{Media, RtpMap};
pub use offer_answer::{
    AcceptError, Answer, AnswerError, LocalCapabilities, MediaError, Negotiated, NegotiatedAudio, accept_answer,
    answer, offer,
};
pub use parse::{FORMATS_MAX, MEDIA_LINES_MAX, ParseError, SDP_BYTES_MAX, Wrong};
