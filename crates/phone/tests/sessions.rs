//! Offers and answers of a peer that the test plays, and everything that is not a call.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use bytes::Bytes;
use media::Source;
use phone::{Account, AccountId, CallId, Command, Config, Dial, Event, Input, RequestNumber};
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_transaction::{ConnectionId, Flow};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use world::{World, answers};

const AUDIO: &str =
    "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 20002 RTP/AVP 8\r\n";
const ELSEWHERE: &str =
    "v=0\r\no=- 2 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 30002 RTP/AVP 8\r\n";
const VIDEO: &str =
    "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=video 20002 RTP/AVP 31\r\n";
const NOTHING: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n";

type Heard = Rc<RefCell<Vec<Message>>>;

/// alice, and a peer whose messages the test writes.
fn alice(configure: impl Fn(&mut Config)) -> (World, Heard) {
    let mut w = World::new(&["alice"], |_, config| configure(config));
    let heard = Heard::default();
    let log = heard.clone();
    w.script("peer", move |message, _| {
        log.borrow_mut().push(message.clone());
        Vec::new()
    });
    (w, heard)
}

fn flow() -> Flow {
    let (local, remote) = ("10.0.0.2:5060".parse().unwrap(), "10.0.0.1:5060".parse().unwrap());
    Flow { transport: Transport::Udp, local, remote, connection: None }
}

fn say(w: &mut World, method: &str, cseq: u32, to_tag: &str, body: &str) {
    let to = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let mut request = Builder::request(method, "sip:alice@10.0.0.1:5060")
        .header(HeaderName::Via, format!("SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{method}{cseq};rport"))
        .header(HeaderName::From, "Peer <sip:peer@example.org>;tag=p")
        .header(HeaderName::To, format!("<sip:alice@10.0.0.1>{to}"))
        .header(HeaderName::CallId, "one")
        .header(HeaderName::CSeq, format!("{cseq} {method}"))
        .header(HeaderName::Contact, "<sip:peer@10.0.0.2:5060>");
    if !body.is_empty() {
        request = request.body("application/sdp", body.as_bytes());
    }
    w.send(flow(), request.finish());
    w.run(50);
}

fn last(heard: &Heard) -> (u16, String, String) {
    let heard = heard.borrow();
    let last = heard.last().unwrap();
    (last.status(), last.reason().to_owned(), String::from_utf8_lossy(last.body()).into_owned())
}

#[test]
fn offers_that_cannot_be_taken() {
    for (offer, status, why) in [
        ("nonsense", 400, ""),
        (
            VIDEO,
            488,
            "nothing in the offer can be accepted; media line 1: video over RTP/AVP is not audio over RTP/AVP",
        ),
    ] {
        let (mut w, heard) = alice(|_| {});
        say(&mut w, "INVITE", 1, "", offer);
        let (found, reason, _) = last(&heard);
        assert_eq!(found, status);
        assert!(reason.len() > 5 && reason.contains(why), "{reason}");
        assert_eq!(w.told("alice"), [""; 0], "it does not even ring");
        assert!(w.phone("alice").is_idle());
    }
}

#[test]
fn our_codecs_are_ours_to_choose() {
    let (mut w, heard) = alice(|config| config.codecs = vec![sdp::Codec::Pcmu]);
    say(&mut w, "INVITE", 1, "", AUDIO);
    assert_eq!(last(&heard).0, 488, "PCMA alone was offered");
}

#[test]
fn an_invite_without_an_offer_gets_ours() {
    for (answer, works) in [(AUDIO, true), ("", false), (VIDEO, false), (NOTHING, false)] {
        let (mut w, heard) = alice(|config| config.answering = answers(0));
        say(&mut w, "INVITE", 1, "", "");
        let (status, _, offer) = last(&heard);
        assert_eq!(status, 200);
        assert!(offer.contains("m=audio 20002 RTP/AVP 0 8 101"), "{offer}");
        assert_eq!(w.told("alice")[1..], ["answered None"]);
        let tag = heard.borrow()[0].to_tag().unwrap().to_owned();
        say(&mut w, "ACK", 1, &tag, answer);
        w.run(500);
        if works {
            say(&mut w, "BYE", 2, &tag, "");
            assert_eq!(w.told("alice"), ["media false false", "ended PeerHungUp"]);
        } else {
            assert!(w.told("alice")[0].starts_with("no media"));
            let bye = heard.borrow().iter().any(|message| message.is_request() && message.method() == Method::Bye);
            assert!(bye, "{answer}");
        }
        assert!(w.node("alice").open.is_empty());
    }
}

