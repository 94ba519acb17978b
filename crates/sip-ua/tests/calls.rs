//! Calls between user agents, as ladders.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use sip_message::HeaderName;
use sip_ua::{Config, Route};
use world::{Manners, World};

#[test]
fn call_answer_hang_up() {
    let mut w = World::new(&["alice", "bob"]);
    let call = w.dial("alice", "bob");
    w.run(1000);
    let incoming = w.incoming();
    assert!(w.answer("bob", incoming));
    w.run(1000);
    assert_eq!(w.events("alice"), ["located", "progress 180", "answered answer"]);
    assert_eq!(w.events("bob"), ["incoming sip:alice@example.org offer", "acknowledged"]);
    assert!(w.hangup("alice", call));
    w.run(1000);
    w.expect(
        "0    alice -> bob INVITE
         10   bob -> alice 180 INVITE
         1000 bob -> alice 200 INVITE
         1010 alice -> bob ACK
         2000 alice -> bob BYE
         2010 bob -> alice 200 BYE",
    );
    assert_eq!(w.events("alice"), ["ended HungUp"]);
    assert_eq!(w.events("bob"), ["ended PeerHungUp"]);
    assert_eq!((w.calls("alice"), w.calls("bob")), (0, 0));
    assert!(!w.hangup("alice", call));
    let invite = &w.delivered[0];
    assert_eq!(invite.header(HeaderName::Allow), Some("INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE"));
    assert_eq!(invite.header(HeaderName::Contact), Some("<sip:alice@10.0.0.1:5060>"));
    assert_eq!(invite.max_forwards(), Ok(Some(70)));
    assert_eq!(w.delivered[2].header(HeaderName::Contact), Some("<sip:bob@10.0.0.2:5060>"));
    w.expect_forgotten();
}

#[test]
fn the_callee_hangs_up() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    w.dial("alice", "bob");
    w.run(100);
    let call = w.incoming();
    assert!(w.hangup("bob", call));
    w.run(100);
    w.expect(
        "0   alice -> bob INVITE
         10  bob -> alice 200 INVITE
         20  alice -> bob ACK
         100 bob -> alice BYE
         110 alice -> bob 200 BYE",
    );
    assert_eq!(w.events("alice"), ["located", "answered answer", "ended PeerHungUp"]);
    assert_eq!(w.events("bob"), ["incoming sip:alice@example.org offer", "acknowledged", "ended HungUp"]);
    w.expect_forgotten();
}

#[test]
fn the_caller_gives_up() {
    let mut w = World::new(&["alice", "bob"]);
    let call = w.dial("alice", "bob");
    w.run(1000);
    assert!(w.hangup("alice", call));
    assert!(!w.hangup("alice", call), "once is enough");
    w.run(1000);
    w.expect(
        "0    alice -> bob INVITE
         10   bob -> alice 180 INVITE
         1000 alice -> bob CANCEL
         1010 bob -> alice 200 CANCEL
         1010 bob -> alice 487 INVITE
         1020 alice -> bob ACK",
    );
    assert_eq!(w.events("alice"), ["located", "progress 180", "ended Cancelled"]);
    assert_eq!(w.events("bob"), ["incoming sip:alice@example.org offer", "ended PeerCancelled"]);
    assert_eq!((w.calls("alice"), w.calls("bob")), (0, 0));
    w.expect_forgotten();
}

#[test]
fn the_answer_crosses_the_cancel() {
    let mut w = World::new(&["alice", "bob"]);
    let call = w.dial("alice", "bob");
    w.run(1000);
    let incoming = w.incoming();
    w.hangup("alice", call);
    w.answer("bob", incoming);
    w.run(1000);
    w.expect(
        "0    alice -> bob INVITE
         10   bob -> alice 180 INVITE
         1000 alice -> bob CANCEL
         1000 bob -> alice 200 INVITE
         1010 bob -> alice 200 CANCEL
         1010 alice -> bob ACK
         1010 alice -> bob BYE
         1020 bob -> alice 200 BYE",
    );
    assert_eq!(w.events("alice"), ["located", "progress 180", "ended Cancelled"]);
    assert_eq!(w.events("bob"), ["incoming sip:alice@example.org offer", "acknowledged", "ended PeerHungUp"]);
    w.expect_forgotten();
}

