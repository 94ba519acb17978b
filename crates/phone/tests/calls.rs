//! Two phones call each other directly, and hear each other.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use media::Source;
use phone::{AccountId, Answer, Answering, Ask, CallId, Command, Dial, Event, Input, MediaSocket, Output};
use sip_message::Transport;
use sip_transaction::Flow;
use world::{World, answers, heard};

#[test]
fn both_hear_each_other() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            config.answering = answers(1000);
        }
    });
    let call = w.dial("alice", "bob");
    w.run(1500);
    let entries = w.phone("alice").entries_len();
    w.run(3500);
    w.command("alice", Command::Hangup { call });
    assert_eq!(w.phone("alice").entries_len(), entries, "a BYE and its transaction, no socket and deadline");
    let goodbye = |bytes: &[u8]| bytes.windows(2).any(|pair| pair == [0x81, 203]);
    assert!(w.sound.iter().any(|(at, who, _, bytes)| (*at, *who) == (5000, "alice") && goodbye(bytes)), "RTCP BYE");
    w.run(1000);
    assert_eq!(w.rtp_since("alice", 5001), 0, "silent as soon as the BYE is out");
    w.expect(
        "0    alice -> bob INVITE
         10   bob -> alice 180 INVITE
         1010 bob -> alice 200 INVITE
         1020 alice -> bob ACK
         5000 alice -> bob BYE
         5010 bob -> alice 200 BYE",
    );
    let (alice, bob) = (w.events("alice"), w.events("bob"));
    for (events, hz, foreign_hz) in [(&alice, 1000.0, 440.0), (&bob, 440.0, 1000.0)] {
        let (share, report) = heard(events, hz);
        assert!(share > 0.95, "{share}");
        assert!(heard(events, foreign_hz).0 < 0.01);
        assert_eq!(report.lost, 0);
        assert!(report.mos.unwrap() > 4.0, "{report:?}");
        assert!(report.seconds_heard > 3.5, "{report:?}");
    }
    w.node("alice").events = alice;
    w.node("bob").events = bob;
    assert_eq!(
        w.told("alice"),
        ["ringing 180", "answered Some(Pcmu)", "heard 10.0.0.2:20002", "media true true", "ended HungUp"]
    );
    let from = "incoming sip:alice@10.0.0.1:5060";
    assert_eq!(
        w.told("bob"),
        [from, "answered Some(Pcmu)", "heard 10.0.0.1:20002", "media true true", "ended PeerHungUp"]
    );
    for name in ["alice", "bob"] {
        assert!(w.phone(name).is_idle());
        assert!(w.node(name).open.is_empty(), "{name} gave its socket back");
    }
    w.run(60_000);
    assert_eq!((w.phone("alice").entries_len(), w.phone("bob").entries_len()), (0, 0));
}

#[test]
fn an_echo_is_heard_by_the_caller() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            let after = std::time::Duration::ZERO;
            config.answering = Answering::Answer { after, play: Source::Echo, record: false };
        }
    });
    let call = w.dial("alice", "bob");
    w.run(3000);
    w.command("alice", Command::Hangup { call });
    w.run(100);
    assert!(w.ladder[1].ends_with("bob -> alice 200 INVITE"), "answered at once: {:?}", w.ladder);
    assert!(heard(&w.events("alice"), 440.0).0 > 0.9);
    let bob = w.events("bob");
    assert!(bob.iter().any(|event| matches!(event, Event::Media { recording, .. } if recording.is_empty())));
}

