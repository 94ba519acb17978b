use sip_message::{Message, Transport, Via};
use std::net::SocketAddr;

/// A connection of the shell's, by number; numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Where a message came from, and where one goes to.
///
/// `connection: None` on a stream transport means: any connection to `remote`, or a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How it travels.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The very connection, for a stream transport.
    pub connection: Option<ConnectionId>,
}

/// A message together with the flow it came over.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Where it came from.
    pub flow: Flow,
    /// What came.
    pub message: Message,
}

/// Where the response to `request` goes, which came over `flow` (RFC 3261 section 18.2.2 with RFC 3581 section 4).
///
/// On a stream that is the same connection. On UDP it is the address the packet came from: its port when the top Via
/// asks for that with `rport`, else the port of the Via's sent-by, or 5060. `maddr` is not obeyed: it would let a
/// stranger aim our responses at anybody.
pub fn stateless_reply_flow(flow: Flow, request: &Message) -> Flow {
    request.top_via().map_or(flow, |via| reply_flow(flow, &via))
}

/// The same, for the Via that names where to.
pub fn reply_flow(flow: Flow, via: &Via<'_>) -> Flow {
    if flow.transport.reliable() {
        return flow;
    }
    let port = match (via.rport(), via.port) {
        (Some(_), _) | (None, Some(0)) => flow.remote.port(),
        (None, Some(port)) => port,
        (None, None) => flow.transport.default_port(),
    };
    Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..flow }
}
