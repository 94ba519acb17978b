use super::all::all;
use super::weight::in_order;
use crate::dns::{Naptr, Records, Srv};
use engine::Rng;
use sip_message::{NextHop, Transport};
use std::net::{IpAddr, SocketAddr};

/// Services of one domain, out of its NAPTR records, whose SRV records are asked for.
pub const SERVICES_MAX: usize = 8;
/// Hosts whose addresses are asked for in order to find one domain's servers.
pub const TARGETS_MAX: usize = 16;

/// Where a server may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
}

/// A service of a domain: how it is reached and the name of its SRV records.
struct Service {
    transport: Transport,
    name: String,
}

/// A host that serves.
struct Target {
    transport: Transport,
    host: String,
    port: u16,
}

/// Where the server may be that `hop` means, best first: RFC 3263 section 4 for a request, and with `hop.transport` from the Via, section 5
/// for a response. `have` are the transports that we have, the most liked first; `arrange` orders the addresses of one host (RFC 7984
/// section 4: never those of different targets).
pub(super) async fn locate(
    hop: &NextHop,
    have: &[Transport],
    records: &impl Records,
    rng: &mut Rng,
    arrange: impl Fn(&mut [IpAddr]),
) -> Vec<Place> {
    if let Ok(ip) = hop.host.parse() {
        return locate_address(hop, ip, have).into_iter().collect();
    }
    let targets = match (hop.port, acceptable(hop, have).first()) {
        // 4.2: "a port is present in the URI, the client performs an A or AAAA record lookup"
        (Some(port), Some(&transport)) => vec![Target { transport, host: hop.host.clone(), port }],
        (Some(_), None) => Vec::new(),
        (None, _) => targets(hop, have, records, rng).await,
    };
    let addresses = all(targets.iter().map(|target| records.addresses(&target.host))).await;
    let mut places = Vec::new();
    for (target, mut addresses) in targets.iter().zip(addresses) {
        arrange(&mut addresses);
        places.extend(addresses.into_iter().map(|ip| place(target.transport, ip, Some(target.port))));
    }
    places
}

/// The place of a numeric host. 4.2: "If TARGET is a numeric IP address, the client uses that address."
pub(super) fn locate_address(hop: &NextHop, ip: IpAddr, have: &[Transport]) -> Option<Place> {
    Some(place(*acceptable(hop, have).first()?, ip, hop.port))
}

fn place(transport: Transport, ip: IpAddr, port: Option<u16>) -> Place {
    Place { transport, address: SocketAddr::new(ip.to_canonical(), port.unwrap_or_else(|| transport.default_port())) }
}

/// Those of our transports that `hop` lets us use where nothing else is known; the first is the one to take.
///
/// 4.1: the one in the URI; without one UDP, or TLS for `sips`, if we have it.
fn acceptable(hop: &NextHop, have: &[Transport]) -> Vec<Transport> {
    let asked = hop.transport.map(|asked| if hop.secure { asked.secured() } else { asked });
    let fits = |transport: &Transport| match asked {
        Some(asked) => *transport == asked,
        None => transport.is_secure() == hop.secure,
    };
    have.iter().copied().filter(fits).collect()
}

/// 4.1 and 4.2 for a name without a port: the hosts that its services are on.
async fn targets(hop: &NextHop, have: &[Transport], records: &impl Records, rng: &mut Rng) -> Vec<Target> {
    let services = services(hop, have, records).await;
    let found = all(services.iter().map(|service| records.srv(&service.name))).await;
    let Some(first) = services.first() else { return Vec::new() };
    if found.iter().all(Vec::is_empty) {
        // 4.2: "If no SRV records were found, the client performs an A or AAAA record lookup of the domain name."
        let transport = first.transport;
        return vec![Target { transport, host: hop.host.clone(), port: transport.default_port() }];
    }
    let mut targets = Vec::new();
    for (service, mut servers) in services.iter().zip(found) {
        // RFC 2782: the target "." means that the service is decidedly not available at this domain.
        servers.retain(|server| !server.target.is_empty() && server.port != 0);
        let servers = in_order(servers, rng, TARGETS_MAX - targets.len());
        targets.extend(servers.into_iter().map(|Srv { target, port, .. }| Target {
            transport: service.transport,
            host: target,
            port,
        }));
    }
    targets
}

/// 4.1: the services to ask for. That of the transport in the URI; without one those that the domain's NAPTR records offer; without any,
/// that of each transport of ours.
async fn services(hop: &NextHop, have: &[Transport], records: &impl Records) -> Vec<Service> {
    if hop.transport.is_none() {
        let offered = offered(hop.secure, have, records.naptr(&hop.host).await);
        if !offered.is_empty() {
            return offered;
        }
    }
    let service = |transport| Service { transport, name: format!("{}.{}", service_label(transport), hop.host) };
    acceptable(hop, have).into_iter().map(service).collect()
}

/// What of a domain's NAPTR records we can use: those of the lowest order that has any such, the preferred first. A client MUST NOT
/// consider others once it has found a match (RFC 3403 section 4.1), lest somebody in between who breaks TLS gets it in the clear.
fn offered(secure: bool, have: &[Transport], mut records: Vec<Naptr>) -> Vec<Service> {
    records.retain(|record| record.flags.eq_ignore_ascii_case("s") && record.regexp.is_empty());
    records.retain(|record| !record.replacement.is_empty());
    records.sort();
    let usable = records.into_iter().filter_map(|record| {
        let transport = service_transport(&record.services)?;
        // "A client resolving a SIPS URI MUST discard any services that do not contain SIPS"; the converse is not true.
        let fits = have.contains(&transport) && (transport.is_secure() || !secure);
        fits.then_some((record.order, Service { transport, name: record.replacement }))
    });
    let usable: Vec<_> = usable.collect();
    let lowest = usable.first().map(|(order, _)| *order);
    let best = usable.into_iter().take_while(|(order, _)| Some(*order) == lowest);
    best.map(|(_, service)| service).take(SERVICES_MAX).collect()
}

/// What the service field of a NAPTR record stands for (RFC 3263 section 4.1, RFC 7118 section 10.2).
fn service_transport(service: &str) -> Option<Transport> {
    const SERVICES: [(&str, Transport); 5] = [
        ("SIP+D2U", Transport::Udp),
        ("SIP+D2T", Transport::Tcp),
        ("SIPS+D2T", Transport::Tls),
        ("SIP+D2W", Transport::Ws),
        ("SIPS+D2W", Transport::Wss),
    ];
    SERVICES.into_iter().find(|(name, _)| service.eq_ignore_ascii_case(name)).map(|(_, transport)| transport)
}

/// What stands before the domain in the name of the SRV records (RFC 3263 section 4.2; section 5 says the same of responses).
fn service_label(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws => "_sip._ws",
        Transport::Wss => "_sips._ws",
    }
}
