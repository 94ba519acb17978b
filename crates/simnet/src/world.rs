mod power;
mod sending;
mod time;

pub use power::Off;

use crate::clocks::Clocks;
use crate::exchange::{Hosts, Outgoing};
use crate::script::{Script, password_of};
use crate::streams::Streams;
use crate::telephone::Telephone;
use crate::wire::Wire;
use crate::{Entry, Exchange, ExchangeConfig, Fate, Link};
use engine::{Now, Rng};
use sip_message::Transport;
use sip_transaction::ClientTransactionId;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

/// A network and everybody on it.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) now: Now,
    start: Now,
    pub(crate) nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    addresses: BTreeMap<IpAddr, usize>,
    given_addresses: u32,
    clocks: Clocks,
    wire: Wire,
    pub(crate) streams: Streams,
    /// What every path is like.
    pub link: Link,
    /// How long the exchange's questions take.
    pub answer_delay: Duration,
    pub(crate) rng: Rng,
    pub(crate) hosts: Hosts,
    /// Whether sound is carried; signalling alone runs a thousand times as fast.
    pub carries_sound: bool,
    /// Whether what is sent is written down and checked against the header tables; without, much more of it can be sent.
    pub watches: bool,
    /// Every message sent, in order.
    pub trace: Vec<Entry>,
    /// What has happened since time last passed.
    idle_steps: u32,
    /// What becomes of the nth message.
    pub(crate) fates: Vec<Option<Fate>>,
    /// What hangs: its sender and what it was sent for.
    stuck: Vec<(usize, usize, ClientTransactionId)>,
    /// Phones that have told something.
    told: Vec<usize>,
    /// Nodes whose messages are written down although nobody watches.
    followed: Vec<usize>,
    /// Messages sent, and datagrams among them that were lost.
    sent: (u64, u64),
}

/// One host.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) at: SocketAddr,
    /// What its streams are.
    pub(crate) stream: Transport,
    pub(crate) mind: Mind,
    /// Why nobody is there.
    off: Option<Off>,
    /// How often it has been switched off: what was meant for an earlier life means nothing.
    life: u32,
    /// Whether it stands in `told`.
    has_told: bool,
}

/// Who lives there.
pub(crate) enum Mind {
    Exchange(Box<Exchange>),
    Script(Box<Script>),
    Phone(Box<Telephone>),
}

impl World {
    /// Since 1970, in the beginning. The calendar is made up, too: nothing that is written into a message may differ from run to run.
    pub(crate) const CALENDAR: Duration = Duration::from_secs(1_800_000_000);

    /// An empty one. The same seed makes the same world.
    pub fn new(seed: u64) -> World {
        let start = Now { wall: SystemTime::UNIX_EPOCH + World::CALENDAR, ..Now::read_clocks() };
        World {
            seed,
            now: start,
            start,
            nodes: Vec::new(),
            names: BTreeMap::new(),
            addresses: BTreeMap::new(),
            given_addresses: 0,
            clocks: Clocks::default(),
            wire: Wire::default(),
            streams: Streams::default(),
            link: Link::default(),
            answer_delay: Duration::ZERO,
            rng: Rng::from_u64(seed),
            hosts: Hosts::new(),
            carries_sound: true,
            watches: true,
            trace: Vec::new(),
            idle_steps: 0,
            fates: Vec::new(),
            stuck: Vec::new(),
            told: Vec::new(),
            followed: Vec::new(),
            sent: (0, 0),
        }
    }

    /// Adds an exchange.
    pub fn add_exchange(&mut self, name: &str, config: &ExchangeConfig) {
        let at = self.next_address();
        let exchange = Exchange::new(config, at, &mut self.rng);
        self.hosts.insert(crate::DOMAIN.to_owned(), vec![at]);
        self.add(name, at, Mind::Exchange(Box::new(exchange)));
    }

    pub(crate) fn add_script(&mut self, script: impl FnOnce(SocketAddr, Rng) -> Script, name: &str) {
        let at = self.next_address();
        let script = script(at, self.rng.split());
        self.add(name, at, Mind::Script(Box::new(script)));
    }

    /// Adds a phone, with an account at the exchange unless it has none, and a tone of its own.
    pub fn add_phone(&mut self, name: &str, account: Option<phone::Account>, transport: Transport) {
        self.add_phone_of(name, Telephone::config(account, transport));
    }

    pub(crate) fn add_phone_of(&mut self, name: &str, config: phone::Config) {
        let at = self.next_address();
        let hz = 300.0 + 110.0 * self.nodes.len() as f64;
        let telephone = Telephone::new(config, hz, at, self.rng.split());
        self.add(name, at, Mind::Phone(Box::new(telephone)));
    }

    fn add(&mut self, name: &str, at: SocketAddr, mind: Mind) {
        let node = self.nodes.len();
        self.names.insert(name.to_owned(), node);
        self.addresses.insert(at.ip(), node);
        self.clocks.touch(node);
        let name = name.to_owned();
        self.nodes.push(Node { name, at, stream: Transport::Tcp, mind, off: None, life: 0, has_told: false });
    }

