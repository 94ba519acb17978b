//! The exchange put together: the server's shards on net's drivers, over the accounts and bindings of the store.

mod certificates;
mod gate;
mod names;
mod status;
mod world;

pub(crate) use certificates::{Certificates, check_certificates};
pub(crate) use gate::{Gate, GateConfig, GateTotals};
pub(crate) use names::{is_host, lan_addresses, machine_names};
use status::Seen;
pub(crate) use world::World;

use net::{DnsConfig, ListenConfig, ListenError, LocalAddress, Orders, ServeConfig, Serving, Tap, Tls};
use server::Server;
use std::net::UdpSocket;
use std::sync::Arc;

/// What an exchange is made of.
pub(crate) struct Setup {
    pub(crate) listen: ListenConfig,
    pub(crate) drivers: usize,
    /// Its domains get the ports that are listened on.
    pub(crate) server: server::Config,
    pub(crate) world: World,
    pub(crate) dns: DnsConfig,
    /// Without it there is no TLS.
    pub(crate) tls: Option<Tls>,
    pub(crate) tap: Option<Arc<dyn Tap>>,
}

/// An exchange that runs, until it is dropped or stopped.
pub(crate) struct Exchange {
    serving: Serving,
    /// The way into its shards.
    pub(crate) orders: Orders,
    pub(crate) world: World,
    /// For monitors.
    pub(crate) seen: Seen,
}

impl Exchange {
    /// Opens the sockets and starts the drivers.
    pub(crate) fn start(setup: Setup) -> Result<Exchange, ListenError> {
        let Setup { listen, drivers, server, world, dns, tls, tap } = setup;
        let server = server::Config { tls: tls.is_some(), ..server };
        let serve = ServeConfig {
            name: "exchange",
            listen,
            drivers: drivers.max(1),
            dns,
            tls,
            gate: world.gate.clone().map(|gate| gate as Arc<dyn net::Gate>),
            tap,
            ..ServeConfig::default()
        };
        let keys = server.keys;
        let make = move |shard: usize, addresses: &[LocalAddress]| {
            Server::new(listening_at(&server, addresses), shard as u16, net::system_rng())
        };
        let (serving, orders) = net::serve(serve, keys, make, world.clone())?;
        Ok(Exchange { serving, orders, world, seen: Seen::default() })
    }

    /// What it listens on.
    pub(crate) fn addresses(&self) -> &[LocalAddress] {
        self.serving.local_addresses()
    }

    /// Why it does not listen on addresses that nobody asked for.
    pub(crate) fn left_out(&self) -> &[ListenError] {
        self.serving.left_out()
    }

    /// Whether all of it runs.
    pub(crate) fn is_whole(&self) -> bool {
        self.serving.is_whole()
    }
}

/// The same for who listens there: its domains are reached on those ports.
pub(crate) fn listening_at(server: &server::Config, addresses: &[LocalAddress]) -> server::Config {
    let mut ports: Vec<u16> = addresses.iter().map(|local| local.address.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    server::Config { domains: server.domains.clone().on_ports(ports), ..server.clone() }
}

/// What the exchange is called: its domains, or else this machine's names.
pub(crate) fn names(config: &crate::config::Config) -> Vec<String> {
    if config.domains.is_empty() { machine_names() } else { config.domains.clone() }
}

/// The addresses to listen on. Of those that nobody chose, IPv6 is left out on a machine without it.
pub(crate) fn listen_config(listen: &crate::config::Listen) -> ListenConfig {
    let without_v6 = !listen.chosen && UdpSocket::bind("[::]:0").is_err();
    let usable = |addresses: &[std::net::SocketAddr]| {
        addresses.iter().copied().filter(|address| address.is_ipv4() || !without_v6).collect()
    };
    ListenConfig {
        udp: usable(&listen.udp),
        tcp: usable(&listen.tcp),
        tls: usable(&listen.tls),
        ws: usable(&listen.ws),
        wss: usable(&listen.wss),
        optional: listen.optional.clone(),
    }
}
