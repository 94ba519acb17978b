//! A virtual wire between user agents: virtual time, 10 ms from end to end, and whatever is to be lost is lost.
//!
//! Every packet becomes one line of the ladder: `ms from -> to what`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its part

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_auth::Credentials;
use sip_message::{Message, Transport};
use sip_transaction::{ClientTransactionId, ConnectionId, Flow, Packet, TransactionLayer};
use sip_ua::{Account, Body, CallId, Config, Dial, Event, Identity, Output, RegistrationId, Route, UserAgent};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub const LATENCY: Duration = Duration::from_millis(10);

/// What somebody does without being told when a call comes in, or an offer inside a call.
#[derive(Clone, Copy, PartialEq)]
pub enum Manners {
    Ring,
    RingAndAnswer,
    Answer,
    Reject(u16),
    Nothing,
    /// Not even an INVITE of one's own is sent.
    Ignore,
}

/// Answers a message with messages: a server played by the test.
pub type Script = Box<dyn FnMut(&Message, SocketAddr) -> Vec<Bytes>>;

pub enum Mind {
    Agent(Box<(TransactionLayer, UserAgent)>),
    Script(Script),
}

pub struct Node {
    pub name: &'static str,
    pub at: SocketAddr,
    pub mind: Mind,
    pub manners: Manners,
    pub events: Vec<Event>,
    /// What is sent to it over a stream cannot be sent.
    pub no_streams: bool,
}

pub struct World {
    pub start: Now,
    pub now: Now,
    nodes: Vec<Node>,
    wire: BTreeMap<(Duration, u64), (Flow, Bytes)>,
    sent: u64,
    pub ladder: Vec<String>,
    /// Lines that are lost, each so many times.
    lose: Vec<(String, usize)>,
    /// Messages as they were delivered.
    pub delivered: Vec<Message>,
    /// The flow of each line of the ladder.
    pub flows: Vec<Flow>,
    /// The client transaction that sent last.
    pub transaction: Option<ClientTransactionId>,
    /// The call that came in last.
    pub incoming_call: Option<CallId>,
    /// Names that resolve to more than one address, or to none.
    pub names: BTreeMap<String, Vec<SocketAddr>>,
    /// Keep-alives: when, in milliseconds, and which way.
    pub keep_alives: Vec<(u64, Flow)>,
}

impl World {
    /// The named, at 10.0.0.1, 10.0.0.2 ..
    pub fn new(names: &[&'static str]) -> World {
        World::with(names, Config::default())
    }

    pub fn with(names: &[&'static str], config: Config) -> World {
        let start = Now::read_clocks();
        let mut world = World {
            start,
            now: start,
            nodes: Vec::new(),
            wire: BTreeMap::new(),
            sent: 0,
            ladder: Vec::new(),
            lose: Vec::new(),
            delivered: Vec::new(),
            flows: Vec::new(),
            transaction: None,
            incoming_call: None,
            names: BTreeMap::new(),
            keep_alives: Vec::new(),
        };
        for name in names {
            let n = world.nodes.len() as u64 + 1;
            let layer =
                TransactionLayer::new(sip_transaction::Config::new(0, Mac::from_key([7; 16])), Rng::from_u64(n));
            let agent = UserAgent::new(config.clone(), Rng::from_u64(100 + n));
            world.add(name, Mind::Agent(Box::new((layer, agent))));
        }
        world
    }

    pub fn script(&mut self, name: &'static str, script: impl FnMut(&Message, SocketAddr) -> Vec<Bytes> + 'static) {
        self.add(name, Mind::Script(Box::new(script)));
    }

    fn add(&mut self, name: &'static str, mind: Mind) {
        let at = format!("10.0.0.{}:5060", self.nodes.len() + 1).parse().unwrap();
        self.nodes.push(Node { name, at, mind, manners: Manners::Ring, events: Vec::new(), no_streams: false });
    }

    pub fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name == name).unwrap()
    }

    /// The first so many lines of the ladder that end in this are lost.
    pub fn lose(&mut self, line: &str, times: usize) {
        self.lose.push((line.to_owned(), times));
    }

