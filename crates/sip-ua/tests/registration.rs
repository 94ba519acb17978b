//! Registrations (RFC 3261 section 10.2) with a registrar that the test plays.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod world;

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_auth::{Authenticator, Kind, Secrets, Verdict};
use sip_message::{Builder, HeaderName, Message};
use sip_transaction::ConnectionId;
use sip_ua::{Account, Route};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use world::World;

/// What the registrar has seen: CSeq, whether signed, and the Contact's expires.
type Seen = Rc<RefCell<Vec<(u32, bool, u32)>>>;

fn expires_of(request: &Message) -> u32 {
    let Ok(sip_message::Contacts::List(contacts)) = request.contacts() else { panic!("no Contact") };
    contacts[0].expires().unwrap()
}

fn ok(request: &Message, source: SocketAddr, expires_s: u32) -> Bytes {
    let contact = request.header(HeaderName::Contact).unwrap();
    let bare = contact.split(";expires").next().unwrap();
    let other = "<sip:alice@192.0.2.77:5060>;expires=7, <sip:carol@10.0.0.1:5060>;expires=8, <sip:alice@10.0.0.1:5070>;expires=9";
    let reply = Builder::reply(request, 200, source).to_tag("r");
    reply.header(HeaderName::Contact, format_args!("{other}, {bare};expires={expires_s}")).finish()
}

/// A registrar that knows alice's password `secret`, and grants what was asked for, up to 600 s.
fn registrar(w: &mut World) -> Seen {
    let seen = Seen::default();
    let log = seen.clone();
    let mut authenticator =
        Authenticator::new(sip_auth::Config::new("ringback"), Mac::from_key([1; 16]), Rng::from_u64(5));
    let start = Now::read_clocks();
    w.script("server", move |request, source| {
        let secrets = Secrets::new("alice", "ringback", "secret");
        let signed = request.header(HeaderName::Authorization).is_some();
        let verified = match authenticator.examine(start, source.ip(), request, Kind::Www) {
            Verdict::Claims(claim) => authenticator.verify(start, &claim, Some(&secrets)),
            _ => false,
        };
        log.borrow_mut().push((request.cseq().unwrap().number, signed, expires_of(request)));
        if verified {
            return vec![ok(request, source, expires_of(request).min(600))];
        }
        let mut reply = Builder::reply(request, 401, source).to_tag("r");
        for value in authenticator.challenge(start, source.ip(), false) {
            reply = reply.header(HeaderName::WwwAuthenticate, value);
        }
        vec![reply.finish()]
    });
    seen
}

/// A registrar that answers with these statuses in turn, then with 200.
fn answers(w: &mut World, statuses: &'static [(u16, Option<(HeaderName, &'static str)>)]) -> Seen {
    let seen = Seen::default();
    let log = seen.clone();
    w.script("server", move |request, source| {
        let n = log.borrow().len();
        log.borrow_mut().push((request.cseq().unwrap().number, false, expires_of(request)));
        let Some((status, field)) = statuses.get(n) else { return vec![ok(request, source, expires_of(request))] };
        let reply = Builder::reply(request, *status, source).to_tag("r");
        vec![match field {
            Some((name, value)) => reply.header(*name, value).finish(),
            None => reply.finish(),
        }]
    });
    seen
}

#[test]
fn challenge_registration_refresh_removal() {
    let mut w = World::new(&["alice"]);
    let seen = registrar(&mut w);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| assert!(agent.register(now, layer, id, 3600)));
    w.run(1000);
    w.expect(
        "0  alice -> server REGISTER
         10 server -> alice 401 REGISTER
         20 alice -> server REGISTER
         30 server -> alice 200 REGISTER",
    );
    assert_eq!(w.events("alice"), ["registered 600"], "the registrar's word counts, for our Contact");
    let (first, second) = (w.delivered[0].clone(), w.delivered[2].clone());
    assert_eq!(first.request_uri(), "sip:10.0.0.2:5060");
    assert_eq!(first.header(HeaderName::To), Some("<sip:alice@example.org>"));
    assert_eq!(first.header(HeaderName::Contact), Some("<sip:alice@10.0.0.1:5060>;expires=3600"));
    assert_eq!((first.call_id(), first.from_tag()), (second.call_id(), second.from_tag()), "section 10.2");
    assert_ne!(first.top_via().unwrap().branch(), second.top_via().unwrap().branch());

    w.run(448_000);
    assert_eq!(seen.borrow().len(), 2, "not before three quarters");
    w.run(92_000);
    assert_eq!(seen.borrow().len(), 3, "before nine tenths");
    assert_eq!(w.events("alice"), ["registered 600"]);
    assert!(w.agent("alice", |now, layer, agent| agent.unregister(now, layer, id)));
    w.run(1000);
    assert_eq!(w.events("alice"), ["unregistered true"]);
    assert_eq!(
        *seen.borrow(),
        [(1, false, 3600), (2, true, 3600), (3, true, 3600), (4, true, 0)],
        "signed before asked"
    );
    assert_eq!(w.delivered[4].call_id(), first.call_id());
    w.run(2_000_000);
    assert_eq!(seen.borrow().len(), 4, "gone is gone");
}

