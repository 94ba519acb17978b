use bytes::Bytes;
use server::Ask;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// What is under way to a node.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// A message; `flow` as the receiver sees it.
    Packet { flow: Flow, bytes: Bytes },
    /// A datagram of sound, from one socket to another.
    Media { from: SocketAddr, to: SocketAddr, bytes: Bytes },
    /// The news that something could not be sent.
    SendFailed { shard: usize, transaction: ClientTransactionId },
    /// The news that a stream has ended.
    Closed(ConnectionId),
    /// A question of an exchange that is looked up when it arrives.
    Ask { shard: usize, ask: Ask },
}

/// Everything under way, in order of arrival; what arrives at one moment, in order of sending.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    parcels: BTreeMap<(Instant, u64), (usize, Parcel)>,
    sent: u64,
}

impl Wire {
    pub(crate) fn push(&mut self, arrives: Instant, node: usize, parcel: Parcel) {
        self.sent += 1;
        self.parcels.insert((arrives, self.sent), (node, parcel));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.parcels.keys().next().map(|(arrives, _)| *arrives)
    }

    pub(crate) fn pop(&mut self) -> Option<(usize, Parcel)> {
        self.parcels.pop_first().map(|(_, parcel)| parcel)
    }

    /// Whether something arrives at `node` by then.
    pub(crate) fn has_for(&self, node: usize, by: Instant) -> bool {
        let due = self.parcels.iter().take_while(|((arrives, _), _)| *arrives <= by);
        due.into_iter().any(|(_, (to, _))| *to == node)
    }
}

/// The streams that were ever opened; a number is never used twice.
#[derive(Debug, Default)]
pub(crate) struct Streams(Vec<Stream>);

/// A stream, seen from the end that opened it.
#[derive(Debug)]
struct Stream {
    opener: SocketAddr,
    listener: SocketAddr,
    open: bool,
    /// When the last message sent so far arrives: none overtakes it.
    last_arrival: Option<Instant>,
}

impl Streams {
    pub(crate) fn open(&mut self, from: SocketAddr, listener: SocketAddr) -> (ConnectionId, SocketAddr) {
        let opener = SocketAddr::new(from.ip(), 40_000 + self.0.len() as u16);
        self.0.push(Stream { opener, listener, open: true, last_arrival: None });
        (ConnectionId(self.0.len() as u64 - 1), opener)
    }

    /// The youngest open stream between two hosts, and its ends: that of `a`, that of `b`.
    pub(crate) fn between(&self, a: SocketAddr, b: SocketAddr) -> Option<(ConnectionId, SocketAddr, SocketAddr)> {
        self.0.iter().enumerate().rev().filter(|(_, stream)| stream.open).find_map(|(id, stream)| {
            let id = ConnectionId(id as u64);
            let ends = (stream.opener, stream.listener);
            if (ends.0.ip(), ends.1.ip()) == (a.ip(), b.ip()) {
                Some((id, ends.0, ends.1))
            } else if (ends.1.ip(), ends.0.ip()) == (a.ip(), b.ip()) {
                Some((id, ends.1, ends.0))
            } else {
                None
            }
        })
    }

    /// The open stream with this very end at the other side.
    pub(crate) fn to(&self, remote: SocketAddr) -> Option<ConnectionId> {
        let mut open = self.0.iter().enumerate().filter(|(_, stream)| stream.open);
        open.find(|(_, stream)| stream.opener == remote || stream.listener == remote)
            .map(|(id, _)| ConnectionId(id as u64))
    }

    pub(crate) fn is_open(&self, id: ConnectionId) -> bool {
        self.0.get(id.0 as usize).is_some_and(|stream| stream.open)
    }

    pub(crate) fn close(&mut self, id: ConnectionId) {
        if let Some(stream) = self.0.get_mut(id.0 as usize) {
            stream.open = false;
        }
    }

    /// Keeps messages in order: the arrival, moved behind that of the message before.
    pub(crate) fn in_order(&mut self, id: ConnectionId, arrives: Instant) -> Instant {
        let Some(stream) = self.0.get_mut(id.0 as usize) else { return arrives };
        let arrives = stream.last_arrival.map_or(arrives, |last| last.max(arrives));
        stream.last_arrival = Some(arrives);
        arrives
    }
}
