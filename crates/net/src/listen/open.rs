use super::holder::{Holder, find};
use crate::UdpBatch;
use sip_message::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::{fmt, io};

/// Connections that the kernel may hold ready before we accept them.
const BACKLOG: i32 = 1024;

/// Where to listen. Port 0 picks a free one, the same for all drivers and, if it can be had, for both transports.
#[derive(Debug, Clone, Default)]
pub struct ListenConfig {
    /// UDP addresses.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses.
    pub tcp: Vec<SocketAddr>,
    /// TLS addresses; they need a certificate ([`crate::Tls`]).
    pub tls: Vec<SocketAddr>,
    /// WebSocket addresses.
    pub ws: Vec<SocketAddr>,
    /// Addresses for WebSocket over TLS; they need a certificate, too.
    pub wss: Vec<SocketAddr>,
    /// Transports that nobody asked for: of theirs, an address that cannot be had is left out, and said to be
    /// ([`crate::Serving::left_out`]).
    pub optional: Vec<Transport>,
}

impl ListenConfig {
    /// Every address of this machine, UDP and TCP at `port`; IPv6 only where the system has it.
    pub fn any(port: u16) -> ListenConfig {
        let has_ipv6 = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).is_ok();
        let ipv6 = has_ipv6.then(|| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
        let all: Vec<SocketAddr> = std::iter::once((Ipv4Addr::UNSPECIFIED, port).into()).chain(ipv6).collect();
        ListenConfig { udp: all.clone(), tcp: all, ..ListenConfig::default() }
    }
}

/// One address that is listened on, as it was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    /// Its transport.
    pub transport: Transport,
    /// The address, a wildcard where it was bound to one, with the port that was picked for port 0.
    pub address: SocketAddr,
}

/// Why we cannot listen.
#[derive(Debug)]
pub enum ListenError {
    /// The port is in use.
    Taken {
        /// What was to be opened.
        wanted: LocalAddress,
        /// By whom, if we may see that.
        holder: Option<Holder>,
    },
    /// The address cannot be bound for another reason: it is not ours, the family is missing, a low port without the right.
    Refused {
        /// What was to be opened.
        wanted: LocalAddress,
        /// What the system says.
        error: io::Error,
    },
    /// TLS without a certificate to show.
    NoCertificate {
        /// What was to be opened.
        wanted: LocalAddress,
    },
    /// A thread or its runtime could not be started.
    Start(io::Error),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Taken { wanted, holder: Some(holder) } => {
                write!(f, "{} {} is in use by {holder}", wanted.transport, wanted.address)
            }
            ListenError::Taken { wanted, holder: None } => {
                write!(f, "{} {} is in use by another program", wanted.transport, wanted.address)
            }
            ListenError::Refused { wanted, error } => {
                write!(f, "cannot listen on {} {}: {error}", wanted.transport, wanted.address)
            }
            ListenError::NoCertificate { wanted } => {
                write!(f, "cannot listen on {} {}: there is no certificate", wanted.transport, wanted.address)
            }
            ListenError::Start(error) => write!(f, "cannot start a driver: {error}"),
        }
    }
}

impl std::error::Error for ListenError {}

/// The sockets of one driver.
pub(crate) struct Sockets<T> {
    pub(crate) udp: Vec<UdpBatch<T>>,
    pub(crate) streams: Vec<(Transport, TcpListener)>,
}

/// What came of it.
pub(crate) struct Listening<T> {
    /// For each driver.
    pub(crate) sockets: Vec<Sockets<T>>,
    pub(crate) addresses: Vec<LocalAddress>,
    /// Why optional addresses are not among them.
    pub(crate) left_out: Vec<ListenError>,
}

/// Opens every address for each of `drivers` drivers.
pub(crate) fn open<T>(
    config: &ListenConfig,
    drivers: usize,
    has_certificate: bool,
) -> Result<Listening<T>, ListenError> {
    let none = || Sockets { udp: Vec::new(), streams: Vec::new() };
    let mut listening =
        Listening { sockets: (0..drivers).map(|_| none()).collect(), addresses: Vec::new(), left_out: Vec::new() };
    let all = [
        (Transport::Udp, &config.udp),
        (Transport::Tcp, &config.tcp),
        (Transport::Tls, &config.tls),
        (Transport::Ws, &config.ws),
        (Transport::Wss, &config.wss),
    ];
    for (transport, address) in all.iter().flat_map(|(transport, all)| all.iter().map(|one| (*transport, *one))) {
        let opened = match transport {
            _ if transport.is_secure() && !has_certificate => {
                Err(ListenError::NoCertificate { wanted: LocalAddress { transport, address } })
            }
            Transport::Udp => listening.add_udp(address, drivers),
            _ => listening.add_stream(transport, address, drivers),
        };
        match opened {
            Err(error) if config.optional.contains(&transport) => listening.left_out.push(error),
            opened => opened?,
        }
    }
    Ok(listening)
}

impl<T> Listening<T> {
    fn add_udp(&mut self, address: SocketAddr, drivers: usize) -> Result<(), ListenError> {
        let opened = open_one(Transport::Udp, address, drivers, UdpBatch::bind, UdpBatch::local_address)?;
        self.addresses.push(LocalAddress { transport: Transport::Udp, address: opened[0].local_address() });
        self.sockets.iter_mut().zip(opened).for_each(|(driver, socket)| driver.udp.push(socket));
        Ok(())
    }

    fn add_stream(&mut self, transport: Transport, address: SocketAddr, drivers: usize) -> Result<(), ListenError> {
        let local = |listener: &TcpListener| listener.local_addr().unwrap_or(address);
        let open_at = |address| open_one(transport, address, drivers, bind_tcp, local);
        let same = same_port(address, &self.addresses).filter(|_| transport == Transport::Tcp);
        let opened = match same {
            Some(same) => open_at(same).or_else(|_| open_at(address))?,
            None => open_at(address)?,
        };
        self.addresses.push(LocalAddress { transport, address: local(&opened[0]) });
        self.sockets.iter_mut().zip(opened).for_each(|(driver, socket)| driver.streams.push((transport, socket)));
        Ok(())
    }
}

/// For a TCP port that is ours to pick: the one that was picked for UDP, so that one address serves both.
fn same_port(wanted: SocketAddr, opened: &[LocalAddress]) -> Option<SocketAddr> {
    let udp = opened.iter().map(|local| local.address).find(|address| address.ip() == wanted.ip())?;
    (wanted.port() == 0).then_some(udp)
}

/// One socket for each driver: first a single one that shares its port with nobody, to see whether it is free; for several drivers that
/// is closed again, and sockets which share the port are opened.
fn open_one<S>(
    transport: Transport,
    address: SocketAddr,
    drivers: usize,
    bind: impl Fn(SocketAddr, bool) -> io::Result<S>,
    local: impl Fn(&S) -> SocketAddr,
) -> Result<Vec<S>, ListenError> {
    let failed = |error: io::Error| {
        let wanted = LocalAddress { transport, address };
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                let table = if transport == Transport::Udp { "udp" } else { "tcp" };
                ListenError::Taken { wanted, holder: find(table, address) }
            }
            _ => ListenError::Refused { wanted, error },
        }
    };
    let alone = bind(address, false).map_err(failed)?;
    if drivers == 1 {
        return Ok(vec![alone]);
    }
    let address = local(&alone);
    drop(alone);
    (0..drivers).map(|_| bind(address, true).map_err(failed)).collect()
}

fn bind_tcp(address: SocketAddr, share_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec().nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run that linger in TIME_WAIT do not count; a listener does.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