#[test]
fn a_wrong_password_is_tried_once() {
    let mut w = World::new(&["alice"]);
    let seen = registrar(&mut w);
    let id = w.add_account("alice", "server", "wrong");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 3600));
    w.run(4_000_000);
    assert_eq!(*seen.borrow(), [(1, false, 3600), (2, true, 3600)]);
    assert_eq!(w.events("alice"), ["registration failed 401 retry false"]);
    w.agent("alice", |now, layer, agent| assert!(agent.unregister(now, layer, id)));
    assert_eq!(w.events("alice"), ["unregistered true"], "there is nothing to remove");
}

#[test]
fn too_brief_an_interval_is_lengthened() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[(423, Some((HeaderName::MinExpires, "90")))]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 10));
    w.run(1000);
    assert_eq!(*seen.borrow(), [(1, false, 10), (2, false, 90)]);
    assert_eq!(w.events("alice"), ["registered 90"]);
}

#[test]
fn a_423_that_asks_for_nothing_new_is_no_loop() {
    for min in ["10", "soon", "4000000000"] {
        let mut w = World::new(&["alice"]);
        let value: &'static str = min;
        w.script("server", move |request, source| {
            vec![Builder::reply(request, 423, source).header(HeaderName::MinExpires, value).finish()]
        });
        let id = w.add_account("alice", "server", "secret");
        w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 10));
        w.run(10_000_000);
        assert_eq!(w.events("alice"), ["registration failed 423 retry false"], "{min}");
        assert_eq!(sent(&w).len(), 1, "{min}");
    }
}

#[test]
fn failures_that_may_pass_are_tried_again_ever_more_slowly() {
    let mut w = World::new(&["alice"]);
    answers(&mut w, &[(503, None), (500, None), (408, None), (480, None)]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 3000));
    w.run(200_000);
    let sent = w.ladder.iter().filter(|line| line.ends_with("alice -> server REGISTER"));
    let sent: Vec<u64> = sent.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(sent.len(), 5);
    for (n, pair) in sent.windows(2).enumerate() {
        let longest_ms = 10_000 << n;
        let waited_ms = pair[1] - pair[0] - 20;
        assert!((longest_ms / 2..=longest_ms).contains(&waited_ms), "{n}: {waited_ms}");
    }
    let failed = |status| format!("registration failed {status} retry true");
    let wanted = [failed(503), failed(500), failed(408), failed(480), "registered 3000".to_owned()];
    assert_eq!(w.events("alice"), wanted);
}

#[test]
fn retry_after_is_obeyed() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[(503, Some((HeaderName::RetryAfter, "120 (busy)")))]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(119_000);
    assert_eq!(seen.borrow().len(), 1);
    w.run(2_000);
    assert_eq!(seen.borrow().len(), 2);
    assert_eq!(w.events("alice"), ["registration failed 503 retry true", "registered 300"]);
}

#[test]
fn a_refusal_is_final() {
    for status in [403, 404, 603] {
        let mut w = World::new(&["alice"]);
        w.script("server", move |request, source| vec![Builder::reply(request, status, source).finish()]);
        let id = w.add_account("alice", "server", "secret");
        w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
        w.run(4_000_000);
        assert_eq!(w.events("alice"), [format!("registration failed {status} retry false")]);
    }
}

#[test]
fn nobody_there_then_somebody() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[]);
    w.lose("alice -> server REGISTER", 11);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(50_000);
    assert_eq!(w.events("alice"), ["registration failed 408 retry true", "registered 300"]);
    assert_eq!(seen.borrow().len(), 1);
}

#[test]
fn a_lost_connection_is_made_again_at_once() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[]);
    let registrar = format!("sip:{};transport=tcp", w.node("server").at);
    let account = Account { identity: World::identity("alice", None), registrar, route: Route::Uri(None) };
    let id = w.agent("alice", |_, _, agent| agent.add_account(account));
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(1000);
    let contact = w.delivered[0].header(HeaderName::Contact).unwrap();
    assert_eq!(contact, "<sip:alice@10.0.0.1:5060;transport=tcp>;expires=300");
    w.agent("alice", |now, layer, agent| agent.handle_connection_closed(now, layer, ConnectionId(1)));
    w.run(30_000);
    assert_eq!(seen.borrow().len(), 1, "that was another one");
    w.agent("alice", |now, layer, agent| agent.handle_connection_closed(now, layer, ConnectionId(5060)));
    w.run(1000);
    assert_eq!(seen.borrow().len(), 2);
    assert_eq!(w.events("alice"), ["registered 300", "registered 300"]);
    // One REGISTER at a time, even then.
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.agent("alice", |now, layer, agent| agent.handle_connection_closed(now, layer, ConnectionId(5060)));
    w.run(1000);
    assert_eq!(seen.borrow().len(), 3);
}

