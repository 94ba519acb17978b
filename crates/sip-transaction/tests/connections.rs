//! Responses whose connection is gone (RFC 3261 section 18.2.2), and why a CANCEL is sent (RFC 3326).

mod ladder;

use bytes::Bytes;
use engine::Now;
use ladder::{flow, layer, parse, request};
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_transaction::{ConnectionId, Event, Flow, Output, Packet, ServerTransactionId, TransactionLayer};

fn drain(layer: &mut TransactionLayer) -> Vec<Output> {
    std::iter::from_fn(|| layer.poll_output()).collect()
}

fn receive(layer: &mut TransactionLayer, now: Now, flow: Flow, via: &str) -> ServerTransactionId {
    layer.handle_packet(now, Packet { flow, message: parse(request("INVITE", via)) });
    let new = drain(layer).into_iter().find_map(|output| match output {
        Output::Event(Event::Request { id, .. }) => Some(id),
        _ => None,
    });
    new.expect("a new transaction")
}

fn respond(layer: &mut TransactionLayer, now: Now, id: ServerTransactionId, status: u16) -> Vec<Flow> {
    layer.respond(now, id, status, Bytes::from_static(b"SIP/2.0 and so on"));
    let sent = drain(layer).into_iter();
    sent.map(|output| match output {
        Output::Send { flow, .. } => flow,
        Output::Event(event) => panic!("{event:?}"),
    })
    .collect()
}

#[test]
fn a_response_whose_connection_is_gone_goes_over_a_new_one_to_the_source_and_the_port_in_the_via() {
    for (transport, via, port) in [
        (Transport::Tcp, "SIP/2.0/TCP h;branch=z9hG4bK1", 5060),
        (Transport::Tcp, "SIP/2.0/TCP 10.9.9.9:5075;branch=z9hG4bK1", 5075),
        (Transport::Tcp, "SIP/2.0/TCP h:5075;maddr=10.9.9.9;rport;branch=z9hG4bK1", 5075),
        (Transport::Tls, "SIP/2.0/TLS h;branch=z9hG4bK1", 5061),
    ] {
        let (mut layer, now) = (layer(), Now::read_clocks());
        let old = flow(transport);
        let id = receive(&mut layer, now, old, via);
        assert_eq!(respond(&mut layer, now, id, 180), [old]);
        layer.handle_connection_closed(now, ConnectionId(8));
        assert_eq!(respond(&mut layer, now, id, 180), [old], "another connection is gone");
        layer.handle_connection_closed(now, ConnectionId(7));
        let new = Flow { connection: None, remote: (old.remote.ip(), port).into(), ..old };
        // A 2xx may come again.
        for status in [180, 200, 200] {
            assert_eq!(respond(&mut layer, now, id, status), [new], "{via}");
        }
    }
}

#[test]
fn nobody_connects_to_a_browser() {
    let (mut layer, now) = (layer(), Now::read_clocks());
    let old = flow(Transport::Ws);
    let id = receive(&mut layer, now, old, "SIP/2.0/WS h.invalid;branch=z9hG4bK1");
    layer.handle_connection_closed(now, ConnectionId(7));
    assert_eq!(respond(&mut layer, now, id, 200), [old]);
}

/// RFC 3326 section 2: the reason given when the CANCEL was asked for, although it has to wait (RFC 3261 section 9.1).
#[test]
fn a_cancel_says_why_even_if_it_had_to_wait() {
    for waits in [false, true] {
        let (mut layer, now) = (layer(), Now::read_clocks());
        let branch = layer.mint_branch();
        let udp = flow(Transport::Udp);
        let via = format!("SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport");
        let invite = request("INVITE", &via);
        layer.send_request(now, &branch, udp, Method::Invite, invite.clone());
        let ring = |layer: &mut TransactionLayer| {
            let bytes = Builder::reply(&parse(invite.clone()), 180, udp.local).to_tag("b").finish();
            layer.handle_packet(now, Packet { flow: udp, message: parse(bytes) });
        };
        if !waits {
            ring(&mut layer);
        }
        drain(&mut layer);
        layer.cancel_client(now, branch.id(), Some("SIP;cause=200"));
        layer.cancel_client(now, branch.id(), Some("SIP;cause=603"));
        if waits {
            assert!(drain(&mut layer).is_empty());
            ring(&mut layer);
        }
        let sent: Vec<Message> = drain(&mut layer)
            .into_iter()
            .filter_map(|output| match output {
                Output::Send { bytes, .. } => Some(parse(bytes)),
                Output::Event(_) => None,
            })
            .collect();
        let reasons: Vec<_> = sent.iter().map(|cancel| (cancel.method(), cancel.header(HeaderName::Reason))).collect();
        assert_eq!(reasons, [(Method::Cancel, Some("SIP;cause=200"))], "waits: {waits}");
    }
}