#[test]
fn the_callee_declines() {
    for (manners, line) in [(Manners::Reject(603), "603"), (Manners::Reject(486), "486")] {
        let mut w = World::new(&["alice", "bob"]);
        w.node("bob").manners = manners;
        w.dial("alice", "bob");
        w.run(1000);
        w.expect(&format!(
            "0  alice -> bob INVITE
             10 bob -> alice {line} INVITE
             20 alice -> bob ACK"
        ));
        let reason = if line == "603" { "Decline" } else { "Busy Here" };
        assert_eq!(w.events("alice"), ["located".to_owned(), format!("failed {line} {reason}")]);
        assert_eq!(w.events("bob")[1], format!("ended Rejected({line})"));
    }
}

#[test]
fn hanging_up_on_a_ringing_phone_declines() {
    let mut w = World::new(&["alice", "bob"]);
    w.dial("alice", "bob");
    w.run(100);
    let call = w.incoming();
    assert!(w.hangup("bob", call));
    w.run(100);
    assert_eq!(w.events("alice"), ["located", "progress 180", "failed 603 Decline"]);
    assert_eq!(w.events("bob")[1], "ended Rejected(603)");
}

#[test]
fn words_of_ones_own() {
    let mut w = World::new(&["alice", "bob"]);
    w.dial("alice", "bob");
    w.run(100);
    let call = w.incoming();
    assert!(!w.agent("bob", |now, layer, agent| agent.reject(now, layer, call, 200, None)), "200 refuses nothing");
    assert!(w.agent("bob", |now, layer, agent| agent.reject(now, layer, call, 480, Some("Gone fishing"))));
    w.run(100);
    assert_eq!(w.events("alice").last().unwrap(), "failed 480 Gone fishing");
    w.expect_forgotten();
}

#[test]
fn a_lost_200_is_sent_again() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    w.lose("bob -> alice 200 INVITE", 2);
    w.dial("alice", "bob");
    w.run(3000);
    w.expect(
        "0    alice -> bob INVITE
         10   bob -> alice 200 INVITE ; lost
         500  alice -> bob INVITE
         510  bob -> alice 200 INVITE ; lost
         1500 alice -> bob INVITE
         1510 bob -> alice 200 INVITE
         1520 alice -> bob ACK",
    );
}

#[test]
fn a_lost_ack_is_sent_again_for_each_repeated_200() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    w.lose("alice -> bob ACK", 4);
    w.dial("alice", "bob");
    w.run(20_000);
    w.expect(
        "0     alice -> bob INVITE
         10    bob -> alice 200 INVITE
         20    alice -> bob ACK ; lost
         510   bob -> alice 200 INVITE
         520   alice -> bob ACK ; lost
         1510  bob -> alice 200 INVITE
         1520  alice -> bob ACK ; lost
         3510  bob -> alice 200 INVITE
         3520  alice -> bob ACK ; lost
         7510  bob -> alice 200 INVITE
         7520  alice -> bob ACK",
    );
    assert_eq!(w.events("alice"), ["located", "answered answer"], "once, however often it comes");
    assert_eq!(w.events("bob"), ["incoming sip:alice@example.org offer", "acknowledged"]);
}

#[test]
fn without_any_ack_the_callee_says_bye() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    w.lose("alice -> bob ACK", 99);
    w.dial("alice", "bob");
    w.run(40_000);
    let repeats: Vec<&str> = w
        .ladder
        .iter()
        .filter(|line| line.ends_with("200 INVITE"))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(repeats, ["10", "510", "1510", "3510", "7510", "11510", "15510", "19510", "23510", "27510", "31510"]);
    assert!(w.ladder.contains(&"32010 bob -> alice BYE".to_owned()), "64*T1 after the first: {:?}", w.ladder);
    assert_eq!(w.events("bob")[1..], ["ended NeverAcknowledged"]);
    assert_eq!(w.events("alice")[2..], ["ended PeerHungUp"]);
}

#[test]
fn the_callee_waits_for_the_ack_before_its_bye() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    w.lose("alice -> bob ACK", 1);
    w.dial("alice", "bob");
    w.run(100);
    let call = w.incoming();
    assert!(w.hangup("bob", call));
    w.run(1000);
    w.expect(
        "0   alice -> bob INVITE
         10  bob -> alice 200 INVITE
         20  alice -> bob ACK ; lost
         510 bob -> alice 200 INVITE
         520 alice -> bob ACK
         530 bob -> alice BYE
         540 alice -> bob 200 BYE",
    );
    assert_eq!(w.events("bob")[1..], ["ended HungUp"]);
}

