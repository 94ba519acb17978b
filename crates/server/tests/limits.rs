//! What a stranger can make an exchange hold, and what it costs others.
#![allow(clippy::unwrap_used)] // helpers of tests, too

mod bench;

use bench::{answers, outputs, outputs_with_nobody_there, request, server};
use bytes::Bytes;
use engine::{Now, Rng};
use server::{
    Algorithm, Answer, Ask, CREDENTIALS_PENDING_BYTES_MAX, CREDENTIALS_PENDING_MAX, Config, Domains, Event, Input,
    Mode, Offence, Output, SEARCHES_MAX, STATELESS_RESOLVES_MAX, Server,
};
use sip_message::{AuthValue, HeaderName, Message};
use std::time::Duration;

/// What an answer to somebody unknown may be longer than the request: a challenge with its nonce.
const ADDED_BYTES_MAX: usize = 350;

#[test]
fn strangers_are_answered_with_hardly_more_than_they_sent_and_nothing_is_kept() {
    let mut server = server(0, true);
    let now = Now::read_clocks();
    let ours = "sip:a@example.org";
    let theirs = "sip:a@b.c";
    let old = "Digest username=a,realm=\"example.org\",nonce=x,uri=\"sip:a@b.c\",response=\"00000000000000000000000000000000\",qop=auth,nc=00000001,cnonce=x";
    for (method, uri, from, more, status) in [
        ("REGISTER", "sip:example.org", ours, String::new(), 401),
        ("REGISTER", theirs, theirs, String::new(), 407),
        ("INVITE", ours, ours, String::new(), 407),
        ("INVITE", theirs, theirs, String::new(), 407),
        ("BYE", theirs, theirs, String::new(), 407),
        ("OPTIONS", theirs, theirs, String::new(), 407),
        ("MESSAGE", ours, theirs, format!("Route: <{theirs};lr>\r\n"), 407),
        ("MESSAGE", theirs, ours, format!("Proxy-Authorization: {old}\r\n"), 407),
        ("MESSAGE", theirs, ours, "Proxy-Authorization: Digest realm=\"example.org\",nonce=x\r\n".to_owned(), 400),
        ("MESSAGE", "x:y", theirs, String::new(), 416),
        ("MESSAGE", ours, theirs, "Max-Forwards: 0\r\n".to_owned(), 483),
        ("MESSAGE", ours, theirs, "Max-Forwards: x\r\n".to_owned(), 400),
        ("MESSAGE", ours, theirs, "Proxy-Require: x\r\n".to_owned(), 420),
        ("MESSAGE", ours, "nonsense", String::new(), 400),
        ("CANCEL", ours, theirs, String::new(), 481),
        ("REGISTER", "sip:example.org", ours, format!("Route: <{theirs};lr>\r\n"), 407),
        ("INVITE", "sip:example.org", theirs, String::new(), 404),
        ("OPTIONS", "sip:example.org", theirs, String::new(), 200),
        ("INVITE", ours, theirs, String::new(), 480),
        ("MESSAGE", ours, theirs, String::new(), 480),
        ("OPTIONS", ours, theirs, "Max-Forwards: 0\r\n".to_owned(), 483),
    ] {
        let bytes = request(method, uri, from, "1", &more);
        for _ in 0..3 {
            let answers = answers(outputs_with_nobody_there(&mut server, now, &bytes));
            assert_eq!(answers.len(), 1, "{method} {uri}");
            assert_eq!(answers[0].status(), status, "{method} {uri} {more}");
            let added = answers[0].bytes().len().saturating_sub(bytes.len());
            assert!(added <= ADDED_BYTES_MAX, "{added} bytes more: {:?}", answers[0].bytes());
            assert!(server.is_empty(), "{method} {uri} left something behind");
            // For the time it was looked for, a request to a user of ours has set timers, which find nothing.
            if matches!((status, uri == ours), (480 | 483, true)) {
                server.handle_timeout(now + Duration::from_secs(32));
                assert!(server.poll_output().is_none(), "{method} {uri} is answered again");
            }
            assert_eq!(server.poll_timeout(), None, "{method} {uri} left a timer behind");
        }
    }
}

