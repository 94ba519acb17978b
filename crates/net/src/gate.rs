use engine::Now;
use std::net::SocketAddr;

/// Who decides which sources are let in. Asked on the drivers' threads before anything else is done with what came, so it must be quick.
pub trait Gate: Send + Sync {
    /// Whether a datagram, a connection (before its handshakes) or a message on a connection from `remote` is let in. What is not is
    /// dropped without a word, and counted.
    fn admits(&self, now: Now, remote: SocketAddr) -> bool;

    /// From now on a driver is overloaded, or is so no more (as [`crate::Engine::handle_overload`] is told): the gate may let in less.
    fn handle_overload(&self, _now: Now, _overloaded: bool) {}
}