    pub fn uri(&mut self, name: &str) -> String {
        format!("sip:{name}@{}", self.node(name).at)
    }

    pub fn identity(name: &str, password: Option<&str>) -> Identity {
        Identity {
            uri: Some(format!("sip:{name}@example.org")),
            display: None,
            contact_user: name.to_owned(),
            credentials: password.map(|password| Credentials::new(name, password)),
        }
    }

    pub fn dial(&mut self, from: &str, to: &str) -> CallId {
        let uri = self.uri(to);
        self.dial_uri(from, &uri, Route::Uri(None), None).unwrap()
    }

    pub fn dial_uri(&mut self, from: &str, uri: &str, route: Route, password: Option<&str>) -> Option<CallId> {
        let dial = Dial { uri: uri.to_owned(), identity: World::identity(from, password), route };
        self.agent(from, |now, layer, agent| agent.dial(now, layer, dial))
    }

    pub fn add_account(&mut self, name: &str, server: &str, password: &str) -> RegistrationId {
        let registrar = format!("sip:{}", self.node(server).at);
        let account = Account { identity: World::identity(name, Some(password)), registrar, route: Route::Uri(None) };
        self.agent(name, |_, _, agent| agent.add_account(account))
    }

    /// Does something with one user agent, then delivers what it says at once.
    pub fn agent<R>(&mut self, name: &str, act: impl FnOnce(Now, &mut TransactionLayer, &mut UserAgent) -> R) -> R {
        let now = self.now;
        let Mind::Agent(mind) = &mut self.node(name).mind else { panic!("{name} is no user agent") };
        let (layer, agent) = &mut **mind;
        let result = act(now, layer, agent);
        self.settle();
        result
    }

    pub fn hangup(&mut self, name: &str, call: CallId) -> bool {
        self.agent(name, |now, layer, agent| agent.hangup(now, layer, call))
    }

    pub fn answer(&mut self, name: &str, call: CallId) -> bool {
        self.agent(name, |now, layer, agent| agent.answer(now, layer, call, body("answer")))
    }

    pub fn incoming(&self) -> CallId {
        self.incoming_call.unwrap()
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.mono + Duration::from_millis(ms);
        self.settle();
        loop {
            let arrival = self.wire.keys().next().map(|(at, _)| self.start.mono + *at);
            let due = self.nodes.iter().filter_map(|node| match &node.mind {
                Mind::Agent(mind) => mind.0.poll_timeout().into_iter().chain(mind.1.poll_timeout()).min(),
                Mind::Script(_) => None,
            });
            let Some(next) = arrival.into_iter().chain(due).min().filter(|next| *next <= end) else { break };
            self.now = self.start + next.max(self.now.mono).duration_since(self.start.mono);
            if arrival.is_some_and(|at| at <= self.now.mono) {
                self.deliver();
            }
            for node in &mut self.nodes {
                if let Mind::Agent(mind) = &mut node.mind {
                    mind.0.handle_timeout(self.now);
                    mind.1.handle_timeout(self.now, &mut mind.0);
                }
            }
            self.settle();
        }
        self.now = self.start + end.duration_since(self.start.mono);
    }

    fn deliver(&mut self) {
        let Some((_, (flow, bytes))) = self.wire.pop_first() else { return };
        // Over a stream, the listening end stands for the connection.
        let connection = flow.transport.reliable().then_some(ConnectionId(u64::from(flow.local.port())));
        let arrived = Flow { local: flow.remote, remote: flow.local, connection, ..flow };
        let Ok(message) = Message::parse(bytes) else { panic!("nonsense on the wire") };
        self.delivered.push(message.clone());
        let now = self.now;
        let Some(node) = self.nodes.iter_mut().find(|node| node.at == flow.remote) else { return };
        match &mut node.mind {
            Mind::Agent(mind) => mind.0.handle_packet(now, Packet { flow: arrived, message }),
            Mind::Script(script) => {
                for bytes in script(&message, flow.local) {
                    self.send(arrived, bytes);
                }
            }
        }
    }

