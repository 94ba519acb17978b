//! A call flow as a text: what goes in is done, what comes out must be exactly what the text says, at that millisecond.
//!
//!     0     tu  INVITE          the TU sends a request (its name), answers one (a status), or `cancel`s, or sending `fails`
//!     0     ->  INVITE          the layer sends a request or a response (`200 BYE`: of another method than INVITE)
//!     20    <-  180             the peer's request or response arrives
//!     20    up  180             the TU gets an event

#![allow(dead_code)] // each test file uses its part

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_transaction::{
    ClientTransactionId, Config, ConnectionId, Event, Flow, Output, Packet, ServerTransactionId, TransactionLayer,
};
use std::time::Duration;

pub(crate) fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: "192.0.2.99:5070".parse().expect("an address"),
        connection: transport.reliable().then_some(ConnectionId(7)),
    }
}

pub(crate) fn mac() -> Mac {
    Mac::from_key([5; 16])
}

pub(crate) fn layer() -> TransactionLayer {
    TransactionLayer::new(Config::new(3, mac()), Rng::from_u64(1))
}

/// A request with this top Via.
pub(crate) fn request(method: &str, via: &str) -> Bytes {
    Builder::request(method, "sip:bob@example.com")
        .header(HeaderName::Via, via)
        .header(HeaderName::Via, "SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKfurther")
        .header(HeaderName::Route, "<sip:one.example.com;lr>, <sip:two.example.com;lr>")
        .header(HeaderName::Route, "<sip:three.example.com;lr>")
        .header(HeaderName::MaxForwards, 9)
        .header(HeaderName::From, "<sip:alice@example.com>;tag=a")
        .header(HeaderName::To, "<sip:bob@example.com>")
        .header(HeaderName::CallId, "call@example.com")
        .header(HeaderName::CSeq, format_args!("17 {method}"))
        .body("text/plain", b"hello")
        .finish()
}

pub(crate) fn parse(bytes: Bytes) -> Message {
    Message::parse(bytes).expect("a well-formed message")
}

/// Runs `ladder` over UDP or TCP, lets ten minutes pass and leaves nothing behind.
pub(crate) fn check(transport: Transport, ladder: &str) {
    let rows: Vec<(u64, &str, &str)> = ladder
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let mut words = line.split(';').next().unwrap_or("").trim().splitn(3, ' ');
            let at = words.next().unwrap_or("").parse().expect("milliseconds");
            let (arrow, what) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let (arrow, what) =
                if arrow.is_empty() { what.trim().split_once(' ').unwrap_or_default() } else { (arrow, what) };
            (at, arrow, what.trim())
        })
        .collect();
    let mut world = World::new(transport);
    for (at, arrow, what) in &rows {
        if matches!(*arrow, "tu" | "<-") {
            world.advance_to(*at);
            world.log.push(format!("{at} {arrow} {what}"));
            world.input(arrow, what);
            world.drain();
        }
    }
    world.advance_to(600_000);
    let expected: Vec<_> = rows.iter().map(|(at, arrow, what)| format!("{at} {arrow} {what}")).collect();
    assert_eq!(expected, world.log, "\nexpected\n  {}\nbut was\n  {}\n", expected.join("\n  "), world.log.join("\n  "));
    assert_eq!((world.layer.len(), world.layer.poll_timeout()), (0, None), "something is left behind");
}

struct World {
    layer: TransactionLayer,
    flow: Flow,
    start: Now,
    ms: u64,
    log: Vec<String>,
    /// The last request that the TU gets or sends.
    client: Option<ClientTransactionId>,
    server: Vec<(Method, ServerTransactionId, Message)>,
    /// What the layer has sent, for the peer to answer.
    sent: Vec<Message>,
}

impl World {
    fn new(transport: Transport) -> World {
        let (layer, start) = (layer(), Now::read_clocks());
        World { layer, flow: flow(transport), start, ms: 0, log: vec![], client: None, server: vec![], sent: vec![] }
    }

    fn now(&self) -> Now {
        self.start + Duration::from_millis(self.ms)
    }

    /// Lets time pass up to, but not beyond, this millisecond; timers due at it have fired.
    fn advance_to(&mut self, ms: u64) {
        while let Some(due) = self.layer.poll_timeout() {
            let due = due.duration_since(self.start.mono).as_millis() as u64;
            if due > ms {
                break;
            }
            self.ms = self.ms.max(due);
            self.layer.handle_timeout(self.now());
            self.drain();
        }
        self.ms = ms;
    }

