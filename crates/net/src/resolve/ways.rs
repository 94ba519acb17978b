use super::locate::Place;
use super::preference::distaste;
use crate::LocalAddress;
use sip_message::Transport;
use sip_transaction::{ConnectionId, Flow};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// Plans a connection: the transport, the local and the remote address, and the domain that the other end must prove to be (RFC 5922
/// section 7.2: that of the URI, whatever DNS made of it). `None` when no more can be planned.
pub type Plan = Arc<dyn Fn(Transport, SocketAddr, SocketAddr, &str) -> Option<ConnectionId> + Send + Sync>;

/// The transports that a connection is planned for.
const PLANNED: [Transport; 3] = [Transport::Tls, Transport::Ws, Transport::Wss];

/// The ways out of here: the addresses that we send from, and who plans connections.
#[derive(Clone)]
pub(super) struct Ways {
    listening: Arc<[LocalAddress]>,
    plan: Option<Plan>,
    transports: Vec<Transport>,
}

impl Ways {
    pub(super) fn new(listening: &[LocalAddress], plan: Option<Plan>) -> Ways {
        let has = |transport| match transport {
            Transport::Udp => listening.iter().any(|local| local.transport == Transport::Udp),
            Transport::Tcp => true, // opened without a listener
            Transport::Tls | Transport::Ws | Transport::Wss => plan.is_some(),
        };
        let transports = [Transport::Udp, Transport::Tcp].into_iter().chain(PLANNED).filter(|way| has(*way)).collect();
        Ways { listening: listening.into(), plan, transports }
    }

    /// The same, with connections planned by `plan`.
    pub(super) fn planning(&self, plan: Plan) -> Ways {
        Ways::new(&self.listening, Some(plan))
    }

    /// The transports that we have, the most liked first.
    pub(super) fn transports(&self) -> &[Transport] {
        &self.transports
    }

    /// The flow to a place that belongs to `domain`; `None` when nothing of ours gets there.
    pub(super) fn flow(&self, place: Place, domain: &str) -> Option<Flow> {
        let Place { transport, address: remote } = place;
        if remote.port() == 0 {
            return None;
        }
        let local = self.local(transport, remote)?;
        let connection = match &self.plan {
            Some(plan) if PLANNED.contains(&transport) => Some(plan(transport, local, remote, domain)?),
            _ => None,
        };
        Some(Flow { transport, local, remote, connection })
    }

    /// Puts the addresses of one host into the order that the routes of ours suggest. Those of one family stay as DNS gave them.
    pub(super) fn arrange(addresses: &mut [IpAddr]) {
        if addresses.iter().any(IpAddr::is_ipv4) && addresses.iter().any(IpAddr::is_ipv6) {
            addresses.sort_by_cached_key(|ip| distaste(*ip, source_towards(SocketAddr::new(*ip, 5060))));
        }
    }

    /// The address of ours that a message to `remote` would leave from, with the port that we listen on.
    fn local(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        let source = source_towards(remote)?;
        let usable = |local: &&LocalAddress| local.address.is_ipv4() == remote.is_ipv4();
        let fits = |local: &&LocalAddress| local.address.ip().is_unspecified() || local.address.ip() == source;
        let ours = || self.listening.iter().filter(usable).filter(|local| local.transport == transport);
        match ours().find(fits).or_else(|| ours().next()) {
            Some(local) if local.address.ip().is_unspecified() => Some(SocketAddr::new(source, local.address.port())),
            Some(local) => Some(local.address),
            // A stream can be opened without a listener; what is advertised then is where we can be reached at all.
            None if transport.reliable() => {
                let port =
                    self.listening.iter().find(usable).map_or(transport.default_port(), |local| local.address.port());
                Some(SocketAddr::new(source, port))
            }
            None => None,
        }
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ways").field("listening", &self.listening).field("transports", &self.transports).finish()
    }
}

/// The address that the kernel's routes choose towards `remote`; nothing is sent.
fn source_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