#[test]
fn a_person_answers_and_hangs_up() {
    let mut w = World::new(&["alice", "bob"], |_, _| {});
    w.dial("alice", "bob");
    w.run(2000);
    let Some(Event::Incoming { call, uri, source, .. }) = w.events("bob").into_iter().next() else { panic!("no call") };
    assert_eq!((uri.as_str(), source), ("sip:bob@10.0.0.2:5060", "10.0.0.1:5060".parse().unwrap()));
    w.command("bob", Command::Answer { call, play: Source::Silence, record: true });
    w.command("bob", Command::Answer { call, play: Source::Silence, record: true });
    w.run(2000);
    w.command("bob", Command::Play { call, play: Source::Tone { hz: 700.0 } });
    w.run(2000);
    w.command("bob", Command::Hangup { call });
    w.command("bob", Command::Hangup { call });
    w.run(1000);
    let (alice, bob) = (w.events("alice"), w.events("bob"));
    assert!(heard(&alice, 700.0).0 > 0.9 && heard(&bob, 440.0).0 > 0.9);
    w.node("alice").events = alice;
    w.node("bob").events = bob;
    let heard = "heard 10.0.0.2:20002";
    assert_eq!(w.told("alice"), ["ringing 180", "answered Some(Pcmu)", heard, "media true true", "ended PeerHungUp"]);
    assert_eq!(w.told("bob")[3..], ["ended HungUp"]);
    assert_eq!((w.node("alice").opened, w.node("bob").opened), (2, 2), "one socket each");
}

#[test]
fn the_caller_gives_up() {
    let mut w = World::new(&["alice", "bob"], |_, _| {});
    let call = w.dial("alice", "bob");
    w.run(1000);
    w.command("alice", Command::Hangup { call });
    assert!(w.node("alice").open.is_empty());
    w.run(1000);
    assert_eq!(w.told("alice"), ["ringing 180", "ended Cancelled"]);
    assert_eq!(w.told("bob"), ["incoming sip:alice@10.0.0.1:5060", "ended PeerCancelled"]);
    assert!(w.phone("alice").is_idle() && w.phone("bob").is_idle());
}

#[test]
fn the_caller_gives_up_while_the_callee_reaches_for_the_phone() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            config.answering = answers(1000);
        }
    });
    let call = w.dial("alice", "bob");
    w.run(500);
    w.command("alice", Command::Hangup { call });
    w.run(2000);
    assert_eq!(w.told("bob"), ["incoming sip:alice@10.0.0.1:5060", "ended PeerCancelled"], "the answer is off");
    assert_eq!(w.node("bob").opened, 0);
}

#[test]
fn declined() {
    let mut w = World::new(&["alice", "bob", "carol"], |name, config| {
        if name == "bob" {
            config.answering = Answering::Reject(603);
        }
    });
    w.dial("alice", "bob");
    w.run(1000);
    assert_eq!(w.told("alice"), ["failed 603 Decline"]);
    assert_eq!(w.told("bob"), ["incoming sip:alice@10.0.0.1:5060", "ended Rejected(603)"]);
    assert!(w.node("alice").open.is_empty());
    w.dial("alice", "carol");
    w.run(1000);
    w.command("carol", Command::Reject { call: CallId::Incoming(1), status: 486 });
    w.run(1000);
    assert_eq!(w.told("alice"), ["ringing 180", "failed 486 Busy Here"]);
}

#[test]
fn numbers_in_use_and_accounts_that_are_not_there() {
    let mut w = World::new(&["alice", "bob"], |_, _| {});
    w.dial("alice", "bob");
    w.dial("alice", "bob");
    w.run(100);
    assert_eq!(w.ladder.len(), 2, "dialled once: {:?}", w.ladder);
    let dial = |call, account| Dial { call, uri: "bob".into(), account, play: Source::Silence, record: false };
    w.command("alice", Command::Dial(dial(2, Some(AccountId(3)))));
    w.command("alice", Command::Register { account: AccountId(3), expires_s: 60 });
    w.command("alice", Command::Hangup { call: CallId::Placed(9) });
    assert_eq!(w.told("alice"), ["ringing 180", "failed 404 the address leads nowhere"]);
}

#[test]
fn nowhere_and_nobody() {
    let mut w = World::new(&["alice"], |_, _| {});
    w.dial_uri("alice", "sip:bob@nowhere.example");
    assert_eq!(w.told("alice"), ["failed 404 the address leads nowhere"]);
    w.dial_uri("alice", "sip:bob@10.9.9.9");
    w.run(40_000);
    assert_eq!(w.told("alice"), ["failed 408 nobody answered"]);
    assert!(w.node("alice").open.is_empty());
}

