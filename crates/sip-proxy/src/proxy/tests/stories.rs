//! What becomes of requests, told line by line: what is sent to whom, and what the caller gets to see.

mod cancelling;
mod failover;
mod forwards;
mod loops;
mod recursion;
mod routes;

use super::*;
use crate::TargetSet;
use sip_message::{Builder, HeaderName, Message};
use std::collections::BTreeMap;

/// A proxy whose far ends are numbers: flow `n` leads to number `n`.
struct Story {
    bench: Bench,
    /// The last request that each far end got, other than a CANCEL or an ACK.
    last: BTreeMap<u16, (Flow, Message)>,
    transactions: BTreeMap<u16, ClientTransactionId>,
    /// All requests that were sent, as they were.
    requests: Vec<Message>,
    told: Vec<String>,
}

impl Story {
    fn new() -> Story {
        Story {
            bench: Bench::new(10),
            last: BTreeMap::new(),
            transactions: BTreeMap::new(),
            requests: Vec::new(),
            told: Vec::new(),
        }
    }

    /// A request comes in, with these fields more.
    fn comes(&mut self, method: &str, uri: &str, fields: &str) -> ServerTransactionId {
        self.comes_for(method, uri, fields, false)
    }

    /// The same, where Route values are ours or are not.
    fn comes_for(&mut self, method: &str, uri: &str, fields: &str, ours: bool) -> ServerTransactionId {
        let n = self.bench.requests + 1;
        self.bench.requests = n;
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{n}\r\n{fields}From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: {n}\r\nCSeq: 1 {method}\r\n\r\n"
        );
        let bench = &mut self.bench;
        let packet = Packet { flow: flow(9), message: Message::parse(text.into()).expect("well-formed") };
        bench.layer.handle_packet(bench.now, packet);
        let Some(Output::Event(Event::Request { id, packet })) = bench.layer.poll_output() else {
            panic!("no request")
        };
        let preprocessed = crate::preprocess(&packet, &bench.proxy.config().mac, |_| ours);
        bench.proxy.handle_request(bench.now, &mut bench.layer, id, preprocessed);
        id
    }

    /// An INVITE to `sip:b@b` comes in and may go there.
    fn invite(&mut self, set: TargetSet) -> ServerTransactionId {
        let id = self.comes("INVITE", "sip:b@b", "");
        self.goes_to(id, set);
        id
    }

    fn goes_to(&mut self, id: ServerTransactionId, set: TargetSet) {
        let bench = &mut self.bench;
        bench.proxy.handle_targets(bench.now, &mut bench.layer, id, set);
    }

    fn asks(&mut self) -> (u64, String) {
        self.carry();
        match self.bench.proxy.poll_output() {
            Some(Ask::Resolve { ticket, uri, .. }) => (ticket, uri),
            other => panic!("{other:?}"),
        }
    }

    /// The proxy asks where a URI is, and these are its far ends.
    fn found(&mut self, numbers: &[u16]) -> String {
        let (ticket, uri) = self.asks();
        let flows = numbers.iter().map(|n| flow(*n)).collect();
        self.bench.proxy.handle_resolved(self.bench.now, &mut self.bench.layer, ticket, flows);
        uri
    }

    /// The proxy asks where a URI is, and it is ours.
    fn ours(&mut self, targets: Vec<Target>) -> String {
        let (ticket, uri) = self.asks();
        self.bench.proxy.handle_expanded(self.bench.now, &mut self.bench.layer, ticket, targets);
        uri
    }

    /// The far end answers the last request that it got.
    fn says(&mut self, number: u16, status: u16) {
        self.says_more(number, status, &[]);
    }

    fn says_more(&mut self, number: u16, status: u16, fields: &[(HeaderName, &str)]) {
        self.carry();
        let (flow, request) = self.last.get(&number).cloned().expect("it got something");
        let mut reply = Builder::reply(&request, status, flow.local).to_tag("t");
        for (name, value) in fields {
            reply = reply.header(*name, value);
        }
        let message = Message::parse(reply.finish()).expect("ours");
        self.bench.layer.handle_packet(self.bench.now, Packet { flow, message });
    }

    /// The last request that a far end got could not be sent after all.
    fn cannot_be_sent(&mut self, number: u16) {
        let id = self.transactions[&number];
        self.bench.layer.handle_send_failed(self.bench.now, id);
    }

    fn wait(&mut self, seconds: u64) {
        self.carry();
        self.bench.now = self.bench.now + Duration::from_secs(seconds);
        self.bench.layer.handle_timeout(self.bench.now);
        self.bench.proxy.handle_timeout(self.bench.now, &mut self.bench.layer);
    }

    /// What has been sent since: `INVITE sip:x > 1`, `CANCEL sip:x > 2: reason`, and responses to the caller as `486`. ACKs,
    /// retransmissions and 100s are left out.
    fn told(&mut self) -> Vec<String> {
        self.carry();
        std::mem::take(&mut self.told)
    }

    /// Carries what the layer says to the proxy, and notes it.
    fn carry(&mut self) {
        while let Some(output) = self.bench.layer.poll_output() {
            let (now, layer, proxy) = (self.bench.now, &mut self.bench.layer, &mut self.bench.proxy);
            match output {
                Output::Send { flow, bytes, transaction: Some(id) } => {
                    let request = Message::parse(bytes).expect("ours");
                    let number = flow.remote.port() - 5060;
                    let (method, uri) = (request.method_text(), request.request_uri());
                    let reason = request.header(HeaderName::Reason).map_or(String::new(), |text| format!(": {text}"));
                    if !matches!(request.method(), Method::Ack) {
                        let again = self.requests.iter().any(|known| known.bytes() == request.bytes());
                        if !again {
                            self.told.push(format!("{method} {uri} > {number}{reason}"));
                        }
                        if request.method() != Method::Cancel {
                            self.last.insert(number, (flow, request.clone()));
                            self.transactions.insert(number, id);
                        }
                        self.requests.push(request);
                    }
                }
                Output::Send { bytes, .. } => match Message::parse(bytes).expect("ours").status() {
                    100 => {}
                    status => self.told.push(status.to_string()),
                },
                Output::Event(Event::Response { id, packet }) => proxy.handle_response(now, layer, id, packet),
                Output::Event(Event::Timeout { id }) => proxy.handle_client_timeout(now, layer, id),
                Output::Event(Event::SendFailed { id }) => proxy.handle_send_failed(now, layer, id),
                Output::Event(_) => {}
            }
        }
    }

    #[track_caller]
    fn tells(&mut self, expected: &[&str]) {
        assert_eq!(self.told(), expected);
    }

    /// The last request that a far end got has this field.
    fn field(&self, number: u16, name: HeaderName) -> Option<String> {
        self.last.get(&number)?.1.header(name).map(str::to_owned)
    }

    /// Everything runs out, and nothing is left.
    fn ends(mut self) {
        self.told();
        self.bench.run_out();
        self.bench.assert_empty();
    }
}

fn at(number: u16, q: u16) -> Target {
    Target { q, ..Target::new(Some(format!("sip:{number}@x")), Hop::Flow(flow(number))) }
}

fn elsewhere(uri: &str) -> Target {
    Target::new(Some(uri.to_owned()), Hop::Resolve)
}
