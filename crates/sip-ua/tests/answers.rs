//! What our own requests meet: challenges, forks, routes (RFC 3261 sections 8.1.3, 12.1.2, 12.2.1, 13.2.2).
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_auth::{Authenticator, Kind, Secrets, Verdict};
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_transaction::{ConnectionId, Flow};
use sip_ua::{FORKED_ANSWERS_MAX, Plain, Route};
use std::cell::RefCell;
use std::rc::Rc;
use world::World;

/// An answer with this To tag and these fields.
fn ok(request: &Message, tag: &str, contact: &str, routes: &[&str]) -> Bytes {
    let source = "10.0.0.1:5060".parse().unwrap();
    let mut reply = Builder::reply(request, 200, source).to_tag(tag).header(HeaderName::Contact, contact);
    for route in routes {
        reply = reply.header(HeaderName::RecordRoute, route);
    }
    match request.method() {
        Method::Invite => reply.body("application/sdp", b"answer").finish(),
        _ => reply.finish(),
    }
}

#[test]
fn a_challenged_call() {
    let mut w = World::new(&["alice"]);
    let now = Now::read_clocks();
    let mut authenticator =
        Authenticator::new(sip_auth::Config::new("ringback"), Mac::from_key([1; 16]), Rng::from_u64(5));
    let secrets = Secrets::new("alice", "ringback", "secret");
    w.script("server", move |request, source| {
        if request.method() == Method::Ack {
            return Vec::new();
        }
        let verified = match authenticator.examine(now, source.ip(), request, Kind::Proxy) {
            Verdict::Claims(claim) => authenticator.verify(now, &claim, Some(&secrets)),
            _ => false,
        };
        if verified {
            return vec![ok(request, "s", "<sip:bob@10.0.0.2>", &[])];
        }
        let mut reply = Builder::reply(request, 407, source).to_tag("c");
        for value in authenticator.challenge(now, source.ip(), false) {
            reply = reply.header(HeaderName::ProxyAuthenticate, value);
        }
        vec![reply.finish()]
    });
    let uri = w.uri("server");
    let call = w.dial_uri("alice", &uri, Route::Uri(None), Some("secret")).unwrap();
    w.run(1000);
    w.hangup("alice", call);
    w.run(1000);
    w.expect(
        "0    alice -> server INVITE
         10   server -> alice 407 INVITE
         20   alice -> server ACK
         20   alice -> server INVITE
         30   server -> alice 200 INVITE
         40   alice -> server ACK
         1000 alice -> server BYE
         1010 server -> alice 200 BYE",
    );
    assert_eq!(w.events("alice"), ["located", "answered answer", "ended HungUp"]);
    let sent: Vec<&Message> = w.delivered.iter().filter(|message| message.is_request()).collect();
    let [first, _, second, ack, bye] = sent[..] else { panic!("{sent:?}") };
    assert_eq!(first.from_tag(), second.from_tag(), "section 22.2");
    assert!(sent.iter().all(|message| message.call_id() == first.call_id()));
    assert!(second.to_tag().is_none());
    let numbers: Vec<u32> = sent.iter().map(|message| message.cseq().unwrap().number).collect();
    assert_eq!(numbers, [1, 1, 2, 2, 3]);
    assert_eq!(ack.header(HeaderName::ProxyAuthorization), second.header(HeaderName::ProxyAuthorization), "13.2.2.4");
    assert!(ack.header(HeaderName::ProxyAuthorization).is_some());
    assert!(bye.header(HeaderName::ProxyAuthorization).is_some(), "signed before asked");
    assert_ne!(ack.top_via().unwrap().branch(), second.top_via().unwrap().branch(), "an ACK to a 2xx is its own");
    w.expect_forgotten();
}

