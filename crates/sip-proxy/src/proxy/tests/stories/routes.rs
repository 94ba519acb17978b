use super::*;
use crate::{Dialog, FlowToken, RouteToken};

fn mac(story: &Story) -> Mac {
    story.bench.proxy.config().mac
}

/// RFC 5626 section 5.3.1: a request with our flow token goes over that flow, and gets 430 when it is gone.
#[test]
fn an_edge_flow_is_taken_and_430_stands_for_one_that_is_gone() {
    for (gone, told) in [(false, vec!["486"]), (true, vec!["430"])] {
        let mut story = Story::new();
        let path = FlowToken(flow(4)).path(&mac(&story), flow(0), true).to_string();
        story.comes_for("INVITE", "sip:phone@x", &format!("Route: {path}\r\n"), true);
        story.tells(&["INVITE sip:phone@x > 4"]);
        assert_eq!(story.field(4, HeaderName::Route), None);
        assert!(
            story.field(4, HeaderName::RecordRoute).is_some(),
            "so that the rest of the dialog takes the flow, too"
        );
        if gone {
            story.cannot_be_sent(4);
        } else {
            story.says(4, 486);
        }
        story.tells(&told);
        story.ends();
    }
}

/// RFC 3261 sections 16.6 item 7 and 16.12: the first Route that is not ours, else the target, is where the request goes; where the target
/// is a `sips` one, the way must be, too.
#[test]
fn the_next_hop_is_the_first_route_and_as_safe_as_the_target() {
    for (uri, fields, hop) in [
        ("sip:b@b", "Route: <sip:p.x;lr>, <sip:q.x;lr>\r\n", "sip:p.x;lr"),
        ("sips:b@b", "Route: <sip:p.x;lr>\r\n", "sips:p.x;lr"),
        ("sip:b@b", "Route: <sips:p.x;lr>\r\n", "sips:p.x;lr"),
        ("sip:b@b", "Route: <sip:strict.x>\r\n", "sip:strict.x"),
    ] {
        let mut story = Story::new();
        story.comes("MESSAGE", uri, fields);
        assert_eq!(story.found(&[1]), hop);
        assert_eq!(story.told().len(), 1);
        story.says(1, 200);
        story.tells(&["200"]);
        story.ends();
    }
    let mut story = Story::new();
    let target = Target { routes: Some("<sip:edge.x;lr>,<sip:edge2.x;lr>".into()), ..elsewhere("sips:phone@y") };
    story.invite(vec![target].into());
    assert_eq!(story.found(&[1]), "sips:edge.x;lr");
    story.tells(&["INVITE sips:phone@y > 1"]);
    assert_eq!(story.field(1, HeaderName::Route).as_deref(), Some("<sip:edge.x;lr>,<sip:edge2.x;lr>"));
    story.says(1, 404);
    story.ends();
}

/// RFC 3261 section 16.3 item 3: an ACK without hops left goes nowhere, and neither does one that nobody waits for.
#[test]
fn an_ack_goes_on_with_a_token_and_hops_left() {
    for (token, hops, sent) in [(true, 1, true), (true, 0, false), (false, 1, false)] {
        let mut story = Story::new();
        let text = |route: &str| {
            Message::parse(
                format!("ACK sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n{route}Max-Forwards: {hops}\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 ACK\r\n\r\n").into(),
            )
            .expect("well-formed")
        };
        let bare = text("");
        let dialog = Dialog::of(&bare);
        let own = RouteToken::new(&mac(&story), flow(9), flow(1), &dialog).write(&mac(&story), &dialog);
        let route = if token { format!("Route: <sip:{own}@10.0.0.1;lr>\r\n") } else { String::new() };
        let packet = Packet { flow: flow(9), message: text(&route) };
        let preprocessed = crate::preprocess(&packet, &mac(&story), |_| true);
        story.bench.proxy.handle_ack(&mut story.bench.layer, &packet, &preprocessed);
        let out = story.bench.layer.poll_output();
        assert_eq!(matches!(out, Some(Output::Send { flow: to, .. }) if to == flow(1)), sent, "{token} {hops}");
        story.ends();
    }
}
