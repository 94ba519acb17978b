use super::connection::{Connection, Outgoing, Scratch};
use super::opening::Opening;
use super::plans::Plans;
use super::{CONNECTION_QUEUE_MAX, StreamLimits};
use crate::Tls;
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
pub(super) const DRIVER_SHIFT: u32 = 48;

/// The driver that owns a connection.
pub(crate) fn driver_of(connection: ConnectionId) -> usize {
    (connection.0 >> DRIVER_SHIFT) as usize
}

/// Where this run begins to count: at the time in microseconds (less than one connection comes in each), so that it gives no number that
/// an earlier run gave to another connection. The bit above is for plans.
pub(super) fn first_number() -> u64 {
    let since_1970 = Now::read_clocks().wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_1970.as_micros() as u64 & ((1 << (DRIVER_SHIFT - 1)) - 1)
}

/// The connections of one driver.
pub(crate) struct Connections {
    driver: usize,
    next: u64,
    open: HashMap<ConnectionId, Open>,
    /// The latest connection to each remote address, for flows that name none. Of those with TLS only accepted ones: what we opened was
    /// opened for a domain, and is for messages to that.
    by_remote: HashMap<(Transport, SocketAddr), ConnectionId>,
    /// How many there are by [`neighbourhood`].
    per_address: HashMap<IpAddr, usize>,
    limits: StreamLimits,
    tls: Option<Tls>,
    plans: Plans,
    scratch: Scratch,
    events: mpsc::Sender<WireEvent>,
    tasks: JoinSet<()>,
    counters: Arc<Counters>,
}

struct Open {
    transport: Transport,
    remote: SocketAddr,
    outgoing: mpsc::Sender<Outgoing>,
    /// Taken when it is cut; it counts until its task has ended.
    cut: Option<oneshot::Sender<()>>,
}

impl Connections {
    pub(crate) fn new(
        driver: usize,
        limits: StreamLimits,
        tls: Option<Tls>,
        plans: Plans,
        events: mpsc::Sender<WireEvent>,
        counters: Arc<Counters>,
    ) -> Connections {
        Connections {
            driver,
            next: first_number(),
            open: HashMap::new(),
            by_remote: HashMap::new(),
            per_address: HashMap::new(),
            limits,
            tls,
            plans,
            scratch: Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())),
            events,
            tasks: JoinSet::new(),
            counters,
        }
    }

    /// Takes on a connection that a listener accepted, or drops it when there are too many.
    pub(crate) fn accept(&mut self, transport: Transport, stream: TcpStream, remote: SocketAddr) {
        let Ok(local) = stream.local_addr() else { return };
        let id = self.next_id();
        let Some(connection) = self.admit(id, Flow { transport, local, remote, connection: Some(id) }) else {
            count(&self.counters.connections_refused, 1);
            return;
        };
        self.by_remote.insert((transport, remote), id);
        count(&self.counters.accepted, 1);
        let tls = self.tls.clone().filter(|_| transport.is_secure());
        let opening = Opening { transport, tls, domain: String::new() };
        self.tasks.spawn_local(connection.run_accepted(opening, stream));
    }

    /// Hands a message to the connection that `flow` names, to any to the same remote address, or to a new one. `false`: it cannot be
    /// sent. What goes wrong later is told by a [`WireEvent::SendFailed`].
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes, on_failure: Option<(usize, ClientTransactionId)>) -> bool {
        let found = match flow.connection {
            Some(id) if self.open.contains_key(&id) => Some(id),
            Some(id) => self.open_planned(id, flow.remote),
            None => match self.by_remote.get(&(flow.transport, flow.remote)) {
                Some(id) => Some(*id),
                None => self.open_unplanned(flow),
            },
        };
        let Some(id) = found else { return false };
        let Some(open) = self.open.get_mut(&id).filter(|open| open.remote == flow.remote) else { return false };
        match open.outgoing.try_send(Outgoing { bytes, on_failure, is_pong: false }) {
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
            End::NotTrusted => {
                count(&self.counters.connects_distrusted, 1);
                count(&self.counters.connects_failed, 1);
            }
            End::NoHandshake => {
                count(&self.counters.handshakes_failed, 1);
                count(&self.counters.connections_closed, 1);
            }
            End::Closed => count(&self.counters.connections_closed, 1),
            End::Cut => {
                count(&self.counters.connections_cut, 1);
                count(&self.counters.connections_closed, 1);
            }
        }
        matches!(end, End::Closed | End::Cut)
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

    /// Opens the connection that this number stands for, if it was planned.
    fn open_planned(&mut self, id: ConnectionId, remote: SocketAddr) -> Option<ConnectionId> {
        let plan = self.plans.get(id).filter(|plan| plan.remote == remote && driver_of(id) == self.driver)?;
        let flow = Flow { transport: plan.transport, local: plan.local, remote, connection: Some(id) };
        self.connect(id, flow, plan.domain)
    }

    /// Opens a connection that no domain is known for: there is none to prove, so it cannot be one with TLS.
    fn open_unplanned(&mut self, flow: Flow) -> Option<ConnectionId> {
        match flow.transport {
            Transport::Tcp => {}
            Transport::Ws if self.plans.opens_websockets() => {}
            _ => return None,
        }
        let id = self.next_id();
        self.connect(id, Flow { connection: Some(id), ..flow }, flow.remote.ip().to_string())?;
        self.by_remote.insert((flow.transport, flow.remote), id);
        Some(id)
    }

    fn connect(&mut self, id: ConnectionId, flow: Flow, domain: String) -> Option<ConnectionId> {
        let connection = self.admit(id, flow)?;
        let tls = self.tls.clone().filter(|_| flow.transport.is_secure());
        self.tasks.spawn_local(connection.run_connecting(Opening { transport: flow.transport, tls, domain }));
        Some(id)
    }

    fn next_id(&mut self) -> ConnectionId {
        let id = ConnectionId(((self.driver as u64) << DRIVER_SHIFT) | self.next);
        self.next = (self.next + 1) & ((1 << (DRIVER_SHIFT - 1)) - 1);
        id
    }

    /// A place in the table for a connection, `None` when there is none left.
    fn admit(&mut self, id: ConnectionId, flow: Flow) -> Option<Connection> {
        let from_there = self.per_address.entry(neighbourhood(flow.remote)).or_default();
        if self.open.len() >= self.limits.connections || *from_there >= self.limits.connections_per_address {
            if *from_there == 0 {
                self.per_address.remove(&neighbourhood(flow.remote));
            }
            return None;
        }
        *from_there += 1;
        let (queue, outgoing) = mpsc::channel(CONNECTION_QUEUE_MAX);
        let pongs = queue.downgrade();
        let (cut, to_cut) = oneshot::channel();
        let Flow { transport, remote, .. } = flow;
        self.open.insert(id, Open { transport, remote, outgoing: queue, cut: Some(cut) });
        Some(Connection {
            id,
            flow,
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
        let there = (open.transport, open.remote);
        if self.by_remote.get(&there) == Some(&id) {
            self.by_remote.remove(&there);
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
