//! The generator against an exchange of the simplest kind, under a clock of ours; and over real sockets.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod sockets;
mod world;

use crate::generator::Side;
use crate::{Account, LoadConfig, LoadError, Scenario};
use bytes::Bytes;
use sip_message::{Builder, HeaderName, Message, Method};
use std::collections::BTreeMap;
use std::time::Duration;
use world::{Verb, World, calls};

fn failures(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn calls_flow_through_an_exchange_that_challenges_and_records_its_route() {
    let mut world = World::new(calls(), |_| Verb::Pass);
    let report = world.run().unwrap();
    assert_eq!((report.total, report.ok, report.failed, report.retransmissions), (10, 10, 0, 0));
    for kind in ["INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"] {
        assert_eq!(world.count(kind), 10, "{kind}");
    }
    assert_eq!(world.count("REGISTER"), 3, "one, again with credentials, and one that removes the binding");
    assert_eq!(
        world.messages.last().unwrap().values(HeaderName::Contact).next().unwrap(),
        "<sip:load-0@127.0.0.1:7002>;expires=0"
    );
    assert!((90.0..110.0).contains(&report.rate_achieved) && report.seconds < 0.3, "{report:?}");
    assert!((1.0..4.0).contains(&report.setup_ms_p50) && report.setup_ms_max < 5.0, "{report:?}");
    let invite = world.messages.iter().find(|message| message.method() == Method::Invite).unwrap();
    assert_eq!((invite.request_uri(), invite.from().unwrap().uri), ("sip:load@example.org", "sip:load@load.invalid"));
    assert!((280..330).contains(&invite.body().len()), "{}", invite.body().len());
}

#[test]
fn several_callees_are_called_in_turns() {
    let mut world = World::new(LoadConfig { users: 5, ..calls() }, |_| Verb::Pass);
    assert_eq!(world.run().unwrap().ok, 10);
    let called = world.messages.iter().filter(|m| m.is_request() && m.method() == Method::Invite);
    let called: Vec<&str> = called.map(|invite| invite.request_uri()).take(6).collect();
    assert_eq!(
        (called[0], called[4], called[5]),
        ("sip:load0@example.org", "sip:load4@example.org", "sip:load0@example.org")
    );
}

#[test]
fn what_is_lost_is_sent_again_and_every_call_succeeds() {
    let mut nth = 0;
    let mut world = World::new(LoadConfig { total: 200, rate: 1000.0, ..calls() }, move |_| {
        nth += 1;
        if nth % 5 == 0 { Verb::Lose } else { Verb::Pass }
    });
    let report = world.run().unwrap();
    assert_eq!((report.ok, report.failed), (200, 0), "{report:?}");
    assert!(report.retransmissions > 200, "{report:?}");
    assert!(report.setup_ms_p50 < 4.0 && report.setup_ms_max > 500.0, "{report:?}");
}

#[test]
fn an_invite_without_an_answer_is_sent_seven_times_in_32_seconds() {
    let quiet = |message: &Message| if message.method() == Method::Invite { Verb::Lose } else { Verb::Pass };
    let mut world = World::new(LoadConfig { total: 1, ..calls() }, quiet);
    let report = world.run().unwrap();
    assert_eq!((world.count("INVITE"), report.failures), (7, failures(&[("unanswered", 1)])));
    assert!((32.0..32.1).contains(&report.seconds));
}

#[test]
fn an_invite_that_rings_is_not_sent_again() {
    let ringing_only = |message: &Message| {
        if message.status() == 200 && message.method() == Method::Invite { Verb::Lose } else { Verb::Pass }
    };
    let mut world = World::new(LoadConfig { total: 1, ..calls() }, ringing_only);
    let report = world.run().unwrap();
    assert_eq!((world.count("INVITE"), world.count("200 INVITE")), (1, 11));
    assert_eq!(report.failed, 1);
}

#[test]
fn a_200_without_its_ack_is_repeated_and_its_ack_too() {
    let lose_acks = |message: &Message| if message.method() == Method::Ack { Verb::Lose } else { Verb::Pass };
    let mut world = World::new(LoadConfig { total: 1, hold: Duration::from_secs(40), ..calls() }, lose_acks);
    let report = world.run().unwrap();
    assert_eq!(report.failures, failures(&[("ack missing", 1)]));
    assert_eq!((world.count("200 INVITE"), world.count("ACK")), (11, 11));
}

#[test]
fn repeated_invites_and_answers_get_what_their_firsts_got() {
    let mut world = World::new(LoadConfig { total: 1, ..calls() }, |_| Verb::Pass);
    while world.count("ACK") == 0 {
        world.tick();
    }
    let sent = |world: &World, status| {
        let mut of = world.messages.iter().filter(|m| (m.status(), m.method()) == (status, Method::Invite));
        of.next().unwrap().bytes().clone()
    };
    let (invite, ok) = (sent(&world, 0), sent(&world, 200));
    let said = |world: &mut World| {
        let said = world.generator.take_outgoing().map(|out| Message::parse(out.bytes).unwrap());
        said.map(|message| (message.status(), message.method())).collect::<Vec<_>>()
    };
    world.give(Side::Callers, ok.clone());
    assert_eq!(said(&mut world), [(0, Method::Ack)], "a 2xx again, its ACK again");
    world.give(Side::Callees, invite.clone());
    assert_eq!(said(&mut world), [], "an INVITE that was delayed until after its ACK");
    assert_eq!(world.run().unwrap().ok, 1);
    world.give(Side::Callers, ok);
    assert_eq!(said(&mut world), [(0, Method::Ack)], "the call is over, but the callee may not know that it was heard");
    let mut world = World::new(LoadConfig { total: 1, ..calls() }, |message| match message.status() {
        200 if message.method() == Method::Invite => Verb::Lose,
        _ => Verb::Pass,
    });
    while world.count("200 INVITE") == 0 {
        world.tick();
    }
    world.give(Side::Callees, invite);
    assert_eq!(said(&mut world), [(200, Method::Invite)], "an INVITE again, its 200 again");
}

#[test]
fn the_route_set_is_the_record_route_backwards_and_says_where_to_send() {
    let target = "192.0.2.9:5060".parse().unwrap();
    let mut wording = crate::wording::Wording::new("run".into(), "192.0.2.1:7001".parse().unwrap(), target);
    let mut request = |record_route: &str, contact: &str| {
        let answer = Message::parse(Bytes::from(format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:7001\r\n{record_route}Contact: {contact}\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
        )))
        .unwrap();
        let bye = Message::parse(wording.bye(crate::identity::Identity::Call { index: 0, turn: 0 }, &answer)).unwrap();
        let routes: Vec<String> = bye.values(HeaderName::Route).map(str::to_owned).collect();
        (bye.request_uri().to_owned(), routes.join(" "), crate::wording::next_hop(&answer, target).to_string())
    };
    let (uri, routes, hop) = request(
        "Record-Route: <sip:192.0.2.3;lr>, <sip:192.0.2.4:5070;lr>\r\nRecord-Route: <sip:192.0.2.5:5080;lr>\r\n",
        "\"C\" <sip:c@192.0.2.6:5090;x=y>;q=1",
    );
    assert_eq!(uri, "sip:c@192.0.2.6:5090;x=y");
    assert_eq!(routes, "<sip:192.0.2.5:5080;lr> <sip:192.0.2.4:5070;lr> <sip:192.0.2.3;lr>");
    assert_eq!(hop, "192.0.2.5:5080");
    assert_eq!(request("", "<sip:c@192.0.2.6>").2, "192.0.2.6:5060", "straight to the callee");
    assert_eq!(request("Record-Route: <sip:p.example.org;lr>\r\n", "<sip:c@192.0.2.6>").2, "192.0.2.9:5060");
    assert_eq!(request("", "<sip:c@[2001:db8::1]>").2, "192.0.2.9:5060", "not from our IPv4 socket");
}