#[test]
fn a_challenge_that_cannot_be_answered_is_the_answer() {
    for password in [None, Some("wrong")] {
        let mut w = World::new(&["alice"]);
        w.script("server", |request, source| {
            let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
            match request.method() {
                Method::Ack => Vec::new(),
                _ => vec![Builder::reply(request, 401, source).header(HeaderName::WwwAuthenticate, challenge).finish()],
            }
        });
        let uri = w.uri("server");
        w.dial_uri("alice", &uri, Route::Uri(None), password);
        w.run(1000);
        let invites = w.ladder.iter().filter(|line| line.ends_with(" INVITE") && line.contains("alice ->")).count();
        assert_eq!(invites, if password.is_some() { 2 } else { 1 });
        assert_eq!(w.events("alice"), ["located", "failed 401 Unauthorized"]);
    }
}

#[test]
fn a_call_given_up_is_not_signed_again() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| match request.method() {
        Method::Invite => vec![Builder::reply(request, 180, source).to_tag("s").finish()],
        _ => Vec::new(),
    });
    let uri = w.uri("server");
    let call = w.dial_uri("alice", &uri, Route::Uri(None), Some("secret")).unwrap();
    w.run(100);
    w.hangup("alice", call);
    let invite = w.delivered[0].clone();
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    let late = Builder::reply(&invite, 401, "10.0.0.1:5060".parse().unwrap()).to_tag("s");
    w.bytes("server", "alice", late.header(HeaderName::WwwAuthenticate, challenge).finish());
    w.run(100);
    assert!(!w.ladder.iter().skip(1).any(|line| line.ends_with("alice -> server INVITE")), "{:?}", w.ladder);
    assert_eq!(w.events("alice"), ["located", "progress 180", "ended Cancelled"]);
}

#[test]
fn one_answer_too_many() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| match request.method() {
        Method::Invite => vec![
            Builder::reply(request, 180, source).to_tag("a").finish(),
            ok(request, "a", "<sip:a@10.0.0.2>", &[]),
            ok(request, "b", "<sip:b@10.0.0.2>", &[]),
            ok(request, "b", "<sip:b@10.0.0.2>", &[]),
        ],
        Method::Bye => vec![ok(request, "", "<sip:x@y>", &[])],
        _ => Vec::new(),
    });
    w.dial("alice", "server");
    w.run(1000);
    w.expect(
        "0  alice -> server INVITE
         10 server -> alice 180 INVITE
         10 server -> alice 200 INVITE
         10 server -> alice 200 INVITE
         10 server -> alice 200 INVITE
         20 alice -> server ACK
         20 alice -> server ACK
         20 alice -> server BYE
         20 alice -> server ACK
         30 server -> alice 200 BYE",
    );
    let bye = w.delivered.iter().find(|message| message.method() == Method::Bye && message.is_request()).unwrap();
    assert_eq!(
        (bye.request_uri(), bye.to_tag()),
        ("sip:b@10.0.0.2", Some("b")),
        "the second is ended, the first lives"
    );
    assert_eq!(w.events("alice"), ["located", "progress 180", "answered answer"], "of which nobody hears");
    assert_eq!(w.calls("alice"), 1);
}

#[test]
fn no_more_answers_than_the_limit() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, _| match request.method() {
        Method::Invite => (0..30).map(|n| ok(request, &format!("t{n}"), "<sip:x@10.0.0.2>", &[])).collect(),
        Method::Bye => vec![ok(request, "", "<sip:x@y>", &[])],
        _ => Vec::new(),
    });
    let call = w.dial("alice", "server");
    w.run(1000);
    assert_eq!(w.ladder.iter().filter(|line| line.ends_with("ACK")).count(), FORKED_ANSWERS_MAX);
    w.hangup("alice", call);
    w.run(40_000);
    assert!(w.agent("alice", |_, _, agent| agent.is_idle()));
    w.expect_forgotten();
}

