use crate::counters::{Counters, count};
use crate::gate::Gate;
use crate::island::{Unreachable, Watch, take_unreachable};
use crate::stream::Connections;
use crate::tap::{Direction, Tap};
use crate::wire_event::WireEvent;
use crate::{BATCH, Datagram, ReceiveArena, Received, UdpBatch};
use bytes::Bytes;
use engine::Now;
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, Flow};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// Datagrams remembered in case that they do not arrive: those of the latest moments.
const SENT_REMEMBERED_MAX: usize = 1024;

/// Bytes that an ICMP error must quote of a longer datagram to be believed: past the request line and the branch.
const QUOTED_BYTES_MIN: usize = 256;

/// ICMP errors taken from one socket at a time.
const ERRORS_PER_TURN: usize = 64;

/// Datagrams let in after which a socket is read no further in one turn: that much work waits.
const DATAGRAMS_PER_TURN: usize = 4 * BATCH;

/// Batches that one socket may bring in one turn, whatever is let in of them: who knocks in vain holds up those behind him the least
/// when he is seen off quickly.
const BATCHES_PER_TURN: usize = 32;

/// A UDP socket, and what tells when to read or write it.
pub(super) struct UdpWire {
    socket: UdpBatch<ClientTransactionId>,
    watch: Watch,
}

impl UdpWire {
    /// Reports what does not arrive as events.
    pub(super) fn new(socket: UdpBatch<ClientTransactionId>, events: mpsc::Sender<WireEvent>) -> io::Result<UdpWire> {
        socket.keep_unreachable()?;
        let watch = Watch::new(&socket)?;
        let errors = watch.clone();
        tokio::task::spawn_local(async move {
            loop {
                for unreachable in errors.errors(ERRORS_PER_TURN, take_unreachable).await.into_iter().flatten() {
                    if events.send(WireEvent::Unreachable(unreachable)).await.is_err() {
                        return;
                    }
                }
                tokio::task::yield_now().await;
            }
        });
        Ok(UdpWire { watch, socket })
    }
}

/// A datagram that was sent.
pub(super) struct Sent {
    remote: SocketAddr,
    bytes: Bytes,
    transaction: ClientTransactionId,
}

/// All sockets of one driver.
pub(super) struct Wires {
    pub(super) udp: Vec<UdpWire>,
    pub(super) connections: Connections,
    pub(super) arena: ReceiveArena,
    pub(super) gate: Option<Arc<dyn Gate>>,
    pub(super) tap: Option<Arc<dyn Tap>>,
    pub(super) counters: Arc<Counters>,
    /// The latest datagrams whose failure someone wants to hear of.
    pub(super) sent: VecDeque<Sent>,
    /// Transactions whose message was not sent, for the engine's next turn.
    pub(super) failed: Vec<ClientTransactionId>,
}

impl Wires {
    /// Puts what the UDP sockets bring, a bounded number of batches each, into `datagrams`, and adds what was not let in to `limited`.
    /// Ready when there is any of either.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        datagrams: &mut Vec<Datagram>,
        limited: &mut usize,
    ) -> Poll<()> {
        let (taken_before, limited_before) = (datagrams.len(), *limited);
        let now = self.gate.as_ref().map(|_| Now::read_clocks());
        let mut admits = |remote| match (&self.gate, now) {
            (Some(gate), Some(now)) => {
                let admits = gate.admits(now, remote);
                *limited += usize::from(!admits);
                admits
            }
            _ => true,
        };
        for wire in &self.udp {
            // Unless ready: no error of the socket itself is known to come from here, and the next poll would report it again.
            let _ = poll_receive_one(wire, &mut self.arena, cx, &mut admits, datagrams);
        }
        let (taken, limited) = (datagrams.len() - taken_before, *limited - limited_before);
        count(&self.counters.datagrams_received, taken + limited);
        count(&self.counters.datagrams_limited, limited);
        if taken + limited == 0 { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether something that came from there over a stream is let in.
    pub(super) fn admits(&self, now: Now, remote: SocketAddr) -> bool {
        self.gate.as_ref().is_none_or(|gate| gate.admits(now, remote))
    }

    /// Whether more datagrams wait to be received than half of what the kernel has room for.
    pub(super) fn is_behind(&self) -> bool {
        self.udp.iter().any(|wire| wire.socket.is_half_full())
    }

    /// Whether datagrams wait because the kernel did not take them.
    pub(super) fn is_choked(&self) -> bool {
        self.udp.iter().any(|wire| wire.socket.queued() > 0)
    }

    /// Whose message it was that did not arrive, if it was one that someone wants to hear of. The quoted bytes must be those of the
    /// message: anyone can send us an ICMP error, but not guess a branch.
    pub(super) fn whose(&mut self, unreachable: &Unreachable) -> Option<ClientTransactionId> {
        let Unreachable { remote, quoted } = unreachable;
        let is_it = |sent: &Sent| {
            let common = quoted.len().min(sent.bytes.len());
            sent.remote == *remote
                && quoted[..common] == sent.bytes[..common]
                && common >= QUOTED_BYTES_MIN.min(sent.bytes.len())
        };
        let found = self.sent.iter().position(is_it)?;
        self.sent.remove(found).map(|sent| sent.transaction)
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
        if let Some(transaction) = tag {
            if self.sent.len() >= SENT_REMEMBERED_MAX {
                self.sent.pop_front();
            }
            self.sent.push_back(Sent { remote: flow.remote, bytes: bytes.clone(), transaction });
        }
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
    admits: &mut impl FnMut(SocketAddr) -> bool,
    datagrams: &mut Vec<Datagram>,
) -> Poll<io::Result<()>> {
    let enough = datagrams.len() + DATAGRAMS_PER_TURN;
    let mut batches = 0;
    while batches < BATCHES_PER_TURN && datagrams.len() < enough {
        let mut guard = ready!(wire.watch.poll_readable(cx))?;
        let received = wire.socket.receive_from(arena, admits, &mut |datagram| datagrams.push(datagram));
        match received {
            Ok(Received { more: true, .. }) => batches += 1,
            // Whatever comes after this makes the socket ready again.
            Ok(Received { datagrams: 0, .. }) => guard.clear_ready(),
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