#[test]
fn leaving_without_any_ack() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    w.lose("alice -> bob ACK", 99);
    w.dial("alice", "bob");
    w.run(100);
    let call = w.incoming();
    w.hangup("bob", call);
    w.run(40_000);
    assert!(w.ladder.contains(&"32010 bob -> alice BYE".to_owned()), "{:?}", w.ladder);
    assert_eq!(w.events("bob")[1..], ["ended HungUp"]);
    assert_eq!(w.calls("bob"), 0);
    w.expect_forgotten();
}

#[test]
fn both_hang_up_at_once() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    let call = w.dial("alice", "bob");
    w.run(100);
    let incoming = w.incoming();
    w.hangup("alice", call);
    w.hangup("bob", incoming);
    w.run(1000);
    assert_eq!(w.events("alice")[2..], ["ended HungUp"]);
    assert_eq!(w.events("bob")[2..], ["ended HungUp"]);
    assert_eq!((w.calls("alice"), w.calls("bob")), (0, 0));
    w.expect_forgotten();
}

#[test]
fn a_bye_that_nobody_answers_ends_the_call_all_the_same() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Answer;
    let call = w.dial("alice", "bob");
    w.run(100);
    w.lose("alice -> bob BYE", 99);
    w.hangup("alice", call);
    w.run(31_000);
    assert_eq!(w.calls("alice"), 1);
    w.run(2_000);
    assert_eq!(w.events("alice")[2..], ["ended HungUp"]);
    assert!(w.agent("alice", |_, _, agent| agent.is_idle()));
}

#[test]
fn nobody_there() {
    let mut w = World::new(&["alice", "bob"]);
    w.lose("alice -> bob INVITE", 99);
    w.dial("alice", "bob");
    w.run(40_000);
    assert_eq!(w.ladder.len(), 7);
    assert_eq!(w.events("alice"), ["located", "failed 408 nobody answered"]);
    assert_eq!(w.calls("alice"), 0);
    w.expect_forgotten();
}

#[test]
fn given_up_before_anybody_answered_at_all() {
    let mut w = World::new(&["alice", "bob"]);
    w.lose("alice -> bob INVITE", 99);
    let call = w.dial("alice", "bob");
    w.run(1000);
    w.hangup("alice", call);
    w.run(40_000);
    assert_eq!(w.events("alice"), ["located", "ended Cancelled"]);
    assert!(
        w.ladder.iter().all(|line| !line.contains("CANCEL")),
        "no CANCEL before a provisional response (section 9.1)"
    );
    w.expect_forgotten();
}

#[test]
fn names_that_lead_nowhere() {
    let mut w = World::new(&["alice"]);
    for uri in ["sip:bob@no.such.host", "tel:+123", "nonsense"] {
        w.dial_uri("alice", uri, Route::Uri(None), None);
        w.run(10);
        assert_eq!(w.events("alice"), ["failed 404 the address leads nowhere"], "{uri}");
    }
    w.expect("");
}

#[test]
fn the_next_server_is_tried() {
    let mut w = World::new(&["alice", "first", "second"]);
    let (first, second) = (w.node("first").at, w.node("second").at);
    w.names.insert("example.com".to_owned(), vec![first, second]);
    w.node("first").manners = Manners::Reject(503);
    w.node("second").manners = Manners::Answer;
    w.dial_uri("alice", "sip:bob@example.com", Route::Uri(None), None);
    w.run(1000);
    w.expect(
        "0  alice -> first INVITE
         10 first -> alice 503 INVITE
         20 alice -> first ACK
         20 alice -> second INVITE
         30 second -> alice 200 INVITE
         40 alice -> second ACK",
    );
}

#[test]
fn given_up_before_the_way_is_known() {
    let mut w = World::new(&["alice", "bob"]);
    w.lose("alice -> bob INVITE", 99);
    let uri = w.uri("bob");
    let call = w.agent("alice", |now, layer, agent| {
        let dial = sip_ua::Dial { uri, identity: World::identity("alice", None), route: Route::Uri(None) };
        let call = agent.dial(now, layer, dial).unwrap();
        assert!(agent.hangup(now, layer, call));
        assert!(!agent.invite(now, layer, call, None));
        call
    });
    w.run(1000);
    w.expect("");
    assert_eq!(w.events("alice"), ["ended Cancelled"]);
    assert!(!w.hangup("alice", call));
    assert!(w.agent("alice", |_, _, agent| agent.is_idle()));
}

