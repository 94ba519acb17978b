//! What a stranger's requests get (RFC 3261 sections 8.2, 11, 12.2.2, 13.3, 14.2).
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use bytes::Bytes;
use sip_message::HeaderName;
use sip_ua::{CALLS_MAX, Config, Event, RINGING_S_MAX};
use std::cell::RefCell;
use std::rc::Rc;
use world::{Manners, World};

/// bob, and mallory who says what the test writes; all responses that mallory gets.
fn bob() -> (World, Rc<RefCell<Vec<sip_message::Message>>>) {
    with(Config::default())
}

fn with(config: Config) -> (World, Rc<RefCell<Vec<sip_message::Message>>>) {
    let mut w = World::with(&["bob"], config);
    let heard = Rc::new(RefCell::new(Vec::new()));
    let log = heard.clone();
    w.script("mallory", move |message, _| {
        log.borrow_mut().push(message.clone());
        Vec::<Bytes>::new()
    });
    (w, heard)
}

/// A request with the fields that all must have, and these.
fn request(start: &str, cseq: u32, fields: &str) -> String {
    let method = start.split(' ').next().unwrap();
    format!(
        "{start} SIP/2.0
         Max-Forwards: 70
         From: <sip:mallory@example.com>;tag=m
         To: <sip:bob@example.org>
         Call-ID: one
         CSeq: {cseq} {method}
         {fields}"
    )
}

const SDP: &str = "Contact: <sip:mallory@FROM>\nContent-Type: application/sdp\n\noffer";

#[test]
fn what_is_refused_and_how() {
    type Case = (&'static str, &'static str, u16, Option<(HeaderName, &'static str)>);
    let cases: &[Case] = &[
        ("FROBNICATE sip:bob@TO:", "", 501, Some((HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE"))),
        ("UPDATE sip:bob@TO:", "", 405, Some((HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE"))),
        ("REGISTER sip:bob@TO:", "", 405, Some((HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE"))),
        ("OPTIONS tel:+123", "", 416, None),
        ("OPTIONS sip:bob@TO:", "Require: 100rel, foo", 420, Some((HeaderName::Unsupported, "100rel, foo"))),
        ("INVITE sip:bob@TO:", "Content-Type: text/html\n\n<p>", 415, Some((HeaderName::Accept, "application/sdp"))),
        ("MESSAGE sip:bob@TO:", "Content-Type: text/html\n\n<p>", 415, Some((HeaderName::Accept, "text/plain"))),
        (
            "INVITE sip:bob@TO:",
            "Content-Type: application/sdp\nContent-Encoding: gzip\n\nx",
            415,
            Some((HeaderName::AcceptEncoding, "identity")),
        ),
        ("BYE sip:bob@TO:", "", 481, None),
        ("INVITE sip:bob@TO:", "", 400, None),
        ("INVITE sip:bob@TO:", "Contact: <tel:+123>", 400, None),
        ("INVITE sip:bob@TO:", "Contact: <sip:m@FROM>\nRecord-Route: <sip:x", 400, None),
    ];
    for (start, fields, status, field) in cases {
        let (mut w, heard) = bob();
        w.say("mallory", "bob", &request(start, 1, fields));
        w.run(100);
        let heard = heard.borrow();
        assert_eq!(heard.iter().map(|m| m.status()).collect::<Vec<_>>(), [*status], "{start} {fields}");
        assert!(heard[0].to_tag().is_some(), "{start}");
        if let Some((name, value)) = field {
            assert_eq!(heard[0].header(*name), Some(*value), "{start}");
        }
        drop(heard);
        assert_eq!(w.events("bob"), [""; 0], "nobody is bothered with {start}");
        assert_eq!(w.calls("bob"), 0);
    }
}

#[test]
fn an_invite_without_a_contact_is_told_what_it_lacks() {
    let (mut w, heard) = bob();
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 1, ""));
    w.run(100);
    assert_eq!(heard.borrow()[0].reason(), "Contact is missing");
}

#[test]
fn options_tells_what_we_can_do() {
    let (mut w, heard) = with(Config { calls_max: 1, ..Config::default() });
    w.say("mallory", "bob", &request("OPTIONS sip:bob@TO:", 1, ""));
    w.run(100);
    {
        let heard = heard.borrow();
        assert_eq!(heard[0].status(), 200);
        assert_eq!(heard[0].header(HeaderName::Allow), Some("INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE"));
        assert_eq!(heard[0].header(HeaderName::Accept), Some("application/sdp"));
        assert_eq!(heard[0].header(HeaderName::Server), Some("Ringback"));
    }
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 1, SDP));
    w.say("mallory", "bob", &request("OPTIONS sip:bob@TO:", 1, "").replace("one", "two"));
    w.run(100);
    assert_eq!(heard.borrow().last().unwrap().status(), 486, "as an INVITE would be answered (section 11.2)");
}

#[test]
fn a_dialog_that_is_not_there() {
    for method in ["BYE", "INVITE", "OPTIONS", "MESSAGE"] {
        let (mut w, heard) = bob();
        let text =
            request(&format!("{method} sip:bob@TO:"), 1, "").replace("bob@example.org>", "bob@example.org>;tag=x");
        w.say("mallory", "bob", &text);
        w.run(100);
        assert_eq!(heard.borrow()[0].status(), 481, "{method}");
    }
    let (mut w, heard) = bob();
    w.say("mallory", "bob", &request("ACK sip:bob@TO:", 1, "").replace("bob@example.org>", "bob@example.org>;tag=x"));
    w.run(100);
    assert!(heard.borrow().is_empty(), "an ACK is never answered");
}

#[test]
fn a_message_is_taken() {
    let (mut w, heard) = bob();
    w.say("mallory", "bob", &request("MESSAGE sip:bob@TO:", 1, "Content-Type: text/plain;charset=UTF-8\n\nhello"));
    w.say("mallory", "bob", &request("MESSAGE sip:bob@TO:", 2, ""));
    w.run(100);
    assert_eq!(heard.borrow().iter().map(|m| m.status()).collect::<Vec<_>>(), [200, 200]);
    assert_eq!(w.events("bob"), ["message sip:mallory@example.com hello"]);
}

#[test]
fn the_same_invite_by_another_way() {
    let (mut w, heard) = bob();
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 1, SDP));
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 1, SDP));
    w.run(100);
    assert_eq!(heard.borrow().iter().map(|m| m.status()).collect::<Vec<_>>(), [180, 482]);
    assert_eq!(w.calls("bob"), 1);
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 2, SDP));
    w.run(100);
    assert_eq!(w.calls("bob"), 2, "another number, another call");
}

#[test]
fn the_expires_of_an_invite() {
    let (mut w, heard) = bob();
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 1, &format!("Expires: 5\n{SDP}")));
    w.run(4_900);
    assert_eq!(w.calls("bob"), 1);
    w.run(200);
    assert_eq!(heard.borrow().last().unwrap().status(), 487);
    assert_eq!(w.events("bob")[1], "ended Expired");
}

