//! A server on a bench: packets in by hand, outputs out by hand.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use bytes::Bytes;
use engine::{Now, Rng};
use server::{Answer, Ask, Config, Domains, Event, Input, Keys, Output, Server};
use sip_message::{Message, Transport};
use sip_registrar::Snapshot;
use sip_transaction::Flow;
use std::collections::VecDeque;

pub fn keys() -> Keys {
    Keys::from_secret([7; 32])
}

pub fn server(shard: u16, auth_required: bool) -> Server {
    let domains = Domains::new(["example.org"], vec![5060]).unwrap();
    let config = Config { auth_required, realm: "example.org".to_owned(), ..Config::new(domains, keys()) };
    Server::new(config, shard, Rng::from_u64(1 + u64::from(shard)))
}

/// From somebody out there.
pub fn flow() -> Flow {
    let (local, remote) = (([10, 0, 0, 1], 5060).into(), ([203, 0, 113, 199], 50_600).into());
    Flow { transport: Transport::Udp, local, remote, connection: None }
}

/// A request as short as it can be.
pub fn request(method: &str, uri: &str, from: &str, call_id: &str, more: &str) -> Bytes {
    let text = format!(
        "{method} {uri} SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK{call_id};rport\r\nf: <{from}>;tag=a\r\nt: <{uri}>\r\ni: {call_id}\r\nCSeq: 1 {method}\r\n{more}\r\n"
    );
    Bytes::from(text)
}

/// What comes out for one packet, besides events.
pub fn outputs(server: &mut Server, now: Now, bytes: &Bytes) -> Vec<Output> {
    outputs_from(server, now, flow(), bytes).0
}

/// The same for one that comes over this flow, and the events.
pub fn outputs_from(server: &mut Server, now: Now, flow: Flow, bytes: &Bytes) -> (Vec<Output>, Vec<Event>) {
    server.handle_input(now, Input::Packet { flow, bytes: bytes.clone() });
    drain(server)
}

/// What comes out, and what is told.
pub fn drain(server: &mut Server) -> (Vec<Output>, Vec<Event>) {
    let (mut outputs, mut events) = (Vec::new(), Vec::new());
    while let Some(output) = server.poll_output() {
        match output {
            Output::Event(event) => events.push(event),
            output => outputs.push(output),
        }
    }
    (outputs, events)
}

/// The same, where nobody has registered.
pub fn outputs_with_nobody_there(server: &mut Server, now: Now, bytes: &Bytes) -> Vec<Output> {
    let mut left = VecDeque::from(outputs(server, now, bytes));
    let mut outputs = Vec::new();
    while let Some(output) = left.pop_front() {
        match output {
            Output::Ask(Ask::Bindings { ticket, .. }) => {
                let snapshot = Snapshot { bindings: [].into(), version: 0 };
                server.handle_input(now, Input::Answer(Answer::Bindings { ticket, snapshot, account: None }));
                left.extend(drain(server).0);
            }
            output => outputs.push(output),
        }
    }
    outputs
}

/// The messages in it, when it is answers to the sender and nothing else.
pub fn answers(outputs: Vec<Output>) -> Vec<Message> {
    let messages = outputs.into_iter().map(|output| match output {
        Output::Send { bytes, flow: to, .. } => {
            assert_eq!(to.remote, flow().remote, "an answer, nothing forwarded");
            Message::parse(bytes).unwrap()
        }
        other => panic!("nothing else is wanted: {other:?}"),
    });
    messages.collect()
}
