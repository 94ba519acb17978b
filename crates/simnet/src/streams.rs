use sip_transaction::ConnectionId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

/// The streams that are open; a number is never used twice.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: BTreeMap<u64, Stream>,
    /// Both ways: a host, the other one, the stream between them.
    between: BTreeSet<(IpAddr, IpAddr, u64)>,
    opened: u64,
}

/// A stream, seen from the end that opened it.
#[derive(Debug, Clone, Copy)]
struct Stream {
    opener: SocketAddr,
    /// What the opener calls its end: where it listens.
    near: SocketAddr,
    listener: SocketAddr,
    /// When the last message sent so far arrives: none overtakes it.
    last_arrival: Option<Instant>,
}

impl Streams {
    pub(crate) fn open(&mut self, from: SocketAddr, listener: SocketAddr) -> (ConnectionId, SocketAddr) {
        let opener = SocketAddr::new(from.ip(), 40_000 + (self.opened % 20_000) as u16);
        let id = self.opened;
        self.opened += 1;
        self.open.insert(id, Stream { opener, near: from, listener, last_arrival: None });
        self.between.extend([(opener.ip(), listener.ip(), id), (listener.ip(), opener.ip(), id)]);
        (ConnectionId(id), opener)
    }

    /// The open streams between two hosts, each with the ends that they have, the youngest first.
    fn all_between(&self, a: IpAddr, b: IpAddr) -> impl Iterator<Item = (ConnectionId, SocketAddr, SocketAddr)> {
        self.between.range((a, b, 0)..=(a, b, u64::MAX)).rev().filter_map(move |(_, _, id)| {
            let Stream { opener, listener, .. } = *self.open.get(id)?;
            let (own, other) = if opener.ip() == a { (opener, listener) } else { (listener, opener) };
            Some((ConnectionId(*id), own, other))
        })
    }

    /// The youngest open stream between two hosts, and its ends: that of `a`, that of `b`.
    pub(crate) fn between(&self, a: SocketAddr, b: SocketAddr) -> Option<(ConnectionId, SocketAddr, SocketAddr)> {
        self.all_between(a.ip(), b.ip()).next()
    }

    /// An open stream from this host with this very end at the other side.
    pub(crate) fn to(&self, local: SocketAddr, remote: SocketAddr) -> Option<ConnectionId> {
        let mut all = self.all_between(local.ip(), remote.ip());
        all.find(|(_, _, other)| *other == remote).map(|(id, ..)| id)
    }

    /// The ends of a stream as this host sees them: its own, the other.
    pub(crate) fn ends(&self, id: ConnectionId, host: IpAddr) -> Option<(SocketAddr, SocketAddr)> {
        let Stream { opener, near, listener, .. } = *self.open.get(&id.0)?;
        Some(if opener.ip() == host { (near, listener) } else { (listener, opener) })
    }

    /// All open streams of a host, and who is at their other ends.
    pub(crate) fn of(&self, host: IpAddr) -> Vec<(ConnectionId, IpAddr)> {
        let first = (host, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let own = self.between.range(first..).take_while(|(own, ..)| *own == host);
        own.map(|(_, other, id)| (ConnectionId(*id), *other)).collect()
    }

    pub(crate) fn is_open(&self, id: ConnectionId) -> bool {
        self.open.contains_key(&id.0)
    }

    pub(crate) fn close(&mut self, id: ConnectionId) {
        if let Some(Stream { opener, listener, .. }) = self.open.remove(&id.0) {
            self.between.remove(&(opener.ip(), listener.ip(), id.0));
            self.between.remove(&(listener.ip(), opener.ip(), id.0));
        }
    }

    /// Keeps messages in order: the arrival, moved behind that of the message before.
    pub(crate) fn in_order(&mut self, id: ConnectionId, arrives: Instant) -> Instant {
        let Some(stream) = self.open.get_mut(&id.0) else { return arrives };
        let arrives = stream.last_arrival.map_or(arrives, |last| last.max(arrives));
        stream.last_arrival = Some(arrives);
        arrives
    }
}