#[test]
fn a_server_that_closes_after_each_answer_gets_no_storm() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[]);
    let registrar = format!("sip:{};transport=tcp", w.node("server").at);
    let account = Account { identity: World::identity("alice", None), registrar, route: Route::Uri(None) };
    let id = w.agent("alice", |_, _, agent| agent.add_account(account));
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 3000));
    for _ in 0..600 {
        w.run(1000);
        w.agent("alice", |now, layer, agent| agent.handle_connection_closed(now, layer, ConnectionId(5060)));
    }
    let sent = sent(&w);
    assert!((5..12).contains(&sent.len()), "{sent:?}");
    assert!(sent.windows(3).all(|three| three[2] - three[1] > (three[1] - three[0]) / 2), "{sent:?}");
    assert_eq!(w.events("alice")[..2], ["registered 3000", "registration failed 503 retry true"]);
    // One that holds is made again at once when it is lost, and then the waits begin short again.
    w.run(400_000);
    w.agent("alice", |now, layer, agent| agent.handle_connection_closed(now, layer, ConnectionId(5060)));
    w.run(1000);
    let held = seen.borrow().len();
    w.agent("alice", |now, layer, agent| agent.handle_connection_closed(now, layer, ConnectionId(5060)));
    w.run(10_100);
    assert_eq!(seen.borrow().len(), held + 1);
}

#[test]
fn the_flow_of_a_registration_is_kept_alive() {
    for transport in ["udp", "tcp"] {
        let mut w = World::new(&["alice"]);
        let _seen = answers(&mut w, &[]);
        let registrar = format!("sip:{};transport={transport}", w.node("server").at);
        let account = Account { identity: World::identity("alice", None), registrar, route: Route::Uri(None) };
        let id = w.agent("alice", |_, _, agent| agent.add_account(account));
        w.run(100_000);
        assert!(w.keep_alives.is_empty(), "there is nothing to keep");
        w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 3000));
        w.run(600_000);
        let (at, server) = (w.node("alice").at, w.node("server").at);
        let times: Vec<u64> = w.keep_alives.iter().map(|(at, _)| *at).collect();
        assert!((20..=25).contains(&times.len()), "{times:?}");
        let gaps: Vec<u64> = std::iter::once(&100_020).chain(&times).zip(&times).map(|(a, b)| b - a).collect();
        assert!(gaps.iter().all(|gap| (24_000..=29_000).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().max() > gaps.iter().min(), "not in step with other phones");
        for (_, flow) in &w.keep_alives {
            assert_eq!((flow.local, flow.remote, flow.transport.as_param()), (at, server, transport));
            assert_eq!(flow.connection.is_some(), transport == "tcp", "over the very connection");
        }
        // Each REGISTER begins the wait anew, and there are no two waits.
        let sent = w.keep_alives.len();
        for _ in 0..20 {
            w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 3000));
            w.run(10_000);
        }
        assert_eq!(w.keep_alives.len(), sent);
        w.agent("alice", |now, layer, agent| agent.unregister(now, layer, id));
        w.run(100_000);
        assert_eq!(w.keep_alives.len(), sent, "what is gone needs no keeping");
    }
}

#[test]
fn calls_go_over_the_flow_of_the_registration() {
    let mut w = World::new(&["alice", "bob"]);
    let _seen = answers(&mut w, &[]);
    let id = w.add_account("alice", "server", "secret");
    let uri = w.uri("bob");
    w.dial_uri("alice", &uri, Route::Registration(id), None);
    w.run(100);
    w.expect("0 alice -> bob INVITE\n10 bob -> alice 180 INVITE");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(100);
    w.ladder.clear();
    w.agent("alice", |now, layer, agent| {
        let dial = sip_ua::Dial { uri, identity: World::identity("alice", None), route: Route::Registration(id) };
        agent.dial(now, layer, dial);
    });
    assert_eq!(w.ladder, ["200 alice -> server INVITE"]);
}