    fn input(&mut self, arrow: &str, what: &str) {
        let now = self.now();
        let (name, of) = what.split_once(' ').unwrap_or((what, "INVITE"));
        match (arrow, name.parse::<u16>()) {
            ("tu", Ok(status)) => {
                let found = self.server.iter().rev().find(|(method, ..)| method.as_str() == of);
                let (_, id, request) = found.expect("a request to answer");
                let bytes = Builder::reply(request, status, self.flow.remote).to_tag("b").finish();
                self.layer.respond(now, *id, status, bytes);
            }
            ("tu", Err(_)) if name == "cancel" => self.layer.cancel_client(now, self.client.expect("a request"), None),
            ("tu", Err(_)) if name == "fails" => self.layer.handle_send_failed(now, self.client.expect("a request")),
            ("tu", Err(_)) => {
                let branch = self.layer.mint_branch();
                let bytes = request(name, &format!("SIP/2.0/{} 192.0.2.1;branch={branch}", self.flow.transport));
                self.client = Some(branch.id());
                self.layer.send_request(now, &branch, self.flow, Method::from_bytes(name.as_bytes()), bytes);
            }
            (_, Ok(status)) => {
                let sent = self.sent.iter().rev().find(|sent| sent.method_text() == of).expect("a request to answer");
                let bytes = Builder::reply(sent, status, self.flow.local).to_tag("b").finish();
                let (message, strays) = (parse(bytes), self.layer.stray_responses());
                let stray = format!("{} up stray {}", self.ms, self::name(&message));
                self.layer.handle_packet(now, Packet { flow: self.flow, message });
                self.log.extend((self.layer.stray_responses() > strays).then_some(stray));
            }
            (_, Err(_)) => {
                // The ACK to a 2xx is a transaction of its own.
                let branch = if of == "2xx" { "z9hG4bKpeer2" } else { "z9hG4bKpeer" };
                let bytes =
                    request(name, &format!("SIP/2.0/{} host.example.com;branch={branch};rport", self.flow.transport));
                self.layer.handle_packet(now, Packet { flow: self.flow, message: parse(bytes) });
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.layer.poll_output() {
            let line = match output {
                Output::Send { flow, bytes, .. } => {
                    assert_eq!(flow, self.flow);
                    let message = parse(bytes);
                    let line = format!("-> {}", name(&message));
                    self.sent.push(message);
                    line
                }
                Output::Event(event) => format!("up {}", self.event(event)),
            };
            self.log.push(format!("{} {line}", self.ms));
        }
    }

    fn event(&mut self, event: Event) -> String {
        match event {
            Event::Request { id, packet } => {
                let line = name(&packet.message);
                assert_eq!(self.layer.request_of(id).map(|kept| kept.message.bytes()), Some(packet.message.bytes()));
                self.server.push((packet.message.method(), id, packet.message.clone()));
                line
            }
            Event::Cancel { id, cancels, packet } => {
                let invite = self.server.iter().find(|(method, ..)| *method == Method::Invite).map(|(_, id, _)| *id);
                assert!(cancels.is_none() || cancels == invite);
                self.server.push((Method::Cancel, id, packet.message));
                if cancels.is_some() { "CANCEL found".into() } else { "CANCEL lost".into() }
            }
            Event::Ack { packet } => name(&packet.message),
            Event::Response { id, packet } => {
                assert_eq!(Some(id), self.client);
                name(&packet.message)
            }
            Event::Timeout { id } => {
                assert_eq!(Some(id), self.client);
                "Timeout".into()
            }
            Event::SendFailed { id } => {
                assert_eq!(Some(id), self.client);
                "SendFailed".into()
            }
            Event::AckMissing { id } => {
                assert!(self.server.iter().any(|(_, server, _)| *server == id));
                "AckMissing".into()
            }
        }
    }
}

/// `INVITE`, `180`, `200 BYE`.
fn name(message: &Message) -> String {
    match (message.is_request(), message.method()) {
        (true, _) => message.method_text().to_owned(),
        (false, Method::Invite) => message.status().to_string(),
        (false, method) => format!("{} {method}", message.status()),
    }
}
