use super::locate::Place;
use super::preference::distaste;
use crate::{LocalAddress, Plans};
use sip_message::Transport;
use sip_transaction::Flow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// The transports whose connections are planned: there is a domain to be proved, or asked for.
const PLANNED: [Transport; 3] = [Transport::Tls, Transport::Ws, Transport::Wss];

/// The ways out of here: the addresses that we send from, and the connections that can be planned.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    listening: Arc<[LocalAddress]>,
    transports: Vec<Transport>,
    plans: Option<Plans>,
}

impl Ways {
    /// Datagrams from where we listen for them, and TCP, for which nobody need listen.
    pub(super) fn new(listening: &[LocalAddress]) -> Ways {
        let udp = listening.iter().any(|local| local.transport == Transport::Udp).then_some(Transport::Udp);
        Ways { listening: listening.into(), transports: udp.into_iter().chain([Transport::Tcp]).collect(), plans: None }
    }

    /// The same, and those of TLS and WebSocket that `plans` has connections of.
    pub(super) fn planning(mut self, plans: &Plans) -> Ways {
        self.transports.retain(|transport| !PLANNED.contains(transport));
        self.transports.extend(PLANNED.into_iter().filter(|transport| plans.opens(*transport)));
        self.plans = Some(plans.clone());
        self
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
        let connection = match &self.plans {
            // Whom it must prove to be is in the URI, whatever DNS made of it (RFC 5922 section 7.3).
            Some(plans) if PLANNED.contains(&transport) => Some(plans.plan(transport, local, remote, domain)?),
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
        let best = |transport: Option<Transport>| {
            let ours = || {
                self.listening.iter().filter(usable).filter(|local| transport.is_none_or(|one| local.transport == one))
            };
            ours().find(fits).or_else(|| ours().next())
        };
        // A stream can be opened without a listener of its kind; what it comes from is then where we can be reached at all.
        let local = best(Some(transport)).or_else(|| best(None).filter(|_| transport.reliable()));
        match local {
            Some(local) if local.address.ip().is_unspecified() => Some(SocketAddr::new(source, local.address.port())),
            Some(local) => Some(local.address),
            None => transport.reliable().then(|| SocketAddr::new(source, transport.default_port())),
        }
    }
}

/// The address that the kernel's routes choose towards `remote`; nothing is sent.
fn source_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::Ways;
    use crate::LocalAddress;
    use sip_message::Transport;

    /// `--bind` of a telephone that listens over UDP and TCP, and calls over TLS.
    #[test]
    fn an_address_that_was_chosen_is_where_every_stream_comes_from() {
        let local = |transport, address: &str| LocalAddress { transport, address: address.parse().unwrap() };
        let chosen = [local(Transport::Udp, "127.1.1.4:5070"), local(Transport::Tcp, "127.1.1.4:5071")];
        let from = |transport| Ways::new(&chosen).local(transport, "127.0.0.1:5061".parse().unwrap());
        assert_eq!(from(Transport::Tls), Some("127.1.1.4:5070".parse().unwrap()));
        assert_eq!(from(Transport::Tcp), Some("127.1.1.4:5071".parse().unwrap()));
        let anywhere = [local(Transport::Tcp, "0.0.0.0:5071")];
        let from = |transport| Ways::new(&anywhere).local(transport, "127.0.0.1:5061".parse().unwrap());
        assert_eq!(from(Transport::Wss), Some("127.0.0.1:5071".parse().unwrap()));
        assert_eq!(from(Transport::Udp), None);
    }
}