    /// Sends a message that the test wrote: `\n` for line ends, `FROM` and `TO` for the addresses, and a Via where there is none.
    pub fn say(&mut self, from: &str, to: &str, text: &str) {
        let (local, remote) = (self.node(from).at, self.node(to).at);
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let head: Vec<&str> = head.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut head = head.join("\r\n").replace("FROM", &local.to_string()).replace("TO:", &remote.to_string());
        self.sent += 1;
        if !head.contains("Via:") {
            let via = format!("SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{};rport", self.sent);
            head = head.replacen("SIP/2.0", &via, 1);
        }
        let text = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.send(Flow { transport: Transport::Udp, local, remote, connection: None }, text.into());
    }

    /// Sends these very bytes.
    pub fn bytes(&mut self, from: &str, to: &str, bytes: Bytes) {
        let (local, remote) = (self.node(from).at, self.node(to).at);
        self.send(Flow { transport: Transport::Udp, local, remote, connection: None }, bytes);
    }

    /// The message that was delivered last.
    pub fn last(&self) -> &Message {
        self.delivered.last().unwrap()
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes.clone()).unwrap();
        let name = |at| self.nodes.iter().find(|node| node.at == at).map_or("nowhere", |node| node.name);
        let what = match message.is_request() {
            true => message.method_text().to_owned(),
            false => format!("{} {}", message.status(), message.method_text()),
        };
        let via = if flow.transport == Transport::Udp { "" } else { " over TCP" };
        let mut line = format!("{} -> {} {what}{via}", name(flow.local), name(flow.remote));
        let lost = self.lose.iter_mut().find(|(lost, left)| *left > 0 && line == *lost);
        let arrives = match lost {
            Some((_, left)) => {
                *left -= 1;
                line.push_str(" ; lost");
                false
            }
            None => true,
        };
        let at = self.now.mono.duration_since(self.start.mono);
        self.ladder.push(format!("{} {line}", at.as_millis()));
        self.flows.push(flow);
        if arrives {
            self.sent += 1;
            self.wire.insert((at + LATENCY, self.sent), (flow, bytes));
        }
    }

    /// Carries all outputs where they belong until there are none.
    pub fn settle(&mut self) {
        for n in 0..self.nodes.len() {
            while self.settle_one(n) {}
        }
    }

    fn settle_one(&mut self, n: usize) -> bool {
        let now = self.now;
        let node = &mut self.nodes[n];
        let Mind::Agent(mind) = &mut node.mind else { return false };
        let (layer, agent) = &mut **mind;
        if let Some(output) = layer.poll_output() {
            match output {
                sip_transaction::Output::Event(event) => agent.handle_event(now, layer, event),
                sip_transaction::Output::Send { flow, bytes, transaction } => {
                    self.transaction = transaction.or(self.transaction);
                    let refused = flow.transport.reliable()
                        && self.nodes.iter().any(|node| node.at == flow.remote && node.no_streams);
                    match transaction.filter(|_| refused) {
                        Some(transaction) => {
                            let Mind::Agent(mind) = &mut self.nodes[n].mind else { return false };
                            mind.0.handle_send_failed(now, transaction);
                        }
                        None => self.send(flow, bytes),
                    }
                }
            }
            return true;
        }
        match agent.poll_output() {
            Some(Output::Resolve { ticket, next_hop }) => {
                let known = self.names.get(&next_hop.host).cloned();
                let remotes = known.unwrap_or_else(|| {
                    let ip = next_hop.host.parse().ok();
                    ip.map(|ip| SocketAddr::new(ip, next_hop.port.unwrap_or(5060))).into_iter().collect()
                });
                let transport = next_hop.transport.unwrap_or(Transport::Udp);
                let flows =
                    remotes.into_iter().map(|remote| Flow { transport, local: node.at, remote, connection: None });
                agent.resolved(now, layer, ticket, flows.collect());
                true
            }
            Some(Output::KeepAlive { flow }) => {
                let at = self.now.mono.duration_since(self.start.mono);
                self.keep_alives.push((u64::try_from(at.as_millis()).unwrap(), flow));
                true
            }
            Some(Output::Event(event)) => {
                if let Event::Incoming { call, .. } = &event {
                    self.incoming_call = Some(*call);
                }
                match (&event, node.manners) {
                    (Event::Located { call, .. }, manners) if manners != Manners::Ignore => {
                        agent.invite(now, layer, *call, body("offer"));
                    }
                    (Event::Incoming { call, .. }, Manners::Ring) => {
                        agent.ring(now, layer, *call, 180, None);
                    }
                    (Event::Incoming { call, .. }, Manners::RingAndAnswer) => {
                        agent.ring(now, layer, *call, 180, None);
                        agent.answer(now, layer, *call, body("answer"));
                    }
                    (Event::Incoming { call, .. } | Event::Offered { call, .. }, Manners::Answer) => {
                        agent.answer(now, layer, *call, body("answer"));
                    }
                    (Event::Incoming { call, .. } | Event::Offered { call, .. }, Manners::Reject(status)) => {
                        agent.reject(now, layer, *call, status, None);
                    }
                    _ => {}
                }
                node.events.push(event);
                true
            }
            None => false,
        }
    }

    /// The ladder, line by line.
    pub fn expect(&mut self, ladder: &str) {
        let wanted: Vec<&str> = ladder.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let wanted: Vec<String> =
            wanted.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(self.ladder, wanted, "\n{}", self.ladder.join("\n"));
        self.ladder.clear();
    }

    /// How the events of one begin, in order; what was seen before is not seen again.
    pub fn events(&mut self, name: &str) -> Vec<String> {
        std::mem::take(&mut self.node(name).events).iter().map(told).collect()
    }

    /// Nothing is remembered of anything, a while after.
    pub fn expect_forgotten(&mut self) {
        self.run(400_000);
        for n in 0..self.nodes.len() {
            if let Mind::Agent(mind) = &self.nodes[n].mind {
                assert_eq!(mind.1.entries_len(), 0, "{}", self.nodes[n].name);
                assert!(mind.1.is_idle());
            }
        }
    }

    pub fn calls(&mut self, name: &str) -> usize {
        self.agent(name, |_, _, agent| agent.calls_len())
    }
}

