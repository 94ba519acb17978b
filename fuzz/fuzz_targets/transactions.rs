//! Operations from bytes drive a whole transaction layer: packets in and out, answers of the transaction user, cancelling, failures,
//! time. Checked against a small model:
//! - it never holds more than its limit;
//! - a request is told of once, and a client transaction ends once (only a 2xx to an INVITE may come again);
//! - all that it sends can be read;
//! - when everything has been answered and time goes by, nothing is left.

#![no_main]

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_message::{Builder, Edit, HeaderName, Message, Method, Transport};
use sip_transaction::{
    ClientTransactionId, Config, ConnectionId, Event, Flow, Output, Packet, ServerTransactionId, TransactionLayer,
};
use std::collections::HashMap;
use std::time::Duration;

/// A small limit, so that it is hit.
const TRANSACTIONS_MAX: usize = 12;
const METHODS: [Method; 6] =
    [Method::Invite, Method::Register, Method::Options, Method::Bye, Method::Cancel, Method::Ack];
const STATUSES: [u16; 10] = [100, 180, 183, 200, 202, 302, 404, 408, 487, 603];
/// With this many timers an hour, something runs in circles.
const TIMEOUTS_MAX: usize = 100_000;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    let mut input = data.iter().copied();
    while let Some(operation) = input.next() {
        world.step(operation, &mut input);
    }
    world.finish();
});

struct World {
    layer: TransactionLayer,
    now: Now,
    /// Requests that wait for their final answer.
    open: Vec<(ServerTransactionId, Message)>,
    told: Vec<ServerTransactionId>,
    /// What our client transactions sent, for the peer to answer.
    sent: Vec<(ClientTransactionId, Flow, Message)>,
    /// How each client transaction stands.
    clients: HashMap<ClientTransactionId, Client>,
}

struct Client {
    method: Method,
    finals: usize,
    last_final: u16,
}

impl World {
    fn new() -> Self {
        let mut rng = Rng::from_u64(7);
        let mut config = Config::new(3, Mac::new(&mut rng));
        config.transactions_max = TRANSACTIONS_MAX;
        Self {
            layer: TransactionLayer::new(config, rng),
            now: Now::read_clocks(),
            open: Vec::new(),
            told: Vec::new(),
            sent: Vec::new(),
            clients: HashMap::new(),
        }
    }

    fn step(&mut self, operation: u8, input: &mut impl Iterator<Item = u8>) {
        let mut byte = || usize::from(input.next().unwrap_or(0));
        match operation % 8 {
            0 | 1 => {
                let (method, branch, stream) = (METHODS[byte() % METHODS.len()], byte() % 16, byte() % 4 == 0);
                let message = request(method, &format!("z9hG4bKpeer{branch}"), branch % 5);
                self.layer.handle_packet(self.now, Packet { flow: flow(stream), message });
            }
            2 => {
                let (which, status) = (byte(), STATUSES[byte() % STATUSES.len()]);
                self.answer(which, status);
            }
            3 => {
                let (method, stream) = (METHODS[byte() % 4], byte() % 4 == 0);
                let branch = self.layer.mint_branch();
                let message = request(method, branch.as_str(), 9);
                self.clients.insert(branch.id(), Client { method, finals: 0, last_final: 0 });
                self.layer.send_request(self.now, &branch, flow(stream), method, message.bytes().clone());
            }
            4 => {
                let (which, status) = (byte(), STATUSES[byte() % STATUSES.len()]);
                if !self.sent.is_empty() {
                    let (_, flow, request) = &self.sent[which % self.sent.len()];
                    let bytes = Builder::reply(request, status, flow.remote).to_tag("peer").finish();
                    let message = Message::parse(bytes).expect("a reply of ours can be read");
                    self.layer.handle_packet(self.now, Packet { flow: *flow, message });
                }
            }
            5 => {
                let which = byte();
                if !self.sent.is_empty() {
                    self.layer.cancel_client(self.now, self.sent[which % self.sent.len()].0, Some("SIP;cause=200"));
                }
            }
            6 => {
                let which = byte();
                if !self.sent.is_empty() {
                    self.layer.handle_send_failed(self.now, self.sent[which % self.sent.len()].0);
                }
            }
            _ => {
                let ms = byte() * byte();
                self.now = self.now + Duration::from_millis(ms as u64);
                self.layer.handle_timeout(self.now);
                // Late or doubled, it is harmless.
                self.layer.handle_timeout(self.now);
            }
        }
        self.drain();
    }

