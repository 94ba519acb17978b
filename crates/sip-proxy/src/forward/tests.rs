use super::*;
use crate::{Hop, MAX_BREADTH, preprocess};
use engine::Mac;
use sip_transaction::ConnectionId;

const FAR: [u8; 4] = [10, 0, 0, 9];

fn flow(transport: Transport, local_port: u16) -> Flow {
    Flow { transport, local: ([10, 0, 0, 1], local_port).into(), remote: (FAR, 5060).into(), connection: None }
}

/// The copy of a request (whose lines are given without the usual ones) for a target.
fn copy(start: &str, fields: &str, target: &Target, from: Flow, to: Flow) -> Message {
    let (method, _) = start.split_once(' ').expect("a method");
    let text = format!(
        "{start} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n{fields}From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\r\n"
    );
    let packet = Packet { flow: from, message: Message::parse(text.into()).expect("well-formed") };
    let mac = Mac::from_key([1; 16]);
    let ours = |uri: &sip_message::Uri<'_>| uri.host.ip() == Some([10, 0, 0, 1].into());
    let preprocessed = preprocess(&packet, &mac, ours);
    let config = Config { realm: "r".into(), record_route: true, mac, max_breadth: MAX_BREADTH };
    let own = Copy { target: Some(target), flow: to, breadth: 7, mark: ".m" };
    Message::parse(forwarded_request(&packet, &preprocessed, "z9hG4bKx", &own, &config)).expect("well-formed")
}

fn udp() -> Flow {
    flow(Transport::Udp, 5060)
}

fn target(uri: &str, routes: &str) -> Target {
    let routes = Some(routes.to_owned()).filter(|routes| !routes.is_empty());
    Target { routes, ..Target::new(Some(uri.to_owned()), Hop::Resolve) }
}

fn values(message: &Message, name: HeaderName) -> Vec<String> {
    message.values(name).map(str::to_owned).collect()
}

/// RFC 3327 section 5.4: the path goes on top of what Route has.
#[test]
fn a_path_becomes_route() {
    for (routes, received, uri, expected) in [
        ("", "", "sip:c@x", vec![]),
        ("<sip:p1;lr>,<sip:p2;lr>", "", "sip:c@x", vec!["<sip:p1;lr>", "<sip:p2;lr>"]),
        ("<sip:p1;lr>", "Route: <sip:10.0.0.1;lr>\r\n", "sip:c@x", vec!["<sip:p1;lr>"]),
        ("<sip:p1;lr>", "Route: <sip:10.0.0.1;lr>, <sip:q;lr>\r\n", "sip:c@x", vec!["<sip:p1;lr>", "<sip:q;lr>"]),
        // RFC 3261 section 16.6 item 6: one that routes strictly is named in the Request-URI.
        ("<sip:p1>,<sip:p2;lr>", "", "sip:p1", vec!["<sip:p2;lr>", "<sip:c@x>"]),
        ("<sip:p1>", "", "sip:p1", vec!["<sip:c@x>"]),
    ] {
        let copy = copy("INVITE sip:b@b", received, &target("sip:c@x", routes), udp(), udp());
        assert_eq!(
            (copy.request_uri(), values(&copy, HeaderName::Route)),
            (uri, expected.iter().map(|r| (*r).into()).collect())
        );
    }
}

