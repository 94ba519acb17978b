//! Matching, destinations, limits and the messages that the layer makes itself.

mod ladder;

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use ladder::{flow, layer, mac, parse, request};
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_transaction::{
    Config, Event, Flow, Output, Packet, ServerTransactionId, TransactionLayer, stateless_reply_flow,
};
use std::time::Duration;

const UDP: Transport = Transport::Udp;

fn packet(message: Message) -> Packet {
    Packet { flow: flow(UDP), message }
}

fn drain(layer: &mut TransactionLayer) -> Vec<Output> {
    std::iter::from_fn(|| layer.poll_output()).collect()
}

/// Hands the layer a request and says what that makes: a new transaction, or something else.
fn receive(layer: &mut TransactionLayer, now: Now, bytes: &str) -> Option<ServerTransactionId> {
    layer.handle_packet(now, packet(parse(Bytes::copy_from_slice(bytes.as_bytes()))));
    drain(layer).into_iter().find_map(|output| match output {
        Output::Event(Event::Request { id, .. } | Event::Cancel { id, .. }) => Some(id),
        _ => None,
    })
}

fn answer(layer: &mut TransactionLayer, now: Now, id: ServerTransactionId, status: u16) {
    let request = layer.request_of(id).expect("the request").message.clone();
    let bytes = Builder::reply(&request, status, flow(UDP).remote).to_tag("b").finish();
    layer.respond(now, id, status, bytes);
    drain(layer);
}

fn sent(output: Option<Output>) -> Message {
    match output {
        Some(Output::Send { bytes, .. }) => parse(bytes),
        other => panic!("nothing sent but {other:?}"),
    }
}

fn fields(message: &Message) -> Vec<String> {
    message.all_fields().map(|field| format!("{}: {}", field.name_text, field.value)).collect()
}

/// RFC 3261 sections 17.1.1.3 and 9.1.
#[test]
fn the_ack_to_a_refusal_and_the_cancel_follow_the_invite() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let branch = layer.mint_branch();
    let via = format!("SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport");
    layer.send_request(now, &branch, flow(UDP), Method::Invite, request("INVITE", &via));
    let invite = sent(layer.poll_output());
    let answered = |layer: &mut TransactionLayer, status| {
        let bytes = Builder::reply(&invite, status, flow(UDP).local).to_tag("callee").finish();
        layer.handle_packet(now, packet(parse(bytes)));
    };

    layer.cancel_client(now, branch.id(), None);
    answered(&mut layer, 180);
    layer.poll_output();
    let cancel = sent(layer.poll_output());
    assert_eq!((cancel.method(), cancel.request_uri()), (Method::Cancel, "sip:bob@example.com"));
    let common = [
        format!("Via: {via}"),
        "Max-Forwards: 70".into(),
        "Route: <sip:one.example.com;lr>, <sip:two.example.com;lr>".into(),
        "Route: <sip:three.example.com;lr>".into(),
        "From: <sip:alice@example.com>;tag=a".into(),
    ];
    let and =
        |more: &[&str]| common.iter().cloned().chain(more.iter().map(|text| text.to_string())).collect::<Vec<_>>();
    let rest = ["To: <sip:bob@example.com>", "Call-ID: call@example.com", "CSeq: 17 CANCEL", "Content-Length: 0"];
    assert_eq!(fields(&cancel), and(&rest));

    answered(&mut layer, 487);
    let ack = sent(layer.poll_output());
    assert_eq!((ack.method(), ack.request_uri()), (Method::Ack, "sip:bob@example.com"));
    let rest =
        ["To: <sip:bob@example.com>;tag=callee", "Call-ID: call@example.com", "CSeq: 17 ACK", "Content-Length: 0"];
    assert_eq!(fields(&ack), and(&rest));
}