#[test]
fn nobody_rings_for_ever() {
    for expires in ["", "Expires: 4000000000\n"] {
        let (mut w, heard) = bob();
        w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 1, &format!("{expires}{SDP}")));
        w.run(RINGING_S_MAX * 1000 - 100);
        assert_eq!(w.calls("bob"), 1);
        w.run(200);
        assert_eq!(heard.borrow().last().unwrap().status(), 480);
        assert_eq!(w.events("bob")[1], "ended Expired");
        w.expect_forgotten();
    }
}

#[test]
fn an_answered_invite_does_not_expire() {
    let (mut w, heard) = bob();
    w.node("bob").manners = Manners::Answer;
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 1, &format!("Expires: 5\n{SDP}")));
    w.run(10_000);
    assert!(heard.borrow().iter().all(|m| m.status() == 200));
    assert_eq!(w.calls("bob"), 1);
}

#[test]
fn a_cancel_of_nothing() {
    let (mut w, heard) = bob();
    w.say("mallory", "bob", &request("CANCEL sip:bob@TO:", 1, ""));
    w.run(100);
    assert_eq!(heard.borrow()[0].status(), 481);
}

#[test]
fn a_cancel_that_comes_too_late() {
    let mut w = World::new(&["alice", "bob"]);
    w.node("bob").manners = Manners::RingAndAnswer;
    w.lose("bob -> alice 200 INVITE", 1);
    let call = w.dial("alice", "bob");
    w.run(100);
    w.hangup("alice", call);
    w.run(1000);
    w.expect(
        "0   alice -> bob INVITE
         10  bob -> alice 180 INVITE
         10  bob -> alice 200 INVITE ; lost
         100 alice -> bob CANCEL
         110 bob -> alice 200 CANCEL
         510 bob -> alice 200 INVITE
         520 alice -> bob ACK
         520 alice -> bob BYE
         530 bob -> alice 200 BYE",
    );
}

