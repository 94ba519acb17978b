//! A virtual wire between phones: virtual time, 10 ms from end to end, loss and reordering as the test wants them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its part

use bytes::Bytes;
use engine::{Now, Rng};
use media::Source;
use phone::{Answer, Answering, Ask, CallId, Command, Config, Dial, Event, Input, MediaSocket, Output, Phone};
use sip_message::{Message, Transport};
use sip_transaction::{ConnectionId, Flow};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Answers a message with messages: a server played by the test.
pub type Script = Box<dyn FnMut(&Message, SocketAddr) -> Vec<Bytes>>;

pub enum Mind {
    Phone(Box<Phone>),
    Script(Script),
}

pub struct Node {
    pub name: &'static str,
    pub at: SocketAddr,
    pub mind: Mind,
    pub events: Vec<Event>,
    /// Sockets for sound: those opened so far, and those that are open.
    pub opened: u32,
    pub open: Vec<MediaSocket>,
    /// It cannot open any.
    pub deaf: bool,
    /// Its sockets are on all addresses.
    pub unspecified: bool,
    pub connections: bool,
}

enum Parcel {
    Sip(Flow, Bytes),
    Sound(SocketAddr, SocketAddr, Bytes),
}

pub struct World {
    pub start: Now,
    pub now: Now,
    nodes: Vec<Node>,
    wire: BTreeMap<(Duration, u64), Parcel>,
    sent: u64,
    /// Every packet of sound: when it was sent, in milliseconds, by whom, where to, and its bytes.
    pub sound: Vec<(u64, &'static str, SocketAddr, Bytes)>,
    /// SIP alone: `ms from -> to what`.
    pub ladder: Vec<String>,
    pub sip: Vec<Message>,
    lose: Vec<(String, usize)>,
    /// Of each packet: percent lost, and most extra milliseconds.
    pub loss_percent: u64,
    pub jitter_ms: u64,
    chance: Rng,
}

impl World {
    /// Phones at 10.0.0.1, 10.0.0.2 .., with what the test makes of each configuration.
    pub fn new(names: &[&'static str], mut configure: impl FnMut(&str, &mut Config)) -> World {
        World::seeded(1, names, &mut configure)
    }

    pub fn seeded(seed: u64, names: &[&'static str], configure: &mut dyn FnMut(&str, &mut Config)) -> World {
        let start = Now::read_clocks();
        let mut world = World {
            start,
            now: start,
            nodes: Vec::new(),
            wire: BTreeMap::new(),
            sent: 0,
            sound: Vec::new(),
            ladder: Vec::new(),
            sip: Vec::new(),
            lose: Vec::new(),
            loss_percent: 0,
            jitter_ms: 0,
            chance: Rng::from_u64(seed),
        };
        for name in names {
            let mut config = Config { user: (*name).to_owned(), ..Config::default() };
            configure(name, &mut config);
            let rng = world.chance.split();
            world.add(name, Mind::Phone(Box::new(Phone::new(config, rng))));
        }
        world
    }

    pub fn script(&mut self, name: &'static str, script: impl FnMut(&Message, SocketAddr) -> Vec<Bytes> + 'static) {
        self.add(name, Mind::Script(Box::new(script)));
    }

    fn add(&mut self, name: &'static str, mind: Mind) {
        let at = format!("10.0.0.{}:5060", self.nodes.len() + 1).parse().unwrap();
        let node = Node {
            name,
            at,
            mind,
            events: Vec::new(),
            opened: 0,
            open: Vec::new(),
            deaf: false,
            unspecified: false,
            connections: true,
        };
        self.nodes.push(node);
    }

    pub fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name == name).unwrap()
    }

    pub fn lose(&mut self, line: &str, times: usize) {
        self.lose.push((line.to_owned(), times));
    }

    pub fn input(&mut self, name: &str, input: Input) {
        let now = self.now;
        let Mind::Phone(phone) = &mut self.node(name).mind else { panic!("{name} is no phone") };
        phone.handle_input(now, input);
        self.settle();
    }

    pub fn command(&mut self, name: &str, command: Command) {
        self.input(name, Input::Command(command));
    }

    /// Calls the named; the caller plays a tone of 440 Hz and records.
    pub fn dial(&mut self, from: &str, to: &str) -> CallId {
        let uri = format!("sip:{to}@{}", self.node(to).at);
        self.dial_uri(from, &uri)
    }

    pub fn dial_uri(&mut self, from: &str, uri: &str) -> CallId {
        let play = Source::Tone { hz: 440.0 };
        self.command(from, Command::Dial(Dial { call: 1, uri: uri.to_owned(), account: None, play, record: true }));
        CallId::Placed(1)
    }