/// RFC 3261 section 17.1.3; nobody but us can make a branch of ours.
#[test]
fn a_response_matches_by_our_branch_and_its_method() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let branch = layer.mint_branch();
    let via = |branch: &str| format!("SIP/2.0/UDP 192.0.2.1;branch={branch}");
    layer.send_request(now, &branch, flow(UDP), Method::Options, request("OPTIONS", &via(branch.as_str())));
    drain(&mut layer);
    let mut respond = |method: &str, branch: &str| {
        let bytes = Builder::reply(&parse(request(method, &via(branch))), 200, flow(UDP).local).finish();
        layer.handle_packet(now, packet(parse(bytes)));
        match layer.poll_output() {
            Some(Output::Event(Event::Response { id, .. })) => Some(id),
            None => None,
            other => panic!("{other:?}"),
        }
    };
    let config = |shard, mac| Config::new(shard, mac);
    let other_key = TransactionLayer::new(config(3, Mac::from_key([6; 16])), Rng::from_u64(1)).mint_branch();
    let other_shard = TransactionLayer::new(config(4, mac()), Rng::from_u64(1)).mint_branch();
    let unused = TransactionLayer::new(config(3, mac()), Rng::from_u64(2)).mint_branch();
    for forged in ["z9hG4bK", "x", other_key.as_str(), other_shard.as_str(), unused.as_str()] {
        assert_eq!(respond("OPTIONS", forged), None, "{forged}");
    }
    for method in ["INVITE", "CANCEL", "BYE", "FROB"] {
        assert_eq!(respond(method, branch.as_str()), None, "{method}");
    }
    assert_eq!(respond("OPTIONS", branch.as_str()), Some(branch.id()));
    assert_eq!(TransactionLayer::shard_of_branch(&mac(), branch.as_str()), Some(3));
    assert_eq!(TransactionLayer::shard_of_branch(&mac(), other_shard.as_str()), Some(4));
    assert_eq!(TransactionLayer::shard_of_branch(&mac(), other_key.as_str()), None);
}

fn text(method: &str, uri: &str, via: &str, to_tag: &str, cseq: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{to_tag}\r\nCall-ID: x\r\nCSeq: {cseq}\r\n\r\n"
    )
}

/// RFC 3261 section 17.2.3.
#[test]
fn a_request_matches_by_branch_sent_by_and_method() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let mut new = |via: &str, method: &str| {
        receive(&mut layer, now, &text(method, "sip:c@d", via, "", &format!("1 {method}"))).is_some()
    };
    assert!(new("SIP/2.0/UDP Host.example.com;branch=z9hG4bK1", "INFO"));
    for same in [
        "SIP/2.0/UDP Host.example.com;branch=z9hG4bK1",
        "SIP/2.0/UDP host.EXAMPLE.com:5060;rport;branch=z9hG4bK1",
        "SIP/2.0/UDP host.example.com ;x=y; branch=z9hG4bK1, SIP/2.0/UDP other",
    ] {
        assert!(!new(same, "INFO"), "{same}");
    }
    for other in [
        "SIP/2.0/UDP host.example.com;branch=z9hG4bK2",
        "SIP/2.0/UDP host.example.com:5061;branch=z9hG4bK1",
        "SIP/2.0/UDP host.example.org;branch=z9hG4bK1",
        "SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1",
        "SIP/2.0/UDP [2001:db8::4];branch=z9hG4bK1",
        &format!("SIP/2.0/UDP {}.example.com;branch=z9hG4bK1", "h".repeat(80)),
    ] {
        assert!(new(other, "INFO"), "{other}");
        assert!(!new(other, "INFO"), "{other}");
    }
    for method in ["OPTIONS", "FROB", "Frob"] {
        assert!(new("SIP/2.0/UDP host.example.com;branch=z9hG4bK1", method), "{method}");
    }
}

