use super::connection::{Connection, Outgoing, Scratch};
use super::{CONNECTION_QUEUE_MAX, StreamLimits};
use crate::counters::{Counters, count};
use crate::wire_event::{End, WireEvent};
use bytes::Bytes;
use engine::Now;
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Bytes that one read may bring.
const READ_BYTES: usize = 64 * 1024;

/// How the driver's number sits in a [`ConnectionId`].
const DRIVER_SHIFT: u32 = 48;

/// The driver that owns a connection.
pub(crate) fn driver_of(connection: ConnectionId) -> usize {
    (connection.0 >> DRIVER_SHIFT) as usize
}

/// Where this run begins to count: at the time in microseconds (less than one connection comes in each), so that it gives no number that
/// an earlier run gave to another connection.
fn first_number() -> u64 {
    let since_1970 = Now::read_clocks().wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_1970.as_micros() as u64 & ((1 << DRIVER_SHIFT) - 1)
}

/// The connections of one driver.
pub(crate) struct Connections {
    next: u64,
    open: HashMap<ConnectionId, Open>,
    /// The latest connection to each remote address, for flows that name none.
    by_remote: HashMap<SocketAddr, ConnectionId>,
    /// How many there are by [`neighbourhood`].
    per_address: HashMap<IpAddr, usize>,
    limits: StreamLimits,
    scratch: Scratch,
    events: mpsc::Sender<WireEvent>,
    tasks: JoinSet<()>,
    counters: Arc<Counters>,
}

struct Open {
    remote: SocketAddr,
    outgoing: mpsc::Sender<Outgoing>,
    /// Taken when it is cut; it counts until its task has ended.
    cut: Option<oneshot::Sender<()>>,
}

impl Connections {
    pub(crate) fn new(
        driver: usize,
        limits: StreamLimits,
        events: mpsc::Sender<WireEvent>,
        counters: Arc<Counters>,
    ) -> Connections {
        Connections {
            next: ((driver as u64) << DRIVER_SHIFT) | first_number(),
            open: HashMap::new(),
            by_remote: HashMap::new(),
            per_address: HashMap::new(),
            limits,
            scratch: Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())),
            events,
            tasks: JoinSet::new(),
            counters,
        }
    }

    /// Takes on a connection that a listener accepted, or drops it when there are too many.
    pub(crate) fn accept(&mut self, stream: TcpStream, remote: SocketAddr) {
        let Ok(local) = stream.local_addr() else { return };
        let Some(connection) = self.admit(local, remote) else {
            count(&self.counters.connections_refused, 1);
            return;
        };
        count(&self.counters.accepted, 1);
        self.tasks.spawn_local(connection.run_accepted(stream));
    }

    /// Hands a message to the connection that `flow` names, to any to the same remote address, or to a new one. `false`: it cannot be
    /// sent. What goes wrong later is told by a [`WireEvent::SendFailed`].
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes, on_failure: Option<(usize, ClientTransactionId)>) -> bool {
        let id = match flow.connection.or_else(|| self.by_remote.get(&flow.remote).copied()) {
            Some(id) => id,
            None => match self.connect(flow) {
                Some(id) => id,
                None => return false,
            },
        };
        let Some(open) = self.open.get_mut(&id).filter(|open| open.remote == flow.remote) else { return false };
        match open.outgoing.try_send(Outgoing { bytes, on_failure }) {
            Ok(()) => {
                count(&self.counters.stream_messages_sent, 1);
                true
            }
            Err(_) => {
                // The peer does not read. The task will report what was not written and its own end.
                if let Some(cut) = open.cut.take() {
                    let _ = cut.send(());
                }
                false
            }
        }
    }

    /// A task has ended. Tells whether anyone but us knew of the connection.
    pub(crate) fn ended(&mut self, connection: ConnectionId, end: End) -> bool {
        self.forget(connection);
        while self.tasks.try_join_next().is_some() {}
        match end {
            End::NotConnected => count(&self.counters.connects_failed, 1),
            End::Closed => count(&self.counters.connections_closed, 1),
            End::Cut => {
                count(&self.counters.connections_cut, 1);
                count(&self.counters.connections_closed, 1);
            }
        }
        end != End::NotConnected
    }

    /// Lets each connection write what it has and end; waits for that at most `patience`.
    pub(crate) async fn close_all(mut self, patience: Duration, mut events: mpsc::Receiver<WireEvent>) {
        self.open.clear();
        let ended = async {
            while !self.tasks.is_empty() {
                tokio::select! {
                    _ = self.tasks.join_next() => {}
                    _ = events.recv() => {} // nobody is left to tell, but a full queue would hold the tasks up
                }
            }
        };
        let _ = tokio::time::timeout(patience, ended).await;
    }

    fn connect(&mut self, flow: Flow) -> Option<ConnectionId> {
        if flow.transport != Transport::Tcp {
            return None;
        }
        let connection = self.admit(flow.local, flow.remote)?;
        let id = connection.id;
        self.tasks.spawn_local(connection.run_connecting());
        Some(id)
    }

    /// A place in the table for a connection, `None` when there is none left.
    fn admit(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<Connection> {
        let from_there = self.per_address.entry(neighbourhood(remote)).or_default();
        if self.open.len() >= self.limits.connections || *from_there >= self.limits.connections_per_address {
            if *from_there == 0 {
                self.per_address.remove(&neighbourhood(remote));
            }
            return None;
        }
        *from_there += 1;
        let id = ConnectionId(self.next);
        self.next += 1;
        let (queue, outgoing) = mpsc::channel(CONNECTION_QUEUE_MAX);
        let pongs = queue.downgrade();
        let (cut, to_cut) = oneshot::channel();
        self.open.insert(id, Open { remote, outgoing: queue, cut: Some(cut) });
        self.by_remote.insert(remote, id);
        Some(Connection {
            id,
            flow: Flow { transport: Transport::Tcp, local, remote, connection: Some(id) },
            limits: self.limits,
            scratch: self.scratch.clone(),
            events: self.events.clone(),
            outgoing,
            pongs,
            cut: to_cut,
        })
    }

    fn forget(&mut self, id: ConnectionId) {
        let Some(open) = self.open.remove(&id) else { return };
        if self.by_remote.get(&open.remote) == Some(&id) {
            self.by_remote.remove(&open.remote);
        }
        if let Some(from_there) = self.per_address.get_mut(&neighbourhood(open.remote)) {
            *from_there -= 1;
            if *from_there == 0 {
                self.per_address.remove(&neighbourhood(open.remote));
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 one, for that much belongs to everybody who has any.
fn neighbourhood(remote: SocketAddr) -> IpAddr {
    match remote.ip() {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        ip => ip.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::neighbourhood;

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let of = |text: &str| neighbourhood(text.parse().expect("an address"));
        assert_eq!(of("[2001:db8:1:2::1]:5060"), of("[2001:db8:1:2:ffff:1:2:3]:9"));
        assert_ne!(of("[2001:db8:1:2::1]:5060"), of("[2001:db8:1:3::1]:5060"));
        assert_ne!(of("192.0.2.1:5060"), of("192.0.2.2:5060"));
        assert_eq!(of("[::ffff:192.0.2.1]:5060"), of("192.0.2.1:9"));
    }
}
