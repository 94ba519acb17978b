//! What our requests outside of dialogs are made of (RFC 3261 section 8.1.1).
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use bytes::Bytes;
use sip_message::{Builder, Contacts, HeaderName, MAGIC_COOKIE, Message, Method, Scheme};
use sip_ua::{Plain, Route};
use std::collections::BTreeSet;
use world::World;

#[test]
fn every_request_has_what_section_8_1_1_wants() {
    let mut w = World::new(&["alice"]);
    w.script("server", |_, _| Vec::<Bytes>::new());
    let uri = w.uri("server");
    let account = w.add_account("alice", "server", "secret");
    w.dial_uri("alice", &uri, Route::Uri(None), None);
    w.agent("alice", |now, layer, agent| {
        for method in [Method::Options, Method::Message] {
            let identity = World::identity("alice", None);
            agent.request(
                now,
                layer,
                Plain { method, uri: uri.clone(), identity, route: Route::Uri(None), body: None },
            );
        }
        agent.register(now, layer, account, 3600)
    });
    w.run(15);
    let sent: Vec<&Message> = w.delivered.iter().collect();
    assert_eq!(sent.len(), 4);
    for request in &sent {
        let method = request.method();
        assert_eq!(request.max_forwards(), Ok(Some(70)), "{method}");
        assert!(request.values(HeaderName::Via).next().unwrap().starts_with("SIP/2.0/UDP 10.0.0.1:5060;"), "{method}");
        assert!(request.to_tag().is_none(), "a tag in To would name a dialog");
        let cseq = request.cseq().unwrap();
        assert!(cseq.method_text == method.as_str() && cseq.number < 1 << 31, "{method}");
        let to = request.to().unwrap().uri.to_owned();
        match method {
            Method::Register => {
                assert_eq!(request.request_uri(), "sip:10.0.0.2:5060", "section 10.2: no user");
                assert_eq!(request.from().unwrap().uri, to, "whoever registers registers themselves");
            }
            _ => assert_eq!(request.request_uri(), to, "section 8.1.1.1"),
        }
        let Contacts::List(contacts) = request.contacts().unwrap() else { panic!("a star") };
        let expected = usize::from(method != Method::Message);
        assert_eq!(contacts.len(), expected, "section 8.1.1.8: exactly one; RFC 3428 section 4: none in a MESSAGE");
        assert!(contacts.iter().all(|contact| contact.uri_parsed().unwrap().scheme == Scheme::Sip));
    }
    let all_differ = |part: &dyn Fn(&Message) -> String| {
        let parts: BTreeSet<String> = sent.iter().map(|request| part(request)).collect();
        assert_eq!(parts.len(), sent.len(), "{parts:?}");
    };
    all_differ(&|request| request.call_id().to_owned());
    all_differ(&|request| request.from_tag().unwrap().to_owned());
    all_differ(&|request| {
        let branch = request.top_via().unwrap().branch().unwrap().to_owned();
        assert!(branch.starts_with(MAGIC_COOKIE), "{branch}");
        branch
    });
}

/// RFC 3581 section 3: whoever is behind a NAT hears the answer.
#[test]
fn what_is_sent_asks_with_rport() {
    let mut w = World::new(&["alice"]);
    w.script("server", |_, _| Vec::<Bytes>::new());
    let uri = w.uri("server");
    w.dial_uri("alice", &uri, Route::Uri(None), None);
    w.run(15);
    assert_eq!(w.delivered[0].top_via().unwrap().rport(), Some(None), "without a value");
}

/// Section 8.1.3.1.
#[test]
fn silence_counts_as_a_408_and_what_cannot_be_sent_as_a_503() {
    for (streams, status) in [(true, 408), (false, 503)] {
        let mut w = World::new(&["alice"]);
        w.script("server", |_, _| Vec::<Bytes>::new());
        w.node("server").no_streams = !streams;
        let uri = format!("{};transport=tcp", w.uri("server"));
        let identity = World::identity("alice", None);
        let plain = Plain { method: Method::Options, uri, identity, route: Route::Uri(None), body: None };
        w.agent("alice", |now, layer, agent| agent.request(now, layer, plain));
        w.run(33_000);
        assert_eq!(w.events("alice"), [format!("unanswered {status}")]);
    }
}

/// Section 8.1.3.2: what is not known is as good as the x00 of its class, or a 183.
#[test]
fn statuses_that_nobody_knows_count_as_their_class() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| {
        let reply = |status| Builder::reply(request, status, source).to_tag("s");
        match request.method() {
            Method::Invite => {
                let ok = reply(299).header(HeaderName::Contact, "<sip:s@10.0.0.2>").body("application/sdp", b"answer");
                vec![reply(199).finish(), ok.finish()]
            }
            Method::Message => vec![reply(499).finish()],
            _ => Vec::new(),
        }
    });
    let uri = w.uri("server");
    w.dial_uri("alice", &uri, Route::Uri(None), None);
    w.run(100);
    assert_eq!(w.events("alice"), ["located", "progress 199", "answered answer"]);
    assert!(w.ladder.iter().any(|line| line.contains("alice -> server ACK")), "{:?}", w.ladder);
    let identity = World::identity("alice", None);
    let plain = Plain { method: Method::Message, uri, identity, route: Route::Uri(None), body: None };
    w.agent("alice", |now, layer, agent| agent.request(now, layer, plain));
    w.run(100);
    assert_eq!(w.events("alice"), ["replied 499"]);
}

/// Section 8.1.2 and RFC 3263 section 4.3: after silence and after a failure to send.
#[test]
fn the_next_place_is_tried_when_one_keeps_silent_or_cannot_be_reached() {
    for streams in [true, false] {
        let mut w = World::new(&["alice", "second"]);
        w.script("first", |_, _| Vec::<Bytes>::new());
        let places = ["first", "second"].map(|name| w.node(name).at);
        w.names.insert("example.com".to_owned(), places.to_vec());
        w.node("first").no_streams = !streams;
        let uri = format!("sip:bob@example.com{}", if streams { "" } else { ";transport=tcp" });
        let identity = World::identity("alice", None);
        let plain = Plain { method: Method::Options, uri, identity, route: Route::Uri(None), body: None };
        w.agent("alice", |now, layer, agent| agent.request(now, layer, plain));
        w.run(33_000);
        assert_eq!(w.events("alice"), ["replied 200"]);
    }
}
