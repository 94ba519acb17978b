use crate::exchange::{Hosts, Outgoing, flows_to};
use crate::tables::Tables;
use engine::{Now, Rng};
use phone::{
    Account, AccountId, Answer, Answering, Ask, CallId, Command, Config, Dial, Event, Input, MediaSocket, Output, Phone,
};
use sip_message::Transport;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Where the sockets for sound begin.
const MEDIA_PORT: u16 = 20_000;

/// A `phone` value, and around it what the shell and a person would be.
pub struct Telephone {
    /// The phone.
    pub phone: Phone,
    /// What it has told so far.
    pub events: Vec<Event>,
    /// The tone that its peers hear.
    pub hz: f64,
    pub(crate) phone_config: Config,
    at: SocketAddr,
    open: BTreeSet<MediaSocket>,
    opened: u32,
    dialled: u32,
    /// What its messages are checked against; nothing, to be faster, where the exchange's are.
    pub(crate) tables: Option<Tables>,
}

impl Telephone {
    /// A phone with this account that leaves the answering to people.
    pub(crate) fn config(account: Option<Account>, transport: Transport) -> Config {
        Config {
            accounts: account.into_iter().collect(),
            transport: Some(transport),
            answering: Answering::Ring,
            ..Config::default()
        }
    }

    pub(crate) fn new(config: Config, hz: f64, at: SocketAddr, rng: Rng) -> Telephone {
        Telephone {
            phone: Phone::new(config.clone(), rng),
            phone_config: config,
            events: Vec::new(),
            hz,
            at,
            open: BTreeSet::new(),
            opened: 0,
            dialled: 0,
            tables: Some(Tables::default()),
        }
    }

    /// What a person does with it, in words.
    pub(crate) fn command_of(&mut self, words: &[&str]) -> Command {
        let play = media::Source::Tone { hz: self.hz };
        match *words {
            ["registers"] => Command::Register { account: AccountId(0), expires_s: 3600 },
            ["unregisters"] => Command::Unregister { account: AccountId(0) },
            ["dials", uri] => self.dial(uri, Some(AccountId(0))),
            ["dials", uri, "directly"] => self.dial(uri, None),
            ["answers"] => Command::Answer { call: self.last_call(), play, record: true },
            ["declines"] => Command::Reject { call: self.last_call(), status: 603 },
            ["hangs", "up"] => Command::Hangup { call: self.last_call() },
            ["texts", uri] => Command::Message {
                request: phone::RequestNumber(1),
                uri: uri.to_owned(),
                account: Some(AccountId(0)),
                text: "hello".to_owned(),
            },
            _ => panic!("a phone cannot do this: {}", words.join(" ")),
        }
    }

    fn dial(&mut self, uri: &str, account: Option<AccountId>) -> Command {
        self.dialled += 1;
        let play = media::Source::Tone { hz: self.hz };
        Command::Dial(Dial { call: self.dialled, uri: uri.to_owned(), account, play, record: true })
    }

    /// The call that came in last; without any, the one dialled last.
    pub(crate) fn last_call(&self) -> CallId {
        let incoming = self.events.iter().rev().find_map(|event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        });
        incoming.unwrap_or(CallId::Placed(self.dialled))
    }

    /// How much of what was heard in the call that ended last was a tone of `hz`, 0 to 1.
    pub fn heard(&self, hz: f64) -> f64 {
        let recording = self.events.iter().rev().find_map(|event| match event {
            Event::Media { recording, .. } => Some(recording),
            _ => None,
        });
        recording.map_or(0.0, |recording| media::compare::goertzel(recording, hz))
    }

    /// What is wrong with a phone whose calls are over, `None` when nothing is.
    pub fn leaks(&self) -> Option<String> {
        let mut wrong = Vec::new();
        if !self.phone.is_idle() {
            wrong.push("is not idle".to_owned());
        }
        if !self.open.is_empty() {
            wrong.push(format!("keeps {} sockets open", self.open.len()));
        }
        (!wrong.is_empty()).then(|| wrong.join(" and "))
    }

    /// Sound that nobody hears is left to the next time that something else is due.
    pub(crate) fn poll_timeout(&self, with_sound: bool) -> Option<Instant> {
        if with_sound { self.phone.poll_timeout() } else { self.phone.poll_signalling_timeout() }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now, hosts: &Hosts) -> Vec<Outgoing> {
        self.phone.handle_timeout(now);
        self.drain(now, hosts)
    }

    pub(crate) fn handle(&mut self, now: Now, hosts: &Hosts, input: Input) -> Vec<Outgoing> {
        if let (Input::Packet { flow, bytes }, Some(tables)) = (&input, &mut self.tables) {
            tables.comes(*flow, bytes);
        }
        self.phone.handle_input(now, input);
        self.drain(now, hosts)
    }

    pub(crate) fn handle_media(
        &mut self,
        now: Now,
        hosts: &Hosts,
        from: SocketAddr,
        to: SocketAddr,
        bytes: bytes::Bytes,
    ) -> Vec<Outgoing> {
        let socket = MediaSocket(u32::from(to.port().saturating_sub(MEDIA_PORT)));
        if !self.open.contains(&socket) {
            return Vec::new();
        }
        self.handle(now, hosts, Input::Media { socket, from, bytes })
    }

    fn drain(&mut self, now: Now, hosts: &Hosts) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        while let Some(output) = self.phone.poll_output() {
            match output {
                Output::Send { flow, bytes, transaction } => {
                    if let Some(tables) = &self.tables {
                        tables.leaves(flow, &bytes);
                    }
                    outgoing.push(Outgoing::Send { flow, bytes, transaction: transaction.map(|id| (0, id)) });
                }
                Output::SendMedia { socket, to, bytes } => {
                    assert!(self.open.contains(&socket), "sound from a socket that is not open");
                    let from = socket_address(self.at.ip(), socket);
                    outgoing.push(Outgoing::Media { from, to, bytes: bytes.into() });
                }
                Output::Event(event) => self.events.push(event),
                Output::Ask(ask) => {
                    if let Some(answer) = self.answer(hosts, ask) {
                        self.phone.handle_input(now, Input::Answer(answer));
                    }
                }
            }
        }
        outgoing
    }

    fn answer(&mut self, hosts: &Hosts, ask: Ask) -> Option<Answer> {
        match ask {
            Ask::Resolve { ticket, next_hop } => {
                Some(Answer::Resolved { ticket, flows: flows_to(hosts, self.at, &next_hop) })
            }
            Ask::OpenMedia { ticket, local } => {
                self.opened += 2;
                let socket = MediaSocket(self.opened);
                self.open.insert(socket);
                Some(Answer::MediaOpened { ticket, socket, local: socket_address(local, socket) })
            }
            Ask::CloseMedia(socket) => {
                assert!(self.open.remove(&socket), "a socket is closed once");
                None
            }
        }
    }
}

fn socket_address(ip: IpAddr, socket: MediaSocket) -> SocketAddr {
    SocketAddr::new(ip, MEDIA_PORT + socket.0 as u16)
}
