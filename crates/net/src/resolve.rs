use crate::LocalAddress;
use sip_message::{NextHop, Transport};
use sip_transaction::Flow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Lookups of names that may be under way at once in one driver; a further one finds nothing.
pub const RESOLVES_MAX: usize = 256;

/// Finds the flows to a host: its addresses, and for each the local address that would be used.
///
/// Of RFC 3263 only the last step, addresses; SRV and NAPTR are not asked yet.
#[derive(Debug, Clone)]
pub struct Resolver {
    listening: Arc<[LocalAddress]>,
    lookups: Arc<Semaphore>,
}

impl Resolver {
    /// A resolver for flows from these addresses.
    pub fn new(listening: &[LocalAddress]) -> Resolver {
        Resolver { listening: listening.into(), lookups: Arc::new(Semaphore::new(RESOLVES_MAX)) }
    }

    /// The flow to a host written as an address, at once; `None` when it is a name.
    pub fn resolve_address(&self, next_hop: &NextHop) -> Option<Vec<Flow>> {
        let ip: IpAddr = next_hop.host.parse().ok()?;
        Some(self.flow(next_hop, ip).into_iter().collect())
    }

    /// The flows to a host, the system's order of preference kept; none when it is not found or nothing of ours reaches it.
    pub async fn resolve(&self, next_hop: &NextHop) -> Vec<Flow> {
        if let Some(flows) = self.resolve_address(next_hop) {
            return flows;
        }
        let Ok(_permit) = self.lookups.try_acquire() else { return Vec::new() };
        let Ok(found) = tokio::net::lookup_host((&*next_hop.host, 0)).await else { return Vec::new() };
        let mut flows: Vec<Flow> = found.filter_map(|address| self.flow(next_hop, address.ip())).collect();
        flows.dedup();
        flows
    }

    fn flow(&self, next_hop: &NextHop, ip: IpAddr) -> Option<Flow> {
        let transport = next_hop.default_transport();
        let remote = SocketAddr::new(ip.to_canonical(), next_hop.port.unwrap_or_else(|| transport.default_port()));
        Some(Flow { transport, local: self.local(transport, remote)?, remote, connection: None })
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

/// The address that the kernel's routes choose towards `remote`; nothing is sent.
fn source_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(addresses: &[(Transport, &str)]) -> Resolver {
        let local = |(transport, address): &(Transport, &str)| LocalAddress {
            transport: *transport,
            address: address.parse().unwrap(),
        };
        Resolver::new(&addresses.iter().map(local).collect::<Vec<_>>())
    }

    fn hop(transport: Option<Transport>, host: &str, port: Option<u16>) -> NextHop {
        NextHop { secure: false, transport, host: host.to_owned(), port }
    }

    fn flow(transport: Transport, local: &str, remote: &str) -> Flow {
        Flow { transport, local: local.parse().unwrap(), remote: remote.parse().unwrap(), connection: None }
    }

    #[test]
    fn an_address_has_the_local_address_that_reaches_it() {
        let all = resolver(&[
            (Transport::Udp, "0.0.0.0:5070"),
            (Transport::Udp, "[::]:5071"),
            (Transport::Tcp, "0.0.0.0:5072"),
        ]);
        let cases = [
            (None, "127.0.0.5", None, flow(Transport::Udp, "127.0.0.1:5070", "127.0.0.5:5060")),
            (None, "::1", Some(9), flow(Transport::Udp, "[::1]:5071", "[::1]:9")),
            (Some(Transport::Tcp), "127.0.0.1", None, flow(Transport::Tcp, "127.0.0.1:5072", "127.0.0.1:5060")),
            (Some(Transport::Tcp), "::1", None, flow(Transport::Tcp, "[::1]:5071", "[::1]:5060")),
            (None, "::ffff:127.0.0.1", None, flow(Transport::Udp, "127.0.0.1:5070", "127.0.0.1:5060")),
        ];
        for (transport, host, port, expected) in cases {
            assert_eq!(all.resolve_address(&hop(transport, host, port)), Some(vec![expected]), "{host}");
        }
        assert_eq!(all.resolve_address(&hop(None, "localhost", None)), None);
    }

    #[test]
    fn of_several_sockets_the_one_on_the_route_is_used() {
        let two = resolver(&[(Transport::Udp, "192.0.2.77:5060"), (Transport::Udp, "127.0.0.1:5061")]);
        let expected = flow(Transport::Udp, "127.0.0.1:5061", "127.0.0.1:5060");
        assert_eq!(two.resolve_address(&hop(None, "127.0.0.1", None)), Some(vec![expected]));
        assert_eq!(two.resolve_address(&hop(None, "::1", None)), Some(vec![]));
    }

    #[tokio::test]
    async fn names_are_looked_up_but_not_more_than_allowed_at_once() {
        let ours = resolver(&[(Transport::Udp, "127.0.0.1:5061")]);
        let expected = flow(Transport::Udp, "127.0.0.1:5061", "127.0.0.1:5060");
        assert_eq!(ours.resolve(&hop(None, "localhost", None)).await, [expected]);
        let permits = ours.lookups.try_acquire_many(RESOLVES_MAX as u32).unwrap();
        assert_eq!(ours.resolve(&hop(None, "localhost", None)).await, []);
        drop(permits);
        assert_eq!(ours.resolve(&hop(None, "localhost", None)).await, [expected]);
    }
}
