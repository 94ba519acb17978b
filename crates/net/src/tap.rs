use engine::Now;
use sip_transaction::Flow;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It came in.
    Received,
    /// It was handed to a socket.
    Sent,
}

/// Someone who watches messages pass, for a ladder or a trace. Called on the driver's thread, so it must be quick.
pub trait Tap: Send + Sync {
    /// A message passed. A message that changes shards is seen once, where it arrived.
    fn handle_message(&self, now: Now, flow: &Flow, direction: Direction, bytes: &[u8]);
}