    pub fn phone(&mut self, name: &str) -> &mut Phone {
        let Mind::Phone(phone) = &mut self.node(name).mind else { panic!("{name} is no phone") };
        phone
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.mono + Duration::from_millis(ms);
        self.settle();
        loop {
            let arrival = self.wire.keys().next().map(|(at, _)| self.start.mono + *at);
            let due = self.nodes.iter().filter_map(|node| match &node.mind {
                Mind::Phone(phone) => phone.poll_timeout(),
                Mind::Script(_) => None,
            });
            let Some(next) = arrival.into_iter().chain(due).min().filter(|next| *next <= end) else { break };
            self.now = self.start + next.max(self.now.mono).duration_since(self.start.mono);
            if arrival.is_some_and(|at| at <= self.now.mono) {
                self.deliver();
            }
            for node in &mut self.nodes {
                if let Mind::Phone(phone) = &mut node.mind {
                    phone.handle_timeout(self.now);
                }
            }
            self.settle();
        }
        self.now = self.start + end.duration_since(self.start.mono);
    }

    fn deliver(&mut self) {
        let Some((_, parcel)) = self.wire.pop_first() else { return };
        let now = self.now;
        match parcel {
            Parcel::Sound(from, to, bytes) => {
                let Some(node) = self.nodes.iter_mut().find(|node| node.at.ip() == to.ip()) else { return };
                let socket = MediaSocket(u32::from(to.port()) - 20_000);
                if !node.open.contains(&socket) {
                    return;
                }
                if let Mind::Phone(phone) = &mut node.mind {
                    phone.handle_input(now, Input::Media { socket, from, bytes });
                }
            }
            Parcel::Sip(flow, bytes) => {
                // Over a stream, the sender's port stands for the connection.
                let connection = flow.transport.reliable().then_some(ConnectionId(7));
                let arrived = Flow { local: flow.remote, remote: flow.local, connection, ..flow };
                let Some(node) = self.nodes.iter_mut().find(|node| node.at == flow.remote) else { return };
                let mut replies = Vec::new();
                match &mut node.mind {
                    Mind::Phone(phone) => phone.handle_input(now, Input::Packet { flow: arrived, bytes }),
                    Mind::Script(script) => {
                        if let Ok(message) = Message::parse(bytes) {
                            replies = script(&message, flow.local);
                        }
                    }
                }
                replies.into_iter().for_each(|bytes| self.send(arrived, bytes));
            }
        }
    }

    pub fn send(&mut self, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes.clone());
        let name = |at: SocketAddr| self.nodes.iter().find(|node| node.at == at).map_or("nowhere", |node| node.name);
        let what = match &message {
            Ok(message) if message.is_request() => message.method_text().to_owned(),
            Ok(message) => format!("{} {}", message.status(), message.method_text()),
            Err(_) if bytes == "\r\n\r\n" => "keep-alive".to_owned(),
            Err(_) => "nonsense".to_owned(),
        };
        self.sip.extend(message.ok());
        let via = if flow.transport == Transport::Udp { "" } else { " over TCP" };
        let mut line = format!("{} -> {} {what}{via}", name(flow.local), name(flow.remote));
        let chosen =
            self.lose.iter_mut().find(|(lost, left)| *left > 0 && line == *lost).map(|(_, left)| *left -= 1).is_some();
        if chosen {
            line.push_str(" ; lost");
        }
        let at = self.now.mono.duration_since(self.start.mono);
        self.ladder.push(format!("{} {line}", at.as_millis()));
        if !chosen {
            self.carry(Parcel::Sip(flow, bytes));
        }
    }

    fn carry(&mut self, parcel: Parcel) {
        if self.chance.below(100) < self.loss_percent {
            return;
        }
        let at = self.now.mono.duration_since(self.start.mono);
        let delay = Duration::from_millis(10 + self.chance.below(self.jitter_ms + 1));
        self.sent += 1;
        self.wire.insert((at + delay, self.sent), parcel);
    }

    fn settle(&mut self) {
        for n in 0..self.nodes.len() {
            while self.settle_one(n) {}
        }
    }

