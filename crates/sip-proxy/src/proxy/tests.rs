//! Limits, and that nothing is left over. What the proxy does with calls is told in the ladders of `simnet`, and what it does with
//! targets in the stories of `stories`.

mod stories;

use super::*;
use crate::{TARGETS_MAX, TargetSet};
use bytes::Bytes;
use sip_message::{MESSAGE_BYTES_MAX, Transport};
use sip_transaction::{Event, Flow, Output};

struct Bench {
    now: Now,
    layer: TransactionLayer,
    proxy: Proxy,
    requests: u32,
}

impl Bench {
    fn new(contexts_max: usize) -> Bench {
        let mut rng = Rng::from_u64(1);
        let mac = Mac::from_key([1; 16]);
        let layer = TransactionLayer::new(sip_transaction::Config::new(0, mac), rng.split());
        let proxy = Proxy::with_max(
            Config { realm: String::new(), record_route: true, mac, max_breadth: MAX_BREADTH },
            rng.split(),
            contexts_max,
        );
        Bench { now: Now::read_clocks(), layer, proxy, requests: 0 }
    }

    /// A request comes in and is forwarded as soon as the proxy knows where to.
    fn request(&mut self, method: &str, uri: &str) -> ServerTransactionId {
        self.large_request(method, uri, 0)
    }

    fn large_request(&mut self, method: &str, uri: &str, body: usize) -> ServerTransactionId {
        self.requests += 1;
        let n = self.requests;
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{n}\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: {n}\r\nCSeq: 1 {method}\r\n\r\n{}",
            "x".repeat(body)
        );
        let message = Message::parse(Bytes::from(text)).expect("well-formed");
        self.layer.handle_packet(self.now, Packet { flow: flow(9), message });
        let Some(Output::Event(Event::Request { id, packet })) = self.layer.poll_output() else { panic!("no request") };
        let preprocessed = crate::preprocess(&packet, &self.proxy.config().mac, |_| false);
        self.proxy.handle_request(self.now, &mut self.layer, id, preprocessed);
        id
    }

    fn targets(&mut self, id: ServerTransactionId, count: u16) {
        let target = |n| Target::new(None, Hop::Flow(flow(n)));
        self.proxy.handle_targets(self.now, &mut self.layer, id, set((0..count).map(target).collect()));
    }

    /// What was sent: requests by their transaction, responses by their status.
    fn sent(&mut self) -> (Vec<(Flow, Bytes)>, Vec<u16>) {
        let (mut requests, mut statuses) = (Vec::new(), Vec::new());
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Send { flow, bytes, transaction: Some(_) } => requests.push((flow, bytes)),
                Output::Send { bytes, .. } => statuses.push(Message::parse(bytes).expect("ours").status()),
                Output::Event(Event::Response { id, packet }) => {
                    self.proxy.handle_response(self.now, &mut self.layer, id, packet);
                }
                Output::Event(Event::Timeout { id }) => {
                    self.proxy.handle_client_timeout(self.now, &mut self.layer, id);
                }
                Output::Event(_) => {}
            }
        }
        (requests, statuses)
    }

    /// The far end answers what it got.
    fn respond(&mut self, (flow, bytes): &(Flow, Bytes), status: u16) {
        let request = Message::parse(bytes.clone()).expect("ours");
        let reply = sip_message::Builder::reply(&request, status, flow.local).to_tag("t").finish();
        let message = Message::parse(reply).expect("ours");
        self.layer.handle_packet(self.now, Packet { flow: *flow, message });
    }

    /// Lets all timers run out.
    fn run_out(&mut self) {
        for _ in 0..600 {
            self.now = self.now + Duration::from_secs(1);
            self.layer.handle_timeout(self.now);
            self.proxy.handle_timeout(self.now, &mut self.layer);
            self.sent();
        }
    }

    fn assert_empty(&self) {
        let proxy = &self.proxy;
        assert!(proxy.is_empty() && self.layer.is_empty(), "{proxy:?}");
        assert!(
            proxy.shared.forwarded.is_empty() && proxy.shared.resolving.is_empty() && proxy.shared.looks.is_empty(),
            "{proxy:?}"
        );
        assert_eq!((proxy.poll_timeout(), proxy.shared.asks.len()), (None, 0));
    }
}

