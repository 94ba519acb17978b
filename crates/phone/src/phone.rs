use crate::account::Registered;
use crate::calls::Call;
use crate::{Answer, Ask, CallId, Command, Config, Event, Input, MediaSocket, Output, RequestNumber, Ticket};
use bytes::Bytes;
use engine::{Mac, Now, Rng, Table, TableKey};
use sip_message::Message;
use sip_transaction::{Flow, Packet, TransactionLayer, stateless_reply_flow};
use sip_ua::{RequestId, UserAgent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

/// A telephone.
pub struct Phone {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) layer: TransactionLayer,
    pub(crate) agent: UserAgent,
    pub(crate) accounts: Vec<Registered>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    /// Our calls by the user agent's numbers.
    pub(crate) by_agent: Table<sip_ua::CallId, CallId>,
    /// Calls that a socket is being opened for.
    pub(crate) opening: BTreeMap<Ticket, CallId>,
    /// The ticket of the latest question about sound; those about names are the user agent's.
    pub(crate) tickets: u64,
    pub(crate) by_socket: Table<MediaSocket, CallId>,
    pub(crate) requests: BTreeMap<RequestId, RequestNumber>,
    /// What is due here: the sound of calls, and answers after a while.
    pub(crate) deadlines: BTreeSet<(Instant, Due, CallId)>,
    pub(crate) outputs: VecDeque<Output>,
    /// The number that the latest incoming call was given.
    pub(crate) incoming: u32,
}

/// What comes due in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The next packet of sound.
    Sound,
    /// It has rung long enough.
    Answer,
}

impl Phone {
    /// A phone that does nothing yet.
    pub fn new(config: Config, mut rng: Rng) -> Phone {
        let layer = TransactionLayer::new(sip_transaction::Config::new(0, Mac::new(&mut rng)), rng.split());
        let agent = sip_ua::Config {
            product: config.product.clone(),
            calls_max: config.calls_max,
            ..sip_ua::Config::default()
        };
        let mut agent = UserAgent::new(agent, rng.split());
        let accounts =
            config.accounts.iter().map(|account| Registered::new(account, config.transport, &mut agent)).collect();
        Phone {
            layer,
            agent,
            accounts,
            calls: BTreeMap::new(),
            by_agent: Table::with_hasher(TableKey::new(&mut rng)),
            opening: BTreeMap::new(),
            tickets: 0,
            by_socket: Table::with_hasher(TableKey::new(&mut rng)),
            requests: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
            incoming: 0,
            config,
            rng,
        }
    }

