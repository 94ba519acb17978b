use bytes::Bytes;
use server::Ask;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// What is under way to a node; `to`: in which of its lives.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// A message; `flow` as the receiver sees it.
    Packet { flow: Flow, bytes: Bytes },
    /// A datagram of sound, from one socket to another.
    Media { from: SocketAddr, to: SocketAddr, bytes: Bytes },
    /// The news that something could not be sent.
    SendFailed { shard: usize, transaction: ClientTransactionId, to: u32 },
    /// The news that a stream has ended.
    Closed(ConnectionId),
    /// A question of an exchange that is looked up when it arrives.
    Ask { shard: usize, ask: Ask, to: u32 },
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
