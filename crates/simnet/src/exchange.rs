use crate::Store;
use crate::tables::Tables;
use bytes::Bytes;
use engine::{Now, Rng};
use routing::{Forwards, Limits, Tally};
use server::{Account, Answer, Ask, Call, Config, Domains, Event, Input, Keys, Order, Output, Secrets, Server, owner};
use sip_message::{Message, NextHop};
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// The domain that exchanges here are responsible for.
pub const DOMAIN: &str = "example.org";

/// How an [`Exchange`] is set up.
#[derive(Debug, Clone)]
pub struct ExchangeConfig {
    /// Shards, as a machine has cores.
    pub shards: usize,
    /// Whether those who use its name must prove who they are.
    pub auth_required: bool,
    /// Whether later requests of a dialog come through it.
    pub record_route: bool,
    /// What else is not as it is by default.
    pub configure: fn(&mut Config),
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        ExchangeConfig { shards: 1, auth_required: true, record_route: true, configure: |_| {} }
    }
}

/// An exchange: `server` values, one a shard, and around them what the shell would be: the location service, the accounts, the
/// names of hosts, all in memory.
pub struct Exchange {
    /// Its shards.
    pub servers: Vec<Server>,
    /// The bindings, shared by all shards.
    pub store: Store,
    /// The secrets of those who have an account.
    pub secrets: BTreeMap<String, Secrets>,
    /// What users have forwarded.
    pub forwards: BTreeMap<String, Arc<Forwards>>,
    /// What users' calls may come to, where it is not the usual.
    pub limits: BTreeMap<String, Arc<Limits>>,
    /// What it has told.
    pub events: Vec<Event>,
    config: Config,
    keys: Keys,
    at: SocketAddr,
    tables: Tables,
    rng: Rng,
}

/// What comes out of a node.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Send { flow: Flow, bytes: Bytes, transaction: Option<(usize, ClientTransactionId)> },
    Ask { shard: usize, ask: Ask },
    Media { from: SocketAddr, to: SocketAddr, bytes: Bytes },
}

/// What names stand for.
pub(crate) type Hosts = BTreeMap<String, Vec<SocketAddr>>;

/// The flows from `local` to a host, as DNS and the routing table would tell.
pub(crate) fn flows_to(hosts: &Hosts, local: SocketAddr, next_hop: &NextHop) -> Vec<Flow> {
    let NextHop { host, port, .. } = next_hop;
    assert!(!host.is_empty(), "nobody looks up a host without a name");
    let transport = next_hop.default_transport();
    let literal = host.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port.unwrap_or(transport.default_port())));
    let remotes = literal.map_or_else(|_| hosts.get(host).cloned().unwrap_or_default(), |remote| vec![remote]);
    remotes.into_iter().map(|remote| Flow { transport, local, remote, connection: None }).collect()
}

impl Exchange {
    pub(crate) fn new(config: &ExchangeConfig, at: SocketAddr, rng: &mut Rng) -> Exchange {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let keys = Keys::from_secret(secret);
        let domains = Domains::new([DOMAIN], vec![at.port()]).expect("a good name");
        let mut server_config = Config {
            auth_required: config.auth_required,
            realm: DOMAIN.to_owned(),
            record_route: config.record_route,
            ..Config::new(domains, keys)
        };
        (config.configure)(&mut server_config);
        let servers =
            (0..config.shards).map(|shard| Server::new(server_config.clone(), shard as u16, rng.split())).collect();
        Exchange {
            servers,
            store: Store::new(rng),
            secrets: BTreeMap::new(),
            forwards: BTreeMap::new(),
            limits: BTreeMap::new(),
            events: Vec::new(),
            config: server_config,
            keys,
            at,
            tables: Tables::default(),
            rng: rng.split(),
        }
    }

    /// Dies and comes back with its keys and what its store has kept, and with nothing else.
    pub(crate) fn restart(&mut self, now: Now) {
        self.config.tally = Tally::default();
        for (shard, server) in self.servers.iter_mut().enumerate() {
            *server = Server::new(self.config.clone(), shard as u16, self.rng.split());
        }
        self.store.crash(now);
    }

    /// The shard that these bytes belong to.
    pub(crate) fn shard_of(&self, bytes: &Bytes) -> usize {
        Message::parse(bytes.clone()).map_or(0, |message| owner(&self.keys, self.servers.len(), &message))
    }

    /// Takes a packet, which lands at whichever shard and is handed to its owner.
    pub(crate) fn handle_packet(&mut self, now: Now, flow: Flow, bytes: Bytes) -> Vec<Outgoing> {
        let shard = self.shard_of(&bytes);
        self.handle(now, shard, Input::Packet { flow, bytes })
    }

    pub(crate) fn handle_send_failed(
        &mut self,
        now: Now,
        shard: usize,
        transaction: ClientTransactionId,
    ) -> Vec<Outgoing> {
        self.handle(now, shard, Input::SendFailed { transaction })
    }

