use crate::counters::{Counters, count};
use crate::island::Watch;
use crate::tap::{Direction, Tap};
use crate::tcp::Connections;
use crate::{BATCH, Datagram, ReceiveArena, UdpBatch};
use bytes::Bytes;
use engine::Now;
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, Flow};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Batches that one socket may bring in one turn.
const BATCHES_PER_TURN: usize = 4;

/// A UDP socket, and what tells when to read or write it.
pub(super) struct UdpWire {
    socket: UdpBatch<ClientTransactionId>,
    watch: Watch,
}

impl UdpWire {
    pub(super) fn new(socket: UdpBatch<ClientTransactionId>) -> io::Result<UdpWire> {
        Ok(UdpWire { watch: Watch::new(&socket)?, socket })
    }
}

/// All sockets of one driver.
pub(super) struct Wires {
    pub(super) udp: Vec<UdpWire>,
    pub(super) connections: Connections,
    pub(super) arena: ReceiveArena,
    pub(super) tap: Option<Arc<dyn Tap>>,
    pub(super) counters: Arc<Counters>,
    /// Transactions whose message was not sent, for the engine's next turn.
    pub(super) failed: Vec<ClientTransactionId>,
}

impl Wires {
    /// Puts what the UDP sockets bring into `datagrams`, a bounded number of batches each. Ready when there is any.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>, datagrams: &mut Vec<Datagram>) -> Poll<()> {
        for wire in &self.udp {
            // Unless ready: no error of the socket itself is known to come from here, and the next poll would report it again.
            let _ = poll_receive_one(wire, &mut self.arena, cx, datagrams);
        }
        count(&self.counters.datagrams_received, datagrams.len());
        if datagrams.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Sends on where the kernel did not take everything before.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) {
        for UdpWire { socket, watch } in &mut self.udp {
            while socket.queued() > 0 {
                let Poll::Ready(Ok(mut guard)) = watch.poll_writable(cx) else { break };
                flush(socket, &mut self.failed, &self.counters);
                if socket.queued() > 0 {
                    guard.clear_ready();
                }
            }
        }
    }

    /// Queues or hands over a message; `on_failure` says whose it is, with its shard.
    pub(super) fn send(
        &mut self,
        now: Now,
        flow: Flow,
        bytes: Bytes,
        on_failure: Option<(usize, ClientTransactionId)>,
    ) -> bool {
        if let Some(tap) = &self.tap {
            tap.handle_message(now, &flow, Direction::Sent, &bytes);
        }
        if flow.transport != Transport::Udp {
            return self.connections.send(flow, bytes, on_failure);
        }
        let tag = on_failure.map(|(_, transaction)| transaction);
        let socket = self.udp.iter_mut().map(|wire| &mut wire.socket).find(|socket| socket.is_source(flow.local));
        let sent = socket.is_some_and(|socket| socket.queue(flow.local, flow.remote, bytes, tag).is_ok());
        if !sent {
            count(&self.counters.datagrams_unsent, 1);
        }
        sent
    }

    /// Sends what is queued, as far as the kernel takes it.
    pub(super) fn flush(&mut self) {
        for wire in &mut self.udp {
            flush(&mut wire.socket, &mut self.failed, &self.counters);
        }
    }
}

fn flush(socket: &mut UdpBatch<ClientTransactionId>, failed: &mut Vec<ClientTransactionId>, counters: &Counters) {
    if socket.queued() == 0 {
        return;
    }
    let flushed = socket.flush(|transaction| failed.push(transaction));
    count(&counters.datagrams_sent, flushed.sent);
    count(&counters.datagrams_refused, flushed.refused);
}

fn poll_receive_one(
    wire: &UdpWire,
    arena: &mut ReceiveArena,
    cx: &mut Context<'_>,
    datagrams: &mut Vec<Datagram>,
) -> Poll<io::Result<()>> {
    let mut batches = 0;
    while batches < BATCHES_PER_TURN {
        let mut guard = ready!(wire.watch.poll_readable(cx))?;
        let received = wire.socket.receive(arena, &mut |datagram| datagrams.push(datagram));
        match received {
            Ok(BATCH) => batches += 1,
            // Whatever comes after this makes the socket ready again.
            Ok(0) => guard.clear_ready(),
            Ok(_) => {
                guard.clear_ready();
                break;
            }
            // A pending error of the socket was taken by this call; there may be datagrams behind it.
            Err(_) => batches += 1,
        }
    }
    Poll::Ready(Ok(()))
}