#[test]
fn an_answer_that_comes_when_the_call_is_over() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, _| match request.method() {
        Method::Invite => vec![ok(request, "a", "<sip:a@10.0.0.2>", &[])],
        Method::Bye => vec![ok(request, "", "<sip:x@y>", &[])],
        _ => Vec::new(),
    });
    let call = w.dial("alice", "server");
    w.run(100);
    w.hangup("alice", call);
    w.run(100);
    assert_eq!(w.calls("alice"), 0);
    let invite = w.delivered[0].clone();
    w.ladder.clear();
    w.bytes("server", "alice", ok(&invite, "b", "<sip:b@10.0.0.2>", &[]));
    w.bytes("server", "alice", ok(&invite, "a", "<sip:a@10.0.0.2>", &[]));
    w.run(100);
    w.expect(
        "200 server -> alice 200 INVITE
         200 server -> alice 200 INVITE
         210 alice -> server ACK
         210 alice -> server BYE
         210 alice -> server ACK
         220 server -> alice 200 BYE",
    );
    // 64*T1 later nothing is known of it any more.
    w.run(40_000);
    w.bytes("server", "alice", ok(&invite, "c", "<sip:c@10.0.0.2>", &[]));
    w.run(100);
    assert_eq!(w.ladder.len(), 1);
}

/// The requests of a call whose answer came by these proxies, nearest last: Request-URI, Route, and whom they went to.
fn routed(routes: &'static [&'static str]) -> Vec<(String, Vec<String>, String)> {
    let mut w = World::new(&["alice"]);
    let seen = Rc::new(RefCell::new(Vec::new()));
    for name in ["server", "proxy"] {
        let log = seen.clone();
        w.script(name, move |request, _| {
            let route: Vec<String> = request.values(HeaderName::Route).map(str::to_owned).collect();
            log.borrow_mut().push((format!("{} {}", request.method(), request.request_uri()), route, name.to_owned()));
            match request.method() {
                Method::Invite => vec![ok(request, "s", "<sip:bob@10.0.0.2>", routes)],
                Method::Bye => vec![ok(request, "", "<sip:x@y>", &[])],
                _ => Vec::new(),
            }
        });
    }
    let call = w.dial("alice", "server");
    w.run(100);
    w.hangup("alice", call);
    w.run(100);
    let seen = seen.borrow();
    seen[1..].to_vec()
}

#[test]
fn requests_inside_a_call_follow_its_route() {
    let seen = routed(&["<sip:far.example;lr>", "<sip:10.0.0.3;lr;x=1>"]);
    let route = vec!["<sip:10.0.0.3;lr;x=1>".to_owned(), "<sip:far.example;lr>".to_owned()];
    let (ack, bye) = ("ACK sip:bob@10.0.0.2".to_owned(), "BYE sip:bob@10.0.0.2".to_owned());
    assert_eq!(seen, [(ack, route.clone(), "proxy".to_owned()), (bye, route, "proxy".to_owned())]);
}

#[test]
fn a_strict_router_takes_the_request_uri() {
    let seen = routed(&["<sip:far.example;lr>", "<sip:10.0.0.3;method=INVITE;x=1?a=b>"]);
    let route = vec!["<sip:far.example;lr>".to_owned(), "<sip:bob@10.0.0.2>".to_owned()];
    let (ack, bye) = ("ACK sip:10.0.0.3;x=1".to_owned(), "BYE sip:10.0.0.3;x=1".to_owned());
    assert_eq!(seen, [(ack, route.clone(), "proxy".to_owned()), (bye, route, "proxy".to_owned())]);
}

#[test]
fn an_answer_without_a_contact_is_talked_to_where_it_was_called() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| match request.method() {
        Method::Invite => vec![Builder::reply(request, 200, source).to_tag("s").finish()],
        _ => Vec::new(),
    });
    w.dial("alice", "server");
    w.run(100);
    assert_eq!(w.last().request_uri(), w.delivered[0].request_uri());
    assert_eq!(w.events("alice"), ["located", "answered"]);
}

