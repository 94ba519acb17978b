//! Scenarios: one line a REGISTER, `Call-ID#CSeq Contact values | Field: value -> status what the answer says`.

mod extensions;
mod limits;
mod model;

use super::{Answer, Ask, Config, Output, Registrar};
use crate::{AddressOfRecord, Change, Location, Outcome};
use bytes::Bytes;
use engine::{Now, Rng};
use sip_message::{HeaderName, Message, Transport};
use sip_transaction::{ConnectionId, Flow};
use std::time::{Duration, SystemTime};

type Fields = Vec<(HeaderName, String)>;

struct World {
    registrar: Registrar,
    location: Location,
    now: Now,
}

impl World {
    fn new() -> World {
        let mut rng = Rng::from_u64(1);
        let registrar = Registrar::new(Config { max_expires_s: 7200, ..Config::default() }, rng.split());
        let now = Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000), ..Now::read_clocks() };
        World { registrar, location: Location::new(&mut rng), now }
    }

    /// Answers what the registrar asks until it has nothing more to say: the answers to the requests.
    fn settle(&mut self) -> Vec<(u64, u16, Fields)> {
        let mut replies = Vec::new();
        while let Some(output) = self.registrar.poll_output() {
            match output {
                Output::Reply { id, status, fields, .. } => replies.push((id, status, fields)),
                Output::Ask(ask) => {
                    let answer = self.answer(ask);
                    self.registrar.handle_answer(self.now, answer);
                }
            }
        }
        replies
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Fetch { ticket, aor } => Answer::Fetched { ticket, snapshot: self.location.fetch(self.now, &aor) },
            Ask::Commit { ticket, change } => Answer::Committed { ticket, outcome: self.location.commit(change) },
        }
    }

    fn register(&mut self, request: &Message) -> (u16, Fields) {
        self.registrar.handle_register(self.now, 7, aor(), request, flow());
        let mut replies = self.settle();
        assert_eq!(replies.len(), 1, "one answer to each request");
        let (id, status, fields) = replies.remove(0);
        assert_eq!(id, 7);
        assert!(self.registrar.pending.is_empty());
        (status, fields)
    }

    fn contacts(&self) -> Vec<String> {
        let bindings = self.location.fetch(self.now, &aor()).bindings;
        bindings.iter().map(|binding| super::contact_value(binding, self.now)).collect()
    }
}

fn aor() -> AddressOfRecord {
    AddressOfRecord::new("100", "pbx.example").unwrap()
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Tcp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "198.51.100.7:34567".parse().unwrap(),
        connection: Some(ConnectionId(42)),
    }
}