fn set(targets: Vec<Target>) -> TargetSet {
    targets.into()
}

fn flow(n: u16) -> Flow {
    let (local, remote) = (([10, 0, 0, 1], 5060).into(), ([10, 0, 1, 0], 5060 + n).into());
    Flow { transport: Transport::Udp, local, remote, connection: None }
}

#[test]
fn one_request_too_many_gets_503() {
    let mut bench = Bench::new(3);
    let ids: Vec<_> = (0..3).map(|_| bench.request("MESSAGE", "sip:b@b")).collect();
    assert_eq!(bench.proxy.len(), 3);
    bench.request("MESSAGE", "sip:b@b");
    assert_eq!((bench.sent().1, bench.proxy.len()), (vec![503], 3));
    for id in ids {
        bench.targets(id, 0);
    }
    assert_eq!(bench.sent().1, [480, 480, 480]);
    bench.request("MESSAGE", "sip:b@b");
    assert_eq!((bench.sent().1, bench.proxy.len()), (vec![], 1), "there is room again");
}

#[test]
fn targets_beyond_the_limit_are_left_out() {
    let mut bench = Bench::new(10);
    let id = bench.request("INVITE", "sip:b@b");
    bench.targets(id, TARGETS_MAX as u16 + 5);
    let (requests, _) = bench.sent();
    assert_eq!(requests.len(), TARGETS_MAX);
    requests.iter().for_each(|request| bench.respond(request, 486));
    bench.run_out();
    bench.assert_empty();
}

#[test]
fn nothing_is_left_over_however_a_request_ends() {
    for method in ["INVITE", "MESSAGE"] {
        for (first, second) in
            [(0, 0), (200, 0), (200, 200), (486, 0), (486, 486), (603, 200), (180, 0), (180, 200), (408, 503)]
        {
            let mut bench = Bench::new(10);
            let id = bench.request(method, "sip:b@b");
            bench.targets(id, 2);
            let (requests, _) = bench.sent();
            for (request, status) in requests.iter().zip([first, second]).filter(|(_, status)| *status > 0) {
                bench.respond(request, status);
            }
            bench.sent();
            bench.run_out();
            bench.assert_empty();
        }
    }
}

#[test]
fn answers_that_come_too_late_or_twice_change_nothing() {
    let mut bench = Bench::new(10);
    let id = bench.request("INVITE", "sip:b@b");
    bench.proxy.handle_cancel(bench.now, &mut bench.layer, id, None);
    assert_eq!(bench.sent().1, [487]);
    bench.targets(id, 2);
    assert_eq!(bench.sent(), (vec![], vec![]), "nobody is called any more");

    let id = bench.request("MESSAGE", "sip:b@b");
    let target = Target::new(None, Hop::Resolve);
    bench.proxy.handle_targets(bench.now, &mut bench.layer, id, set(vec![target]));
    let Some(Ask::Resolve { ticket, uri, .. }) = bench.proxy.poll_output() else { panic!("where to?") };
    assert_eq!(uri, "sip:b@b");
    for _ in 0..2 {
        bench.proxy.handle_resolved(bench.now, &mut bench.layer, ticket, vec![flow(1)]);
    }
    let (requests, _) = bench.sent();
    assert_eq!(requests.len(), 1);
    bench.respond(&requests[0], 200);
    assert_eq!(bench.sent().1, [200]);
    bench.run_out();
    bench.assert_empty();
}

/// A location service or resolver that never answers, or answers when the request's own transaction has given up.
#[test]
fn answers_that_come_too_late_for_anybody_leave_nothing_behind() {
    for late in [false, true] {
        let mut bench = Bench::new(10);
        let id = bench.request("MESSAGE", "sip:b@b");
        let elsewhere = Target::new(None, Hop::Resolve);
        if !late {
            bench.run_out();
            assert!(bench.proxy.is_empty(), "nobody answers");
        }
        bench.proxy.handle_targets(bench.now, &mut bench.layer, id, set(vec![elsewhere]));
        if late {
            let Some(Ask::Resolve { ticket, .. }) = bench.proxy.poll_output() else { panic!("where is that?") };
            for _ in 0..40 {
                bench.now = bench.now + Duration::from_secs(1);
                bench.layer.handle_timeout(bench.now);
            }
            bench.proxy.handle_resolved(bench.now, &mut bench.layer, ticket, vec![flow(1)]);
        }
        assert!(bench.sent().0.is_empty());
        assert!(bench.proxy.is_empty() && bench.proxy.shared.resolving.is_empty());
        bench.run_out();
        bench.assert_empty();
    }
}