#[test]
fn too_many_calls() {
    let mut w = World::new(&["alice", "bob", "carol"], |_, config| config.calls_max = 1);
    w.dial("alice", "bob");
    let second =
        Dial { call: 2, uri: "sip:carol@10.0.0.3".into(), account: None, play: Source::Silence, record: false };
    w.command("alice", Command::Dial(second));
    assert_eq!(w.told("alice"), ["failed 486 Too many calls here"]);
    w.run(100);
    w.dial("carol", "bob");
    w.run(100);
    assert_eq!(w.told("carol"), ["failed 486 Busy Here"]);
}

#[test]
fn keys() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            config.answering = answers(500);
        }
    });
    let call = w.dial("alice", "bob");
    w.run(100);
    w.command("alice", Command::SendDtmf { call, digits: "1".into() });
    w.run(1000);
    w.command("alice", Command::SendDtmf { call, digits: "42#x".into() });
    w.run(2000);
    let told = w.told("alice");
    assert!(told.contains(&"dtmf refused 1 the other side takes no telephone events".to_owned()), "{told:?}");
    assert!(told.contains(&"dtmf refused x not a keypad digit".to_owned()), "{told:?}");
    let keys: Vec<String> = w.told("bob").into_iter().filter(|event| event.starts_with("dtmf")).collect();
    assert_eq!(keys, ["dtmf 4", "dtmf 2", "dtmf #"]);
}

#[test]
fn what_was_to_be_played_has_been_played() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            config.answering = answers(0);
        }
    });
    let play = Source::Samples { samples: vec![1000; 4000].into(), looped: false };
    let uri = "sip:bob@10.0.0.2".to_owned();
    w.command("alice", Command::Dial(Dial { call: 1, uri, account: None, play, record: false }));
    w.run(1000);
    assert_eq!(w.told("alice").last().unwrap(), "played");
}

#[test]
fn no_socket_for_sound() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            config.answering = answers(0);
        }
    });
    w.node("alice").deaf = true;
    w.dial("alice", "bob");
    w.run(100);
    w.expect("");
    assert_eq!(w.told("alice"), ["no media: no socket for sound could be opened", "ended Cancelled"]);
    w.node("alice").deaf = false;
    w.node("bob").deaf = true;
    w.dial("alice", "bob");
    w.run(100);
    assert_eq!(w.told("alice"), ["failed 500 Server Internal Error"]);
    assert_eq!(w.told("bob")[1..], ["no media: no socket for sound could be opened", "ended Rejected(500)"]);
}

#[test]
fn a_socket_on_all_addresses_is_offered_where_the_peer_reaches_us() {
    let mut w = World::new(&["alice", "bob"], |name, config| {
        if name == "bob" {
            config.answering = answers(0);
        }
    });
    w.node("alice").unspecified = true;
    w.node("bob").unspecified = true;
    let call = w.dial("alice", "bob");
    w.run(2000);
    w.command("alice", Command::Hangup { call });
    w.run(100);
    assert!(heard(&w.events("alice"), 1000.0).0 > 0.9);
    assert!(heard(&w.events("bob"), 440.0).0 > 0.9);
}

#[test]
fn a_call_that_ends_while_its_socket_is_opened_gives_it_back() {
    let mut phone = phone::Phone::new(phone::Config::default(), engine::Rng::from_u64(1));
    let now = engine::Now::read_clocks();
    let dial = Dial { call: 1, uri: "sip:bob@10.0.0.2".into(), account: None, play: Source::Silence, record: false };
    phone.handle_input(now, Input::Command(Command::Dial(dial)));
    let Some(Output::Ask(Ask::Resolve { ticket, .. })) = phone.poll_output() else { panic!("no question") };
    let flow = Flow {
        transport: Transport::Udp,
        local: "10.0.0.1:5060".parse().unwrap(),
        remote: "10.0.0.2:5060".parse().unwrap(),
        connection: None,
    };
    phone.handle_input(now, Input::Answer(Answer::Resolved { ticket, flows: vec![flow] }));
    let Some(Output::Ask(Ask::OpenMedia { ticket, .. })) = phone.poll_output() else { panic!("no question") };
    phone.handle_input(now, Input::Command(Command::Hangup { call: CallId::Placed(1) }));
    let Some(Output::Event(Event::Ended { .. })) = phone.poll_output() else { panic!("still there") };
    let (socket, local) = (MediaSocket(5), "10.0.0.1:20000".parse().unwrap());
    phone.handle_input(now, Input::Answer(Answer::MediaOpened { ticket, socket, local }));
    let Some(Output::Ask(Ask::CloseMedia(MediaSocket(5)))) = phone.poll_output() else { panic!("kept") };
    assert!(phone.is_idle());
}

