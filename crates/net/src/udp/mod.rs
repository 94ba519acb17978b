//! UDP in batches: datagrams in and out with the local address they were sent to or are to leave from.

mod batch;

pub use crate::island::BATCH;
pub use batch::{Datagram, Flushed, ReceiveArena, Received, SEND_QUEUE_MAX, UdpBatch};