/// A call from the peer that alice has answered; her tag.
fn established(w: &mut World, heard: &Heard) -> String {
    say(w, "INVITE", 1, "", AUDIO);
    let tag = heard.borrow()[0].to_tag().unwrap().to_owned();
    say(w, "ACK", 1, &tag, "");
    w.told("alice");
    tag
}

#[test]
fn put_on_hold_and_back() {
    let (mut w, heard) = alice(|config| config.answering = answers(0));
    let tag = established(&mut w, &heard);
    say(&mut w, "INVITE", 2, &tag, &format!("{AUDIO}a=sendonly\r\n"));
    let (status, _, answer) = last(&heard);
    assert_eq!(status, 200);
    assert!(answer.contains("a=recvonly"), "{answer}");
    let version =
        |sdp: &str| sdp.lines().find(|line| line.starts_with("o=")).unwrap().split(' ').nth(2).unwrap().to_owned();
    let first = String::from_utf8_lossy(heard.borrow()[0].body()).into_owned();
    assert_eq!((version(&first), version(&answer)), ("1".into(), "2".into()));
    say(&mut w, "ACK", 2, &tag, "");
    let held = w.ms();
    w.run(1000);
    assert_eq!(w.rtp_since("alice", held), 0);
    say(&mut w, "INVITE", 3, &tag, AUDIO);
    let (_, _, answer) = last(&heard);
    assert!(answer.contains("a=sendrecv"), "{answer}");
    say(&mut w, "ACK", 3, &tag, "");
    let resumed = w.ms();
    w.run(1000);
    assert!(w.rtp_since("alice", resumed) >= 50);
    // What cannot be taken changes nothing.
    say(&mut w, "INVITE", 4, &tag, VIDEO);
    assert_eq!(last(&heard).0, 488);
    say(&mut w, "ACK", 4, &tag, "");
    say(&mut w, "INVITE", 5, &tag, "nonsense");
    assert_eq!(last(&heard).0, 400);
    say(&mut w, "ACK", 5, &tag, "");
    // Asked for an offer, we make the one that holds; the answer comes in the ACK.
    say(&mut w, "INVITE", 6, &tag, "");
    let (status, _, offer) = last(&heard);
    assert_eq!(status, 200);
    assert!(offer.contains("m=audio 20002 RTP/AVP 0 8 101"), "{offer}");
    say(&mut w, "ACK", 6, &tag, AUDIO);
    say(&mut w, "INVITE", 7, &tag, AUDIO);
    say(&mut w, "ACK", 7, &tag, "");
    assert_eq!(w.told("alice"), [""; 0], "an ACK owes a description only where ours was the offer");
    say(&mut w, "BYE", 8, &tag, "");
    assert_eq!(w.told("alice"), ["media false false", "ended PeerHungUp"]);
}

#[test]
fn an_offer_that_nobody_answers_ends_the_call() {
    let (mut w, heard) = alice(|config| config.answering = answers(0));
    let tag = established(&mut w, &heard);
    say(&mut w, "INVITE", 2, &tag, "");
    say(&mut w, "ACK", 2, &tag, "");
    assert_eq!(w.told("alice")[0], "no media: the caller never described its session");
    assert_eq!(heard.borrow().last().unwrap().method(), Method::Bye);
}

/// alice calls a peer that answers her INVITE with these: status, To tag, body.
fn called(answers: &'static [(u16, &'static str, &'static str)]) -> World {
    let mut w = World::new(&["alice"], |_, _| {});
    w.script("peer", move |request, source| {
        let reply = |status, tag: &str| {
            Builder::reply(request, status, source).to_tag(tag).header(HeaderName::Contact, "<sip:peer@10.0.0.2:5060>")
        };
        let replies = answers.iter().map(|(status, tag, body)| match *body {
            "" => reply(*status, tag).finish(),
            "text" => reply(*status, tag).body("text/plain", b"hello").finish(),
            body => reply(*status, tag).body("application/sdp", body.as_bytes()).finish(),
        });
        match request.method() {
            Method::Invite => replies.collect(),
            Method::Bye => vec![reply(200, "").finish()],
            _ => Vec::new(),
        }
    });
    w.dial("alice", "peer");
    w.run(200);
    w
}