#[test]
fn a_refused_call_fails_and_its_refusal_is_acknowledged_in_the_same_transaction() {
    let refuse = |message: &Message| match message.method() {
        Method::Invite => Verb::Refuse(486),
        Method::Ack => Verb::Lose,
        _ => Verb::Pass,
    };
    let mut world = World::new(LoadConfig { total: 1, ..calls() }, refuse);
    let report = world.run().unwrap();
    assert_eq!(report.failures, failures(&[("486", 1)]));
    let of = |method| world.messages.iter().find(|message| message.method() == method).unwrap();
    let (invite, ack) = (of(Method::Invite), of(Method::Ack));
    assert_eq!(invite.top_via().unwrap().branch(), ack.top_via().unwrap().branch());
    assert_eq!((invite.request_uri(), ack.to_tag()), (ack.request_uri(), Some("x")));
}

#[test]
fn byes_that_fail_are_told_from_calls_that_fail() {
    for (verb, outcome, byes) in [("481", "bye 481", 1), ("none", "bye unanswered", 11)] {
        let rule = move |message: &Message| match (message.method(), verb) {
            (Method::Bye, "481") => Verb::Refuse(481),
            (Method::Bye, _) => Verb::Lose,
            _ => Verb::Pass,
        };
        let mut world = World::new(LoadConfig { total: 1, ..calls() }, rule);
        assert_eq!((world.run().unwrap().failures, world.count("BYE")), (failures(&[(outcome, 1)]), byes));
    }
}

