//! What strangers find out, and what they can put into our mouth: nothing.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod bench;

use bench::{drain, flow, request};
use bytes::Bytes;
use engine::{Now, Rng};
use server::{Account, Answer, Ask, Config, Domains, Input, Output, Secrets, Server};
use sip_auth::{Credentials, NonceUse};
use sip_message::{HeaderName, Message, Method};
use sip_registrar::{Location, Snapshot};
use std::fmt::Write;

const REALM: &str = "example.org";

/// An exchange with one user, `bob`, who is not there.
struct World {
    server: Server,
    location: Location,
    now: Now,
    secrets: Secrets,
    asked: usize,
}

impl World {
    fn new() -> World {
        let domains = Domains::new([REALM], vec![5060]).unwrap();
        let config = Config { realm: REALM.to_owned(), ..Config::new(domains, bench::keys()) };
        World {
            server: Server::new(config, 0, Rng::from_u64(7)),
            location: Location::new(&mut Rng::from_u64(8)),
            now: Now::read_clocks(),
            secrets: Secrets::new("bob", REALM, "secret"),
            asked: 0,
        }
    }

    /// What is sent for one message.
    fn send(&mut self, bytes: Bytes) -> Vec<Bytes> {
        self.server.handle_input(self.now, Input::Packet { flow: flow(), bytes });
        let mut sent = Vec::new();
        loop {
            let (outputs, _) = drain(&mut self.server);
            if outputs.is_empty() {
                return sent;
            }
            for output in outputs {
                match output {
                    Output::Send { bytes, .. } => sent.push(bytes),
                    Output::Ask(ask) => {
                        self.asked += 1;
                        let answer = self.answer(ask);
                        self.server.handle_input(self.now, Input::Answer(answer));
                    }
                    Output::Event(_) => {}
                }
            }
        }
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Credentials { ticket, user } => {
                let secrets = (user == "bob").then(|| self.secrets.clone());
                Answer::Credentials { ticket, secrets, limits: None }
            }
            Ask::Bindings { ticket, aor } => {
                let account = (aor.user() == "bob").then(Account::default);
                Answer::Bindings { ticket, snapshot: self.location.fetch(self.now, &aor), account }
            }
            Ask::Registrar(sip_registrar::Ask::Fetch { ticket, aor }) => {
                let snapshot: Snapshot = self.location.fetch(self.now, &aor);
                Answer::Registrar(sip_registrar::Answer::Fetched { ticket, snapshot })
            }
            Ask::Registrar(sip_registrar::Ask::Commit { ticket, change }) => {
                let outcome = self.location.commit(change);
                Answer::Registrar(sip_registrar::Answer::Committed { ticket, outcome })
            }
            Ask::Resolve { ticket, .. } => Answer::Resolved { ticket, flows: Vec::new() },
        }
    }

    /// The one answer to a message.
    fn reply(&mut self, bytes: Bytes) -> Message {
        let sent = self.send(bytes);
        let [only] = &sent[..] else { panic!("{sent:?}") };
        Message::parse(only.clone()).unwrap()
    }

    /// Credentials for a REGISTER of `user` to the exchange.
    fn credentials(&mut self, user: &str, password: &str, uri: &str) -> String {
        let probe = request("REGISTER", uri, &format!("sip:{user}@{REALM}"), "probe", "");
        let challenge = self.reply(probe);
        let (who, mut uses) = (Credentials::new(user, password), NonceUse::default());
        let value = sip_auth::answer(&who, &challenge, "REGISTER", uri, b"", &mut uses, &mut Rng::from_u64(9));
        format!("Authorization: {}\r\n", value.unwrap().1)
    }

    /// Has bob register this Contact; the status.
    fn register(&mut self, contact: &str) -> u16 {
        let more = self.credentials("bob", "secret", "sip:example.org");
        let more = format!("{more}Contact: {contact}\r\n");
        let register = register("bob", "r", &more);
        self.reply(register).status()
    }
}