#[test]
fn a_proxy_of_ones_own() {
    let mut w = World::new(&["alice", "bob"]);
    w.script("proxy", |_, _| Vec::new());
    let proxy = w.uri("proxy");
    w.dial_uri("alice", "sip:bob@example.com", Route::Proxy(proxy), None);
    w.run(100);
    w.expect("0 alice -> proxy INVITE");
    assert_eq!(w.delivered[0].request_uri(), "sip:bob@example.com");
}

#[test]
fn options_and_message() {
    let mut w = World::new(&["alice", "bob"]);
    let uri = w.uri("bob");
    let plain = |method, uri: &str, body| Plain {
        method,
        uri: uri.to_owned(),
        identity: World::identity("alice", None),
        route: Route::Uri(None),
        body,
    };
    let text = sip_ua::Body { content_type: "text/plain".to_owned(), bytes: Bytes::from_static(b"hello") };
    w.agent("alice", |now, layer, agent| {
        agent.request(now, layer, plain(Method::Options, &uri, None));
        agent.request(now, layer, plain(Method::Message, &uri, Some(text)));
        agent.request(now, layer, plain(Method::Options, "sip:nowhere.example", None));
    });
    w.run(100);
    assert_eq!(w.events("alice"), ["unanswered 404", "replied 200", "replied 200"]);
    assert_eq!(w.events("bob"), ["message sip:alice@example.org hello"]);
    w.lose("alice -> bob OPTIONS", 99);
    w.agent("alice", |now, layer, agent| agent.request(now, layer, plain(Method::Options, &uri, None)));
    w.run(1000);
    assert!(!w.agent("alice", |_, _, agent| agent.is_idle()), "an answer is awaited");
    w.run(40_000);
    assert_eq!(w.events("alice"), ["unanswered 408"]);
    assert!(w.agent("alice", |_, _, agent| agent.is_idle()));
}

