//! The header tables of RFC 3261 section 20 and its extensions, held against messages.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use bytes::Bytes;
use sip_message::{HEADER_RULES, HeaderName, HeaderRule, Message, Method, Presence};

/// A request with the fields that all methods demand, and these.
fn request(method: &str, fields: &str) -> String {
    format!(
        "{method} sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{fields}\r\n"
    )
}

/// A response with the fields that all demand, and these.
fn response(status: u16, method: &str, fields: &str) -> String {
    format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:bob@example.org>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{fields}\r\n"
    )
}

fn violations(text: &str, stream: bool) -> Vec<String> {
    let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
    message.violations(stream).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_as_it_should_be_violates_nothing() {
    let contact = "Contact: <sip:a@192.0.2.1>\r\n";
    for method in ["ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "MESSAGE", "X"] {
        assert_eq!(violations(&request(method, ""), false), [""; 0], "{method}");
        if method != "ACK" {
            assert_eq!(violations(&response(200, method, ""), false), [""; 0], "{method}");
        }
    }
    for (method, fields) in [
        ("INVITE", ""),
        ("UPDATE", "Session-Expires: 1800\r\n"),
        ("REFER", "Refer-To: <sip:c@d>\r\n"),
        ("SUBSCRIBE", "Event: reg\r\nExpires: 60\r\n"),
        ("NOTIFY", "Event: reg\r\nSubscription-State: active\r\n"),
    ] {
        assert_eq!(violations(&request(method, &format!("{contact}{fields}")), false), [""; 0], "{method}");
    }
    assert_eq!(violations(&request("PUBLISH", "Event: presence\r\n"), false), [""; 0]);
    assert_eq!(violations(&request("PRACK", "RAck: 1 1 INVITE\r\n"), false), [""; 0]);
    let everything = format!("{contact}Record-Route: <sip:p;lr>\r\nAllow: INVITE\r\nServer: x\r\nX-Unknown: y\r\n");
    assert_eq!(violations(&response(200, "INVITE", &everything), false), [""; 0]);
}

#[test]
fn what_is_missing_is_found() {
    for (method, field) in [
        ("INVITE", "Contact"),
        ("UPDATE", "Contact"),
        ("REFER", "Refer-To"),
        ("SUBSCRIBE", "Event"),
        ("NOTIFY", "Subscription-State"),
        ("PUBLISH", "Event"),
        ("PRACK", "RAck"),
    ] {
        let found = violations(&request(method, ""), false);
        assert!(found.contains(&format!("{field} is missing in a {method}")), "{method}: {found:?}");
    }
    for (status, method, field) in [
        (200, "INVITE", "Contact"),
        (200, "SUBSCRIBE", "Expires"),
        (200, "PUBLISH", "SIP-ETag"),
        (401, "REGISTER", "WWW-Authenticate"),
        (405, "OPTIONS", "Allow"),
        (407, "INVITE", "Proxy-Authenticate"),
        (420, "INVITE", "Unsupported"),
        (422, "INVITE", "Min-SE"),
        (423, "REGISTER", "Min-Expires"),
        (489, "SUBSCRIBE", "Allow-Events"),
    ] {
        let found = violations(&response(status, method, ""), false);
        assert!(found.contains(&format!("{field} is missing in a {status} to {method}")), "{status}: {found:?}");
    }
    let hops = request("BYE", "").replace("Max-Forwards: 70\r\n", "");
    assert_eq!(violations(&hops, false), ["Max-Forwards is missing in a BYE"]);
    assert_eq!(violations(&hops.replace("BYE", "X"), false), ["Max-Forwards is missing in a OTHER"]);
}

#[test]
fn what_must_not_be_there_is_found() {
    for (method, field) in [
        ("BYE", "Contact: <sip:a@b>"),
        ("CANCEL", "Require: x"),
        ("CANCEL", "Proxy-Authorization: Digest x=y"),
        ("REGISTER", "Record-Route: <sip:p;lr>"),
        ("OPTIONS", "Server: x"),
        ("OPTIONS", "Subject: x"),
        ("MESSAGE", "Contact: <sip:a@b>"),
        ("MESSAGE", "Path: <sip:a@b>"),
        ("ACK", "P-Asserted-Identity: <sip:a@b>"),
        ("BYE", "Warning: 399 x \"y\""),
    ] {
        let name = field.split(':').next().unwrap();
        let found = violations(&request(method, &format!("{field}\r\n")), false);
        assert_eq!(found, [format!("{name} must not be in a {method}")]);
    }
    for (status, method, field) in [
        (180, "REGISTER", "Contact: <sip:a@b>"),
        (404, "BYE", "Contact: <sip:a@b>"),
        (200, "BYE", "Retry-After: 5"),
        (404, "BYE", "Max-Forwards: 70"),
        (200, "MESSAGE", "Service-Route: <sip:a@b>"),
        (200, "REGISTER", "WWW-Authenticate: Digest x=y"),
        (400, "BYE", "Flow-Timer: 9"),
    ] {
        let name = field.split(':').next().unwrap();
        let found = violations(&response(status, method, &format!("{field}\r\n")), false);
        assert_eq!(found, [format!("{name} must not be in a {status} to {method}")]);
    }
}

#[test]
fn content_length_is_owed_to_streams_and_content_type_to_bodies() {
    assert_eq!(violations(&request("MESSAGE", ""), true), ["Content-Length is missing in a MESSAGE"]);
    assert_eq!(violations(&request("MESSAGE", "l: 0\r\n"), true), [""; 0]);
    let body = format!("{}hello", request("MESSAGE", "l: 5\r\n"));
    assert_eq!(violations(&body, false), ["Content-Type is missing in a MESSAGE"]);
    assert_eq!(violations(&body.replace("l: 5", "l: 5\r\nc: text/plain"), false), [""; 0]);
    let cancel = format!("{}hello", request("CANCEL", "c: text/plain\r\n"));
    assert_eq!(violations(&cancel, false), ["Content-Type must not be in a CANCEL"]);
}

#[test]
fn every_field_that_we_know_has_a_row_but_those_that_no_table_has() {
    let without: Vec<_> = HeaderName::ALL.iter().filter(|name| HeaderRule::of(**name).next().is_none()).collect();
    assert_eq!(without, [&HeaderName::Identity, &HeaderName::RemotePartyId]);
    // No field has two rows of one kind that contradict each other about who must have it.
    for rule in HEADER_RULES {
        for method in Method::ALL {
            let here = |other: &&HeaderRule| other.name == rule.name && other.place == rule.place;
            assert_eq!(HEADER_RULES.iter().filter(here).count(), 1, "{} {method}", rule.name);
        }
    }
}

#[test]
fn what_proxies_may_do() {
    let proxy = |name| HeaderRule::of(name).next().unwrap().proxy;
    let hops = proxy(HeaderName::MaxForwards);
    assert_eq!((hops.add(), hops.modify(), hops.delete(), hops.read()), (true, true, false, true));
    let route = proxy(HeaderName::Route);
    assert_eq!((route.add(), route.modify(), route.delete(), route.read()), (true, false, true, true));
    assert_eq!(HeaderRule::of(HeaderName::Supported).next().unwrap().presence(Method::Invite), Presence::Should);
}
