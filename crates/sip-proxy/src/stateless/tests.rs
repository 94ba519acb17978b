use super::*;
use crate::{Config, Hop, MAX_BREADTH, preprocess};
use bytes::Bytes;
use engine::Rng;
use sip_message::{Builder, Transport};
use sip_transaction::{ConnectionId, Output};

struct Bench {
    layer: TransactionLayer,
    proxy: Proxy,
}

fn mac() -> Mac {
    Mac::from_key([1; 16])
}

impl Bench {
    fn new() -> Bench {
        let mut rng = Rng::from_u64(1);
        let layer = TransactionLayer::new(sip_transaction::Config::new(0, mac()), rng.split());
        let config = Config { realm: String::new(), record_route: true, mac: mac(), max_breadth: MAX_BREADTH };
        Bench { layer, proxy: Proxy::new(config, rng.split()) }
    }

    /// What is sent when this request comes.
    fn forward(&mut self, from: Flow, text: &str) -> Vec<(Flow, Message)> {
        let packet = Packet { flow: from, message: Message::parse(Bytes::from(text.to_owned())).expect("well-formed") };
        let preprocessed = preprocess(&packet, &mac(), |_| false);
        let target = Target::new(Some("sip:c@x".into()), Hop::Flow(far()));
        self.proxy.forward_stateless(&mut self.layer, &packet, &preprocessed, &target, far());
        self.sent()
    }

    fn sent(&mut self) -> Vec<(Flow, Message)> {
        let sent = std::iter::from_fn(|| self.layer.poll_output());
        sent.map(|output| match output {
            Output::Send { flow, bytes, transaction: None } => (flow, Message::parse(bytes).expect("ours")),
            other => panic!("{other:?}"),
        })
        .collect()
    }

    fn back(&mut self, message: Message) -> Option<Vec<(Flow, Message)>> {
        let packet = Packet { flow: far(), message };
        self.proxy.handle_stateless_response(&mut self.layer, &packet).then(|| self.sent())
    }
}

fn flow(transport: Transport, host: u8, connection: Option<u64>) -> Flow {
    let (local, remote) = (([10, 0, 0, 1], 5060).into(), ([10, 0, 0, host], 40_000).into());
    Flow { transport, local, remote, connection: connection.map(ConnectionId) }
}

fn far() -> Flow {
    flow(Transport::Udp, 9, None)
}