#[test]
fn silent_targets_one_after_another_do_not_outlive_the_request() {
    let mut bench = Bench::new(10);
    let id = bench.request("MESSAGE", "sip:b@b");
    let targets = (1..4).map(|n| Target { q: n, ..Target::new(None, Hop::Flow(flow(n))) }).collect();
    bench.proxy.handle_targets(bench.now, &mut bench.layer, id, set(targets));
    bench.run_out();
    bench.assert_empty();
}

#[test]
fn a_2xx_without_the_callers_via_does_not_end_the_ringing_elsewhere() {
    let mut bench = Bench::new(10);
    let id = bench.request("INVITE", "sip:b@b");
    bench.targets(id, 2);
    let (requests, _) = bench.sent();
    bench.respond(&requests[1], 180);
    let request = Message::parse(requests[0].1.clone()).expect("ours");
    let answer = sip_message::Builder::reply(&request, 200, requests[0].0.local).to_tag("t").finish();
    let answer = Message::parse(answer).expect("ours");
    let top = answer.values(sip_message::HeaderName::Via).next().expect("ours");
    let answer = sip_message::Edit::new(&answer).set(sip_message::HeaderName::Via, top).finish();
    let message = Message::parse(answer).expect("ours");
    bench.layer.handle_packet(bench.now, Packet { flow: requests[0].0, message });
    assert_eq!(bench.sent(), (vec![], vec![180]), "no CANCEL, no answer");
    bench.respond(&requests[1], 200);
    assert_eq!(bench.sent().1, [200]);
    bench.run_out();
    bench.assert_empty();
}

#[test]
fn a_flow_that_failed_is_forgotten() {
    let mut bench = Bench::new(10);
    let id = bench.request("INVITE", "sip:b@b");
    let target = Target::new(None, Hop::Resolve);
    bench.proxy.handle_targets(bench.now, &mut bench.layer, id, set(vec![target]));
    let Some(Ask::Resolve { ticket, .. }) = bench.proxy.poll_output() else { panic!("where is that?") };
    bench.proxy.handle_resolved(bench.now, &mut bench.layer, ticket, vec![flow(1), flow(2)]);
    let Some(Output::Send { transaction: Some(first), .. }) = bench.layer.poll_output() else { panic!("sent") };
    bench.layer.handle_send_failed(bench.now, first);
    let Some(Output::Event(Event::SendFailed { id })) = bench.layer.poll_output() else { panic!("told") };
    bench.proxy.handle_send_failed(bench.now, &mut bench.layer, id);
    let (requests, _) = bench.sent();
    assert_eq!(requests.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [flow(2)]);
    assert_eq!(bench.proxy.shared.forwarded.len(), 1);
    bench.respond(&requests[0], 200);
    bench.sent();
    bench.run_out();
    bench.assert_empty();
}

#[test]
fn a_request_that_we_would_make_too_large_gets_513() {
    for (bytes_left, sent) in [(600, 1), (20, 0)] {
        let mut bench = Bench::new(10);
        let id = bench.large_request("INVITE", "sip:b@b", MESSAGE_BYTES_MAX - 130 - bytes_left);
        bench.targets(id, 1);
        let (requests, statuses) = bench.sent();
        assert_eq!((requests.len(), statuses.first().copied()), (sent, (sent == 0).then_some(513)));
        bench.run_out();
        bench.assert_empty();
    }
}

#[test]
fn only_a_call_is_remembered_once_it_is_answered() {
    for (method, left) in [("MESSAGE", 0), ("INVITE", 1)] {
        let mut bench = Bench::new(10);
        let id = bench.request(method, "sip:b@b");
        bench.targets(id, 1);
        let (requests, _) = bench.sent();
        bench.respond(&requests[0], 200);
        bench.sent();
        assert_eq!(bench.proxy.len(), left, "{method}");
    }
}
