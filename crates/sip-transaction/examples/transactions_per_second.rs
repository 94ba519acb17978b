//! What a proxied call costs the transaction layer: `cargo run --release -p sip-transaction --example transactions_per_second`.
//!
//! Each call is the layer's share of a proxy's work: an INVITE server and client transaction answered 100, 180 and 200,
//! the ACK, a BYE server and client transaction answered 200; 9,000 calls a second in virtual time, measured once as many
//! transactions end as begin: those of the last 32 s are alive. Printed: nanoseconds per call and per transaction, and what is alive at the end.

#![allow(clippy::disallowed_methods)] // it measures

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_message::{Message, Method, Transport};
use sip_transaction::{Config, Event, Flow, Output, Packet, ServerTransactionId, TransactionLayer};
use std::time::{Duration, Instant};

const CALLS_PER_MS: u64 = 9;
const SECONDS: u64 = 45;
/// From here on as many transactions end as begin.
const STEADY_FROM_S: u64 = 35;

fn request(method: &str, branch: &str) -> String {
    format!(
        "{method} sip:bob@192.0.2.9:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\nMax-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@example.com>;tag=1928301774\r\nTo: <sip:bob@example.com>\r\n\
         Call-ID: {branch}@192.0.2.1\r\nCSeq: 1 {method}\r\nContact: <sip:alice@192.0.2.1:5060>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn response(status: u16, method: &str, branch: &str) -> Bytes {
    Bytes::from(format!(
        "SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\n\
         From: \"Alice\" <sip:alice@example.com>;tag=1928301774\r\nTo: <sip:bob@example.com>;tag=x\r\n\
         Call-ID: call@192.0.2.1\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ))
}

struct Bench {
    layer: TransactionLayer,
    flow: Flow,
    spent: Duration,
    sent: u64,
}

impl Bench {
    /// Counts only what the layer does, not the making and parsing of messages.
    fn timed<T>(&mut self, work: impl FnOnce(&mut TransactionLayer) -> T) -> T {
        let begin = Instant::now();
        let done = work(&mut self.layer);
        self.spent += begin.elapsed();
        done
    }

    fn receive(&mut self, now: Now, bytes: Bytes) {
        let message = Message::parse(bytes).expect("well-formed");
        let packet = Packet { flow: self.flow, message };
        self.timed(|layer| layer.handle_packet(now, packet));
    }

    fn drain(&mut self) -> Option<ServerTransactionId> {
        let (sent, id) = self.timed(|layer| {
            let (mut sent, mut found) = (0, None);
            while let Some(output) = layer.poll_output() {
                match output {
                    Output::Send { .. } => sent += 1,
                    Output::Event(Event::Request { id, .. }) => found = Some(id),
                    Output::Event(_) => {}
                }
            }
            (sent, found)
        });
        self.sent += sent;
        id
    }

    /// A request comes in, is sent on, and each answer goes back.
    fn pass_on(&mut self, now: Now, method: Method, serial: u64, statuses: &[u16]) {
        let name = method.as_str();
        let incoming = format!("z9hG4bK{serial:x}{name}");
        self.receive(now, Bytes::from(request(name, &incoming)));
        let id = self.drain().expect("a new request");
        if method == Method::Invite {
            let trying = response(100, name, &incoming);
            self.timed(|layer| layer.respond(now, id, 100, trying));
        }
        let branch = self.timed(TransactionLayer::mint_branch);
        let (flow, bytes) = (self.flow, Bytes::from(request(name, branch.as_str())));
        self.timed(|layer| layer.send_request(now, &branch, flow, method, bytes));
        for status in statuses {
            self.receive(now, response(*status, name, branch.as_str()));
            let back = response(*status, name, &incoming);
            self.timed(|layer| layer.respond(now, id, *status, back));
        }
        self.drain();
    }
}

fn main() {
    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.9:5060".parse().expect("an address"),
        remote: "192.0.2.1:5060".parse().expect("an address"),
        connection: None,
    };
    let layer = TransactionLayer::new(Config::new(0, Mac::from_key([1; 16])), Rng::from_u64(1));
    let mut bench = Bench { layer, flow, spent: Duration::ZERO, sent: 0 };
    let start = Now::read_clocks();
    let (mut calls, mut calls_before) = (0, 0);
    let (mut timeouts, mut longest) = (Duration::ZERO, Duration::ZERO);
    for ms in 0..SECONDS * 1000 {
        if ms == STEADY_FROM_S * 1000 {
            (bench.spent, bench.sent, calls_before) = (Duration::ZERO, 0, calls);
            (timeouts, longest) = (Duration::ZERO, Duration::ZERO);
        }
        let now = start + Duration::from_millis(ms);
        let before = bench.spent;
        bench.timed(|layer| {
            if layer.poll_timeout().is_some_and(|due| due <= now.mono) {
                layer.handle_timeout(now);
            }
        });
        timeouts += bench.spent - before;
        for _ in 0..CALLS_PER_MS {
            calls += 1;
            let before = bench.spent;
            bench.pass_on(now, Method::Invite, calls, &[100, 180, 200]);
            bench.receive(now, Bytes::from(request("ACK", &format!("z9hG4bK{calls:x}ack"))));
            bench.pass_on(now, Method::Bye, calls, &[200]);
            longest = longest.max(bench.spent - before);
        }
    }
    let calls = calls - calls_before;
    let per_call = bench.spent.as_nanos() as u64 / calls;
    println!(
        "{calls} calls, {} datagrams out, {} transactions alive\n{per_call} ns per call, {} per transaction; timers {} ns per call; longest call {longest:?}",
        bench.sent,
        bench.layer.len(),
        per_call / 4,
        timeouts.as_nanos() as u64 / calls,
    );
}
