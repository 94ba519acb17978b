use crate::island::Unreachable;
use bytes::Bytes;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// What happens to sockets besides datagrams that come, on its way to the driver.
#[derive(Debug)]
pub(crate) enum WireEvent {
    /// A listener has a new connection.
    Accepted { stream: TcpStream, remote: SocketAddr },
    /// A datagram of ours did not arrive.
    Unreachable(Unreachable),
    /// A connection that we wanted is open.
    Connected,
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
    /// The peer closed it, or the network did, or we stop.
    Closed,
    /// We cut it, because of what the peer did or did not do.
    Cut,
}
