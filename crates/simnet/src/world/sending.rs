use super::{Off, World};
use crate::wire::Parcel;
use crate::{Entry, Fate};
use bytes::Bytes;
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, Flow};
use std::net::SocketAddr;

impl World {
    /// Sends over the wire, and writes it down.
    pub(crate) fn send(
        &mut self,
        from: usize,
        mut flow: Flow,
        bytes: Bytes,
        transaction: Option<(usize, ClientTransactionId)>,
    ) {
        if let Some(id) = flow.connection.filter(|id| !self.streams.is_open(*id)) {
            // Whoever has not heard of it hears now.
            self.wire.push(self.now.mono + self.link.delay, from, Parcel::Closed(id));
        }
        if bytes.iter().all(|byte| b"\r\n".contains(byte)) {
            return; // a keep-alive (RFC 5626 section 3.5.1): the shell's business, no message
        }
        let stream = flow.transport.reliable();
        let to = self.addresses.get(&flow.remote.ip()).copied();
        let mut fate = if self.watches { self.fates.get(self.trace.len()).copied().flatten() } else { None };
        let refused = match to.and_then(|to| self.nodes[to].off) {
            _ if stream => !self.connect(&mut flow),
            off => off == Some(Off::Refusing),
        };
        if refused && fate.is_none() {
            fate = Some(Fate::Refused);
        }
        if self.watches || self.followed.iter().any(|node| *node == from || Some(*node) == to) {
            self.write_down(from, to, &flow, &bytes, fate);
        }
        let arrivals = match fate {
            Some(Fate::Lost) => Vec::new(),
            Some(Fate::Twice) => vec![self.link.delay; 2],
            Some(Fate::Refused) => {
                if let Some((shard, transaction)) = transaction {
                    let parcel = Parcel::SendFailed { shard, transaction, to: self.nodes[from].life };
                    self.wire.push(self.now.mono + self.link.delay, from, parcel);
                }
                Vec::new()
            }
            Some(Fate::Stuck) => {
                self.stuck.extend(transaction.map(|(shard, transaction)| (from, shard, transaction)));
                Vec::new()
            }
            None if stream => vec![self.link.delay],
            None => self.link.arrivals(&mut self.rng),
        };
        self.sent.0 += 1;
        self.sent.1 += u64::from(arrivals.is_empty());
        let Some(to) = to else { return };
        let ends = flow.connection.and_then(|id| self.streams.ends(id, flow.remote.ip()));
        let (local, remote) = ends.unwrap_or((flow.remote, flow.local));
        let arrived = Flow { local, remote, ..flow };
        for delay in arrivals {
            let mut arrives = self.now.mono + delay;
            if let Some(id) = flow.connection {
                arrives = self.streams.in_order(id, arrives);
            }
            self.wire.push(arrives, to, Parcel::Packet { flow: arrived, bytes: bytes.clone() });
        }
    }

    fn write_down(&mut self, from: usize, to: Option<usize>, flow: &Flow, bytes: &Bytes, fate: Option<Fate>) {
        self.trace.push(Entry {
            at: self.elapsed(),
            from: self.nodes[from].name.clone(),
            to: to.map_or_else(|| flow.remote.to_string(), |to| self.nodes[to].name.clone()),
            stream: flow.transport.reliable(),
            bytes: bytes.clone(),
            fate,
        });
    }

    pub(super) fn send_media(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let Some(&node) = self.addresses.get(&to.ip()) else { return };
        let arrivals = if self.carries_sound { self.link.arrivals(&mut self.rng) } else { Vec::new() };
        for delay in arrivals {
            self.wire.push(self.now.mono + delay, node, Parcel::Media { from, to, bytes: bytes.clone() });
        }
    }

    /// Finds the stream that `flow` means, or opens one; `false` when there is none and cannot be one.
    fn connect(&mut self, flow: &mut Flow) -> bool {
        if let Some(id) = flow.connection {
            return self.streams.is_open(id);
        }
        if let Some(id) = self.streams.to(flow.local, flow.remote) {
            flow.connection = Some(id);
            return true;
        }
        let listener = self.addresses.get(&flow.remote.ip()).map(|node| &self.nodes[*node]);
        let listens = listener.is_some_and(|node| node.off.is_none() && [5060, 5061].contains(&flow.remote.port()));
        if listens {
            flow.connection = Some(self.streams.open(flow.local, flow.remote).0);
        }
        listens
    }

    /// The flow from one host to another, over UDP or over the stream between them, which is opened when there is none.
    pub(crate) fn flow(&mut self, from: usize, to: usize, stream: bool) -> Flow {
        let (local, remote) = (self.nodes[from].at, self.nodes[to].at);
        if !stream {
            return Flow { transport: Transport::Udp, local, remote, connection: None };
        }
        let (id, local, remote) = self.streams.between(local, remote).unwrap_or_else(|| {
            let (id, opener) = self.streams.open(local, remote);
            (id, opener, remote)
        });
        let transport = [from, to].map(|node| self.nodes[node].stream).into_iter().max().unwrap_or(Transport::Tcp);
        Flow { transport, local, remote, connection: Some(id) }
    }

    /// Sends any bytes from one host to another.
    pub fn inject(&mut self, from: &str, to: &str, stream: bool, bytes: Bytes) {
        let (from, to) = (self.find(from), self.find(to));
        let flow = self.flow(from, to, stream);
        self.send(from, flow, bytes, None);
    }

    /// Closes the stream between two hosts, and tells the other end.
    pub(crate) fn close(&mut self, from: usize, to: usize) {
        let (a, b) = (self.nodes[from].at, self.nodes[to].at);
        let (id, ..) = self.streams.between(a, b).expect("a stream between them");
        self.streams.close(id);
        self.wire.push(self.now.mono + self.link.delay, to, Parcel::Closed(id));
    }

    /// What hangs cannot be sent after all.
    pub(crate) fn refuse_stuck(&mut self) {
        for (node, shard, transaction) in std::mem::take(&mut self.stuck) {
            let to = self.nodes[node].life;
            self.wire.push(self.now.mono, node, Parcel::SendFailed { shard, transaction, to });
        }
    }
}