#[test]
fn the_timeout_ends_it_whatever_is_in_progress() {
    let quiet = |message: &Message| if message.method() == Method::Bye { Verb::Lose } else { Verb::Pass };
    let mut world = World::new(LoadConfig { timeout: Duration::from_secs(2), ..calls() }, quiet);
    let report = world.run().unwrap();
    assert_eq!((report.total, &report.failures), (10, &failures(&[("unfinished", 10)])));
    assert!((1.9..2.1).contains(&report.seconds), "{report:?}");
}

#[test]
fn no_more_are_in_progress_than_allowed_and_none_is_made_up_for() {
    let slow = LoadConfig { concurrent: Some(2), total: 20, rate: 1000.0, ..calls() };
    let mut world = World::new(slow, |_| Verb::Pass);
    let mut most = 0;
    while world.generator.tally().ok < 20 {
        world.tick();
        most = most.max(world.generator.tally().in_progress());
    }
    assert_eq!(most, 2);
    assert!((15.0..30.0).contains(&world.run().unwrap().rate_achieved), "two at a time, 0.1 s each");
}

#[test]
fn calls_that_could_not_be_begun_in_time_do_not_come_in_a_burst() {
    let quiet = |message: &Message| if message.method() == Method::Register { Verb::Pass } else { Verb::Lose };
    let mut world = World::new(LoadConfig { concurrent: Some(20), total: 100, rate: 2000.0, ..calls() }, quiet);
    (0..300).for_each(|_| world.tick());
    let invites = world.messages.iter().filter(|message| message.method() == Method::Invite);
    let source = world::EXCHANGE.parse().unwrap();
    let refusals: Vec<Bytes> = invites.map(|invite| Builder::reply(invite, 486, source).to_tag("x").finish()).collect();
    refusals.into_iter().for_each(|refusal| world.give(Side::Callers, refusal));
    assert_eq!((world.generator.tally().begun, world.generator.tally().in_progress()), (20, 0));
    world.tick();
    assert!(world.generator.tally().begun <= 20 + 3, "two in a tick");
}

#[test]
fn whoever_else_calls_asks_or_hangs_up_is_answered() {
    let mut world = World::new(LoadConfig { total: 1, hold: Duration::from_secs(1), ..calls() }, |_| Verb::Pass);
    while world.count("ACK") == 0 {
        world.tick();
    }
    let ask = |method: &str, call_id: &str| {
        Bytes::from(format!(
            "{method} sip:load@127.0.0.1:7001 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKq{method}\r\n\
             From: <sip:callee@example.org>;tag=1\r\nTo: <sip:load@load.invalid>;tag=2\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
        ))
    };
    let call_id = world.messages.last().unwrap().call_id().to_owned();
    for (method, call_id, status) in [
        ("OPTIONS", "strange", 200),
        ("BYE", "strange", 481),
        ("INVITE", "strange", 486),
        ("OPTIONS", &call_id, 200),
        ("BYE", &call_id, 200),
        ("BYE", &call_id, 481),
    ] {
        world.give(Side::Callers, ask(method, call_id));
        let answer = Message::parse(world.generator.take_outgoing().next().unwrap().bytes).unwrap();
        assert_eq!((answer.status(), answer.method_text()), (status, method));
    }
    world.give(Side::Callees, ask("ACK", "strange"));
    world.give(Side::Callees, Bytes::from_static(b"\r\n\r\n"));
    assert_eq!(world.generator.take_outgoing().count(), 0);
    assert_eq!(world.run().unwrap().failures, failures(&[("hung up", 1)]));
}