/// RFC 5626 section 5.1 and RFC 3327 section 5.2: for a phone that knows Path; `ob` is for the first hop to say.
#[test]
fn an_edge_names_the_flow_in_path_with_ob_where_it_is_the_first_hop() {
    let second = "Via: SIP/2.0/UDP first;branch=z9hG4bK2\r\nSupported: path, outbound\r\n";
    for (received, end) in [
        ("Supported: path, outbound\r\n", Some("@10.0.0.1:5060;lr;ob>")),
        ("Supported: path\r\n", Some("@10.0.0.1:5060;lr>")),
        (second, Some("@10.0.0.1:5060;lr>")),
        ("Supported: outbound\r\n", None),
    ] {
        let received = format!("{received}Path: <sip:before;lr>\r\n");
        let held = Flow { transport: Transport::Tcp, connection: Some(ConnectionId(7)), ..udp() };
        let through = |from| {
            values(&copy("REGISTER sip:there", &received, &target("sip:there", ""), from, udp()), HeaderName::Path)
        };
        let path = through(held);
        assert_eq!(through(udp()), ["<sip:before;lr>"], "a datagram may come from whoever it names");
        assert_eq!((path.len(), path.last().map(String::as_str)), (1 + end.iter().count(), Some("<sip:before;lr>")));
        assert!(end.is_none_or(|end| path[0].starts_with("<sip:") && path[0].ends_with(end)), "{path:?}");
    }
}

/// RFC 3261 sections 16.6 item 6 and 16.12.1.2.
#[test]
fn a_strict_router_gets_what_it_expects() {
    let unchanged = Target::new(None, Hop::Resolve);
    let routes = "Route: <sip:10.0.0.1;lr>\r\nRoute: <sip:p3.middle.com>\r\nRoute: <sip:p2;lr>\r\n";
    let copy = copy("BYE sip:caller@u1", routes, &unchanged, udp(), udp());
    assert_eq!(copy.request_uri(), "sip:p3.middle.com");
    assert_eq!(values(&copy, HeaderName::Route), ["<sip:p2;lr>", "<sip:caller@u1>"]);
}

#[test]
fn a_target_changes_its_copy() {
    use crate::HeaderEdit::*;
    let name = HeaderName::PAssertedIdentity;
    let received = "P-Asserted-Identity: <sip:forged@a>\r\nSubject: x\r\nSubject: y\r\nDiversion: <sip:old@b>\r\n";
    let edits = [
        Append(name, "<sip:first@a>".into()),
        Set(name, "<sip:a@a>".into()),
        Remove(HeaderName::Subject),
        Prepend(HeaderName::Diversion, "<sip:new@b>".into()),
        Append(HeaderName::HistoryInfo, "<sip:b@b>;index=1".into()),
    ];
    let target = Target { edits: edits.into_iter().collect(), ..target("sip:c@x", "") };
    let copy = copy("INVITE sip:b@b", received, &target, udp(), udp());
    assert_eq!(values(&copy, name), ["<sip:a@a>"]);
    assert_eq!(values(&copy, HeaderName::Subject), [""; 0]);
    assert_eq!(values(&copy, HeaderName::Diversion), ["<sip:new@b>", "<sip:old@b>"]);
    assert_eq!(values(&copy, HeaderName::HistoryInfo), ["<sip:b@b>;index=1"]);
}

/// RFC 3261 section 16.6 items 1, 3 and 8, RFC 5393 section 5.3.3.
#[test]
fn what_every_copy_has() {
    let received = "Max-Forwards: 5\r\nMax-Breadth: 9\r\nX-Unknown:  as \t it is\r\nProxy-Authorization: Digest realm=\"r\"\r\nAuthorization: Digest realm=\"other\"\r\n";
    let out = copy("MESSAGE sip:b@b", received, &target("sip:c@x", ""), udp(), udp());
    assert_eq!(
        values(&out, HeaderName::Via),
        ["SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKx.m", "SIP/2.0/UDP a;branch=z9hG4bK1;received=10.0.0.9"]
    );
    assert_eq!(values(&out, HeaderName::MaxForwards), ["4"]);
    assert_eq!(values(&out, HeaderName::MaxBreadth), ["7"]);
    assert_eq!(values(&out, HeaderName::ProxyAuthorization), [""; 0]);
    assert_eq!(values(&out, HeaderName::Authorization), ["Digest realm=\"other\""]);
    assert!(std::str::from_utf8(out.bytes()).expect("text").contains("X-Unknown:  as \t it is\r\n"));
    let out = copy("MESSAGE sip:b@b", "", &target("sip:c@x", ""), udp(), udp());
    assert_eq!(
        (values(&out, HeaderName::MaxForwards), values(&out, HeaderName::MaxBreadth)),
        (vec!["70".into()], vec!["7".into()])
    );
}

