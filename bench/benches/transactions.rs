//! The transaction layer under a proxy of the simplest kind: what one call costs in it, parsing and writing included.
//!
//! INVITE, 200, ACK, BYE and 200 pass through; time goes by at 1,000 calls a second, so that the records of finished
//! transactions (timers J, K, L and M) are there and are taken down again as in a busy server.

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::{Mac, Now, Rng};
use ringback_bench::INVITE;
use sip_message::{Builder, Edit, HeaderName, Message, Transport};
use sip_transaction::{Config, Event, Flow, Output, Packet, TransactionLayer};
use std::hint::black_box;
use std::time::Duration;

struct Proxy {
    layer: TransactionLayer,
    now: Now,
    from_caller: Flow,
    from_callee: Flow,
    calls: u64,
}

impl Proxy {
    fn new() -> Proxy {
        let mut rng = Rng::from_u64(7);
        let flow = |remote: &str| Flow {
            transport: Transport::Udp,
            local: "192.0.2.9:5060".parse().expect("an address"),
            remote: remote.parse().expect("an address"),
            connection: None,
        };
        Proxy {
            layer: TransactionLayer::new(Config::new(0, Mac::new(&mut rng)), rng),
            now: Now::read_clocks(),
            from_caller: flow("192.0.2.1:5060"),
            from_callee: flow("192.0.2.4:5060"),
            calls: 0,
        }
    }

    /// A request of the caller's through the layer and back to it comes its 200.
    fn pass(&mut self, request: Bytes, answered: bool) {
        let request = Message::parse(request).expect("a message");
        self.layer.handle_packet(self.now, Packet { flow: self.from_caller, message: request });
        let (mut server, mut forwarded) = (None, None);
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Event(Event::Request { id, packet }) => {
                    server = Some(id);
                    let branch = self.layer.mint_branch();
                    let bytes = forward(&packet.message, branch.as_str());
                    let method = packet.message.method();
                    self.layer.send_request(self.now, &branch, self.from_callee, method, bytes);
                }
                Output::Event(Event::Ack { packet }) => {
                    let branch = self.layer.mint_branch();
                    let bytes = forward(&packet.message, branch.as_str());
                    self.layer.send(self.from_callee, bytes);
                }
                Output::Send { bytes, .. } => forwarded = Some(bytes),
                other => panic!("unexpected {other:?}"),
            }
        }
        let forwarded = Message::parse(forwarded.expect("a forwarded request")).expect("a message");
        let (Some(server), true) = (server, answered) else { return };
        let ok = Builder::reply(&forwarded, 200, self.from_callee.local).to_tag("callee").finish();
        let message = Message::parse(ok).expect("a message");
        self.layer.handle_packet(self.now, Packet { flow: self.from_callee, message });
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Event(Event::Response { packet, .. }) => {
                    let bytes = Edit::new(&packet.message).remove_first_values(HeaderName::Via, 1).finish();
                    self.layer.respond(self.now, server, 200, bytes);
                }
                sent => drop(black_box(sent)),
            }
        }
    }

    fn call(&mut self) {
        self.calls += 1;
        self.pass(request("INVITE", b'i', self.calls), true);
        self.pass(request("ACK", b'a', self.calls), false);
        self.pass(request("BYE", b'b', self.calls), true);
        self.now = self.now + Duration::from_millis(1);
        self.layer.handle_timeout(self.now);
        while let Some(output) = self.layer.poll_output() {
            black_box(output);
        }
    }
}

fn forward(request: &Message, branch: &str) -> Bytes {
    Edit::new(request)
        .request_uri("sip:bob@192.0.2.4:5060")
        .prepend(HeaderName::Via, format_args!("SIP/2.0/UDP 192.0.2.9:5060;branch={branch}"))
        .set(HeaderName::MaxForwards, 68)
        .finish()
}

/// The INVITE with another method and a branch and Call-ID of its own, at the same length but for the method's.
fn request(method: &str, letter: u8, call: u64) -> Bytes {
    let text = std::str::from_utf8(INVITE).expect("text");
    let tag = format!("{}{call:012x}", letter as char);
    let own = text.replacen("77ef4c2312983", &tag, 1).replacen("a84b4c76e6671", &format!("c{call:012x}"), 1);
    Bytes::from(own.replacen("INVITE sip", &format!("{method} sip"), 1).replacen(
        "314159 INVITE",
        &format!("314159 {method}"),
        1,
    ))
}

fn transactions(c: &mut Criterion) {
    let mut proxy = Proxy::new();
    // As many records as a server holds after half a minute at this rate.
    (0..33_000).for_each(|_| proxy.call());
    c.bench_function("a call through the transaction layer", |b| b.iter(|| proxy.call()));
    let requests = || ["INVITE", "ACK", "BYE"].map(|method| request(method, b'x', black_box(7)));
    c.bench_function("of which making up its three requests", |b| b.iter(requests));
}

criterion_group!(benches, transactions);
criterion_main!(benches);
