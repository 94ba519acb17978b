//! Questions to the world that nobody answers, or too late.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod bench;

use bench::{drain, flow, request, server};
use bytes::Bytes;
use engine::Now;
use server::{ASK_TIME_MAX, Account, Answer, Ask, Input, Output, Server};
use sip_message::{HeaderName, Message};
use sip_registrar::{Location, Outcome, Snapshot};
use std::time::Duration;

/// What is asked and what is sent for a message, and until nothing more is due.
struct World {
    server: Server,
    now: Now,
    /// Questions that are answered: so many, and no more.
    answers: usize,
    asks: Vec<Ask>,
    replies: Vec<Message>,
}

impl World {
    fn new(auth_required: bool, answers: usize) -> World {
        let server = server(0, auth_required);
        World { server, now: Now::read_clocks(), answers, asks: Vec::new(), replies: Vec::new() }
    }

    fn send(&mut self, bytes: Bytes) {
        self.server.handle_input(self.now, Input::Packet { flow: flow(), bytes });
        self.carry_on();
    }

    fn carry_on(&mut self) {
        loop {
            let (outputs, _) = drain(&mut self.server);
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                match output {
                    Output::Send { bytes, flow: to, .. } if to.remote == flow().remote => {
                        self.replies.push(Message::parse(bytes).unwrap());
                    }
                    Output::Ask(ask) if self.asks.len() < self.answers => {
                        let answer = answer(&ask);
                        self.asks.push(ask);
                        self.server.handle_input(self.now, Input::Answer(answer));
                    }
                    Output::Ask(ask) => self.asks.push(ask),
                    _ => {}
                }
            }
        }
    }

    /// Lets all time pass that anything waits for; how long that was.
    fn pass(&mut self) -> Duration {
        let begin = self.now;
        while let Some(due) = self.server.poll_timeout() {
            self.now = self.now + due.saturating_duration_since(self.now.mono);
            self.server.handle_timeout(self.now);
            self.carry_on();
            assert!(self.now.mono - begin.mono < Duration::from_secs(600), "it never ends");
        }
        self.now.mono - begin.mono
    }

    /// The final answers: their statuses, and when to try again.
    fn told(&self) -> Vec<(u16, Option<&str>)> {
        let finals = self.replies.iter().filter(|reply| reply.status() >= 200);
        finals.map(|reply| (reply.status(), reply.header(HeaderName::RetryAfter))).collect()
    }
}

/// That there is nobody, and nothing.
fn answer(ask: &Ask) -> Answer {
    let snapshot = Snapshot { bindings: [].into(), version: 0 };
    match ask {
        Ask::Credentials { ticket, .. } => Answer::Credentials { ticket: *ticket, secrets: None, limits: None },
        Ask::Bindings { ticket, .. } => {
            Answer::Bindings { ticket: *ticket, snapshot, account: Some(Account::default()) }
        }
        Ask::Registrar(sip_registrar::Ask::Fetch { ticket, .. }) => {
            Answer::Registrar(sip_registrar::Answer::Fetched { ticket: *ticket, snapshot })
        }
        Ask::Registrar(sip_registrar::Ask::Commit { ticket, .. }) => {
            Answer::Registrar(sip_registrar::Answer::Committed { ticket: *ticket, outcome: Outcome::Committed })
        }
        Ask::Resolve { ticket, .. } => Answer::Resolved { ticket: *ticket, flows: Vec::new() },
    }
}

fn register(call_id: &str) -> Bytes {
    let ours = "sip:bob@example.org";
    request("REGISTER", ours, ours, call_id, "Contact: <sip:bob@192.0.2.1>\r\n")
}

#[test]
fn whoever_waits_for_an_answer_that_never_comes_is_told_to_try_again_and_nothing_is_kept() {
    let user = "sip:bob@example.org";
    let (invite, message) =
        (|uri| request("INVITE", uri, "sip:x@x.test", "1", ""), |uri| request("MESSAGE", uri, "sip:x@x.test", "1", ""));
    let elsewhere = "sip:y@elsewhere.test";
    let again = (503, Some("10"));
    for (bytes, answers, told) in [
        (invite(user), 0, again),
        (message(user), 0, again),
        (register("1"), 0, again),
        (register("1"), 1, again),
        (invite(elsewhere), 0, (404, None)),
        (message(elsewhere), 0, (404, None)),
    ] {
        let mut world = World::new(false, answers);
        world.send(bytes.clone());
        assert_eq!(world.asks.len(), answers + 1, "{bytes:?}");
        assert!(world.told().is_empty() && !world.server.is_empty());
        world.pass();
        // An INVITE's answer is repeated until its ACK comes.
        let mut said = world.told();
        said.dedup();
        assert_eq!(said, [told], "{bytes:?}");
        assert!(world.server.is_empty(), "{bytes:?}");
        // An answer that comes after all is no answer to anything.
        let late = answer(&world.asks[answers]);
        world.replies.clear();
        world.server.handle_input(world.now, Input::Answer(late));
        world.carry_on();
        assert!(world.told().is_empty() && world.server.is_empty(), "{bytes:?}");
    }
}

#[test]
fn whoever_waits_for_secrets_that_never_come_is_told_to_try_again() {
    let mut world = World::new(true, 0);
    world.send(request("REGISTER", "sip:example.org", "sip:bob@example.org", "1", ""));
    let challenge = world.replies.pop().unwrap();
    let who = sip_auth::Credentials::new("bob", "secret");
    let (mut uses, mut rng) = (sip_auth::NonceUse::default(), engine::Rng::from_u64(9));
    let proof = sip_auth::answer(&who, &challenge, "REGISTER", "sip:example.org", b"", &mut uses, &mut rng).unwrap();
    let more = format!("Authorization: {}\r\n", proof.1);
    world.send(request("REGISTER", "sip:example.org", "sip:bob@example.org", "2", &more));
    assert!(matches!(world.asks[..], [Ask::Credentials { .. }]) && world.server.len() == 1);
    let waited = world.pass();
    assert!(waited >= ASK_TIME_MAX && waited < Duration::from_secs(32), "{waited:?}");
    assert_eq!((world.told(), world.server.len()), (vec![(503, Some("10"))], 0));
}

/// Those that wait behind a change of the same bindings end with it.
#[test]
fn a_queue_behind_a_change_that_is_never_written_ends_with_it() {
    let mut world = World::new(false, 1);
    for call_id in ["1", "2", "3"] {
        world.send(register(call_id));
    }
    world.pass();
    assert_eq!((world.told(), world.server.len()), (vec![(503, Some("10")); 3], 0));
    // And the next one finds the way free.
    world.answers = 100;
    world.replies.clear();
    world.send(register("4"));
    assert_eq!(world.told(), [(200, None)]);
}

#[test]
fn an_answer_that_takes_its_time_is_an_answer() {
    let mut location = Location::new(&mut engine::Rng::from_u64(3));
    let mut world = World::new(false, 1);
    world.send(register("1"));
    let Some(Ask::Registrar(sip_registrar::Ask::Commit { ticket, change })) = world.asks.pop() else { panic!() };
    world.now = world.now + (ASK_TIME_MAX - Duration::from_secs(1));
    world.server.handle_timeout(world.now);
    world.carry_on();
    assert!(world.told().is_empty());
    let committed = sip_registrar::Answer::Committed { ticket, outcome: location.commit(change) };
    world.server.handle_input(world.now, Input::Answer(Answer::Registrar(committed)));
    world.carry_on();
    assert_eq!(world.told(), [(200, None)]);
}