fn registrations() -> LoadConfig {
    LoadConfig { scenario: Scenario::Register, ..calls() }
}

#[test]
fn a_phone_is_challenged_once_and_then_counts_its_nonces_uses() {
    let mut world = World::new(registrations(), |_| Verb::Pass);
    let report = world.run().unwrap();
    assert_eq!((report.ok, report.failed), (10, 0));
    assert_eq!(world.count("REGISTER"), 1 + 10 + 1);
    let tenth = world.messages[10].header(HeaderName::Authorization).unwrap();
    assert!(tenth.contains("nc=0000000a"), "{tenth}");
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let mut world = World::new(registrations(), |_| Verb::Twice);
    let report = world.run().unwrap();
    assert_eq!((report.ok, report.failed, world.count("REGISTER")), (10, 0, 1 + 10 + 1));
}

#[test]
fn registering_the_callees_beforehand_does_not_count() {
    let mut lost = false;
    let mut world =
        World::new(calls(), move |_| if std::mem::replace(&mut lost, true) { Verb::Pass } else { Verb::Lose });
    let report = world.run().unwrap();
    assert_eq!((world.count("REGISTER"), report.retransmissions), (4, 0));
    assert_eq!(report.sent, 60 + 1, "six for each call, and the binding's removal");
}

#[test]
fn a_stale_nonce_costs_one_more_message_and_no_failure() {
    // The exchange's nonces live for 30 s.
    let mut world = World::new(LoadConfig { rate: 0.25, total: 20, ..registrations() }, |_| Verb::Pass);
    let report = world.run().unwrap();
    assert_eq!((report.ok, report.failed), (20, 0), "{report:?}");
    assert_eq!(world.count("REGISTER"), 1 + 20 + 1 + 2);
}

#[test]
fn many_users_register_in_turns_and_one_user_with_at_most_ten_contacts() {
    let contacts = |world: &World| {
        let contacts = world.messages.iter().flat_map(|message| message.values(HeaderName::Contact));
        let of: std::collections::BTreeSet<String> =
            contacts.map(|value| value.split(';').next().unwrap().to_owned()).collect();
        of.len()
    };
    let mut world = World::new(LoadConfig { users: 7, total: 21, ..registrations() }, |_| Verb::Pass);
    assert_eq!((world.run().unwrap().ok, contacts(&world)), (21, 7));
    assert_eq!((world.count("REGISTER"), world.removals_at_once), (21 + 7 + 7, 7));
    // Half of the answers are lost, so that many are in progress at a time.
    let mut nth = 0;
    let mut world = World::new(LoadConfig { total: 300, rate: 3000.0, ..registrations() }, move |_| {
        nth += 1;
        if nth % 2 == 0 { Verb::Pass } else { Verb::Lose }
    });
    assert_eq!((world.run().unwrap().ok, contacts(&world)), (300, 10));
    assert_eq!(world.removals_at_once, 1, "one after another where they change the same bindings");
}

#[test]
fn wrong_credentials_end_the_run_before_it_begins() {
    let error = World::new(calls(), |_| Verb::Pass).password("other").run().unwrap_err();
    assert!(matches!(error, LoadError::RegisterRefused { status: 403, .. }), "{error}");
    let mut world = World::new(registrations(), |_| Verb::Pass).password("other");
    assert_eq!(world.run().unwrap().failures, failures(&[("403", 10)]));
    let error = World::new(calls(), |_| Verb::Lose).run().unwrap_err();
    assert_eq!(error.to_string(), "registering sip:load@example.org was not answered");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let account = |user: &str| Some(Account { user: user.into(), password: String::new(), domain: "d".into() });
    for (config, word) in [
        (LoadConfig { rate: 0.0, ..calls() }, "rate"),
        (LoadConfig { rate: f64::NAN, ..calls() }, "rate"),
        (LoadConfig { concurrent: Some(crate::CONCURRENT_MAX + 1), ..calls() }, "in progress"),
        (LoadConfig { users: crate::USERS_MAX + 1, ..calls() }, "users"),
        (LoadConfig { total: 0, ..calls() }, "total"),
        (LoadConfig { account: None, ..registrations() }, "--as"),
        (LoadConfig { account: account("a b"), ..calls() }, "one word"),
        (LoadConfig { bind: Some("::1".parse().unwrap()), ..calls() }, "IP version"),
    ] {
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