    /// Takes what came in.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Packet { flow, bytes } => self.handle_packet(now, flow, bytes),
            Input::SendFailed { transaction } => self.layer.handle_send_failed(now, transaction),
            Input::ConnectionClosed(connection) => {
                self.agent.handle_connection_closed(now, &mut self.layer, connection)
            }
            Input::Answer(answer) => self.handle_answer(now, answer),
            Input::Command(command) => self.handle_command(now, command),
            Input::Media { socket, from, bytes } => self.handle_media(now, socket, from, &bytes),
        }
        self.settle(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.layer.handle_timeout(now);
        self.settle(now);
        self.agent.handle_timeout(now, &mut self.layer);
        self.settle(now);
        while let Some((at, due, call)) = self.deadlines.first().copied().filter(|(at, ..)| *at <= now.mono) {
            self.deadlines.remove(&(at, due, call));
            match due {
                Due::Sound => self.sound_is_due(now, call),
                Due::Answer => self.answer_is_due(now, call),
            }
            self.settle(now);
        }
    }

    /// The next thing to do, `None` when there is none for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When something is due next, `None` when nothing is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.deadlines.first().map(|(at, ..)| *at);
        [self.layer.poll_timeout(), self.agent.poll_timeout(), own].into_iter().flatten().min()
    }

    /// The same without the sound of calls, which is then only made up for when something else is due: for those who carry none.
    pub fn poll_signalling_timeout(&self) -> Option<Instant> {
        let own = self.deadlines.iter().find(|(_, due, _)| *due != Due::Sound).map(|(at, ..)| *at);
        [self.layer.poll_timeout(), self.agent.poll_timeout(), own].into_iter().flatten().min()
    }

    /// Whether nothing is going on that would be cut off by leaving now: no call, and no request that awaits an answer.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.agent.is_idle() && self.outputs.is_empty()
    }

    /// What is remembered of calls and requests, in entries: 0 some time after everything is over.
    pub fn entries_len(&self) -> usize {
        let calls = self.calls.len() + self.by_agent.len() + self.by_socket.len() + self.opening.len();
        calls + self.requests.len() + self.deadlines.len() + self.agent.entries_len()
    }

    fn handle_packet(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        match Message::parse(bytes) {
            Ok(message) => self.layer.handle_packet(now, Packet { flow, message }),
            Err(malformed) => {
                let Some(bytes) = malformed.reply(flow.remote) else { return };
                let flow = malformed.request().map_or(flow, |request| stateless_reply_flow(flow, request));
                self.outputs.push_back(Output::Send { flow, bytes, transaction: None });
            }
        }
    }

    fn handle_answer(&mut self, now: Now, answer: Answer) {
        match answer {
            Answer::Resolved { ticket, flows } => {
                self.agent.resolved(now, &mut self.layer, sip_ua::Ticket(ticket.0), flows)
            }
            Answer::MediaOpened { ticket, socket, local } => self.media_opened(now, ticket, socket, local),
            Answer::MediaFailed { ticket } => self.media_failed(now, ticket),
        }
    }

    fn handle_command(&mut self, now: Now, command: Command) {
        match command {
            Command::Register { account, expires_s } => self.register(now, account, expires_s),
            Command::Unregister { account } => self.unregister(now, account),
            Command::Dial(dial) => self.dial(now, dial),
            Command::Answer { call, play, record } => self.answer(call, play, record),
            Command::Reject { call, status } => self.reject(now, call, status),
            Command::Hangup { call } => self.hangup(now, call),
            Command::Play { call, play } => self.play(call, play),
            Command::SendDtmf { call, digits } => self.send_dtmf(call, &digits),
            Command::Options { request, uri, account } => self.options(now, request, &uri, account),
            Command::Message { request, uri, account, text } => self.message(now, request, &uri, account, text),
        }
    }

    /// Carries what the children say to where it belongs, until they have nothing more to say.
    fn settle(&mut self, now: Now) {
        loop {
            while let Some(output) = self.layer.poll_output() {
                match output {
                    sip_transaction::Output::Send { flow, bytes, transaction } => {
                        self.outputs.push_back(Output::Send { flow, bytes, transaction });
                    }
                    sip_transaction::Output::Event(event) => self.agent.handle_event(now, &mut self.layer, event),
                }
            }
            match self.agent.poll_output() {
                Some(sip_ua::Output::Resolve { ticket, next_hop }) => {
                    self.outputs.push_back(Output::Ask(Ask::Resolve { ticket: Ticket(ticket.0), next_hop }));
                }
                Some(sip_ua::Output::KeepAlive { flow }) => {
                    let bytes = Bytes::from_static(b"\r\n\r\n");
                    self.outputs.push_back(Output::Send { flow, bytes, transaction: None });
                }
                Some(sip_ua::Output::Event(event)) => self.handle_event(now, event),
                None => return,
            }
        }
    }

    fn handle_event(&mut self, now: Now, event: sip_ua::Event) {
        match event {
            sip_ua::Event::Located { call, flow } => self.located(call, flow),
            sip_ua::Event::Progress { call, status, body } => self.progressed(now, call, status, body),
            sip_ua::Event::Answered { call, body } => self.answered(now, call, body),
            sip_ua::Event::Failed { call, failure } => self.failed(now, call, failure),
            sip_ua::Event::Incoming { call, from, uri, flow, body } => self.incoming(now, call, flow, body, from, uri),
            sip_ua::Event::Acknowledged { call, body } => self.acknowledged(now, call, body),
            sip_ua::Event::Offered { call, body } => self.offered(now, call, body),
            sip_ua::Event::Ended { call, end } => self.ended(now, call, end),
            sip_ua::Event::Registered { .. }
            | sip_ua::Event::RegistrationFailed { .. }
            | sip_ua::Event::Unregistered { .. } => {
                self.registration_event(event);
            }
            sip_ua::Event::Replied { request, outcome } => self.replied(request, outcome),
            sip_ua::Event::Message { from, body } => {
                let text = String::from_utf8_lossy(&body.bytes).into_owned();
                self.event(Event::Message { from, text });
            }
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
