use crate::exchange::{Hosts, Outgoing};
use crate::script::{Script, password_of};
use crate::telephone::Telephone;
use crate::wire::{Parcel, Streams, Wire};
use crate::{Entry, Exchange, ExchangeConfig, Fate, Link};
use bytes::Bytes;
use engine::{Now, Rng};
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, Flow};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

/// What may happen at one moment; more is a timer that fires without end, or two who answer each other for ever.
const STEPS_PER_MOMENT_MAX: u32 = 10_000;

/// A network and everybody on it.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) now: Now,
    start: Now,
    pub(crate) nodes: Vec<Node>,
    wire: Wire,
    pub(crate) streams: Streams,
    /// What every path is like.
    pub link: Link,
    /// How long the exchange's questions take.
    pub answer_delay: Duration,
    pub(crate) rng: Rng,
    pub(crate) hosts: Hosts,
    /// Whether sound is carried; signalling alone runs much faster.
    pub carries_sound: bool,
    /// Every message sent, in order.
    pub trace: Vec<Entry>,
    /// What has happened since time last passed.
    idle_steps: u32,
    /// What becomes of the nth message.
    pub(crate) fates: Vec<Option<Fate>>,
    /// What hangs: its sender and what it was sent for.
    stuck: Vec<(usize, usize, ClientTransactionId)>,
}

/// One host.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) at: SocketAddr,
    /// What its streams are.
    pub(crate) stream: Transport,
    pub(crate) mind: Mind,
}

/// Who lives there.
pub(crate) enum Mind {
    Exchange(Box<Exchange>),
    Script(Box<Script>),
    Phone(Box<Telephone>),
}

impl World {
    /// An empty one. The same seed makes the same world.
    pub fn new(seed: u64) -> World {
        // The calendar is made up, too: nothing that is written into a message may differ from run to run.
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let start = Now { wall, ..Now::read_clocks() };
        World {
            seed,
            now: start,
            start,
            nodes: Vec::new(),
            wire: Wire::default(),
            streams: Streams::default(),
            link: Link::default(),
            answer_delay: Duration::ZERO,
            rng: Rng::from_u64(seed),
            hosts: Hosts::new(),
            carries_sound: true,
            trace: Vec::new(),
            idle_steps: 0,
            fates: Vec::new(),
            stuck: Vec::new(),
        }
    }

    /// Adds an exchange.
    pub fn add_exchange(&mut self, name: &str, config: &ExchangeConfig) {
        let at = self.next_address();
        let exchange = Exchange::new(config, at, &mut self.rng);
        self.hosts.insert(crate::DOMAIN.to_owned(), vec![at]);
        self.nodes.push(Node {
            name: name.to_owned(),
            at,
            stream: Transport::Tcp,
            mind: Mind::Exchange(Box::new(exchange)),
        });
    }

    pub(crate) fn add_script(&mut self, script: impl FnOnce(SocketAddr, Rng) -> Script, name: &str) {
        let at = self.next_address();
        let script = script(at, self.rng.split());
        self.nodes.push(Node {
            name: name.to_owned(),
            at,
            stream: Transport::Tcp,
            mind: Mind::Script(Box::new(script)),
        });
    }

    /// Adds a phone, with an account at the exchange unless it has none, and a tone of its own.
    pub fn add_phone(&mut self, name: &str, account: Option<phone::Account>, transport: Transport) {
        let at = self.next_address();
        let hz = 300.0 + 110.0 * self.nodes.len() as f64;
        let telephone = Telephone::new(account, transport, hz, at, self.rng.split());
        self.nodes.push(Node {
            name: name.to_owned(),
            at,
            stream: Transport::Tcp,
            mind: Mind::Phone(Box::new(telephone)),
        });
    }

