use crate::island::Unreachable;
use bytes::Bytes;
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// What happens to sockets besides datagrams that come, on its way to the driver.
#[derive(Debug)]
pub(crate) enum WireEvent {
    /// A listener has a new connection.
    Accepted { transport: Transport, stream: TcpStream, remote: SocketAddr },
    /// A datagram of ours did not arrive.
    Unreachable(Unreachable),
    /// A connection that we wanted is open.
    Connected,
    /// The other end of an accepted connection has shown with a certificate who it is; its messages come after this.
    Proved { connection: ConnectionId, names: Vec<String> },
    /// A message came.
    Message { flow: Flow, bytes: Bytes },
    /// The message of this transaction of this shard was not written.
    SendFailed { shard: usize, transaction: ClientTransactionId },
    /// The connection is no more.
    Closed { connection: ConnectionId, end: End },
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was never opened.
    NotConnected,
    /// It was opened, but the certificate of the other end was not to be believed, or not for whom we looked for.
    NotTrusted,
    /// It was accepted, but its handshake was none, or too slow.
    NoHandshake,
    /// The peer closed it, or the network did, or we stop.
    Closed,
    /// We cut it, because of what the peer did or did not do.
    Cut,
}