#[test]
fn a_request_of_another_version_or_without_an_end_costs_no_more() {
    let mut server = server(0, true);
    let now = Now::read_clocks();
    for (bytes, status) in [
        (request("MESSAGE", "sip:a@b", "sip:a@b", "1", "l: 9\r\n"), 400),
        (
            Bytes::from(
                String::from_utf8_lossy(&request("OPTIONS", "sip:a@b", "sip:a@b", "1", ""))
                    .replace("SIP/2.0\r\nv", "SIP/7.0\r\nv"),
            ),
            505,
        ),
    ] {
        let answers = answers(outputs(&mut server, now, &bytes));
        assert_eq!(answers.iter().map(Message::status).collect::<Vec<_>>(), [status]);
        assert!(answers[0].bytes().len() <= bytes.len() + ADDED_BYTES_MAX && server.is_empty());
    }
}

#[test]
fn requests_that_wait_for_secrets_have_a_limit() {
    let mut server = server(0, true);
    let now = Now::read_clocks();
    let ask = |server: &mut Server, n: usize, credentials: &str| {
        let more = format!("Authorization: {credentials}\r\n");
        outputs(server, now, &request("REGISTER", "sip:example.org", "sip:a@example.org", &format!("c{n}"), &more))
    };
    let credentials = credentials(&mut server, now);
    let mut tickets = Vec::new();
    for n in 0..CREDENTIALS_PENDING_MAX {
        match &ask(&mut server, n, &credentials)[..] {
            [Output::Ask(Ask::Credentials { ticket, user })] if user == "a" => tickets.push(*ticket),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.len(), CREDENTIALS_PENDING_MAX);
    let refused = answers(ask(&mut server, CREDENTIALS_PENDING_MAX, &credentials));
    assert_eq!((refused[0].status(), refused[0].header(HeaderName::RetryAfter)), (503, Some("10")));
    assert_eq!(server.len(), CREDENTIALS_PENDING_MAX);

    // One that waits already is not one more.
    assert!(ask(&mut server, 7, &credentials).is_empty());

    // An answer makes room, and a second one to the same question means nothing.
    for _ in 0..2 {
        server
            .handle_input(now, Input::Answer(Answer::Credentials { ticket: tickets[0], secrets: None, limits: None }));
    }
    let (answers, events) = bench::drain(&mut server);
    assert!(matches!(&events[..], [Event::Offence { offence: Offence::WrongCredentials, .. }]), "{events:?}");
    assert!(matches!(&answers[..], [Output::Send { .. }]), "one 403: {answers:?}");
    assert!(matches!(&ask(&mut server, 20_000, &credentials)[..], [Output::Ask(Ask::Credentials { .. })]));
}

#[test]
fn everything_under_way_is_counted() {
    let mut server = server(0, false);
    let now = Now::read_clocks();
    outputs(&mut server, now, &request("REGISTER", "sip:a@example.org", "sip:a@example.org", "1", ""));
    assert_eq!(server.len(), 2, "a transaction, and a registrar at work");
    outputs(&mut server, now, &request("MESSAGE", "sip:a@example.org", "sip:a@example.org", "2", ""));
    assert_eq!(server.len(), 4, "a transaction, and a proxy at work");
    assert!(!server.is_empty());
}

/// RFC 3261 section 9.2.
#[test]
fn the_answers_to_a_call_and_to_its_cancel_have_one_tag() {
    let mut server = server(0, true);
    let now = Now::read_clocks();
    let of = |method| request(method, "sip:a@example.org", "sip:a@b.c", "1", "");
    assert!(matches!(&outputs(&mut server, now, &of("INVITE"))[..], [Output::Ask(Ask::Bindings { .. })]));
    let answers = answers(outputs(&mut server, now, &of("CANCEL")));
    assert_eq!(answers.iter().map(Message::status).collect::<Vec<_>>(), [200, 487]);
    assert!(answers[0].to_tag().is_some() && answers[0].to_tag() == answers[1].to_tag());
}

#[test]
fn bytes_that_wait_for_secrets_have_a_limit() {
    let mut server = server(0, true);
    let now = Now::read_clocks();
    let credentials = credentials(&mut server, now);
    let more = format!("Authorization: {credentials}\r\nSubject: {}\r\n", "x".repeat(60_000));
    let of = |n: usize| request("REGISTER", "sip:example.org", "sip:a@example.org", &format!("c{n:06}"), &more);
    let fit = CREDENTIALS_PENDING_BYTES_MAX / of(0).len();
    let mut tickets = Vec::new();
    for n in 0..fit {
        match &outputs(&mut server, now, &of(n))[..] {
            [Output::Ask(Ask::Credentials { ticket, .. })] => tickets.push(*ticket),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers(outputs(&mut server, now, &of(fit)))[0].status(), 503);
    server.handle_input(now, Input::Answer(Answer::Credentials { ticket: tickets[0], secrets: None, limits: None }));
    assert_eq!(server.len(), fit - 1);
    while server.poll_output().is_some() {}
    assert!(matches!(&outputs(&mut server, now, &of(fit))[..], [Output::Ask(Ask::Credentials { .. })]));
}

/// What looks like credentials for a challenge of ours.
fn credentials(server: &mut Server, now: Now) -> String {
    let challenge = answers(outputs(server, now, &request("REGISTER", "sip:example.org", "sip:a@b", "0", "")));
    let value = challenge[0].header(HeaderName::WwwAuthenticate).unwrap();
    let nonce = AuthValue::parse(value).unwrap().get("nonce").unwrap().into_owned();
    format!(
        "Digest username=a,realm=\"example.org\",nonce=\"{nonce}\",uri=\"sip:example.org\",response=\"00000000000000000000000000000000\",qop=auth,nc=00000001,cnonce=x"
    )
}

#[test]
fn requests_whose_targets_are_sought_have_a_limit() {
    let mut server = server(0, true);
    let now = Now::read_clocks();
    let ask = |server: &mut Server, n: usize| {
        outputs(server, now, &request("MESSAGE", "sip:a@example.org", "sip:b@c.d", &format!("c{n}"), ""))
    };
    for n in 0..SEARCHES_MAX {
        assert!(matches!(&ask(&mut server, n)[..], [Output::Ask(Ask::Bindings { .. })]));
    }
    let refused = answers(ask(&mut server, SEARCHES_MAX));
    assert_eq!((refused[0].status(), refused[0].header(HeaderName::RetryAfter)), (503, Some("10")));
}

#[test]
fn requests_without_a_transaction_whose_next_hop_is_sought_have_a_limit() {
    let domains = Domains::new(["example.org"], vec![5060]).unwrap();
    let config = Config { auth_required: false, mode: Mode::Stateless, ..Config::new(domains, bench::keys()) };
    let mut server = Server::new(config, 0, Rng::from_u64(1));
    let now = Now::read_clocks();
    let ask = |server: &mut Server, n: usize| {
        outputs(server, now, &request("MESSAGE", "sip:a@there.test", "sip:b@c.d", &format!("c{n}"), ""))
    };
    for n in 0..STATELESS_RESOLVES_MAX {
        assert!(matches!(&ask(&mut server, n)[..], [Output::Ask(Ask::Resolve { steady: true, .. })]));
    }
    assert!(ask(&mut server, STATELESS_RESOLVES_MAX).is_empty(), "lost, as on a network that has too much to do");
    assert_eq!(server.len(), STATELESS_RESOLVES_MAX);
}

#[test]
fn of_many_algorithms_a_datagram_offers_the_best_and_the_most_common() {
    let domains = Domains::new(["example.org"], vec![5060]).unwrap();
    let algorithms = vec![Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];
    let config = Config { algorithms, ..Config::new(domains, bench::keys()) };
    let mut server = Server::new(config, 0, Rng::from_u64(1));
    let bytes = request("REGISTER", "sip:example.org", "sip:a@example.org", "c", "");
    let answer = answers(outputs(&mut server, Now::read_clocks(), &bytes)).remove(0);
    let offered: Vec<_> =
        answer.fields(HeaderName::WwwAuthenticate).map(|value| AuthValue::parse(value).unwrap()).collect();
    let algorithms: Vec<_> = offered.iter().map(|value| value.get("algorithm").unwrap().into_owned()).collect();
    assert_eq!(algorithms, ["SHA-512-256", "MD5"]);
    assert!(answer.bytes().len() <= bytes.len() + ADDED_BYTES_MAX, "{} for {}", answer.bytes().len(), bytes.len());
}