fn register(user: &str, call_id: &str, more: &str) -> Bytes {
    let text = format!(
        "REGISTER sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{call_id};rport\r\nFrom: <sip:{user}@{REALM}>;tag=a\r\nTo: <sip:{user}@{REALM}>\r\nCall-ID: {call_id}\r\nCSeq: 2 REGISTER\r\n{more}\r\n"
    );
    Bytes::from(text)
}

/// With the same chance in both worlds, not a byte tells a user who does not exist (and has a name as long) from one who is not there,
/// nor does what it takes.
#[test]
fn who_has_proved_nothing_cannot_tell_users_who_exist_from_others_by_a_single_byte() {
    let (mut there, mut nowhere) = (World::new(), World::new());
    nowhere.now = there.now;
    for (number, method) in
        ["REGISTER", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "INFO"].iter().enumerate()
    {
        for from in ["sip:x@elsewhere.test", "sip:zoe@example.org", "sip:anonymous@anonymous.invalid"] {
            let ask = |world: &mut World, user: &str| {
                let (uri, call_id) = (format!("sip:{user}@{REALM}"), format!("{number}{}", from.len()));
                let sent = world.send(request(method, &uri, from, &call_id, ""));
                let texts: Vec<String> =
                    sent.iter().map(|bytes| String::from_utf8_lossy(bytes).replace(user, "USER")).collect();
                (texts, world.asked)
            };
            // Whatever the From is called, it is the same in both.
            assert_eq!(ask(&mut there, "bob"), ask(&mut nowhere, "eve"), "{method} {from}");
        }
    }
}

#[test]
fn a_register_of_nobody_is_refused_as_one_with_a_wrong_password_is_byte_for_byte() {
    let (mut there, mut nowhere) = (World::new(), World::new());
    nowhere.now = there.now;
    let refused = |world: &mut World, user: &str| {
        let uri = format!("sip:{REALM}");
        let before = world.asked;
        let more = world.credentials(user, "wrong", &uri);
        let answer = world.reply(register(user, "r", &more));
        assert_eq!(answer.status(), 403);
        (String::from_utf8_lossy(answer.bytes()).replace(user, "USER"), world.asked - before)
    };
    assert_eq!(refused(&mut there, "bob"), refused(&mut nowhere, "eve"));
}

/// RFC 7616 section 5.4: what was proved once is no proof again, be it for the same thing.
#[test]
fn credentials_that_somebody_has_overheard_open_nothing() {
    let mut world = World::new();
    let more = world.credentials("bob", "secret", "sip:example.org");
    let contact = "Contact: <sip:bob@192.0.2.1>\r\n";
    assert_eq!(world.reply(register("bob", "r", &format!("{more}{contact}"))).status(), 200);
    for (call_id, contact) in [("again", contact), ("thief", "Contact: <sip:thief@203.0.113.66>\r\n")] {
        let answer = world.reply(register("bob", call_id, &format!("{more}{contact}")));
        let challenge = answer.header(HeaderName::WwwAuthenticate).unwrap_or("");
        assert!(answer.status() == 401 && challenge.contains("stale=true"), "{answer:?}");
    }
    let aor = server::AddressOfRecord::new("bob", REALM).unwrap();
    assert_eq!(world.location.fetch(world.now, &aor).bindings.len(), 1);
}

#[test]
fn malformed_credentials_are_refused_and_nothing_is_kept() {
    let mut long = String::from("Digest ");
    for n in 0..500 {
        let _ = write!(long, "x{n}=\"{}\", ", "y".repeat(20)); // writing to a String cannot fail
    }
    let broken = [
        "Digest",
        "Digest ,,,,",
        "Digest username",
        "Digest username=\"bob",
        "Digest realm=\"example.org\", username=\"bob\", nonce=\"\0\"",
        "Digest realm=\"example.org\", username=\"b\\\"ob\", nonce=\"x\", uri=\"sip:x\", response=\"1\"",
        "Digest realm=\"example.org\", realm=\"example.org\", username=\"bob\"",
        "Basic Ym9iOnNlY3JldA==",
        "\"",
        "=,=,=",
        &long,
    ];
    let mut world = World::new();
    for (number, value) in broken.iter().enumerate() {
        let bytes = register("bob", &format!("m{number}"), &format!("Authorization: {value}\r\n"));
        let sent = world.send(bytes);
        for answer in &sent {
            let status = Message::parse(answer.clone()).unwrap().status();
            assert!(matches!(status, 400 | 401), "{status} for {value}");
        }
        assert!(sent.len() <= 1 && world.server.is_empty(), "{value}");
    }
}