/// An event in a word or three.
fn told(event: &Event) -> String {
    let text = |body: &Option<Body>| {
        body.as_ref().map_or(String::new(), |body| format!(" {}", String::from_utf8_lossy(&body.bytes)))
    };
    match event {
        Event::Located { .. } => "located".to_owned(),
        Event::Progress { status, body, .. } => format!("progress {status}{}", text(body)),
        Event::Answered { body, .. } => format!("answered{}", text(body)),
        Event::Failed { failure, .. } => format!("failed {} {}", failure.status(), failure.reason()),
        Event::Incoming { from, body, .. } => format!("incoming {}{}", from.uri, text(body)),
        Event::Acknowledged { body, .. } => format!("acknowledged{}", text(body)),
        Event::Offered { body, .. } => format!("offered{}", text(body)),
        Event::Ended { end, .. } => format!("ended {end:?}"),
        Event::Registered { expires_s, .. } => format!("registered {expires_s}"),
        Event::RegistrationFailed { failure, retry_s, .. } => {
            format!("registration failed {} retry {}", failure.status(), retry_s.is_some())
        }
        Event::Unregistered { outcome, .. } => format!("unregistered {}", outcome.is_ok()),
        Event::Replied { outcome, .. } => match outcome {
            Ok(message) => format!("replied {}", message.status()),
            Err(failure) => format!("unanswered {}", failure.status()),
        },
        Event::Message { from, body } => format!("message {} {}", from.uri, String::from_utf8_lossy(&body.bytes)),
    }
}

pub fn body(text: &'static str) -> Option<Body> {
    Some(Body { content_type: "application/sdp".to_owned(), bytes: Bytes::from_static(text.as_bytes()) })
}
