//! The exchange put together: the server's shards on net's drivers, over the accounts and bindings of the store.

mod certificates;
mod gate;
mod names;
mod status;
mod world;

pub(crate) use certificates::{Certificates, check_certificates};
pub(crate) use gate::{Gate, GateConfig, GateTotals};
pub(crate) use names::{is_host, lan_addresses, machine_names};
pub(crate) use world::World;

use net::{DnsConfig, ListenConfig, ListenError, LocalAddress, Orders, ServeConfig, Serving, Tap, Tls};
use server::Server;
use std::net::UdpSocket;
use std::sync::Arc;
use store::{Accounts, Store};

/// What an exchange is made of.
pub(crate) struct Setup {
    pub(crate) listen: ListenConfig,
    pub(crate) drivers: usize,
    /// Its domains get the ports that are listened on.
    pub(crate) server: server::Config,
    pub(crate) accounts: Accounts,
    pub(crate) store: Store,
    pub(crate) dns: DnsConfig,
    /// Without it there is no TLS.
    pub(crate) tls: Option<Tls>,
    /// Without it, all sources are let in.
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) tap: Option<Arc<dyn Tap>>,
}

/// An exchange that runs, until it is dropped or stopped.
pub(crate) struct Exchange {
    serving: Serving,
    /// The way into its shards.
    pub(crate) orders: Orders,
    pub(crate) world: World,
}

impl Exchange {
    /// Opens the sockets and starts the drivers.
    pub(crate) fn start(setup: Setup) -> Result<Exchange, ListenError> {
        let (accounts, store) = (setup.accounts.clone(), setup.store.clone());
        let world =
            World { accounts, store, auth_required: setup.server.auth_required, gate: setup.gate.clone() };
        let serve = ServeConfig {
            name: "exchange",
            listen: setup.listen.clone(),
            drivers: setup.drivers.max(1),
            dns: setup.dns.clone(),
            tls: setup.tls.clone(),
            gate: setup.gate.clone().map(|gate| gate as Arc<dyn net::Gate>),
            tap: setup.tap.clone(),
            ..ServeConfig::default()
        };
        let keys = setup.server.keys;
        let make = move |shard: usize, addresses: &[LocalAddress]| {
            Server::new(setup.server_config(addresses), shard as u16, net::system_rng())
        };
        let (serving, orders) = net::serve(serve, keys, make, world.clone())?;
        Ok(Exchange { serving, orders, world })
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

    /// Sends what is under way, and stops.
    pub(crate) fn stop(self) {
        self.serving.stop();
    }
}

impl Setup {
    fn server_config(&self, addresses: &[LocalAddress]) -> server::Config {
        let mut ports: Vec<u16> = addresses.iter().map(|local| local.address.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        let domains = self.server.domains.clone().on_ports(ports);
        server::Config { domains, tls: self.tls.is_some(), ..self.server.clone() }
    }
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