fn request(method: &str, via: &str, fields: &str) -> String {
    let cseq = if matches!(method, "ACK" | "CANCEL") { "INVITE" } else { method };
    let number = cseq.len(); // the same for what belongs together
    format!(
        "{method} sip:b@b SIP/2.0\r\nVia: SIP/2.0/{via}\r\n{fields}From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn branch_of(message: &Message) -> String {
    message.top_via().expect("ours").branch().expect("ours").to_owned()
}

/// RFC 3261 section 16.11: the branch is a function of the request.
#[test]
fn retransmissions_cancel_and_ack_get_the_same_branch_and_others_another() {
    let mut bench = Bench::new();
    let from = flow(Transport::Udp, 7, None);
    for via in ["UDP a;branch=z9hG4bK1", "UDP a;branch=old", "UDP a"] {
        let mut branch = |method, via| branch_of(&bench.forward(from, &request(method, via, ""))[0].1);
        let first = branch("INVITE", via);
        assert!(first.starts_with("z9hG4bK-"), "{first}");
        assert_eq!(branch("INVITE", via), first);
        assert_eq!(branch("CANCEL", via), first);
        assert_eq!(branch("ACK", via), first);
        assert_ne!(branch("INVITE", "UDP a;branch=z9hG4bK2"), first);
        assert_eq!(TransactionLayer::shard_of_branch(&mac(), &first), None);
    }
    let text = request("INVITE", "UDP a;branch=z9hG4bK1", "Max-Forwards: 9\r\n");
    let (one, two) = (bench.forward(from, &text), bench.forward(from, &text));
    assert_eq!(one[0].1.bytes(), two[0].1.bytes(), "whatever else is changed is the same, too");
    assert_eq!((one[0].0, one[0].1.request_uri(), one[0].1.max_forwards()), (far(), "sip:c@x", Ok(Some(8))));
    assert!(bench.proxy.is_empty() && bench.layer.is_empty(), "nothing is kept");
}

#[test]
fn a_response_goes_back_over_the_flow_of_its_request() {
    let mut bench = Bench::new();
    for (from, via, to) in [
        (flow(Transport::Tcp, 7, Some(5)), "TCP a:5080;branch=z9hG4bK1", flow(Transport::Tcp, 7, Some(5))),
        (flow(Transport::Udp, 7, None), "UDP a;branch=z9hG4bK1;rport", flow(Transport::Udp, 7, None)),
        (
            flow(Transport::Udp, 7, None),
            "UDP a:5080;branch=z9hG4bK1",
            Flow { remote: ([10, 0, 0, 7], 5080).into(), ..flow(Transport::Udp, 7, None) },
        ),
    ] {
        let forwarded = bench.forward(from, &request("INVITE", via, "")).remove(0).1;
        for status in [100, 180, 486] {
            let reply = Builder::reply(&forwarded, status, far().local).to_tag("t").finish();
            let back = bench.back(Message::parse(reply).expect("ours")).expect("it is ours");
            assert_eq!(back.len(), 1, "one for one");
            assert_eq!((back[0].0, back[0].1.status(), back[0].1.values(HeaderName::Via).count()), (to, status, 1));
        }
    }
}

/// Only what answers a request of ours goes anywhere, and only to where that came from.
#[test]
fn nobody_can_have_us_send_anything_else() {
    let mut bench = Bench::new();
    let forwarded =
        bench.forward(flow(Transport::Udp, 7, None), &request("INVITE", "UDP a;branch=z9hG4bK1", "")).remove(0).1;
    let reply = Builder::reply(&forwarded, 200, far().local).to_tag("t").finish();
    let text = String::from_utf8(reply.to_vec()).expect("text");
    let mut back =
        |text: &str| bench.back(Message::parse(Bytes::from(text.to_owned())).expect("well-formed")).is_some();
    assert!(back(&text));
    assert!(!back(&text.replace("Call-ID: 1", "Call-ID: 2")), "another call");
    assert!(!back(&text.replace("CSeq: 6", "CSeq: 7")), "another request");
    assert!(!back(&text.replace(";tag=1", ";tag=2")), "another caller");
    let branch = branch_of(&forwarded);
    for at in "z9hG4bK-".len()..branch.len() - 1 {
        let other = if branch.as_bytes()[at] == b'c' { "d" } else { "c" };
        let mut forged = branch.clone();
        forged.replace_range(at..=at, other);
        assert!(!back(&text.replace(&branch, &forged)), "{forged}");
    }
    for junk in ["z9hG4bK", "z9hG4bK-", "z9hG4bK-a", "x"] {
        assert!(!back(&text.replace(&branch, junk)), "{junk}");
    }
}

#[test]
fn what_cannot_go_on_is_answered_and_an_ack_is_not() {
    let mut bench = Bench::new();
    let from = flow(Transport::Udp, 7, None);
    for (fields, status) in [("Max-Forwards: 0\r\n", 483), ("Max-Breadth: 0\r\n", 440)] {
        let refused = bench.forward(from, &request("INVITE", "UDP a;branch=z9hG4bK1;rport", fields));
        assert_eq!(refused.iter().map(|(to, reply)| (*to, reply.status())).collect::<Vec<_>>(), [(from, status)]);
        assert!(bench.forward(from, &request("ACK", "UDP a;branch=z9hG4bK1", fields)).is_empty());
    }
    let room = MESSAGE_BYTES_MAX - request("INVITE", "UDP a;branch=z9hG4bK1", "Subject: \r\n").len();
    let large = format!("Subject: {}\r\n", "x".repeat(room));
    let refused = bench.forward(from, &request("INVITE", "UDP a;branch=z9hG4bK1", &large));
    assert_eq!(refused[0].1.status(), 513);
}