/// Whatever a phone registers, what goes to it later is one message with the fields that we have put there, to where it has registered from.
#[test]
fn a_contact_with_a_hostile_host_puts_nothing_into_requests() {
    let long = format!("<sip:bob@{}.test>", "a".repeat(10_000));
    for contact in [
        "<sip:bob@192.0.2.1%0d%0aX-Evil:%201>",
        "<sip:bob%0d%0aX-Evil:%201@192.0.2.1>",
        "<sip:bob@192.0.2.1;x=%0d%0aX-Evil:%201>",
        "<sip:bob@192.0.2.1?X-Evil=1&Route=%3Csip:203.0.113.66%3E>",
        "<sip:bob@192.0.2.1;method=BYE>",
        "<sip:bob@192.0.2.1%00.evil.test>",
        "<sip:bob@192.0.2.1\r\n X-Evil: 1>",
        "<javascript:alert(1)>",
        "<http://192.0.2.1/>",
        "<sip:bob@example.org>",
        "<sip:bob@10.0.0.1:5060>",
        "<sip:bob@127.0.0.1>",
        "<sip:bob@[::1]:5060>",
        "\"\\\"><sip:evil@x>\" <sip:bob@192.0.2.1>",
        &long,
    ] {
        let mut world = World::new();
        let status = world.register(contact);
        assert!(matches!(status, 200 | 400 | 403 | 413), "{status} for {contact:.60}");
        let invite = request("INVITE", "sip:bob@example.org", "sip:x@elsewhere.test", "call", "");
        for bytes in world.send(invite) {
            let message = Message::parse(bytes.clone()).unwrap_or_else(|_| panic!("{bytes:?}"));
            assert!(message.all_fields().all(|field| !field.name_text.eq_ignore_ascii_case("X-Evil")), "{bytes:?}");
            assert_eq!(message.header(HeaderName::Route), None, "{bytes:?}");
            assert!(!message.is_request() || message.method() == Method::Invite, "{bytes:?}");
            assert!(message.request_uri().bytes().all(|byte| byte > b' ' && byte != b'>'), "{bytes:?}");
        }
    }
}

/// What stands in a display name goes on as it came, or not at all; it never becomes a field of its own.
#[test]
fn display_names_put_nothing_into_requests() {
    for name in [
        "\"a\\\"\\\r\\\nX-Evil: 1\"",
        "\"a\r\n X-Evil: 1\"",
        "\"a\rX-Evil: 1\"",
        "\"a\nX-Evil: 1\"",
        "\"<sip:evil@x>\"",
        "\"unclosed",
        "a\tb",
        "\"\\\"; tag=evil\"",
    ] {
        let mut world = World::new();
        assert_eq!(world.register("<sip:bob@192.0.2.1>"), 200);
        let text = format!(
            "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKd;rport\r\nFrom: {name} <sip:x@elsewhere.test>;tag=a\r\nTo: {name} <sip:bob@example.org>\r\nCall-ID: d\r\nCSeq: 1 INVITE\r\nContact: {name} <sip:x@elsewhere.test>\r\n\r\n"
        );
        for bytes in world.send(Bytes::from(text)) {
            let message = Message::parse(bytes.clone()).unwrap_or_else(|_| panic!("{bytes:?}"));
            assert!(message.all_fields().all(|field| !field.name_text.eq_ignore_ascii_case("X-Evil")), "{bytes:?}");
            if message.is_request() {
                assert_eq!((message.from_tag(), message.to_tag()), (Some("a"), None), "{bytes:?}");
            }
        }
    }
}