/// RFC 3261 section 17.2.3, for clients from before the magic cookie.
#[test]
fn a_request_without_unique_branch_matches_by_its_fields() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let via = "SIP/2.0/UDP old.example.com;branch=1";
    let mut new = |text: String| receive(&mut layer, now, &text).is_some();
    assert!(new(text("INFO", "sip:c@d", via, ";tag=2", "1 INFO")));
    assert!(!new(text("INFO", "sip:c@d", via, ";tag=2", "1 INFO")));
    assert!(new(text("INFO", "sip:c@d", via, ";tag=2", "2 INFO")));
    assert!(new(text("INFO", "sip:c@d", via, ";tag=3", "1 INFO")));
    assert!(new(text("INFO", "sip:c@e", via, ";tag=2", "1 INFO")));
    assert!(new(text("INFO", "sip:c@d", "SIP/2.0/UDP old.example.com", ";tag=2", "1 INFO")));
    assert!(!new(text("INFO", "sip:c@d", "SIP/2.0/UDP old.example.com", ";tag=2", "1 INFO")));
    assert!(new(text("INVITE", "sip:c@d", via, "", "1 INVITE")));
    assert!(!new(text("INVITE", "sip:c@d", via, "", "1 INVITE")));
}

/// RFC 3261 section 17.2.3 and RFC 6026 section 6.
#[test]
fn an_ack_without_unique_branch_matches_by_the_to_tag_of_the_response() {
    let now = Now::read_clocks();
    let via = "SIP/2.0/UDP old.example.com";
    let acks = |status, tag: &str| {
        let mut layer = layer();
        let id = receive(&mut layer, now, &text("INVITE", "sip:c@d", via, "", "1 INVITE")).expect("new");
        answer(&mut layer, now, id, status);
        let ack = packet(parse(Bytes::from(text("ACK", "sip:c@d", via, tag, "1 ACK"))));
        let mut goes_up = || {
            layer.handle_packet(now, ack.clone());
            matches!(layer.poll_output(), Some(Output::Event(Event::Ack { .. })))
        };
        let (first, repeated) = (goes_up(), goes_up());
        assert_eq!(first, repeated, "an ACK and its retransmission fare alike");
        first
    };
    assert!(!acks(486, ";tag=b"), "absorbed: it is for our refusal");
    assert!(acks(486, ";tag=other"), "for a 2xx that somebody else let through");
    assert!(acks(200, ";tag=b"), "for our 2xx");
}

#[test]
fn a_cancel_without_unique_branch_finds_its_invite() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let via = "SIP/2.0/UDP old.example.com";
    let invite = receive(&mut layer, now, &text("INVITE", "sip:c@d", via, "", "1 INVITE"));
    layer.handle_packet(now, packet(parse(Bytes::from(text("CANCEL", "sip:c@d", via, "", "1 CANCEL")))));
    match layer.poll_output() {
        Some(Output::Event(Event::Cancel { cancels, .. })) => assert_eq!(cancels, invite),
        other => panic!("{other:?}"),
    }
}

/// RFC 3261 section 18.2.2, RFC 3581 section 4.
#[test]
fn responses_go_to_where_the_request_came_from() {
    let to = |via: &str, transport| {
        let message = parse(Bytes::from(text("INFO", "sip:c@d", via, "", "1 INFO")));
        let reply = stateless_reply_flow(flow(transport), &message);
        assert_eq!(Flow { remote: flow(transport).remote, ..reply }, flow(transport));
        reply.remote.to_string()
    };
    for (via, remote) in [
        ("SIP/2.0/UDP 192.0.2.99:5070;branch=x", "192.0.2.99:5070"),
        ("SIP/2.0/UDP 10.0.0.1:5999;branch=x;rport", "192.0.2.99:5070"),
        ("SIP/2.0/UDP 10.0.0.1:5999;branch=x;rport=1", "192.0.2.99:5070"),
        ("SIP/2.0/UDP 10.0.0.1:5999;branch=x", "192.0.2.99:5999"),
        ("SIP/2.0/UDP 10.0.0.1;branch=x", "192.0.2.99:5060"),
        ("SIP/2.0/UDP phone.example.com:0;branch=x", "192.0.2.99:5070"),
        ("SIP/2.0/UDP 10.0.0.1:5999;received=203.0.113.1;branch=x", "192.0.2.99:5999"),
        ("SIP/2.0/UDP 10.0.0.1:5999;maddr=203.0.113.1;branch=x", "192.0.2.99:5999"),
    ] {
        assert_eq!(to(via, UDP), remote, "{via}");
    }
    assert_eq!(to("SIP/2.0/TCP 10.0.0.1:5999;branch=x", Transport::Tcp), "192.0.2.99:5070");
}

