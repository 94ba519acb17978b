//! RTP and RTCP packets (RFC 3550, RFC 3551): read in place, written into reused buffers, and counted.
//!
//! What this crate does not do: it sends nothing, schedules nothing, decrypts nothing and knows no codec.

mod packet;
pub mod rtcp;
mod source;
mod telephone_event;

pub use packet::{Header, PACKET_BYTES_MAX, Packet, PacketError, PacketKind, write_packet};
pub use source::{Received, SourceStats};
pub use telephone_event::TelephoneEvent;