#[test]
fn sound_before_the_answer() {
    let mut w = called(&[(183, "a", AUDIO), (180, "a", ""), (200, "a", "")]);
    let early = ["ringing 183", "early media", "ringing 180", "answered Some(Pcma)"];
    assert_eq!(w.told("alice"), early, "the first description is the answer (section 13.2.1)");
    let mut w = called(&[(183, "a", AUDIO), (183, "a", AUDIO), (200, "a", AUDIO)]);
    assert_eq!(w.told("alice"), ["ringing 183", "early media", "ringing 183", "answered Some(Pcma)"]);
    // From another phone than the one that answers.
    let mut w = called(&[(183, "a", AUDIO), (200, "b", ELSEWHERE)]);
    assert_eq!(w.told("alice"), ["ringing 183", "early media", "answered Some(Pcma)"]);
    assert_eq!(w.sound.last().unwrap().2.port(), 30_002, "the one that answered is talked to");
    let mut w = called(&[(183, "a", VIDEO), (183, "a", "text"), (200, "a", AUDIO)]);
    assert_eq!(w.told("alice"), ["ringing 183", "ringing 183", "answered Some(Pcma)"]);
}

#[test]
fn answers_that_are_none() {
    for (body, why) in [
        ("", "the answer describes no session"),
        ("text", "the answer is no session description"),
        (NOTHING, "every stream was refused"),
        (VIDEO, "the answer's media line 1: video over RTP/AVP is not audio over RTP/AVP"),
    ] {
        let answers: &'static [(u16, &'static str, &'static str)] = Box::leak(Box::new([(200, "a", body)]));
        let mut w = called(answers);
        assert_eq!(w.told("alice"), [format!("no media: {why}"), "ended HungUp".to_owned()]);
        assert!(w.ladder.iter().any(|line| line.ends_with("alice -> peer BYE")));
        assert!(w.node("alice").open.is_empty() && w.phone("alice").is_idle());
    }
}

#[test]
fn nonsense_is_told_what_it_is() {
    let (mut w, heard) = alice(|_| {});
    let head = "OPTIONS sip:alice@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKx\r\n\
                From: <sip:p@x>;tag=1\r\nTo: <sip:a@x>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n";
    w.input(
        "alice",
        Input::Packet { flow: reversed(), bytes: Bytes::from(format!("{head}Content-Length: 99\r\n\r\n")) },
    );
    w.input("alice", Input::Packet { flow: reversed(), bytes: Bytes::from_static(b"\r\n\r\n") });
    w.input("alice", Input::Packet { flow: reversed(), bytes: Bytes::from_static(b"\xff\x00 what") });
    w.run(100);
    assert_eq!(heard.borrow().len(), 1);
    assert_eq!(last(&heard).0, 400);
    assert_eq!(last(&heard).1, "Content-Length is more than what came");
}

/// The flow as alice sees it, from a port that the Via does not name.
fn reversed() -> Flow {
    Flow { local: flow().remote, remote: "10.0.0.2:9999".parse().unwrap(), ..flow() }
}

fn account(domain: &str, transport: Option<Transport>) -> Account {
    let (user, password) = ("alice".to_owned(), "secret".to_owned());
    Account { user, password, domain: domain.to_owned(), display: None, via: None, transport }
}

/// A registrar that takes everything; it answers calls with 404 and texts with 200.
fn exchange(request: &Message, source: SocketAddr) -> Vec<Bytes> {
    match request.method() {
        Method::Register => {
            let contact = request.header(HeaderName::Contact).unwrap();
            vec![Builder::reply(request, 200, source).to_tag("r").header(HeaderName::Contact, contact).finish()]
        }
        Method::Ack => Vec::new(),
        Method::Invite => vec![Builder::reply(request, 404, source).to_tag("r").finish()],
        _ => vec![Builder::reply(request, 200, source).to_tag("r").header(HeaderName::Server, "Exchange").finish()],
    }
}