    fn settle_one(&mut self, n: usize) -> bool {
        let now = self.now;
        let node = &mut self.nodes[n];
        let Mind::Phone(phone) = &mut node.mind else { return false };
        let Some(output) = phone.poll_output() else { return false };
        match output {
            Output::Send { flow, bytes, transaction } => match transaction {
                Some(transaction) if flow.transport.reliable() && !node.connections => {
                    phone.handle_input(now, Input::SendFailed { transaction });
                }
                _ => self.send(flow, bytes),
            },
            Output::SendMedia { socket, to, bytes } => {
                assert!(node.open.contains(&socket), "sound from a socket that is not open");
                let from = SocketAddr::new(node.at.ip(), 20_000 + u16::try_from(socket.0).unwrap());
                let (bytes, name) = (Bytes::from(bytes), node.name);
                let at = u64::try_from(now.mono.duration_since(self.start.mono).as_millis()).unwrap();
                self.sound.push((at, name, to, bytes.clone()));
                self.carry(Parcel::Sound(from, to, bytes));
            }
            Output::Ask(Ask::Resolve { ticket, next_hop }) => {
                let remote = next_hop.host.parse().ok().map(|ip| SocketAddr::new(ip, next_hop.port.unwrap_or(5060)));
                let transport = next_hop.default_transport();
                let flows = remote
                    .map(|remote| Flow { transport, local: node.at, remote, connection: None })
                    .into_iter()
                    .collect();
                phone.handle_input(now, Input::Answer(Answer::Resolved { ticket, flows }));
            }
            Output::Ask(Ask::OpenMedia { ticket, .. }) if node.deaf => {
                phone.handle_input(now, Input::Answer(Answer::MediaFailed { ticket }));
            }
            Output::Ask(Ask::OpenMedia { ticket, local }) => {
                assert_eq!(local, node.at.ip());
                node.opened += 2;
                let socket = MediaSocket(node.opened);
                node.open.push(socket);
                let ip = if node.unspecified { "0.0.0.0".parse().unwrap() } else { local };
                let local = SocketAddr::new(ip, 20_000 + u16::try_from(socket.0).unwrap());
                phone.handle_input(now, Input::Answer(Answer::MediaOpened { ticket, socket, local }));
            }
            Output::Ask(Ask::CloseMedia(socket)) => {
                let before = node.open.len();
                node.open.retain(|open| *open != socket);
                assert_eq!(node.open.len() + 1, before, "closed once");
            }
            Output::Event(event) => node.events.push(event),
        }
        true
    }

    /// The ladder, line by line.
    pub fn expect(&mut self, ladder: &str) {
        let wanted = ladder.lines().map(str::trim).filter(|line| !line.is_empty());
        let wanted: Vec<String> = wanted.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(self.ladder, wanted, "\n{}", self.ladder.join("\n"));
        self.ladder.clear();
    }

    /// How many packets of RTP one has sent since that millisecond.
    pub fn rtp_since(&self, name: &str, since: u64) -> usize {
        let is_rtp = |bytes: &Bytes| bytes[1] & 0x7f < 64;
        self.sound.iter().filter(|(at, who, _, bytes)| *at >= since && *who == name && is_rtp(bytes)).count()
    }

    pub fn ms(&self) -> u64 {
        u64::try_from(self.now.mono.duration_since(self.start.mono).as_millis()).unwrap()
    }

    /// What one was told, in order; what was seen before is not seen again.
    pub fn events(&mut self, name: &str) -> Vec<Event> {
        std::mem::take(&mut self.node(name).events)
    }

    pub fn told(&mut self, name: &str) -> Vec<String> {
        self.events(name).iter().map(told).collect()
    }
}

/// An event in a word or three.
fn told(event: &Event) -> String {
    match event {
        Event::RegistrationOk { expires_s, .. } => format!("registered {expires_s}"),
        Event::RegistrationFailed { failure, retry_s, .. } => {
            format!("registration failed {} retry {}", failure.status(), retry_s.is_some())
        }
        Event::Unregistered { outcome, .. } => format!("unregistered {}", outcome.is_ok()),
        Event::Incoming { from, .. } => format!("incoming {}", from.uri),
        Event::Ringing { status, .. } => format!("ringing {status}"),
        Event::EarlyMedia { .. } => "early media".to_owned(),
        Event::Answered { codec, .. } => format!("answered {codec:?}"),
        Event::Heard { from, .. } => format!("heard {from}"),
        Event::Dtmf { digit, .. } => format!("dtmf {digit}"),
        Event::DtmfRefused { digit, why, .. } => format!("dtmf refused {digit} {why}"),
        Event::Played { .. } => "played".to_owned(),
        Event::NoMedia { why, .. } => format!("no media: {why}"),
        Event::Media { report, recording, .. } => {
            format!("media {} {}", report.packets_received > 0, !recording.is_empty())
        }
        Event::Failed { failure, .. } => format!("failed {} {}", failure.status(), failure.reason()),
        Event::Ended { end, .. } => format!("ended {end:?}"),
        Event::Replied { outcome: Ok(reply), .. } => format!("replied {} {}", reply.status, reply.reason),
        Event::Replied { outcome: Err(failure), .. } => format!("unanswered {}", failure.status()),
        Event::Message { from, text } => format!("message {} {text}", from.uri),
    }
}

/// How much of what was heard in the call that ended last is a tone of this frequency, and the report.
pub fn heard(events: &[Event], hz: f64) -> (f64, media::Report) {
    let media = events.iter().rev().find_map(|event| match event {
        Event::Media { report, recording, .. } => Some((media::compare::goertzel(recording, hz), *report)),
        _ => None,
    });
    media.expect("no call with media ended")
}

pub fn answers(after_ms: u64) -> Answering {
    Answering::Answer { after: Duration::from_millis(after_ms), play: Source::Tone { hz: 1000.0 }, record: true }
}