    fn next_address(&mut self) -> SocketAddr {
        self.given_addresses += 1;
        SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + self.given_addresses), 5060))
    }

    /// The exchange of this name.
    pub fn exchange(&mut self, name: &str) -> &mut Exchange {
        let node = self.find(name);
        self.clocks.touch(node);
        match &mut self.nodes[node].mind {
            Mind::Exchange(exchange) => exchange,
            Mind::Script(_) | Mind::Phone(_) => panic!("{name} is no exchange"),
        }
    }

    /// The phone of this name.
    pub fn phone(&mut self, name: &str) -> &mut Telephone {
        let node = self.find(name);
        self.phone_at(node)
    }

    pub(crate) fn phone_at(&mut self, node: usize) -> &mut Telephone {
        self.clocks.touch(node);
        let Node { name, mind, .. } = &mut self.nodes[node];
        match mind {
            Mind::Phone(phone) => phone,
            Mind::Script(_) | Mind::Exchange(_) => panic!("{name} is no phone"),
        }
    }

    /// Has a phone do something.
    pub fn command(&mut self, name: &str, command: phone::Command) {
        let node = self.find(name);
        self.command_at(node, command);
    }

    pub(crate) fn command_at(&mut self, node: usize, command: phone::Command) {
        if let Mind::Phone(phone) = &mut self.nodes[node].mind {
            let outgoing = phone.handle(self.now, &self.hosts, phone::Input::Command(command));
            self.carry_out(node, outgoing);
        }
    }

    /// Has a node's messages written down although nobody watches.
    pub(crate) fn follow(&mut self, node: usize) {
        self.followed.push(node);
    }

    /// How many messages were sent, and how many datagrams among them were lost.
    pub(crate) fn sent_and_lost(&self) -> (u64, u64) {
        self.sent
    }

    /// What phones have told since the last call, in the order in which they began to tell.
    pub(crate) fn take_told(&mut self) -> Vec<(usize, Vec<phone::Event>)> {
        let told = std::mem::take(&mut self.told);
        let events = told.into_iter().map(|node| {
            self.nodes[node].has_told = false;
            let Mind::Phone(phone) = &mut self.nodes[node].mind else { return (node, Vec::new()) };
            (node, std::mem::take(&mut phone.events))
        });
        events.collect()
    }

    /// Lets the shell have the exchange do something.
    pub(crate) fn command_exchange(&mut self, act: impl FnOnce(&mut Exchange, Now) -> Vec<Outgoing>) {
        let (now, node) = (self.now, self.find("exchange"));
        let outgoing = act(self.exchange("exchange"), now);
        self.carry_out(node, outgoing);
    }

    pub(crate) fn script(&mut self, name: &str) -> Option<&mut Script> {
        let node = self.find(name);
        match &mut self.nodes[node].mind {
            Mind::Script(script) => Some(script),
            Mind::Exchange(_) | Mind::Phone(_) => None,
        }
    }

    pub(crate) fn find(&self, name: &str) -> usize {
        *self.names.get(name).unwrap_or_else(|| panic!("who is {name}?"))
    }

    /// Where a host is.
    pub fn address(&self, name: &str) -> SocketAddr {
        self.nodes[self.find(name)].at
    }

    /// What is still held by exchanges and phones whose calls are over, in words; empty when nothing is.
    pub fn leaks(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            let name = &node.name;
            match &node.mind {
                Mind::Exchange(exchange) => {
                    for (shard, server) in exchange.servers.iter().enumerate().filter(|(_, server)| !server.is_empty())
                    {
                        text.push_str(&format!("shard {shard} of {name} still holds {} things\n", server.len()));
                    }
                }
                Mind::Phone(phone) => text.extend(phone.leaks().map(|leaks| format!("{name} {leaks}\n"))),
                Mind::Script(_) => {}
            }
        }
        text
    }

    pub(crate) fn has_phones(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.mind, Mind::Phone(_)))
    }

    /// What becomes of the nth message from now on.
    pub fn doom(&mut self, nth: usize, fate: Fate) {
        self.fates.resize(nth + 1, None);
        self.fates[nth] = Some(fate);
    }

    /// All messages sent, one a line.
    pub fn ladder(&self) -> String {
        self.trace.iter().map(|entry| format!("{entry}\n")).collect()
    }

    /// Gives a user an account at an exchange; its password is `{user}'s secret`.
    pub fn add_account(&mut self, exchange: &str, user: &str) {
        let secrets = server::Secrets::new(user, crate::DOMAIN, &password_of(user));
        self.exchange(exchange).secrets.insert(user.to_owned(), secrets);
    }

    /// Forgets what was sent so far, and begins to count time anew.
    pub fn begin(&mut self) {
        self.trace.clear();
        self.start = self.now;
    }
}