#[test]
fn transaction_responses_go_there_too() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let via = "SIP/2.0/UDP 10.0.0.1:5999;branch=z9hG4bKx";
    layer.handle_packet(now, packet(parse(Bytes::from(text("INVITE", "sip:c@d", via, "", "1 INVITE")))));
    layer.poll_output();
    layer.handle_timeout(now + Duration::from_millis(200));
    match layer.poll_output() {
        Some(Output::Send { flow, bytes, .. }) => {
            assert_eq!(flow.remote.to_string(), "192.0.2.99:5999");
            let trying = parse(bytes);
            assert_eq!((trying.status(), trying.to_tag()), (100, None));
            assert_eq!(
                trying.header(HeaderName::Via),
                Some("SIP/2.0/UDP 10.0.0.1:5999;branch=z9hG4bKx;received=192.0.2.99")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_layer_answers_503_and_keeps_nothing() {
    let now = Now::read_clocks();
    let config = Config { transactions_max: 2, ..Config::new(3, mac()) };
    let mut layer = TransactionLayer::new(config, Rng::from_u64(1));
    let info = |n: u32, method: &str| {
        let via = format!("SIP/2.0/UDP 10.0.0.1:5999;branch=z9hG4bK{n}");
        text(method, "sip:c@d", &via, "", &format!("{n} {method}"))
    };
    let first = receive(&mut layer, now, &info(1, "INFO"));
    assert!(first.is_some() && receive(&mut layer, now, &info(2, "INFO")).is_some());
    for n in [3, 4] {
        layer.handle_packet(now, packet(parse(Bytes::from(info(n, "INFO")))));
        let busy = sent(layer.poll_output());
        assert_eq!((busy.status(), busy.header(HeaderName::RetryAfter)), (503, Some("10")));
        assert!(busy.to_tag().is_some());
        assert_eq!((layer.len(), layer.poll_output().is_none()), (2, true));
    }
    layer.handle_packet(now, packet(parse(Bytes::from(info(3, "ACK")))));
    assert!(matches!(layer.poll_output(), Some(Output::Event(Event::Ack { .. }))), "an ACK is never answered");
    // The limit counts those alive: room comes back.
    answer(&mut layer, now, first.expect("new"), 200);
    layer.handle_timeout(now + Duration::from_secs(32));
    drain(&mut layer);
    assert!(receive(&mut layer, now, &info(5, "INFO")).is_some());
}

#[test]
fn bytes_held_have_a_limit() {
    let mut now = Now::read_clocks();
    let info = |n: u32| {
        let via = format!("SIP/2.0/UDP 10.0.0.1:5999;branch=z9hG4bK{n}");
        text("INFO", "sip:c@d", &via, "", &format!("{n} INFO"))
    };
    let invite = |n: u32| info(n).replace("INFO", "INVITE");
    let size = info(1).len();
    let config = Config { held_bytes_max: 3 * size, ..Config::new(3, mac()) };
    let mut layer = TransactionLayer::new(config, Rng::from_u64(1));
    let first = receive(&mut layer, now, &info(1)).expect("new");
    assert!(receive(&mut layer, now, &info(2)).is_some() && receive(&mut layer, now, &info(3)).is_some());
    assert_eq!(layer.held_bytes(), 3 * size);
    layer.handle_packet(now, packet(parse(Bytes::from(info(4)))));
    assert_eq!((sent(layer.poll_output()).status(), layer.len()), (503, 3));
    let branch = layer.mint_branch();
    let via = format!("SIP/2.0/UDP 192.0.2.1;branch={branch}");
    layer.send_request(now, &branch, flow(UDP), Method::Info, request("INFO", &via));
    assert!(matches!(layer.poll_output(), Some(Output::Event(Event::SendFailed { .. }))));

    // A request gives way to its response, whatever has its place is forgotten with its transaction.
    answer(&mut layer, now, first, 200);
    let held = layer.held_bytes();
    assert!(held > 2 * size && held != 3 * size, "{held}");
    for _ in 0..40 {
        now = now + Duration::from_secs(1);
        layer.handle_timeout(now);
        drain(&mut layer);
    }
    assert_eq!((layer.len(), layer.held_bytes()), (0, 0));
    for status in [180, 200, 486] {
        let id = receive(&mut layer, now, &invite(u32::from(status))).expect("new");
        layer.handle_timeout(now + Duration::from_secs(1));
        answer(&mut layer, now, id, status);
        if status == 180 {
            answer(&mut layer, now, id, 486);
        }
    }
    for _ in 0..40 {
        now = now + Duration::from_secs(1);
        layer.handle_timeout(now);
        drain(&mut layer);
    }
    assert_eq!((layer.len(), layer.held_bytes()), (0, 0));
}

#[test]
fn in_a_full_layer_the_oldest_that_merely_absorbs_retransmissions_gives_way() {
    let start = Now::read_clocks();
    let info = |n: u32| {
        let via = format!("SIP/2.0/UDP 10.0.0.1:5999;branch=z9hG4bK{n}");
        text("INFO", "sip:c@d", &via, "", &format!("{n} INFO"))
    };
    // By their number, or by what they hold.
    for by_bytes in [false, true] {
        let mut config = Config { transactions_max: 5, ..Config::new(3, mac()) };
        if by_bytes {
            config = Config { held_bytes_max: 10 * info(1).len(), ..Config::new(3, mac()) };
        }
        let mut layer = TransactionLayer::new(config, Rng::from_u64(1));
        for n in 1..=5 {
            let now = start + Duration::from_millis(n.into());
            let id = receive(&mut layer, now, &info(n)).expect("new");
            if n < 5 {
                answer(&mut layer, now, id, 200);
            }
        }
        let full = (6..40).find(|n| receive(&mut layer, start, &info(*n)).is_none()).expect("full");
        // A retransmission may still come.
        let early = start + Duration::from_millis(4000);
        layer.handle_packet(early, packet(parse(Bytes::from(info(full)))));
        assert_eq!(sent(layer.poll_output()).status(), 503);
        let alive = layer.len();
        let now = start + Duration::from_millis(4005);
        assert!(receive(&mut layer, now, &info(full)).is_some());
        assert!(layer.len() <= alive);
        if by_bytes {
            // What is sent finds room as well.
            let branch = layer.mint_branch();
            let via = format!("SIP/2.0/UDP 192.0.2.1;branch={branch}");
            layer.send_request(now, &branch, flow(UDP), Method::Info, request("INFO", &via));
            assert!(matches!(layer.poll_output(), Some(Output::Send { .. })));
        }
        // The first is a new one; the fifth, which nobody has answered, is not.
        layer.handle_packet(now, packet(parse(Bytes::from(info(5)))));
        assert!(layer.poll_output().is_none());
    }
}

#[test]
fn a_full_layer_starts_no_client_transaction() {
    let now = Now::read_clocks();
    let config = Config { transactions_max: 1, ..Config::new(3, mac()) };
    let mut layer = TransactionLayer::new(config, Rng::from_u64(1));
    let mut start = |fits| {
        let branch = layer.mint_branch();
        let via = format!("SIP/2.0/UDP 192.0.2.1;branch={branch}");
        layer.send_request(now, &branch, flow(UDP), Method::Info, request("INFO", &via));
        match layer.poll_output() {
            Some(Output::Send { transaction, .. }) => assert!(fits && transaction == Some(branch.id())),
            Some(Output::Event(Event::SendFailed { id })) => assert!(!fits && id == branch.id()),
            other => panic!("{other:?}"),
        }
    };
    start(true);
    start(false);
    assert_eq!(layer.len(), 1);
}

#[test]
fn a_request_with_a_via_that_is_none_gets_400() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    layer.handle_packet(now, packet(parse(Bytes::from(text("INFO", "sip:c@d", "SIP/2.0/UDP", "", "1 INFO")))));
    let refused = sent(layer.poll_output());
    assert_eq!((refused.status(), refused.reason()), (400, "Via without sent-by"));
    layer.handle_packet(now, packet(parse(Bytes::from(text("ACK", "sip:c@d", "SIP/2.0/UDP", "", "1 ACK")))));
    assert!(layer.poll_output().is_none() && layer.is_empty());
}

/// The request is dropped at the final response; handles of what is gone find nothing.
#[test]
fn the_request_is_kept_until_its_final_response() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    for (method, status) in [("INVITE", 200), ("INVITE", 404), ("INFO", 200), ("INFO", 408)] {
        let via = format!("SIP/2.0/UDP h;branch=z9hG4bK{method}{status}");
        let id = receive(&mut layer, now, &text(method, "sip:c@d", &via, "", &format!("1 {method}"))).expect("new");
        assert!(layer.request_of(id).is_some());
        answer(&mut layer, now, id, status);
        assert!(layer.request_of(id).is_none(), "{method} {status}");
    }
    layer.handle_timeout(now + Duration::from_secs(64));
    drain(&mut layer);
    assert!(layer.is_empty());
}

/// A million transactions wait out their last timer: they hold nothing that will not be sent again.
#[test]
fn bytes_are_let_go_when_nothing_will_repeat_them() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    for (method, status, kept) in
        [("INVITE", 180, true), ("INVITE", 200, false), ("INVITE", 404, false), ("BYE", 404, false)]
    {
        let branch = layer.mint_branch();
        let bytes = request(method, &format!("SIP/2.0/UDP 192.0.2.1;branch={branch}"));
        layer.send_request(now, &branch, flow(UDP), Method::from_bytes(method.as_bytes()), bytes.clone());
        let sent = sent(layer.poll_output());
        let response = Builder::reply(&sent, status, flow(UDP).local).to_tag("b").finish();
        drop(sent);
        layer.handle_packet(now, packet(parse(response.clone())));
        drain(&mut layer);
        assert_eq!((bytes.is_unique(), response.is_unique()), (!kept, true), "{method} answered with {status}");
    }
    for (method, status, kept) in
        [("INVITE", 180, true), ("INVITE", 200, false), ("INVITE", 404, true), ("BYE", 200, true), ("BYE", 408, false)]
    {
        let via = format!("SIP/2.0/UDP h;branch=z9hG4bK{method}{status}");
        let bytes = Bytes::from(text(method, "sip:c@d", &via, "", &format!("1 {method}")));
        layer.handle_packet(now, packet(parse(bytes.clone())));
        let id = drain(&mut layer).into_iter().find_map(|output| match output {
            Output::Event(Event::Request { id, .. }) => Some(id),
            _ => None,
        });
        let response = Bytes::from(b"SIP/2.0 and so on".to_vec());
        layer.respond(now, id.expect("new"), status, response.clone());
        drain(&mut layer);
        assert_eq!(bytes.is_unique(), status >= 200, "the {method} answered with {status}");
        assert_eq!(response.is_unique(), !kept, "the {status} to {method}");
    }
}

/// What the TU sends should be SIP; when it is not, there is no ACK to make of it, and nothing else goes wrong.
#[test]
fn an_invite_that_is_no_sip_is_not_acknowledged() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let branch = layer.mint_branch();
    layer.send_request(now, &branch, flow(UDP), Method::Invite, Bytes::from_static(b"hello"));
    layer.poll_output();
    let via = format!("SIP/2.0/UDP 192.0.2.1;branch={branch}");
    let answered = |layer: &mut TransactionLayer, status| {
        let bytes = Builder::reply(&parse(request("INVITE", &via)), status, flow(UDP).local).finish();
        layer.handle_packet(now, packet(parse(bytes)));
        drain(layer).iter().filter(|output| matches!(output, Output::Send { .. })).count()
    };
    layer.cancel_client(now, branch.id(), None);
    assert_eq!([180, 486, 486].map(|status| answered(&mut layer, status)), [0, 0, 0]);
}
