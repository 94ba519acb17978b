//! What one call costs the exchange's engine alone, without sockets: `cargo run --release -p server --example calls_per_second [COUNT]`.
//!
//! Calls of a stranger to a registered user at 9,000 a second of virtual time, so that the transactions that absorb
//! retransmissions are there in their hundreds of thousands.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a measurement: it reads the clock, and fails by panicking

use bytes::Bytes;
use engine::{Now, Rng};
use server::{Answer, Ask, Config, Domains, Input, Keys, Output, Server};
use sip_message::{HeaderName, Message, Transport};
use sip_registrar::{Location, Parts};
use sip_transaction::Flow;
use std::time::{Duration, Instant};

const RATE: u32 = 9000;

struct World {
    server: Server,
    location: Location,
    spent: Duration,
    messages: u64,
}

impl World {
    #[inline(never)]
    fn feed(&mut self, now: Now, flow: Flow, text: String) -> Vec<Bytes> {
        let bytes = Bytes::from(text);
        let begin = Instant::now();
        self.server.handle_input(now, Input::Packet { flow, bytes });
        let mut sent = Vec::new();
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Send { bytes, .. } => sent.push(bytes),
                Output::Ask(Ask::Bindings { ticket, aor }) => {
                    let snapshot = self.location.fetch(now, &aor);
                    self.server.handle_input(now, Input::Answer(Answer::Bindings { ticket, snapshot, account: None }));
                }
                Output::Event(_) => {}
                Output::Ask(ask) => panic!("{ask:?}"),
            }
        }
        self.spent += begin.elapsed();
        self.messages += 1 + sent.len() as u64;
        sent
    }
}

fn main() {
    let count: u32 = std::env::args().nth(1).map_or(RATE * 45, |text| text.parse().unwrap());
    let config = Config::new(Domains::new(["127.0.0.1"], vec![5060]).unwrap(), Keys::from_secret([7; 32]));
    let start = Now::read_clocks();
    let mut rng = Rng::from_u64(1);
    let flow = |port: u16| Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: ([127, 0, 0, 1], port).into(),
        connection: None,
    };
    let (caller, callee) = (flow(7001), flow(7002));
    let mut location = Location::new(&mut rng);
    let binding = sip_registrar::Binding::new(Parts {
        contact: "sip:bob@127.0.0.1:7002",
        params: "",
        call_id: "r",
        user_agent: "",
        path: "",
        q: 1000,
        cseq: 1,
        expires_at_s: start.unix_s() as u32 + 86_000,
        flow: callee,
    })
    .unwrap();
    let aor = server::AddressOfRecord::new("bob", "127.0.0.1").unwrap();
    let version = location.fetch(start, &aor).version;
    location.commit(sip_registrar::Change { aor, version, bindings: vec![binding].into() });
    let mut world = World { server: Server::new(config, 0, rng), location, spent: Duration::ZERO, messages: 0 };
    let mut timers = Duration::ZERO;
    let sdp = "v=0\r\no=load 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
    for n in 0..count {
        let now = start + Duration::from_secs(1) * n / RATE;
        let from = format!("\"Load\" <sip:load@load.invalid>;tag=f{n}");
        let id = format!("{n}-call@load.invalid");
        let invite = format!(
            "INVITE sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7001;branch=z9hG4bKi{n};rport\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\nContact: <sip:load@127.0.0.1:7001>\r\nAllow: INVITE, ACK, BYE, CANCEL\r\nUser-Agent: load\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        let sent = world.feed(now, caller, invite);
        let invite = Message::parse(sent[0].clone()).unwrap();
        let reply = |request: &Message, status: &str, body: &str| {
            let mut text = format!("SIP/2.0 {status}\r\n");
            for field in request.all_fields() {
                match field.name {
                    HeaderName::Via
                    | HeaderName::RecordRoute
                    | HeaderName::From
                    | HeaderName::CallId
                    | HeaderName::CSeq => {
                        text += &format!("{}: {}\r\n", field.name_text, field.value);
                    }
                    HeaderName::To => text += &format!("To: <sip:bob@127.0.0.1>;tag=t{n}\r\n"),
                    _ => {}
                }
            }
            text + &format!("Contact: <sip:bob@127.0.0.1:7002>\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        world.feed(now, callee, reply(&invite, "180 Ringing", ""));
        world.feed(now, callee, reply(&invite, "200 OK", sdp));
        let route = invite.header(HeaderName::RecordRoute).unwrap().to_owned();
        let next = |method: &str, cseq: u32| {
            format!(
                "{method} sip:bob@127.0.0.1:7002 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7001;branch=z9hG4bK{method}{n};rport\r\nMax-Forwards: 70\r\nRoute: {route}\r\nFrom: {from}\r\nTo: <sip:bob@127.0.0.1>;tag=t{n}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        assert_eq!(world.feed(now, caller, next("ACK", 1)).len(), 1);
        let sent = world.feed(now, caller, next("BYE", 2));
        let bye = Message::parse(sent[0].clone()).unwrap();
        assert_eq!(world.feed(now, callee, reply(&bye, "200 OK", "")).len(), 1);
        if world.server.poll_timeout().is_some_and(|due| due <= now.mono) {
            let begin = Instant::now();
            world.server.handle_timeout(now);
            while world.server.poll_output().is_some() {}
            timers += begin.elapsed();
        }
    }
    let per = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(count);
    println!(
        "{count} calls, {} messages: {:.2} us a call ({:.2} of it timers), {} records alive",
        world.messages,
        per(world.spent + timers),
        per(timers),
        world.server.len()
    );
}
