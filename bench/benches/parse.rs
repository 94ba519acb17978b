//! What a proxy wants to know of an INVITE before it can route it, asked of three parsers in one run.
//!
//! Ringback is asked everything (`routing`). The rivals are timed twice: for reading the message alone, and for the same
//! questions as far as their interfaces answer them.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringback_bench::INVITE;
use sip_message::{Edit, HeaderName, Message};
use std::hint::black_box;

fn ringback(bytes: Bytes) -> usize {
    let message = Message::parse(bytes).expect("a message");
    let via = message.top_via().expect("a Via");
    let branch = via.branch().expect("a branch");
    let (from, to) = (message.from_tag().expect("a tag"), message.to_tag());
    let cseq = message.cseq().expect("a CSeq");
    let hops = message.max_forwards().expect("a number").expect("a Max-Forwards");
    let uri = message.request_uri_parsed().expect("a URI");
    let route = message.first_route().expect("a Route").expect("an address");
    black_box((&via, branch, from, to, &cseq, hops, &uri, &route, message.call_id()));
    message.body().len()
}

fn rsip_parse(bytes: &[u8]) -> rsip::SipMessage {
    rsip::SipMessage::try_from(bytes).expect("a message")
}

fn rsip_routing(bytes: &[u8]) -> usize {
    use rsip::prelude::*;
    let rsip::SipMessage::Request(request) = rsip_parse(bytes) else { panic!("a request") };
    let via = request.via_header().and_then(|via| via.typed()).expect("a Via");
    black_box(via.branch());
    let from = request.from_header().and_then(|from| from.tag()).expect("a From");
    let to = request.to_header().and_then(|to| to.tag()).expect("a To");
    let cseq = request.cseq_header().and_then(|cseq| cseq.typed()).expect("a CSeq");
    let hops = request.max_forwards_header().and_then(|hops| hops.num()).expect("a Max-Forwards");
    let call_id = request.call_id_header().expect("a Call-ID");
    let route = request.route_header().and_then(|route| route.typed().ok());
    black_box((&via, from, to, cseq, hops, call_id.value(), route, request.uri()));
    request.body().len()
}

fn rsipstack_parse(bytes: &[u8]) -> rsipstack::sip::SipMessage {
    rsipstack::sip::SipMessage::try_from(bytes).expect("a message")
}

fn rsipstack_routing(bytes: &[u8]) -> usize {
    use rsipstack::sip::prelude::*;
    let rsipstack::sip::SipMessage::Request(request) = rsipstack_parse(bytes) else { panic!("a request") };
    let via = request.via_header().and_then(|via| via.typed()).expect("a Via");
    black_box(via.branch());
    let from = request.from_header().and_then(|from| from.tag()).expect("a From");
    let to = request.to_header().and_then(|to| to.tag()).expect("a To");
    let cseq = request.cseq_header().and_then(|cseq| cseq.seq()).expect("a CSeq");
    let hops = request
        .max_forwards_header()
        .map(|hops| hops.value().parse::<u8>().expect("a number"))
        .expect("a Max-Forwards");
    let call_id = request.call_id_header().expect("a Call-ID");
    let route = request.route_header().and_then(|route| route.typed().ok());
    black_box((&via, from, to, cseq, hops, call_id.value(), route, request.uri()));
    request.body().len()
}

fn parse(c: &mut Criterion) {
    let bytes = Bytes::from_static(INVITE);
    let mut group = c.benchmark_group("invite");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("ringback routing", |b| b.iter(|| ringback(black_box(bytes.clone()))));
    group.bench_function("ringback parse", |b| b.iter(|| Message::parse(black_box(bytes.clone())).expect("a message")));
    group.bench_function("rsipstack routing", |b| b.iter(|| rsipstack_routing(black_box(&bytes))));
    group.bench_function("rsipstack parse", |b| b.iter(|| rsipstack_parse(black_box(&bytes))));
    group.bench_function("rsip routing", |b| b.iter(|| rsip_routing(black_box(&bytes))));
    group.bench_function("rsip parse", |b| b.iter(|| rsip_parse(black_box(&bytes))));
    group.finish();
}

/// What a proxy writes: all that RFC 3261 section 16.6 has it change.
fn forward(c: &mut Criterion) {
    let message = Message::parse(Bytes::from_static(INVITE)).expect("a message");
    let source = "192.0.2.1:5060".parse().expect("an address");
    c.bench_function("forward", |b| {
        b.iter(|| {
            Edit::new(black_box(&message))
                .request_uri("sip:bob@192.0.2.4:5060")
                .stamp_via(source)
                .prepend(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKabcdefghijklmnopqrstuvwxyz")
                .prepend(HeaderName::RecordRoute, "<sip:192.0.2.9;lr>")
                .set(HeaderName::MaxForwards, 68)
                .remove_first_values(HeaderName::Route, 1)
                .finish()
        });
    });
}

criterion_group!(benches, parse, forward);
criterion_main!(benches);
