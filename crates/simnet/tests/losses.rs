//! Networks that lose, repeat and reorder: what arrives late must not matter.

use engine::Rng;
use phone::{CallId, Command, Event};
use simnet::{ExchangeConfig, Fate, Link, World};
use sip_message::Transport;
use std::collections::BTreeMap;
use std::time::Duration;

fn account(user: &str) -> phone::Account {
    phone::Account {
        user: user.to_owned(),
        password: format!("{user}'s secret"),
        domain: simnet::DOMAIN.to_owned(),
        display: None,
        via: None,
        transport: None,
    }
}

/// An exchange and registered phones.
fn office(seed: u64, shards: usize, users: &[String]) -> World {
    let mut world = World::new(seed);
    world.add_exchange("exchange", &ExchangeConfig { shards, ..ExchangeConfig::default() });
    for user in users {
        world.add_account("exchange", user);
        world.add_phone(user, Some(account(user)), Transport::Udp);
        let command = Command::Register { account: phone::AccountId(0), expires_s: 86_400 };
        world.command(user, command);
    }
    world.run_until(Duration::from_secs(40));
    world.begin();
    world
}

fn dial(call: u32, whom: &str) -> Command {
    let play = media::Source::Tone { hz: 500.0 };
    Command::Dial(phone::Dial { call, uri: whom.to_owned(), account: Some(phone::AccountId(0)), play, record: false })
}

fn answer(call: CallId) -> Command {
    Command::Answer { call, play: media::Source::Silence, record: false }
}

/// One call whose nth message is lost; how many messages there were.
fn call_without(nth: usize, fate: Fate, shards: usize) -> usize {
    let users = ["alice".to_owned(), "bob".to_owned()];
    let mut world = office(1, shards, &users);
    world.carries_sound = false;
    world.link.delay = Duration::from_millis(10);
    world.doom(nth, fate);
    let (placed, incoming) = (CallId::Placed(1), CallId::Incoming(1));
    world.command("alice", dial(1, "bob"));
    // Long enough for any one retransmission, and longer than they are apart.
    world.run_until(Duration::from_secs(6));
    world.command("bob", answer(incoming));
    world.run_until(Duration::from_secs(12));
    world.command("alice", Command::Hangup { call: placed });
    world.run_until(Duration::from_secs(18));
    world.run_until_quiet();
    let ladder = world.ladder();
    for (name, call) in [("alice", placed), ("bob", incoming)] {
        let events = &world.phone(name).events;
        let answered = events.iter().filter(|event| matches!(event, Event::Answered { call: own, .. } if *own == call));
        assert_eq!(answered.count(), 1, "{name} answered, without message {nth}:\n{ladder}");
        let ended = events.iter().filter(|event| matches!(event, Event::Ended { call: own, .. } if *own == call));
        assert_eq!(ended.count(), 1, "{name} ended, without message {nth}:\n{ladder}");
    }
    assert_eq!(world.leaks(), "", "without message {nth}:\n{ladder}");
    world.trace.len()
}

#[test]
fn any_one_message_of_a_call_may_be_lost() {
    for shards in [1, 4] {
        let mut nth = 0;
        while nth < call_without(nth, Fate::Lost, shards) {
            nth += 1;
        }
        assert!(nth >= 15, "{nth} messages make a call");
    }
}

#[test]
fn any_one_message_of_a_call_may_come_twice() {
    let mut nth = 0;
    while nth < call_without(nth, Fate::Twice, 2) {
        nth += 1;
    }
}

/// What somebody is going to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Plan {
    Dial(u32),
    HangUp(CallId),
    Answer(CallId),
    Decline(CallId, u16),
}