#[test]
fn an_account_registers_and_calls_over_the_same_connection() {
    let mut w = World::new(&["alice"], |_, config| {
        config.accounts = vec![account("10.0.0.2:5060", None), account("10.0.0.2:5060", Some(Transport::Tcp))];
    });
    w.script("exchange", exchange);
    w.command("alice", Command::Register { account: AccountId(1), expires_s: 300 });
    w.run(100);
    let call = Dial { call: 1, uri: "101".into(), account: Some(AccountId(1)), play: Source::Silence, record: false };
    w.command("alice", Command::Dial(call));
    w.run(29_900);
    w.input("alice", Input::ConnectionClosed(ConnectionId(7)));
    w.run(100);
    w.command("alice", Command::Unregister { account: AccountId(1) });
    w.command("alice", Command::Unregister { account: AccountId(0) });
    w.run(100);
    w.expect(
        "0   alice -> exchange REGISTER over TCP
         10  exchange -> alice 200 REGISTER over TCP
         100 alice -> exchange INVITE over TCP
         110 exchange -> alice 404 INVITE over TCP
         120 alice -> exchange ACK over TCP
         25558 alice -> exchange keep-alive over TCP
         30000 alice -> exchange REGISTER over TCP
         30010 exchange -> alice 200 REGISTER over TCP
         30100 alice -> exchange REGISTER over TCP
         30110 exchange -> alice 200 REGISTER over TCP",
    );
    let told = ["registered 300", "failed 404 Not Found", "registered 300", "unregistered true", "unregistered true"];
    assert_eq!(w.told("alice"), told);
    assert_eq!(w.sip[0].header(HeaderName::To), Some("<sip:alice@10.0.0.2>"));
    assert_eq!(w.sip[2].request_uri(), "sip:101@10.0.0.2:5060");
    assert!(w.sip[2].header(HeaderName::From).unwrap().starts_with("<sip:alice@10.0.0.2>;tag="));
}

#[test]
fn a_connection_that_cannot_be_made() {
    let mut w = World::new(&["alice"], |_, config| {
        config.accounts = vec![account("10.0.0.2:5060", Some(Transport::Tcp))];
    });
    w.node("alice").connections = false;
    w.command("alice", Command::Register { account: AccountId(0), expires_s: 300 });
    w.run(100);
    assert_eq!(w.told("alice"), ["registration failed 503 retry true"]);
}

#[test]
fn options_and_texts() {
    let mut w = World::new(&["alice", "bob"], |_, _| {});
    w.script("exchange", exchange);
    let (number, account) = (RequestNumber, None);
    let uri = "sip:bob@10.0.0.2".to_owned();
    w.command("alice", Command::Options { request: number(1), uri: uri.clone(), account });
    w.run(100);
    let [Event::Replied { request: RequestNumber(1), outcome: Ok(reply) }] = &w.events("alice")[..] else {
        panic!("no answer")
    };
    assert_eq!((reply.status, reply.reason.as_str()), (200, "OK"));
    assert_eq!(reply.allow.as_deref(), Some("INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE"));
    assert_eq!(reply.accept.as_deref(), Some("application/sdp"));
    assert!(reply.product.as_deref().unwrap().starts_with("Ringback/"));
    w.command("alice", Command::Message { request: number(2), uri, account, text: "hellö".into() });
    w.command("alice", Command::Options { request: number(3), uri: "sip:10.9.9.9".into(), account });
    w.command("alice", Command::Options { request: number(4), uri: "sip:x".into(), account: Some(AccountId(9)) });
    w.run(40_000);
    assert_eq!(w.told("alice"), ["unanswered 404", "replied 200 OK", "unanswered 408"]);
    assert_eq!(w.told("bob"), ["message sip:alice@10.0.0.1:5060 hellö"]);
    assert!(w.phone("alice").is_idle());
}

#[test]
fn sound_for_nobody() {
    let (mut w, _) = alice(|_| {});
    let from = "10.0.0.2:4000".parse().unwrap();
    w.input("alice", Input::Media { socket: phone::MediaSocket(3), from, bytes: Bytes::from_static(b"x") });
    w.command("alice", Command::SendDtmf { call: CallId::Placed(1), digits: "1".into() });
    w.command("alice", Command::Play { call: CallId::Placed(1), play: Source::Silence });
    w.command("alice", Command::Answer { call: CallId::Placed(1), play: Source::Silence, record: false });
    w.command("alice", Command::Reject { call: CallId::Placed(1), status: 486 });
    w.run(100);
    assert_eq!(w.told("alice"), [""; 0]);
}