/// Section 16.6 item 9 and section 18.3: a stream needs the length.
#[test]
fn what_goes_over_a_stream_says_how_long_it_is() {
    let tcp = flow(Transport::Tcp, 5060);
    for (to, fields, length) in
        [(udp(), "", None), (tcp, "", Some("0")), (tcp, "l: 0\r\n", Some("0")), (udp(), "l: 0\r\n", Some("0"))]
    {
        let copy = copy("MESSAGE sip:b@b", fields, &target("sip:c@x", ""), udp(), to);
        assert_eq!(values(&copy, HeaderName::ContentLength), length.into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
    let over_tcp = copy("MESSAGE sip:b@b", "", &target("sip:c@x", ""), udp(), tcp);
    assert_eq!(values(&over_tcp, HeaderName::Via)[0], "SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKx.m");
    let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/TCP b;branch=z9hG4bK2\r\nFrom: <sip:a@a>\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\r\nbody";
    let back = forwarded_response(&Message::parse(response.into()).expect("well-formed"), &[]).expect("a Via is left");
    let back = Message::parse(back).expect("well-formed");
    assert_eq!(values(&back, HeaderName::ContentLength), ["4"]);
    assert_eq!(values(&back, HeaderName::Via), ["SIP/2.0/TCP b;branch=z9hG4bK2"]);
}

/// Section 16.6 item 4: `sips` where the request promises TLS, RFC 5658: two where the sides differ,
/// that of the callee on top.
#[test]
fn record_route_keeps_the_promise_of_sips_and_names_both_sides() {
    let (tls, wss) = (flow(Transport::Tls, 5061), flow(Transport::Wss, 443));
    for (uri, routes, from, to, ends) in [
        ("sip:c@x", "", udp(), udp(), vec![("sip:", "@10.0.0.1:5060;lr>")]),
        ("sip:c@x", "", tls, udp(), vec![("sip:", "@10.0.0.1:5060;lr>"), ("sip:", "@10.0.0.1:5061;transport=tls;lr>")]),
        ("sips:c@x", "", tls, tls, vec![("sips:", "@10.0.0.1:5061;lr>")]),
        ("sip:c@x", "<sips:p;lr>", tls, tls, vec![("sips:", "@10.0.0.1:5061;lr>")]),
        ("sips:c@x", "", wss, tls, vec![("sips:", "@10.0.0.1:5061;lr>"), ("sips:", "@10.0.0.1:443;transport=ws;lr>")]),
    ] {
        let copy = copy("INVITE sip:b@b", "Record-Route: <sip:before;lr>\r\n", &target(uri, routes), from, to);
        let found = values(&copy, HeaderName::RecordRoute);
        assert_eq!(found.len(), ends.len() + 1, "{found:?}");
        assert_eq!(found[ends.len()], "<sip:before;lr>");
        for ((begin, end), found) in ends.iter().zip(&found) {
            assert!(found.starts_with(&format!("<{begin}")) && found.ends_with(end), "{uri}: {found}");
        }
    }
}

/// Section 16.6 item 2 with section 19.1.1, table 1.
#[test]
fn a_request_uri_is_without_what_it_cannot_have() {
    for (uri, expected) in [
        ("sip:c@x", "sip:c@x"),
        ("sip:c@x:5070;transport=tcp;method=BYE;lr?Subject=a&To=b", "sip:c@x:5070;transport=tcp;lr"),
        ("sip:a;method=x?y@h;p=1", "sip:a;method=x?y@h;p=1"),
        ("SIPS:c@x?a=b", "SIPS:c@x"),
        ("sip:x;METHOD=INVITE", "sip:x"),
        ("tel:+1234;ext=1", "tel:+1234;ext=1"),
    ] {
        assert_eq!(as_request_uri(uri), expected);
    }
}