#[test]
fn whatever_the_network_does_the_call_ends_for_both() {
    let mut answered = 0;
    for seed in 0..60 {
        let mut w = World::seeded(seed, &["alice", "bob"], &mut |name, config| {
            if name == "bob" {
                config.answering = answers(700);
            }
        });
        w.loss_percent = 10 + seed % 20;
        w.jitter_ms = 60;
        let call = w.dial("alice", "bob");
        w.run(100 + seed * 150);
        w.command("alice", Command::Hangup { call });
        w.run(400_000);
        let (alice, bob) = (w.told("alice"), w.told("bob"));
        let last = alice.last().unwrap();
        assert!(last.starts_with("ended") || last.starts_with("failed"), "seed {seed}: {alice:?}");
        if let Some(last) = bob.last() {
            assert!(last.starts_with("ended"), "seed {seed}: {bob:?}");
        }
        for name in ["alice", "bob"] {
            assert!(w.phone(name).is_idle(), "seed {seed}: {name}");
            assert!(w.node(name).open.is_empty(), "seed {seed}: {name}");
            assert!(w.phone(name).poll_timeout().is_none(), "seed {seed}: {name}");
            assert_eq!(w.phone(name).entries_len(), 0, "seed {seed}: {name}");
        }
        if alice.iter().any(|event| event.starts_with("heard")) {
            answered += 1;
        }
    }
    assert!(answered > 30, "{answered}");
}

#[test]
fn whatever_is_sent_to_a_phone_in_a_call_nothing_breaks() {
    let mut chance = engine::Rng::from_u64(3);
    for seed in 0..30 {
        let mut w = World::seeded(seed, &["alice", "bob", "mallory"], &mut |name, config| {
            if name == "bob" {
                config.answering = answers(500);
            }
        });
        let call = w.dial("alice", "bob");
        w.run(300 + seed * 30);
        for _ in 0..60 {
            let mut bytes = w.sip[chance.below(w.sip.len() as u64) as usize].bytes().to_vec();
            let mut pieces: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let (from, to) = (chance.below(pieces.len() as u64) as usize, chance.below(pieces.len() as u64) as usize);
            match chance.below(5) {
                0 => pieces.swap(from, to),
                1 => drop(pieces.remove(from)),
                2 => pieces[from] = pieces[to].clone(),
                3 => pieces.clear(),
                _ => {}
            }
            if !pieces.is_empty() {
                bytes = pieces.concat();
            }
            for _ in 0..chance.below(4) {
                let at = chance.below(bytes.len() as u64) as usize;
                bytes[at] = chance.next_u32() as u8;
            }
            let remote = w.node("mallory").at;
            let (name, local) =
                if chance.below(2) == 0 { ("alice", w.node("alice").at) } else { ("bob", w.node("bob").at) };
            let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
            w.input(name, Input::Packet { flow, bytes: bytes.clone().into() });
            w.input(name, Input::Media { socket: MediaSocket(2), from: remote, bytes: bytes.into() });
            w.run(7);
        }
        w.command("alice", Command::Hangup { call });
        w.run(1_000_000);
        for name in ["alice", "bob"] {
            let open = w.node(name).open.clone();
            for n in 1..200 {
                w.command(name, Command::Hangup { call: CallId::Incoming(n) });
            }
            w.run(100_000);
            assert!(w.phone(name).is_idle(), "seed {seed}: {name} {open:?} {:?}", w.told(name));
            assert!(w.node(name).open.is_empty());
        }
    }
}
