//! What one authenticated REGISTER costs the exchange's engine alone, without sockets:
//! `cargo run --release -p server --example registers [COUNT]`.
//!
//! Phones refresh their bindings as `ringback load --scenario register` has them do it: one nonce each, counted up, a new branch and CSeq.
//! For the number of instructions: `cargo build --profile profiling -p server --example registers`, then
//! `valgrind --tool=callgrind --toggle-collect='registers::serve' ../profiling/examples/registers 2000`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a measurement: it reads the clock, and fails by panicking

use bytes::Bytes;
use engine::{Now, Rng};
use server::{Answer, Ask, Config, Domains, Input, Keys, Output, Secrets, Server};
use sip_auth::{Credentials, NonceUse, answer};
use sip_message::{Message, Transport};
use sip_registrar::Location;
use sip_transaction::Flow;
use std::time::{Duration, Instant};

const RATE: u32 = 1000;
const USERS: u32 = 500;
const DOMAIN: &str = "127.0.0.1";
const URI: &str = "sip:127.0.0.1";

struct Phone {
    user: String,
    credentials: Credentials,
    nonce: NonceUse,
    secrets: Secrets,
    cseq: u32,
}

impl Phone {
    fn new(number: u32) -> Phone {
        let user = format!("u{number}");
        Phone {
            credentials: Credentials::new(user.clone(), "secret"),
            nonce: NonceUse::default(),
            secrets: Secrets::new(&user, "ringback", "secret"),
            cseq: 0,
            user,
        }
    }

    fn register(&mut self, authorization: Option<String>) -> Bytes {
        self.cseq += 1;
        let (user, cseq) = (&self.user, self.cseq);
        let authorization = authorization.map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
        Bytes::from(format!(
            "REGISTER {URI} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7002;rport;branch=z9hG4bK7f3a91c2-{user}-{cseq:x}\r\nMax-Forwards: 70\r\nFrom: <sip:{user}@{DOMAIN}>;tag=7f3a91c2-{user}\r\nTo: <sip:{user}@{DOMAIN}>\r\nCall-ID: 7f3a91c2-{user}@127.0.0.1\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:{user}-0@127.0.0.1:7002>;expires=120\r\nUser-Agent: ringback-load\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\nSupported: replaces\r\n{authorization}Content-Length: 0\r\n\r\n"
        ))
    }
}

/// Everything that an exchange does about one REGISTER, sockets and users' file left out.
#[inline(never)]
fn serve(
    server: &mut Server,
    location: &mut Location,
    now: Now,
    flow: Flow,
    bytes: Bytes,
    secrets: &Secrets,
) -> Option<Bytes> {
    server.handle_input(now, Input::Packet { flow, bytes });
    let mut sent = None;
    while let Some(output) = server.poll_output() {
        let answer = match output {
            Output::Send { bytes, .. } => {
                sent = Some(bytes);
                continue;
            }
            Output::Ask(Ask::Credentials { ticket, .. }) => {
                Answer::Credentials { ticket, secrets: Some(secrets.clone()), limits: None }
            }
            Output::Ask(Ask::Registrar(sip_registrar::Ask::Fetch { ticket, aor })) => {
                let snapshot = location.fetch(now, &aor);
                Answer::Registrar(sip_registrar::Answer::Fetched { ticket, snapshot })
            }
            Output::Ask(Ask::Registrar(sip_registrar::Ask::Commit { ticket, change })) => {
                let outcome = location.commit(change);
                Answer::Registrar(sip_registrar::Answer::Committed { ticket, outcome })
            }
            Output::Event(_) => continue,
            Output::Ask(ask) => panic!("{ask:?}"),
        };
        server.handle_input(now, Input::Answer(answer));
    }
    sent
}

fn main() {
    let count: u32 = std::env::args().nth(1).map_or(200_000, |text| text.parse().unwrap());
    let config = Config::new(Domains::new([DOMAIN], vec![5060]).unwrap(), Keys::from_secret([7; 32]));
    let start = Now::read_clocks();
    let mut rng = Rng::from_u64(1);
    let flow = Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.1:7002".parse().unwrap(),
        connection: None,
    };
    let mut location = Location::new(&mut rng);
    let mut server = Server::new(config, 0, rng.split());
    let mut phones: Vec<Phone> = (0..USERS).map(Phone::new).collect();
    let (mut spent, mut challenged) = (Duration::ZERO, 0);
    for n in 0..count {
        let now = start + Duration::from_secs(1) * n / RATE;
        let phone = &mut phones[(n % USERS) as usize];
        let signed = phone.nonce.sign(&phone.credentials, "REGISTER", URI, b"", &mut rng);
        let mut register = phone.register(signed.map(|(_, value)| value));
        loop {
            let begin = Instant::now();
            let sent = serve(&mut server, &mut location, now, flow, register, &phone.secrets);
            spent += begin.elapsed();
            let response = Message::parse(sent.unwrap()).unwrap();
            if response.status() == 200 {
                break;
            }
            assert_eq!(response.status(), 401);
            challenged += 1;
            let value = answer(&phone.credentials, &response, "REGISTER", URI, b"", &mut phone.nonce, &mut rng);
            register = phone.register(Some(value.unwrap().1));
        }
        if server.poll_timeout().is_some_and(|due| due <= now.mono) {
            let begin = Instant::now();
            server.handle_timeout(now);
            spent += begin.elapsed();
        }
    }
    println!(
        "{count} registrations, {challenged} challenges: {:.2} us each, {} records alive",
        spent.as_secs_f64() * 1e6 / f64::from(count),
        server.len()
    );
}
