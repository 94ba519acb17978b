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
}

impl ListenConfig {
    /// Every address of this machine, UDP and TCP at `port`; IPv6 only where the system has it.
    pub fn any(port: u16) -> ListenConfig {
        let has_ipv6 = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).is_ok();
        let ipv6 = has_ipv6.then(|| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
        let all: Vec<SocketAddr> = std::iter::once((Ipv4Addr::UNSPECIFIED, port).into()).chain(ipv6).collect();
        ListenConfig { udp: all.clone(), tcp: all }
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
            ListenError::Start(error) => write!(f, "cannot start a driver: {error}"),
        }
    }
}

impl std::error::Error for ListenError {}

/// The sockets of one driver.
pub(crate) struct Sockets<T> {
    pub(crate) udp: Vec<UdpBatch<T>>,
    pub(crate) tcp: Vec<TcpListener>,
}

/// Opens every address for each of `drivers` drivers.
pub(crate) fn open<T>(
    config: &ListenConfig,
    drivers: usize,
) -> Result<(Vec<Sockets<T>>, Vec<LocalAddress>), ListenError> {
    let mut sockets: Vec<Sockets<T>> = (0..drivers).map(|_| Sockets { udp: Vec::new(), tcp: Vec::new() }).collect();
    let mut addresses = Vec::new();
    for &address in &config.udp {
        let opened = open_one(Transport::Udp, address, drivers, UdpBatch::bind, UdpBatch::local_address)?;
        addresses.push(LocalAddress { transport: Transport::Udp, address: opened[0].local_address() });
        sockets.iter_mut().zip(opened).for_each(|(driver, socket)| driver.udp.push(socket));
    }
    for &address in &config.tcp {
        let local = |listener: &TcpListener| listener.local_addr().unwrap_or(address);
        let opened = match same_port(address, &addresses) {
            Some(same) => open_one(Transport::Tcp, same, drivers, bind_tcp, local)
                .or_else(|_| open_one(Transport::Tcp, address, drivers, bind_tcp, local))?,
            None => open_one(Transport::Tcp, address, drivers, bind_tcp, local)?,
        };
        addresses.push(LocalAddress { transport: Transport::Tcp, address: local(&opened[0]) });
        sockets.iter_mut().zip(opened).for_each(|(driver, socket)| driver.tcp.push(socket));
    }
    Ok((sockets, addresses))
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