    pub(crate) fn handle_closed(&mut self, now: Now, connection: ConnectionId) -> Vec<Outgoing> {
        (0..self.servers.len()).flat_map(|shard| self.handle(now, shard, Input::ConnectionClosed(connection))).collect()
    }

    /// Ends all calls that it watches.
    pub(crate) fn hang_up(&mut self, now: Now) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        for shard in 0..self.servers.len() {
            let server = &mut self.servers[shard];
            let calls: Vec<server::CallId> =
                server.calls().map_or(Vec::new(), |calls| calls.list().map(Call::id).collect());
            for call in calls {
                assert!(server.hang_up(now, call, "SIP;cause=200;text=\"ended by the operator\""));
            }
            outgoing.extend(self.drain(shard));
        }
        outgoing
    }

    /// Gives each shard an order.
    pub(crate) fn order(&mut self, now: Now, order: impl Fn() -> Order) -> Vec<Outgoing> {
        (0..self.servers.len()).flat_map(|shard| self.handle(now, shard, Input::Order(order()))).collect()
    }

    /// What it has told next, in words; reports, and who is known, are left out.
    pub(crate) fn next_told(&mut self) -> String {
        self.events.retain(|event| !matches!(event, Event::Known { .. } | Event::Report { .. }));
        if self.events.is_empty() {
            return "nothing".to_owned();
        }
        match self.events.remove(0) {
            Event::Ended(record) => record.how,
            Event::OverLimit { why, .. } => why,
            Event::Offence { offence, .. } => format!("{offence:?}"),
            Event::Known { .. } | Event::Report { .. } => String::new(),
        }
    }

    /// Has more to do from now on than it manages.
    pub(crate) fn overload(&mut self, now: Now) -> Vec<Outgoing> {
        (0..self.servers.len()).flat_map(|shard| self.handle(now, shard, Input::Overloaded(true))).collect()
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        for (shard, answer) in self.store.handle_timeout(now) {
            outgoing.extend(self.handle(now, shard, Input::Answer(Answer::Registrar(answer))));
        }
        for shard in 0..self.servers.len() {
            self.servers[shard].handle_timeout(now);
            outgoing.extend(self.drain(shard));
        }
        outgoing
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.servers.iter().filter_map(Server::poll_timeout).chain(self.store.poll_timeout()).min()
    }

    /// Looks up what a shard has asked.
    pub(crate) fn answer(&mut self, now: Now, hosts: &Hosts, shard: usize, ask: Ask) -> Vec<Outgoing> {
        let answer = match ask {
            Ask::Credentials { ticket, user } => Answer::Credentials {
                ticket,
                secrets: self.secrets.get(&user).cloned(),
                limits: self.limits.get(&user).cloned(),
            },
            Ask::Bindings { ticket, aor } => {
                let user = aor.user();
                let (forwards, limits) = (self.forwards.get(user).cloned(), self.limits.get(user).cloned());
                let account = self.secrets.contains_key(user).then_some(Account { forwards, limits });
                Answer::Bindings { ticket, snapshot: self.store.location.fetch(now, &aor), account }
            }
            Ask::Registrar(sip_registrar::Ask::Fetch { ticket, aor }) => {
                let snapshot = self.store.location.fetch(now, &aor);
                Answer::Registrar(sip_registrar::Answer::Fetched { ticket, snapshot })
            }
            Ask::Registrar(sip_registrar::Ask::Commit { ticket, change }) => {
                let Some(answer) = self.store.commit(now, shard, ticket, change) else { return Vec::new() };
                Answer::Registrar(answer)
            }
            Ask::Resolve { ticket, next_hop, .. } => {
                Answer::Resolved { ticket, flows: flows_to(hosts, self.at, &next_hop) }
            }
        };
        self.handle(now, shard, Input::Answer(answer))
    }

    fn handle(&mut self, now: Now, shard: usize, input: Input) -> Vec<Outgoing> {
        if let Input::Packet { flow, bytes } = &input {
            self.tables.comes(*flow, bytes);
        }
        self.servers[shard].handle_input(now, input);
        self.drain(shard)
    }

    fn drain(&mut self, shard: usize) -> Vec<Outgoing> {
        let server = &mut self.servers[shard];
        let outputs = std::iter::from_fn(|| server.poll_output());
        outputs
            .filter_map(|output| match output {
                Output::Send { flow, bytes, transaction } => {
                    self.tables.leaves(flow, &bytes);
                    Some(Outgoing::Send { flow, bytes, transaction: transaction.map(|id| (shard, id)) })
                }
                Output::Ask(ask) => Some(Outgoing::Ask { shard, ask }),
                Output::Event(event) => {
                    self.events.push(event);
                    None
                }
            })
            .collect()
    }
}