    fn next_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::from(0x0a00_0001 + self.nodes.len() as u32), 5060))
    }

    /// The exchange of this name.
    pub fn exchange(&mut self, name: &str) -> &mut Exchange {
        let node = self.find(name);
        match &mut self.nodes[node].mind {
            Mind::Exchange(exchange) => exchange,
            Mind::Script(_) | Mind::Phone(_) => panic!("{name} is no exchange"),
        }
    }

    /// The phone of this name.
    pub fn phone(&mut self, name: &str) -> &mut Telephone {
        let node = self.find(name);
        match &mut self.nodes[node].mind {
            Mind::Phone(phone) => phone,
            Mind::Script(_) | Mind::Exchange(_) => panic!("{name} is no phone"),
        }
    }

    /// Has a phone do something.
    pub fn command(&mut self, name: &str, command: phone::Command) {
        let (now, node) = (self.now, self.find(name));
        if let Mind::Phone(phone) = &mut self.nodes[node].mind {
            let outgoing = phone.handle(now, &self.hosts, phone::Input::Command(command));
            self.carry_out(node, outgoing);
        }
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
        self.nodes.iter().position(|node| node.name == name).unwrap_or_else(|| panic!("who is {name}?"))
    }

    /// Where a host is.
    pub fn address(&self, name: &str) -> SocketAddr {
        self.nodes[self.find(name)].at
    }

    /// The time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now.mono.duration_since(self.start.mono)
    }

    /// Lets one thing happen, when there is one by `until`: something arrives, or else timers fire.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let arrival = self.wire.next();
        let due = self.nodes.iter().filter_map(|node| match &node.mind {
            Mind::Exchange(exchange) => exchange.poll_timeout(),
            Mind::Phone(phone) => phone.poll_timeout(),
            Mind::Script(_) => None,
        });
        let Some(next) = arrival.into_iter().chain(due).min().filter(|next| *next <= until) else { return false };
        self.pass(next);
        self.idle_steps += 1;
        if self.idle_steps > STEPS_PER_MOMENT_MAX {
            panic!("time stands still at {:?}, seed {}:\n{}", self.elapsed(), self.seed, self.ladder());
        }
        if arrival.is_some_and(|arrival| arrival <= self.now.mono) {
            if let Some((node, parcel)) = self.wire.pop() {
                self.deliver(node, parcel);
            }
            return true;
        }
        for node in 0..self.nodes.len() {
            let due = |timeout: Option<Instant>| timeout.is_some_and(|due| due <= next);
            let outgoing = match &mut self.nodes[node].mind {
                Mind::Exchange(exchange) if due(exchange.poll_timeout()) => exchange.handle_timeout(self.now),
                Mind::Phone(phone) if due(phone.poll_timeout()) => phone.handle_timeout(self.now, &self.hosts),
                Mind::Exchange(_) | Mind::Phone(_) | Mind::Script(_) => continue,
            };
            self.carry_out(node, outgoing);
        }
        true
    }

    /// Lets time pass, and everything happen that is due by then.
    pub fn run_until(&mut self, elapsed: Duration) {
        let until = self.start.mono + elapsed;
        while self.step(until) {}
        self.pass(until);
    }

    /// Lets time pass until nothing is under way and no timer is set; phones, which refresh their registrations for ever, get as long
    /// as any transaction lasts.
    pub fn run_until_quiet(&mut self) {
        let longest = Duration::from_secs(if self.has_phones() { 100 } else { 86_400 });
        let until = self.now.mono + longest;
        while self.step(until) {}
    }

    /// Delivers what has reached this node by now.
    pub(crate) fn deliver_to(&mut self, node: usize) {
        while self.wire.has_for(node, self.now.mono) && self.step(self.now.mono) {}
    }

    fn pass(&mut self, to: Instant) {
        if to > self.now.mono {
            self.idle_steps = 0;
            self.now = self.now + to.duration_since(self.now.mono);
        }
    }

    fn deliver(&mut self, node: usize, parcel: Parcel) {
        let now = self.now;
        let outgoing = match (&mut self.nodes[node].mind, parcel) {
            (Mind::Exchange(exchange), Parcel::Packet { flow, bytes }) => exchange.handle_packet(now, flow, bytes),
            (Mind::Exchange(exchange), Parcel::SendFailed { shard, transaction }) => {
                exchange.handle_send_failed(now, shard, transaction)
            }
            (Mind::Exchange(exchange), Parcel::Closed(id)) => exchange.handle_closed(now, id),
            (Mind::Exchange(exchange), Parcel::Ask { shard, ask }) => exchange.answer(now, &self.hosts, shard, ask),
            (Mind::Script(script), Parcel::Packet { flow, bytes }) => {
                script.receive(flow, bytes);
                Vec::new()
            }
            (Mind::Phone(phone), Parcel::Packet { flow, bytes }) => {
                phone.handle(now, &self.hosts, phone::Input::Packet { flow, bytes })
            }
            (Mind::Phone(phone), Parcel::SendFailed { transaction, .. }) => {
                phone.handle(now, &self.hosts, phone::Input::SendFailed { transaction })
            }
            (Mind::Phone(phone), Parcel::Closed(id)) => {
                phone.handle(now, &self.hosts, phone::Input::ConnectionClosed(id))
            }
            (Mind::Phone(phone), Parcel::Media { from, to, bytes }) => {
                phone.handle_media(now, &self.hosts, from, to, bytes)
            }
            (Mind::Phone(_), Parcel::Ask { .. }) | (Mind::Exchange(_), Parcel::Media { .. }) | (Mind::Script(_), _) => {
                Vec::new()
            }
        };
        self.carry_out(node, outgoing);
    }

    fn carry_out(&mut self, node: usize, outgoing: Vec<Outgoing>) {
        for outgoing in outgoing {
            match outgoing {
                Outgoing::Send { flow, bytes, transaction } => self.send(node, flow, bytes, transaction),
                Outgoing::Media { from, to, bytes } => self.send_media(from, to, &bytes),
                Outgoing::Ask { shard, ask } if self.answer_delay.is_zero() => {
                    let Mind::Exchange(exchange) = &mut self.nodes[node].mind else { continue };
                    let outgoing = exchange.answer(self.now, &self.hosts, shard, ask);
                    self.carry_out(node, outgoing);
                }
                Outgoing::Ask { shard, ask } => {
                    self.wire.push(self.now.mono + self.answer_delay, node, Parcel::Ask { shard, ask });
                }
            }
        }
    }

    /// Sends over the wire, and writes it down.
    pub(crate) fn send(
        &mut self,
        from: usize,
        mut flow: Flow,
        bytes: Bytes,
        transaction: Option<(usize, ClientTransactionId)>,
    ) {
        if bytes.iter().all(|byte| b"\r\n".contains(byte)) {
            return; // a keep-alive (RFC 5626 section 3.5.1): the shell's business, no message
        }
        let stream = flow.transport.reliable();
        let to = self.nodes.iter().position(|node| node.at.ip() == flow.remote.ip());
        let mut fate = self.fates.get(self.trace.len()).copied().flatten();
        if stream && fate.is_none() && !self.connect(&mut flow) {
            fate = Some(Fate::Refused);
        }
        self.trace.push(Entry {
            at: self.elapsed(),
            from: self.nodes[from].name.clone(),
            to: to.map_or_else(|| flow.remote.to_string(), |to| self.nodes[to].name.clone()),
            stream,
            bytes: bytes.clone(),
            fate,
        });
        let failed = |(shard, transaction)| Parcel::SendFailed { shard, transaction };
        let arrivals = match fate {
            Some(Fate::Lost) => Vec::new(),
            Some(Fate::Twice) => vec![self.link.delay; 2],
            Some(Fate::Refused) => {
                if let Some(transaction) = transaction {
                    self.wire.push(self.now.mono + self.link.delay, from, failed(transaction));
                }
                Vec::new()
            }
            Some(Fate::Stuck) => {
                self.stuck.extend(transaction.map(|(shard, transaction)| (from, shard, transaction)));
                Vec::new()
            }
            None if stream => vec![self.link.delay],
            None => self.link.arrivals(&mut self.rng),
        };
        let Some(to) = to else { return };
        let arrived = Flow { local: flow.remote, remote: flow.local, ..flow };
        for delay in arrivals {
            let mut arrives = self.now.mono + delay;
            if let Some(id) = flow.connection {
                arrives = self.streams.in_order(id, arrives);
            }
            self.wire.push(arrives, to, Parcel::Packet { flow: arrived, bytes: bytes.clone() });
        }
    }

    fn send_media(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let Some(node) = self.nodes.iter().position(|node| node.at.ip() == to.ip()) else { return };
        let arrivals = if self.carries_sound { self.link.arrivals(&mut self.rng) } else { Vec::new() };
        for delay in arrivals {
            self.wire.push(self.now.mono + delay, node, Parcel::Media { from, to, bytes: bytes.clone() });
        }
    }

    /// Finds the stream that `flow` means, or opens one; `false` when there is none and cannot be one.
    fn connect(&mut self, flow: &mut Flow) -> bool {
        if let Some(id) = flow.connection {
            return self.streams.is_open(id);
        }
        if let Some(id) = self.streams.to(flow.remote) {
            flow.connection = Some(id);
            return true;
        }
        let listens = |node: &Node| node.at.ip() == flow.remote.ip() && [5060, 5061].contains(&flow.remote.port());
        if !self.nodes.iter().any(listens) {
            return false;
        }
        let (id, local) = self.streams.open(flow.local, flow.remote);
        (flow.connection, flow.local) = (Some(id), local);
        true
    }

    /// The flow from one host to another, over UDP or over the stream between them, which is opened when there is none.
    pub(crate) fn flow(&mut self, from: usize, to: usize, stream: bool) -> Flow {
        let (local, remote) = (self.nodes[from].at, self.nodes[to].at);
        if !stream {
            return Flow { transport: Transport::Udp, local, remote, connection: None };
        }
        let (id, local, remote) = self.streams.between(local, remote).unwrap_or_else(|| {
            let (id, opener) = self.streams.open(local, remote);
            (id, opener, remote)
        });
        let transport = [from, to].map(|node| self.nodes[node].stream).into_iter().max().unwrap_or(Transport::Tcp);
        Flow { transport, local, remote, connection: Some(id) }
    }

    /// Sends any bytes from one host to another.
    pub fn inject(&mut self, from: &str, to: &str, stream: bool, bytes: Bytes) {
        let (from, to) = (self.find(from), self.find(to));
        let flow = self.flow(from, to, stream);
        self.send(from, flow, bytes, None);
    }

    /// Closes the stream between two hosts, and tells the other end.
    pub(crate) fn close(&mut self, from: usize, to: usize) {
        let (a, b) = (self.nodes[from].at, self.nodes[to].at);
        let (id, ..) = self.streams.between(a, b).expect("a stream between them");
        self.streams.close(id);
        self.wire.push(self.now.mono + self.link.delay, to, Parcel::Closed(id));
    }

    /// What hangs cannot be sent after all.
    pub(crate) fn refuse_stuck(&mut self) {
        for (node, shard, transaction) in std::mem::take(&mut self.stuck) {
            self.wire.push(self.now.mono, node, Parcel::SendFailed { shard, transaction });
        }
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