#[test]
fn too_many_calls() {
    let mut w = World::with(&["alice", "bob"], Config { calls_max: 1, ..Config::default() });
    w.dial("alice", "bob");
    w.run(100);
    let uri = w.uri("bob");
    assert_eq!(w.dial_uri("alice", &uri, Route::Uri(None), None), None, "one is enough for alice");
    let at = w.uri("alice");
    let mut v = w;
    v.agent("bob", |now, layer, agent| {
        assert!(
            agent
                .dial(
                    now,
                    layer,
                    sip_ua::Dial { uri: at, identity: World::identity("bob", None), route: Route::Uri(None) }
                )
                .is_none()
        );
    });
}

#[test]
fn no_more_dialled_calls_than_the_limit() {
    let mut w = World::with(&["alice", "bob"], Config { calls_max: usize::MAX, ..Config::default() });
    w.node("bob").manners = Manners::Nothing;
    let uri = w.uri("bob");
    for n in 0..=sip_ua::CALLS_MAX {
        let call = w.dial_uri("alice", &uri, Route::Uri(None), None);
        assert_eq!(call.is_some(), n < sip_ua::CALLS_MAX, "{n}");
    }
}

#[test]
fn a_phone_that_is_busy_says_so() {
    let mut w = World::with(&["alice", "bob", "carol"], Config { calls_max: 1, ..Config::default() });
    w.dial("alice", "bob");
    w.run(100);
    w.dial("carol", "bob");
    w.run(100);
    assert_eq!(w.events("carol"), ["located", "failed 486 Busy Here"]);
}

#[test]
fn large_requests_take_a_stream_and_fall_back() {
    for no_streams in [false, true] {
        let mut w = World::new(&["alice", "bob"]);
        w.node("bob").manners = Manners::Answer;
        w.node("bob").no_streams = no_streams;
        let uri = format!("{};x={}", w.uri("bob"), "y".repeat(800));
        w.dial_uri("alice", &uri, Route::Uri(None), None);
        w.run(100);
        let over = if no_streams { "" } else { " over TCP" };
        w.expect(&format!(
            "0  alice -> bob INVITE{over}
             10 bob -> alice 200 INVITE{over}
             20 alice -> bob ACK{over}"
        ));
        let contact = w.delivered[0].header(HeaderName::Contact).unwrap();
        assert_eq!(contact, "<sip:alice@10.0.0.1:5060>", "reached as before");
    }
}

#[test]
fn ringing_is_repeated_each_minute() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::Nothing;
    w.dial("alice", "bob");
    w.run(10);
    let call = w.incoming();
    for status in [183, 180] {
        w.agent("bob", |now, layer, agent| assert!(agent.ring(now, layer, call, status, None)));
    }
    w.run(149_990);
    let rings: Vec<&String> = w.ladder.iter().filter(|line| line.ends_with("180 INVITE")).collect();
    assert_eq!(
        rings,
        ["10 bob -> alice 180 INVITE", "60010 bob -> alice 180 INVITE", "120010 bob -> alice 180 INVITE"]
    );
}

#[test]
fn a_call_given_up_is_not_sent_again_another_way() {
    for late in [false, true] {
        let mut w = World::new(&["alice", "bob", "carol"]);
        let (bob, carol) = (w.node("bob").at, w.node("carol").at);
        w.names.insert("example.com".to_owned(), vec![bob, carol]);
        w.lose("alice -> bob INVITE over TCP", 99);
        let uri = format!("sip:bob@example.com;x={}", "y".repeat(1000));
        let call = w.dial_uri("alice", &uri, Route::Uri(None), None).unwrap();
        w.hangup("alice", call);
        if late {
            w.run(40_000); // timer B
        } else {
            let transaction = w.transaction.unwrap();
            w.agent("alice", |now, layer, _| layer.handle_send_failed(now, transaction));
        }
        assert_eq!(w.ladder, ["0 alice -> bob INVITE over TCP ; lost"], "late: {late}");
        assert_eq!(w.events("alice"), ["located", "ended Cancelled"]);
    }
}
