//! Sockets and the per-core driver: the shell around the engines.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // above the purity line: this is where the world begins

mod island;
mod udp;

pub use udp::{BATCH, Datagram, Flushed, ReceiveArena, SEND_QUEUE_MAX, UdpBatch};