/// A thousand calls of random people at random times, each with a random end, over a network that loses every tenth datagram and
/// lets them overtake each other.
fn thousand_calls(seed: u64, shards: usize) {
    const CALLS: u32 = 1000;
    let users: Vec<String> = (0..20).map(|n| format!("user{n}")).collect();
    let mut world = office(seed, shards, &users);
    world.carries_sound = false;
    let ms = Duration::from_millis;
    world.link = Link { delay: ms(10), jitter: ms(60), loss_percent: 10, twice_percent: 2 };
    let mut rng = Rng::from_u64(seed);
    let mut plans: BTreeMap<(Duration, u32), (String, Plan)> = BTreeMap::new();
    let mut planned = 0;
    for call in 1..=CALLS {
        planned += 1;
        let caller = users[rng.below(20) as usize].clone();
        plans.insert((ms(rng.below(200_000)), planned), (caller, Plan::Dial(call)));
    }
    let mut seen: BTreeMap<&String, usize> = BTreeMap::new();
    while let Some(((at, _), (who, plan))) = plans.pop_first() {
        world.run_until(at);
        let mut next = |rng: &mut Rng, within: u64, who: &str, plan: Plan| {
            planned += 1;
            plans.insert((at + ms(rng.below(within)), planned), (who.to_owned(), plan));
        };
        match plan {
            Plan::Dial(call) => {
                let callee = &users[rng.below(20) as usize];
                world.command(&who, dial(call, callee));
                next(&mut rng, 8000, &who, Plan::HangUp(CallId::Placed(call)));
            }
            Plan::HangUp(call) => world.command(&who, Command::Hangup { call }),
            Plan::Answer(call) => world.command(&who, answer(call)),
            Plan::Decline(call, status) => world.command(&who, Command::Reject { call, status }),
        }
        for user in &users {
            let from = seen.entry(user).or_default();
            let events = &world.phone(user).events;
            let incoming = events.iter().skip(*from).filter_map(|event| match event {
                Event::Incoming { call, .. } => Some(*call),
                _ => None,
            });
            let incoming: Vec<CallId> = incoming.collect();
            *from = events.len();
            for call in incoming {
                match rng.below(10) {
                    0..6 => next(&mut rng, 5000, user, Plan::Answer(call)),
                    6 => next(&mut rng, 5000, user, Plan::Decline(call, 603)),
                    7 => next(&mut rng, 5000, user, Plan::Decline(call, 486)),
                    _ => {} // nobody at home
                }
                if rng.below(3) == 0 {
                    next(&mut rng, 8000, user, Plan::HangUp(call));
                }
            }
        }
    }
    let end = world.elapsed() + Duration::from_secs(600);
    world.run_until(end);
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut finished = 0;
    for user in &users {
        let mut open: BTreeMap<CallId, &str> = BTreeMap::new();
        for event in &world.phone(user).events {
            match event {
                Event::Incoming { call, .. } => assert_eq!(open.insert(*call, "rings"), None, "seed {seed}"),
                Event::Answered { call, .. } => drop(open.insert(*call, "answered")),
                Event::Failed { call, .. } => {
                    open.remove(call);
                    *ends.entry("failed").or_default() += 1;
                    finished += usize::from(matches!(call, CallId::Placed(_)));
                }
                Event::Ended { call, .. } => {
                    let state = open.remove(call).unwrap_or("given up");
                    *ends.entry(state).or_default() += 1;
                    finished += usize::from(matches!(call, CallId::Placed(_)));
                }
                _ => {}
            }
        }
        assert!(open.is_empty(), "calls of {user} that never ended: {open:?}, seed {seed}");
    }
    assert_eq!(finished, CALLS as usize, "each call ends once, seed {seed}: {ends:?}");
    assert!(ends.values().all(|count| *count > 20) && ends.len() == 4, "all kinds of ends, seed {seed}: {ends:?}");
    assert_eq!(world.leaks(), "", "seed {seed}");
}

#[test]
fn a_thousand_calls_over_a_bad_network_all_end() {
    thousand_calls(1, 1);
    thousand_calls(2, 4);
}

#[test]
fn the_same_seed_makes_the_same_world() {
    let ladder = |seed: u64| {
        let mut world = office(seed, 2, &["alice".to_owned(), "bob".to_owned()]);
        let ms = Duration::from_millis;
        world.link = Link { delay: ms(10), jitter: ms(60), loss_percent: 20, twice_percent: 10 };
        world.command("alice", dial(1, "bob"));
        world.run_until(ms(5000));
        world.command("bob", answer(CallId::Incoming(1)));
        world.run_until(ms(10_000));
        let messages: Vec<_> = world.trace.iter().map(|entry| entry.bytes.clone()).collect();
        (world.ladder(), messages)
    };
    assert_eq!(ladder(3), ladder(3));
    assert_ne!(ladder(3).0, ladder(4).0);
}