#[test]
fn who_we_are_without_an_account() {
    let mut w = World::new(&["alice", "bob"]);
    let identity = sip_ua::Identity {
        uri: None,
        display: Some("A \"B\" \\C".to_owned()),
        contact_user: "alice".to_owned(),
        credentials: None,
    };
    let uri = w.uri("bob");
    w.agent("alice", |now, layer, agent| {
        agent.dial(now, layer, sip_ua::Dial { uri, identity, route: Route::Uri(None) })
    });
    w.run(100);
    let from = w.delivered[0].header(HeaderName::From).unwrap();
    assert!(from.starts_with(r#""A \"B\" \\C" <sip:alice@10.0.0.1:5060>;tag="#), "{from}");
    let sip_ua::Event::Incoming { from, .. } = &w.node("bob").events[0] else { panic!("no call") };
    assert_eq!(from.display.as_deref(), Some(r#"A "B" \C"#));
}

#[test]
fn an_answer_to_a_question_counts_once() {
    let mut w = World::new(&["alice", "bob"]);
    let uri = w.uri("bob");
    let (local, remote) = (w.node("alice").at, w.node("bob").at);
    w.agent("alice", |now, layer, agent| {
        let plain = Plain {
            method: Method::Options,
            uri,
            identity: World::identity("alice", None),
            route: Route::Uri(None),
            body: None,
        };
        agent.request(now, layer, plain);
        let Some(sip_ua::Output::Resolve { ticket, .. }) = agent.poll_output() else { panic!("no question") };
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        for _ in 0..3 {
            agent.resolved(now, layer, ticket, vec![flow]);
        }
        agent.resolved(now, layer, ticket, Vec::new());
    });
    w.run(100);
    w.expect(
        "0  alice -> bob OPTIONS
         10 bob -> alice 200 OPTIONS",
    );
    assert_eq!(w.events("alice"), ["replied 200"]);
    w.expect_forgotten();
}

#[test]
fn a_challenge_over_a_stream_is_answered_over_the_same() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| match (request.method(), request.header(HeaderName::Authorization)) {
        (Method::Ack, _) => Vec::new(),
        (_, Some(_)) => vec![ok(request, "s", "<sip:bob@10.0.0.2>", &[])],
        _ => {
            let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
            vec![
                Builder::reply(request, 401, source)
                    .to_tag("c")
                    .header(HeaderName::WwwAuthenticate, challenge)
                    .finish(),
            ]
        }
    });
    let uri = format!("{};x={}", w.uri("server"), "y".repeat(1000));
    w.dial_uri("alice", &uri, Route::Uri(None), Some("secret"));
    w.run(100);
    w.expect(
        "0  alice -> server INVITE over TCP
         10 server -> alice 401 INVITE over TCP
         20 alice -> server ACK over TCP
         20 alice -> server INVITE over TCP
         30 server -> alice 200 INVITE over TCP
         40 alice -> server ACK",
    );
    assert_eq!((w.flows[0].connection, w.flows[3].connection), (None, Some(ConnectionId(5060))));
    let contacts: Vec<_> = [0, 3].iter().map(|n| w.delivered[*n].header(HeaderName::Contact).unwrap()).collect();
    assert_eq!(contacts, ["<sip:alice@10.0.0.1:5060>"; 2], "reached as before");
}

#[test]
fn both_proxy_and_callee_may_challenge() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| {
        let (proxy, www) = (request.header(HeaderName::ProxyAuthorization), request.header(HeaderName::Authorization));
        let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
        match (request.method(), proxy, www) {
            (Method::Ack, ..) => Vec::new(),
            (_, None, _) => {
                vec![Builder::reply(request, 407, source).header(HeaderName::ProxyAuthenticate, challenge).finish()]
            }
            (_, Some(_), None) => {
                vec![Builder::reply(request, 401, source).header(HeaderName::WwwAuthenticate, challenge).finish()]
            }
            _ => vec![ok(request, "s", "<sip:bob@10.0.0.2>", &[]), ok(request, "t", "<sip:bob@10.0.0.2>", &[])],
        }
    });
    let uri = w.uri("server");
    let call = w.dial_uri("alice", &uri, Route::Uri(None), Some("secret")).unwrap();
    w.run(100);
    assert_eq!(w.events("alice"), ["located", "answered answer"]);
    w.hangup("alice", call);
    w.run(100);
    assert_eq!(w.events("alice"), ["ended HungUp"]);
    // The BYE of the first was signed at once; that of the second, which nobody hears of, when it was asked to.
    let byes = w.delivered.iter().filter(|message| message.is_request() && message.method() == Method::Bye);
    let signed: Vec<(Option<&str>, bool, bool)> = byes
        .map(|bye| {
            let (proxy, www) = (bye.header(HeaderName::ProxyAuthorization), bye.header(HeaderName::Authorization));
            (bye.to_tag(), proxy.is_some(), www.is_some())
        })
        .collect();
    let (s, t) = (Some("s"), Some("t"));
    assert_eq!(signed, [(t, false, false), (t, true, false), (t, true, true), (s, true, true)]);
    w.expect_forgotten();
}

#[test]
fn what_a_hundred_means_and_ringing_after_giving_up() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| match request.method() {
        Method::Invite => vec![
            Builder::reply(request, 100, source).finish(),
            Builder::reply(request, 183, source).to_tag("s").body("application/sdp", b"early").finish(),
        ],
        _ => Vec::new(),
    });
    let uri = w.uri("server");
    let call = w.dial_uri("alice", &uri, Route::Uri(None), None).unwrap();
    w.run(100);
    assert_eq!(w.events("alice"), ["located", "progress 183 early"], "100 is between hops");
    w.hangup("alice", call);
    let ringing = Builder::reply(&w.delivered[0].clone(), 180, "10.0.0.1:5060".parse().unwrap()).to_tag("s");
    w.bytes("server", "alice", ringing.finish());
    w.run(100);
    assert_eq!(w.events("alice"), [""; 0]);
}