#[test]
fn a_change_of_mind_waits_for_the_answer() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| {
        agent.register(now, layer, id, 300);
        agent.unregister(now, layer, id);
    });
    w.run(1000);
    assert_eq!(*seen.borrow(), [(1, false, 300), (2, false, 0)]);
    assert_eq!(w.events("alice"), ["registered 300", "unregistered true"]);
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(1000);
    w.agent("alice", |now, layer, agent| {
        agent.unregister(now, layer, id);
        agent.register(now, layer, id, 200);
    });
    w.run(1000);
    assert_eq!(seen.borrow()[2..], [(3, false, 300), (4, false, 0), (5, false, 200)]);
    assert_eq!(w.events("alice"), ["registered 300", "unregistered true", "registered 200"]);
    w.agent("alice", |now, layer, agent| {
        agent.register(now, layer, id, 100);
        agent.register(now, layer, id, 100);
    });
    w.run(1000);
    assert_eq!(seen.borrow()[5..], [(6, false, 100)], "section 10.2: one at a time");
}

#[test]
fn a_removal_that_is_refused() {
    let mut w = World::new(&["alice"]);
    let _seen = answers(&mut w, &[(200, Some((HeaderName::Expires, "60"))), (500, None)]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(100);
    assert_eq!(w.events("alice"), ["registered 60"], "Expires counts when our Contact is not there");
    w.agent("alice", |now, layer, agent| agent.unregister(now, layer, id));
    w.run(100);
    assert_eq!(w.events("alice"), ["unregistered false"]);
}

#[test]
fn a_retry_can_be_called_off() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[(503, None)]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(100);
    w.agent("alice", |now, layer, agent| agent.unregister(now, layer, id));
    w.run(1_000_000);
    assert_eq!(seen.borrow().len(), 1);
    assert_eq!(w.events("alice"), ["registration failed 503 retry true", "unregistered true"]);
}

/// When REGISTERs were sent, in milliseconds.
fn sent(w: &World) -> Vec<u64> {
    let lines = w.ladder.iter().filter(|line| line.contains("alice -> server REGISTER"));
    lines.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn no_wait_is_longer_than_half_an_hour() {
    let mut w = World::new(&["alice"]);
    w.script("server", |request, source| {
        vec![Builder::reply(request, 503, source).header(HeaderName::RetryAfter, 100_000_000).finish()]
    });
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(40_000_000);
    let sent = sent(&w);
    assert!(sent.len() >= 22, "{sent:?}");
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] <= 1_800_020), "{sent:?}");
}

#[test]
fn after_a_success_waits_begin_short_again() {
    let mut w = World::new(&["alice"]);
    let mut n = 0;
    w.script("server", move |request, source| {
        n += 1;
        match n {
            5 => vec![ok(request, source, 100)],
            _ => vec![Builder::reply(request, 503, source).finish()],
        }
    });
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 100));
    w.run(400_000);
    let sent = sent(&w);
    let (refreshed, again) = (sent[5], sent[6]);
    assert!(refreshed - sent[4] >= 75_000, "that was the refresh: {sent:?}");
    assert!(again - refreshed <= 10_020, "{sent:?}");
}

#[test]
fn a_new_registration_moves_the_refresh() {
    let mut w = World::new(&["alice"]);
    let _seen = answers(&mut w, &[]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(100_000);
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(224_000);
    assert_eq!(sent(&w), [0, 100_000]);
    w.run(50_000);
    assert_eq!(sent(&w).len(), 3);
}

#[test]
fn to_register_for_no_time_is_not_to_unregister() {
    let mut w = World::new(&["alice"]);
    let seen = answers(&mut w, &[]);
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 0));
    w.run(100);
    assert_eq!(*seen.borrow(), [(1, false, 1)]);
}

#[test]
fn numbers_taken_by_challenges_are_not_used_again() {
    let mut w = World::new(&["alice"]);
    let seen = Seen::default();
    let log = seen.clone();
    w.script("server", move |request, source| {
        log.borrow_mut().push((request.cseq().unwrap().number, false, expires_of(request)));
        let nonce = log.borrow().len();
        assert!(request.fields(HeaderName::Authorization).count() <= 1, "the latest signature alone");
        let challenge = format!("Digest realm=\"r\", nonce=\"{nonce}\", stale=true, qop=\"auth\"");
        match nonce {
            1 | 2 => vec![Builder::reply(request, 401, source).header(HeaderName::WwwAuthenticate, challenge).finish()],
            _ => vec![ok(request, source, 300)],
        }
    });
    let id = w.add_account("alice", "server", "secret");
    w.agent("alice", |now, layer, agent| agent.register(now, layer, id, 300));
    w.run(100);
    w.agent("alice", |now, layer, agent| agent.unregister(now, layer, id));
    w.run(100);
    assert_eq!(seen.borrow().iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    w.expect_forgotten();
}