/// An established call with mallory: the To of what she sends inside of it.
fn established(w: &mut World, heard: &Rc<RefCell<Vec<sip_message::Message>>>) -> String {
    w.node("bob").manners = Manners::Answer;
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 10, SDP));
    w.run(100);
    let to = heard.borrow()[0].header(HeaderName::To).unwrap().to_owned();
    w.say("mallory", "bob", &inside("ACK", 10, &to, ""));
    w.run(100);
    assert_eq!(w.events("bob")[1], "acknowledged");
    heard.borrow_mut().clear();
    w.ladder.clear();
    to
}

fn inside(method: &str, cseq: u32, to: &str, fields: &str) -> String {
    request(&format!("{method} sip:bob@TO:"), cseq, fields).replace("<sip:bob@example.org>", to)
}

#[test]
fn old_news_inside_a_call() {
    let (mut w, heard) = bob();
    let to = established(&mut w, &heard);
    w.say("mallory", "bob", &inside("BYE", 9, &to, ""));
    w.run(100);
    assert_eq!(heard.borrow()[0].status(), 500, "section 12.2.2");
    w.say("mallory", "bob", &inside("OPTIONS", 20, &to, ""));
    w.say("mallory", "bob", &inside("BYE", 19, &to, ""));
    w.run(100);
    assert_eq!(heard.borrow()[1..].iter().map(|m| m.status()).collect::<Vec<_>>(), [200, 500]);
    w.say("mallory", "bob", &inside("BYE", 21, &to, ""));
    w.run(100);
    assert_eq!(heard.borrow()[3].status(), 200);
    assert_eq!(w.events("bob"), ["ended PeerHungUp"]);
    w.expect_forgotten();
}

#[test]
fn somebody_else_cannot_end_a_call() {
    let (mut w, heard) = bob();
    let to = established(&mut w, &heard);
    for (what, with) in [("tag=m", "tag=other"), ("Call-ID: one", "Call-ID: two"), ("tag=m", "x=y")] {
        w.say("mallory", "bob", &inside("BYE", 30, &to, "").replace(what, with));
    }
    w.run(100);
    assert_eq!(heard.borrow().iter().map(|m| m.status()).collect::<Vec<_>>(), [481, 481, 481]);
    assert_eq!(w.calls("bob"), 1);
}

#[test]
fn a_new_offer_inside_a_call() {
    let (mut w, heard) = bob();
    let to = established(&mut w, &heard);
    w.say(
        "mallory",
        "bob",
        &inside("INVITE", 11, &to, &SDP.replace("mallory@FROM", "moved@FROM").replace("offer", "again")),
    );
    w.run(100);
    assert_eq!(w.events("bob"), ["offered again"]);
    {
        let heard = heard.borrow();
        assert_eq!((heard[0].status(), heard[0].body()), (200, &b"answer"[..]));
        assert_eq!(heard[0].header(HeaderName::To), Some(to.as_str()), "no second tag");
    }
    // Until the ACK, another offer has to wait (section 14.2).
    w.say("mallory", "bob", &inside("INVITE", 12, &to, SDP));
    w.run(100);
    {
        let heard = heard.borrow();
        assert_eq!(heard[1].status(), 500);
        let retry_after_s: u64 = heard[1].header(HeaderName::RetryAfter).unwrap().parse().unwrap();
        assert!(retry_after_s <= 10);
    }
    w.say("mallory", "bob", &inside("ACK", 11, &to, ""));
    w.run(100);
    assert_eq!(w.events("bob"), ["acknowledged"]);
    let call = w.incoming();
    w.hangup("bob", call);
    w.run(100);
    assert!(heard.borrow().last().unwrap().request_uri().starts_with("sip:moved@"), "the target was refreshed");
}

#[test]
fn an_offer_that_is_refused_changes_nothing() {
    let (mut w, heard) = bob();
    let to = established(&mut w, &heard);
    w.node("bob").manners = Manners::Reject(488);
    w.say("mallory", "bob", &inside("INVITE", 11, &to, &SDP.replace("mallory@FROM", "moved@FROM")));
    w.run(100);
    assert_eq!(heard.borrow()[0].status(), 488);
    w.say("mallory", "bob", &inside("ACK", 11, &to, ""));
    w.run(100);
    assert_eq!(w.events("bob"), ["offered offer"], "an ACK to a refusal confirms nothing");
    let call = w.incoming();
    w.hangup("bob", call);
    w.run(100);
    assert!(heard.borrow().last().unwrap().request_uri().starts_with("sip:mallory@"));
}

