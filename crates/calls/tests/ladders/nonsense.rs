use crate::world::{World, flow, usual};
use bytes::Bytes;
use calls::{Config, Event, Output, Users};
use engine::Rng;
use sip_message::{Edit, HeaderName, Message, Method};
use sip_transaction::{Packet, ServerTransactionId};
use std::time::Duration;

const SEEDS: u64 = 60;

/// Words of which messages are made; most of them belong to the one dialog, some to nothing.
const NAMES: &[&str] = &[
    "<sip:alice@x>;tag=a",
    "<sip:bob@x>;tag=b",
    "<sip:bob@x>;tag=c",
    "<sip:bob@x>",
    "<sip:alice@x>",
    "sip:;tag=a",
    "\"",
    "<>;tag=b",
    "*",
    "<sip:bob@x>;tag=a",
    "\u{fc} <tel:1>;tag=",
    ",,;tag=b",
];
const METHODS: &[&str] =
    &["INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "INFO", "REFER", "SUBSCRIBE", "NOTIFY", "OPTIONS", "ODD"];
const NUMBERS: &[&str] = &["1", "2", "0", "2147483647", "2147483648", "99999999999", "x", ""];
const FIELDS: &[&str] = &[
    "Contact: <sip:alice@10.0.0.1>",
    "Contact: *",
    "Contact: <sip:",
    "m: <sip:a@b>, <sip:c@d>",
    "Record-Route: <sip:p1;lr>, <sip:p2>",
    "Record-Route: ,",
    "Record-Route: <",
    "Session-Expires: 90",
    "x: 99999999999;refresher=uac",
    "Session-Expires: ;",
    "Reason: SIP;cause=200",
    "Expires: 1",
];

/// Whatever comes in whatever order: nothing panics, what begins ends, and nothing of it is held in the end.
#[test]
fn nonsense_does_no_harm() {
    for seed in 0..SEEDS {
        let mut rng = Rng::from_u64(seed);
        let mut world = World::new(Config { calls_max: 5, held_bytes_max: 4000, ..usual() });
        let (mut began, mut ended) = (0, 0);
        for _ in 0..400 {
            shake(&mut world, &mut rng);
            count(&mut world, &mut began, &mut ended);
        }
        assert_eq!(began - ended, world.calls.len(), "seed {seed}");
        world.now = world.now + Duration::from_secs(90_000);
        world.calls.handle_timeout(world.now);
        count(&mut world, &mut began, &mut ended);
        assert!(began > 0, "seed {seed}");
        assert_eq!((began, world.calls.len(), world.calls.poll_timeout()), (ended, 0, None), "seed {seed}");
        assert_eq!(["alice", "bob", "carol"].map(|user| world.calls.calls_of(user)), [0; 3], "seed {seed}");
        // All of the room is there again.
        let unwatched = world.calls.unwatched();
        world.run(&format!("alice INVITE contact=<sip:{}@x>\n-> started 0.{}", "a".repeat(3700), began + 1));
        assert_eq!(world.calls.unwatched(), unwatched, "seed {seed}");
    }
}

fn count(world: &mut World, began: &mut usize, ended: &mut usize) {
    while let Some(output) = world.calls.poll_output() {
        match output {
            Output::Event(Event::Started(_)) => *began += 1,
            Output::Event(Event::Ended { .. }) => *ended += 1,
            Output::Bye(bye) => drop(Message::parse(bye.with_via("SIP/2.0/UDP h;branch=z9hG4bK1"))),
            Output::GiveUp { .. } | Output::Uncharge(_) | Output::Event(Event::Answered(_)) => {}
        }
    }
}

fn shake(world: &mut World, rng: &mut Rng) {
    match rng.below(20) {
        0 => {
            world.now = world.now + Duration::from_secs(rng.below(100));
            return world.calls.handle_timeout(world.now);
        }
        1 => {
            let ids: Vec<_> = world.calls.list().map(|call| call.id()).collect();
            if let Some(id) = ids.get(rng.below(5) as usize) {
                assert!(world.calls.hang_up(world.now, *id, "SIP;cause=480\r\nX: y"));
            }
            return;
        }
        _ => {}
    }
    let request = rng.below(2) == 0;
    let bytes = message(rng, request);
    let Ok(message) = Message::parse(bytes) else { return };
    world.calls.handle_sent(world.now, &flow("alice"), message.bytes());
    let packet = Packet { flow: flow(pick(rng, &["alice", "bob"])), message };
    if !packet.message.is_request() {
        return world.calls.handle_response(world.now, &packet);
    }
    if packet.message.method() == Method::Invite {
        let id = transaction(world, rng, &packet);
        let users = [None, Some("alice"), Some("bob"), Some("carol")];
        let users = Users { caller: users[rng.below(4) as usize], callee: users[rng.below(4) as usize], known: true };
        return world.calls.handle_invite(world.now, id, &packet, users);
    }
    world.calls.handle_request(world.now, &packet);
}

/// Some transaction for an INVITE, whose own Via may have been seen before.
fn transaction(world: &mut World, rng: &mut Rng, packet: &Packet) -> ServerTransactionId {
    let via = format!("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{}", rng.token(12));
    let fresh = Edit::new(&packet.message).set(HeaderName::Via, via).finish();
    world.transaction(&Packet { flow: packet.flow, message: Message::parse(fresh).expect("well-formed") })
}

fn message(rng: &mut Rng, request: bool) -> Bytes {
    // A third of all messages are of the kind that makes calls.
    let method = if rng.below(3) == 0 { "INVITE" } else { pick(rng, METHODS) };
    let start = match request {
        true => format!("{method} sip:bob@x SIP/2.0"),
        false => format!("SIP/2.0 {} OK", pick(rng, &["100", "180", "183", "200", "202", "302", "407", "487", "603"])),
    };
    let likely = rng.below(2) == 0;
    let (from, to) = if likely { (NAMES[0], pick(rng, &NAMES[1..4])) } else { (pick(rng, NAMES), pick(rng, NAMES)) };
    let number = if likely { "1" } else { pick(rng, NUMBERS) };
    let mut text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\n",
        rng.below(3),
        rng.below(4),
    );
    for _ in 0..rng.below(4) {
        text += pick(rng, FIELDS);
        text += "\r\n";
    }
    Bytes::from(text + "\r\n")
}

fn pick<'a>(rng: &mut Rng, words: &[&'a str]) -> &'a str {
    words[rng.below(words.len() as u64) as usize]
}