/// `a#1 <sip:x>, <sip:y> | Expires: 60`
fn request(line: &str) -> Message {
    let mut parts = line.split(" | ");
    let first = parts.next().unwrap();
    let (id, contacts) = first.split_once(' ').unwrap_or((first, ""));
    let (call_id, cseq) = id.split_once('#').unwrap();
    let contact = if contacts.is_empty() { String::new() } else { format!("Contact: {contacts}\r\n") };
    let fields: String = parts.map(|field| format!("{field}\r\n")).collect();
    let text = format!(
        "REGISTER sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:100@pbx.example>;tag=1\r\nTo: <sip:100@pbx.example>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n\
         {contact}{fields}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

/// Runs a scenario in a new world. `+5s` lets time pass.
fn check(scenario: &str) {
    let mut world = World::new();
    for line in scenario.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(seconds) = line.strip_prefix('+') {
            world.now = world.now + Duration::from_secs(seconds.trim_end_matches('s').parse().unwrap());
            continue;
        }
        let (sent, expected) = line.split_once("->").unwrap();
        let before = world.contacts();
        let (status, fields) = world.register(&request(sent.trim()));
        let said = fields.iter().filter(|(name, _)| *name != HeaderName::Date).map(|(name, value)| match name {
            HeaderName::Contact => value.clone(),
            other => format!("{other}: {value}"),
        });
        let answer = format!("{status} {}", said.collect::<Vec<_>>().join(", "));
        assert_eq!(answer.trim(), expected.trim(), "{line}");
        if status != 200 {
            assert_eq!(world.contacts(), before, "a refused request changed something: {line}");
        }
    }
}

#[test]
fn bindings_come_are_refreshed_and_go() {
    check(
        "
        a#1                                        -> 200
        a#2 <sip:100@1.1.1.1>                      -> 200 <sip:100@1.1.1.1>;expires=3600
        +100s
        a#3                                        -> 200 <sip:100@1.1.1.1>;expires=3500
        a#4 <sip:100@1.1.1.1>                      -> 200 <sip:100@1.1.1.1>;expires=3600
        b#1 <sip:100@2.2.2.2>;expires=60           -> 200 <sip:100@1.1.1.1>;expires=3600, <sip:100@2.2.2.2>;expires=60
        +59s
        b#2                                        -> 200 <sip:100@1.1.1.1>;expires=3541, <sip:100@2.2.2.2>;expires=1
        +1s
        b#3                                        -> 200 <sip:100@1.1.1.1>;expires=3540
        a#5 <sip:100@1.1.1.1>;expires=0            -> 200
        a#6 <sip:100@1.1.1.1>;expires=0            -> 200
        ",
    );
}

#[test]
fn a_phone_that_restarts_is_one_phone() {
    check(
        "
        a#1 <sip:1@h:5001>;+sip.instance=\"<urn:uuid:1>\" -> 200 <sip:1@h:5001>;+sip.instance=\"<urn:uuid:1>\";expires=3600
        b#1 <sip:1@h:5002>;+SIP.INSTANCE=\"<urn:uuid:1>\" -> 200 <sip:1@h:5002>;+SIP.INSTANCE=\"<urn:uuid:1>\";expires=3600
        b#2 <sip:1@h:5003>;+sip.instance=\"<urn:uuid:1>\" -> 200 <sip:1@h:5003>;+sip.instance=\"<urn:uuid:1>\";expires=3600
        b#2 <sip:1@h:5004>;+sip.instance=\"<urn:uuid:1>\" -> 500
        b#3 <sip:1@h:5003>;expires=0                      -> 200
        ",
    );
    // Other phones, other flows of one phone, and what a phone names at once, stand side by side.
    for (one, other) in [
        (";+sip.instance=\"<urn:uuid:1>\"", ";+sip.instance=\"<urn:uuid:2>\""),
        (";+sip.instance=\"<urn:uuid:1>\";reg-id=1", ";+sip.instance=\"<urn:uuid:1>\";reg-id=2"),
        ("", ""),
        (";+sip.instance", ";+sip.instance"),
    ] {
        let (a, b) = (format!("<sip:1@h>{one}"), format!("<sip:2@h>{other}"));
        check(&format!(
            "a#1 {a} -> 200 {a};expires=3600
             b#1 {b} -> 200 {a};expires=3600, {b};expires=3600"
        ));
    }
    let instance = "+sip.instance=\"<urn:uuid:1>\"";
    let both = format!("<sip:1@h>;{instance};expires=3600, <sip:1@h;transport=tcp>;{instance};expires=3600");
    let sent = both.replace(";expires=3600", "");
    check(&format!(
        "a#1 {sent} -> 200 {both}
         a#2 {sent} -> 200 {both}
         b#1 <sip:2@h>;{instance} -> 200 <sip:2@h>;{instance};expires=3600
         b#2 <sip:1@h>;{instance};expires=0 -> 200 <sip:2@h>;{instance};expires=3600"
    ));
}

#[test]
fn how_long_a_binding_lasts() {
    check(
        "
        a#1 <sip:1@h>;expires=100, <sip:2@h> | Expires: 200    -> 200 <sip:1@h>;expires=100, <sip:2@h>;expires=200
        a#2 <sip:1@h>;expires=x, <sip:2@h> | Expires: x        -> 200 <sip:1@h>;expires=3600, <sip:2@h>;expires=3600
        a#3 <sip:1@h>;expires=7201, <sip:2@h>;expires=99999999999 -> 200 <sip:1@h>;expires=7200, <sip:2@h>;expires=7200
        a#4 <sip:1@h>;expires=60                               -> 200 <sip:1@h>;expires=60, <sip:2@h>;expires=7200
        a#5 <sip:1@h>;expires=59                               -> 423 Min-Expires: 60
        a#5 <sip:1@h> | Expires: 1                             -> 423 Min-Expires: 60
        a#5 <sip:1@h>;expires=100, <sip:2@h>;expires=1         -> 423 Min-Expires: 60
        a#5 <sip:1@h>;expires=0, <sip:2@h>;expires=60          -> 200 <sip:2@h>;expires=60
        a#6 <sip:2@h> | Expires: 0                             -> 200
        a#7 <sip:3@h>                                          -> 200 <sip:3@h>;expires=3600
        ",
    );
}

#[test]
fn preferences_and_parameters_are_told_back() {
    check(
        "
        a#1 \"Ann\" <sip:1@h;transport=tcp>;q=0.5;+sip.instance=\"<urn:uuid:1>\";expires=60;audio -> 200 <sip:1@h;transport=tcp>;q=0.500;+sip.instance=\"<urn:uuid:1>\";audio;expires=60
        a#2 <sip:1@h;transport=tcp>;q=0                    -> 200 <sip:1@h;transport=tcp>;q=0.000;expires=3600
        a#3 sip:2@h;q=1.0                                  -> 200 <sip:1@h;transport=tcp>;q=0.000;expires=3600, <sip:2@h>;expires=3600
        a#4 <sip:2@h>;q=1.1                                -> 400
        a#4 <sip:2@h>;q=x                                  -> 400
        ",
    );
}

#[test]
fn the_star_removes_everything_and_only_with_expires_0() {
    check(
        "
        a#1 <sip:1@h>                       -> 200 <sip:1@h>;expires=3600
        b#5 <sip:2@h>                       -> 200 <sip:1@h>;expires=3600, <sip:2@h>;expires=3600
        c#1 *                               -> 400
        c#1 * | Expires: 60                 -> 400
        c#1 * | Expires: x                  -> 400
        c#1 *, <sip:1@h> | Expires: 0       -> 400
        c#1 <sip:1@h>, * | Expires: 0       -> 400
        b#5 * | Expires: 0                  -> 500
        b#4 * | Expires: 0                  -> 500
        b#6 * | Expires: 0                  -> 200
        b#6 * | Expires: 0                  -> 200
        ",
    );
    check(
        "
        a#1 <sip:1@h>                       -> 200 <sip:1@h>;expires=3600
        c#1 * | Expires: 0                  -> 200
        ",
    );
}

#[test]
fn a_late_request_of_the_same_phone_changes_nothing_at_all() {
    check(
        "
        a#10 <sip:1@h>                      -> 200 <sip:1@h>;expires=3600
        a#10 <sip:1@h>                      -> 500
        a#9 <sip:1@h>;expires=0             -> 500
        a#9 <sip:2@h>, <sip:1@h>            -> 500
        a#9 <sip:2@h>                       -> 200 <sip:1@h>;expires=3600, <sip:2@h>;expires=3600
        +10s
        b#1 <sip:1@h>                       -> 200 <sip:1@h>;expires=3600, <sip:2@h>;expires=3590
        a#2 <sip:1@h>;expires=0             -> 200 <sip:2@h>;expires=3590
        A#1 <sip:2@h>;expires=0             -> 200
        ",
    );
}

#[test]
fn contacts_are_compared_as_uris() {
    check(
        "
        a#1 <sip:%61nn@h.example:5060;transport=udp> -> 200 <sip:%61nn@h.example:5060;transport=udp>;expires=3600
        a#2 <sip:ann@H.Example:5060;transport=UDP>   -> 200 <sip:ann@H.Example:5060;transport=UDP>;expires=3600
        a#3 <sip:ann@h.example:5060>                 -> 200 <sip:ann@H.Example:5060;transport=UDP>;expires=3600, <sip:ann@h.example:5060>;expires=3600
        a#4 <sip:Ann@h.example:5060;transport=udp>;expires=0 -> 200 <sip:ann@H.Example:5060;transport=UDP>;expires=3600, <sip:ann@h.example:5060>;expires=3600
        a#5 <sip:ANN@h.example>, <sip:ann@h.example:5060;transport=udp>;expires=0 -> 200 <sip:ann@h.example:5060>;expires=3600, <sip:ANN@h.example>;expires=3600
        b#1 <tel:+1234>, <mailto:ann@h.example>      -> 200 <sip:ann@h.example:5060>;expires=3600, <sip:ANN@h.example>;expires=3600, <tel:+1234>;expires=3600, <mailto:ann@h.example>;expires=3600
        ",
    );
}

#[test]
fn one_contact_named_twice_is_what_it_was_named_last() {
    check(
        "
        a#1 <sip:1@h>;expires=60, <sip:1@H>;expires=90 -> 200 <sip:1@H>;expires=90
        a#2 <sip:1@h>;expires=60, <sip:1@h>;expires=0  -> 200
        a#3 <sip:1@h>;expires=0, <sip:1@h>;expires=60  -> 200 <sip:1@h>;expires=60
        ",
    );
}

#[test]
fn extensions_that_are_required() {
    check(
        "
        a#1 <sip:1@h> | Require: path                         -> 200 <sip:1@h>;expires=3600
        a#2 <sip:2@h> | Require: path, x | Require: y, GRUU, outbound -> 420 Unsupported: x, y
        a#3 <sip:1@h> | Path: <sip:p1;lr> | Path: <sip:p2;lr>,<sip:p3;lr> -> 200 <sip:1@h>;expires=3600, Path: <sip:p1;lr>, <sip:p2;lr>, <sip:p3;lr>
        a#4                                                   -> 200 <sip:1@h>;expires=3600
        ",
    );
}

#[test]
fn what_a_binding_remembers() {
    let mut world = World::new();
    let line = "a#3 <sip:1@h>;q=0.7 | User-Agent: phone\r\n  v2 | Path: <sip:p;lr>";
    let (status, fields) = world.register(&request(line));
    assert_eq!(status, 200);
    let date = fields.iter().find(|(name, _)| *name == HeaderName::Date).unwrap();
    assert_eq!(date.1, "Fri, 15 Jan 2027 08:00:00 GMT");
    let bindings = world.location.fetch(world.now, &aor()).bindings;
    let binding = &bindings[0];
    assert_eq!((binding.call_id(), binding.cseq(), binding.q()), ("a", 3, 700));
    assert_eq!((binding.user_agent(), binding.path(), binding.flow()), ("phone v2", "<sip:p;lr>", flow()));
    assert_eq!(binding.expires_at(), world.now.wall + Duration::from_secs(3600));
}

#[test]
fn what_changes_nothing_is_not_committed() {
    for line in ["a#2", "a#2 <sip:1@h>;expires=0", "a#2 * | Expires: 0"] {
        let mut world = World::new();
        world.registrar.handle_register(world.now, 1, aor(), &request(line), flow());
        let Some(Output::Ask(fetch)) = world.registrar.poll_output() else { panic!() };
        let answer = world.answer(fetch);
        world.registrar.handle_answer(world.now, answer);
        assert!(matches!(world.registrar.poll_output(), Some(Output::Reply { status: 200, .. })), "{line}");
    }
}

#[test]
fn an_hour_is_never_too_brief() {
    let mut world = World::new();
    world.registrar.config.min_expires_s = 5000;
    let (status, fields) = world.register(&request("a#1 <sip:1@h>;expires=3599"));
    assert_eq!((status, fields), (423, vec![(HeaderName::MinExpires, "3600".to_owned())]));
    assert_eq!(world.register(&request("a#2 <sip:1@h>;expires=3600")).0, 200);
    assert_eq!(world.contacts(), ["<sip:1@h>;expires=3600"]);
}

#[test]
fn what_others_changed_meanwhile_is_not_lost() {
    let mut world = World::new();
    let mut other = World::new();
    std::mem::swap(&mut world.location, &mut other.location);
    world.registrar.handle_register(world.now, 1, aor(), &request("a#1 <sip:1@h>"), flow());
    let Some(Output::Ask(fetch)) = world.registrar.poll_output() else { panic!() };
    let answer = other.answer(fetch);
    world.registrar.handle_answer(world.now, answer);
    assert_eq!(other.register(&request("b#1 <sip:2@h>")).0, 200, "another shard was quicker");
    std::mem::swap(&mut world.location, &mut other.location);
    let replies = world.settle();
    assert_eq!((replies.len(), replies[0].1), (1, 200));
    assert_eq!(world.contacts(), ["<sip:2@h>;expires=3600", "<sip:1@h>;expires=3600"]);
}

#[test]
fn nothing_is_promised_before_it_is_committed() {
    for (outcome, status) in [(Outcome::Failed, 503), (Outcome::Full, 503), (Outcome::Committed, 200)] {
        let mut world = World::new();
        world.registrar.handle_register(world.now, 1, aor(), &request("a#1 <sip:1@h>"), flow());
        let Some(Output::Ask(fetch)) = world.registrar.poll_output() else { panic!() };
        let answer = world.answer(fetch);
        world.registrar.handle_answer(world.now, answer);
        let Some(Output::Ask(Ask::Commit { ticket, change: Change { bindings, .. } })) = world.registrar.poll_output()
        else {
            panic!()
        };
        assert_eq!(bindings.len(), 1);
        assert!(world.registrar.poll_output().is_none(), "no answer yet");
        for wrong in [ticket - 1, ticket + 1] {
            world.registrar.handle_answer(world.now, Answer::Committed { ticket: wrong, outcome: Outcome::Committed });
        }
        let snapshot = world.location.fetch(world.now, &aor());
        world.registrar.handle_answer(world.now, Answer::Fetched { ticket, snapshot });
        assert!(world.registrar.poll_output().is_none(), "answers to other questions");
        world.registrar.handle_answer(world.now, Answer::Committed { ticket, outcome });
        let Some(Output::Reply { id: 1, status: answered, .. }) = world.registrar.poll_output() else { panic!() };
        assert_eq!(answered, status);
        world.registrar.handle_answer(world.now, Answer::Committed { ticket, outcome });
        assert!(world.registrar.poll_output().is_none() && world.registrar.pending.is_empty());
    }
}