#[test]
fn an_offer_that_is_taken_back_or_left_open() {
    let (mut w, heard) = bob();
    let to = established(&mut w, &heard);
    w.node("bob").manners = Manners::Nothing;
    let via = "Via: SIP/2.0/UDP FROM;branch=z9hG4bKtaken;rport\n";
    w.say("mallory", "bob", &inside("INVITE", 11, &to, &format!("{via}{SDP}")));
    w.run(100);
    w.say("mallory", "bob", &inside("CANCEL", 11, &to, via));
    w.run(100);
    let statuses = |from: usize| heard.borrow()[from..].iter().map(|m| m.status()).collect::<Vec<_>>();
    assert_eq!(statuses(0), [200, 487]);
    let call = w.incoming();
    assert!(!w.answer("bob", call), "there is nothing left to answer");
    assert_eq!(w.calls("bob"), 1, "the call goes on");
    // One that is open when the peer hangs up gets its 487, too (section 15.1.2).
    w.say("mallory", "bob", &inside("INVITE", 12, &to, SDP));
    w.say("mallory", "bob", &inside("INVITE", 13, &to, SDP));
    w.say("mallory", "bob", &inside("BYE", 14, &to, ""));
    w.run(100);
    assert_eq!(statuses(2), [500, 200, 487]);
    assert_eq!(w.calls("bob"), 0);
    w.expect_forgotten();
}

#[test]
fn an_offer_that_is_open_when_we_hang_up() {
    let (mut w, heard) = bob();
    let to = established(&mut w, &heard);
    w.node("bob").manners = Manners::Nothing;
    w.say("mallory", "bob", &inside("INVITE", 11, &to, SDP));
    w.run(100);
    let call = w.incoming();
    assert!(w.hangup("bob", call));
    w.run(100);
    w.expect(
        "200 mallory -> bob INVITE
         300 bob -> mallory 487 INVITE
         300 bob -> mallory BYE",
    );
    w.say("mallory", "bob", &inside("INVITE", 15, &to, SDP));
    w.run(100);
    assert_eq!(heard.borrow().last().unwrap().status(), 481, "we have left");
}

#[test]
fn an_invite_in_a_call_that_rings() {
    let (mut w, heard) = bob();
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 10, SDP));
    w.run(100);
    let to = heard.borrow()[0].header(HeaderName::To).unwrap().to_owned();
    w.say("mallory", "bob", &inside("INVITE", 11, &to, SDP));
    w.run(100);
    assert_eq!(heard.borrow()[1].status(), 500, "section 14.2");
    w.say("mallory", "bob", &inside("BYE", 12, &to, ""));
    w.run(100);
    assert_eq!(heard.borrow()[2..].iter().map(|m| m.status()).collect::<Vec<_>>(), [200, 487]);
    assert_eq!(w.events("bob")[1], "ended PeerCancelled");
    w.expect_forgotten();
}

#[test]
fn no_more_calls_than_the_limit() {
    let (mut w, heard) = with(Config { calls_max: usize::MAX, ..Config::default() });
    w.node("bob").manners = Manners::Nothing;
    for n in 0..=CALLS_MAX {
        w.say(
            "mallory",
            "bob",
            &request("INVITE sip:bob@TO:", 1, SDP).replace("Call-ID: one", &format!("Call-ID: {n}")),
        );
    }
    w.run(50);
    assert_eq!(w.calls("bob"), CALLS_MAX);
    assert_eq!(heard.borrow().iter().map(|m| m.status()).collect::<Vec<_>>(), [486]);
    assert!(matches!(w.node("bob").events[0], Event::Incoming { .. }));
}

#[test]
fn an_ack_of_something_else_confirms_nothing() {
    let (mut w, heard) = bob();
    w.node("bob").manners = Manners::Answer;
    w.say("mallory", "bob", &request("INVITE sip:bob@TO:", 10, SDP));
    w.run(100);
    let to = heard.borrow()[0].header(HeaderName::To).unwrap().to_owned();
    w.say("mallory", "bob", &inside("ACK", 9, &to, ""));
    w.run(1000);
    assert_eq!(heard.borrow().iter().filter(|m| m.status() == 200).count(), 2, "still repeated");
    assert_eq!(w.events("bob").len(), 1);
}

#[test]
fn options_inside_a_call_of_a_busy_phone() {
    let (mut w, heard) = with(Config { calls_max: 1, ..Config::default() });
    let to = established(&mut w, &heard);
    w.say("mallory", "bob", &inside("OPTIONS", 11, &to, ""));
    w.run(100);
    assert_eq!(heard.borrow()[0].status(), 200, "this call is not one more");
    w.say("mallory", "bob", &inside("BYE", 12, &to, ""));
    w.run(100);
    w.expect_forgotten();
}