    fn answer(&mut self, which: usize, status: u16) {
        if self.open.is_empty() {
            return;
        }
        let at = which % self.open.len();
        let (id, request) = &self.open[at];
        let bytes = Builder::reply(request, status, flow(false).remote).to_tag("ours").finish();
        self.layer.respond(self.now, *id, status, bytes);
        if status >= 200 && status != 408 {
            self.open.swap_remove(at);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Send { flow, bytes, transaction } => self.check_sent(flow, bytes, transaction),
                Output::Event(event) => self.check_event(event),
            }
        }
        assert!(self.layer.len() <= 2 * TRANSACTIONS_MAX, "{} transactions", self.layer.len());
    }

    fn check_sent(&mut self, flow: Flow, bytes: Bytes, transaction: Option<ClientTransactionId>) {
        let message = Message::parse(bytes).expect("what the layer sends can be read");
        if let Some(id) = transaction {
            assert!(message.is_request());
            if message.method() != Method::Ack && self.sent.len() < 64 {
                self.sent.push((id, flow, message));
            }
        }
    }

    fn check_request(&mut self, id: ServerTransactionId, message: Message) {
        assert!(!self.told.contains(&id), "told twice of {id:?}");
        self.told.push(id);
        self.open.push((id, message));
    }

    fn check_event(&mut self, event: Event) {
        match event {
            Event::Request { id, packet } => self.check_request(id, packet.message.clone()),
            Event::Cancel { id, packet, .. } => self.check_request(id, packet.message),
            Event::Response { id, packet } => {
                let status = packet.message.status();
                if status >= 200 {
                    let client = self.clients.get_mut(&id).expect("a transaction that we started");
                    let again = client.method == Method::Invite && status < 300 && client.last_final < 300;
                    assert!(client.finals == 0 || again, "{status} after {}", client.last_final);
                    client.finals += 1;
                    client.last_final = status;
                }
            }
            Event::Timeout { id } => {
                let client = self.clients.get_mut(&id).expect("a transaction that we started");
                assert_eq!(client.finals, 0, "timed out after {}", client.last_final);
                client.finals += 1;
                client.last_final = 408;
            }
            Event::SendFailed { id } => {
                let client = self.clients.get_mut(&id).expect("a transaction that we started");
                // It may be the ACK which failed.
                assert!(client.finals == 0 || client.method == Method::Invite, "failed after {}", client.last_final);
                client.finals += 1;
                client.last_final = 503;
            }
            Event::Ack { .. } | Event::AckMissing { .. } => {}
        }
    }

    /// Answers all that is open, lets time pass, and expects nothing to be left.
    fn finish(&mut self) {
        while !self.open.is_empty() {
            self.answer(0, 500);
        }
        let ringing: Vec<ClientTransactionId> = self.clients.keys().copied().collect();
        for id in ringing {
            // An INVITE that rings does so for ever (timer C is the proxy's), unless it is cancelled.
            self.layer.cancel_client(self.now, id, None);
        }
        self.drain();
        for _ in 0..TIMEOUTS_MAX {
            let Some(due) = self.layer.poll_timeout() else { break };
            self.now = self.now + due.saturating_duration_since(self.now.mono);
            self.layer.handle_timeout(self.now);
            self.drain();
        }
        assert!(self.layer.poll_timeout().is_none(), "timers go on for ever");
        assert!(self.layer.is_empty(), "{} transactions are left", self.layer.len());
    }
}

fn flow(stream: bool) -> Flow {
    Flow {
        transport: if stream { Transport::Tcp } else { Transport::Udp },
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([192, 0, 2, 2], 5060).into(),
        connection: stream.then_some(ConnectionId(1)),
    }
}

fn request(method: Method, branch: &str, call: usize) -> Message {
    let name = method.as_str();
    let bytes = Builder::request(name, "sip:bob@example.com")
        .header(HeaderName::Via, format_args!("SIP/2.0/UDP 192.0.2.2;branch={branch};rport"))
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, "<sip:alice@example.com>;tag=a")
        .header(HeaderName::To, "<sip:bob@example.com>")
        .header(HeaderName::CallId, call)
        .header(HeaderName::CSeq, format_args!("1 {name}"))
        .finish();
    let message = Message::parse(bytes).expect("a request of ours can be read");
    debug_assert_eq!(Edit::new(&message).finish(), message.bytes());
    message
}
