//! The header tables of RFC 3261 section 20 and its extensions, held against messages.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use bytes::Bytes;
use sip_message::{HEADER_RULES, HeaderName, HeaderRule, Message, Method, Presence, Where};

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

/// Tables 2 and 3 of RFC 3261 section 20 as they stand there, a dot for what is empty: header field, where, proxy, and the columns ACK, BYE,
/// CANCEL, INVITE, OPTIONS and REGISTER.
const TABLES_2_AND_3: &str = "
    Accept R . - o - o m* o
    Accept 2xx . - - - o m* o
    Accept 415 . - c - c c c
    Accept-Encoding R . - o - o o o
    Accept-Encoding 2xx . - - - o m* o
    Accept-Encoding 415 . - c - c c c
    Accept-Language R . - o - o o o
    Accept-Language 2xx . - - - o m* o
    Accept-Language 415 . - c - c c c
    Alert-Info R ar - - - o - -
    Alert-Info 180 ar - - - o - -
    Allow R . - o - o o o
    Allow 2xx . - o - m* m* o
    Allow r . - o - o o o
    Allow 405 . - m - m m m
    Authentication-Info 2xx . - o - o o o
    Authorization R . o o o o o o
    Call-ID c r m m m m m m
    Call-Info . ar - - - o o o
    Contact R . o - - m o o
    Contact 1xx . - - - o - -
    Contact 2xx . - - - m o o
    Contact 3xx d - o - o o o
    Contact 485 . - o - o o o
    Content-Disposition . . o o - o o o
    Content-Encoding . . o o - o o o
    Content-Language . . o o - o o o
    Content-Length . ar t t t t t t
    Content-Type . . * * - * * *
    CSeq c r m m m m m m
    Date . a o o o o o o
    Error-Info 300-699 a - o o o o o
    Expires . . - - - o - o
    From c r m m m m m m
    In-Reply-To R . - - - o - -
    Max-Forwards R amr m m m m m m
    Min-Expires 423 . - - - - - m
    MIME-Version . . o o - o o o
    Organization . ar - - - o o o
    Priority R ar - - - o - -
    Proxy-Authenticate 407 ar - m - m m m
    Proxy-Authenticate 401 ar - o o o o o
    Proxy-Authorization R dr o o - o o o
    Proxy-Require R ar - o - o o o
    Record-Route R ar o o o o o -
    Record-Route 2xx,18x mr - o o o o -
    Reply-To . . - - - o - -
    Require . ar - c - c c c
    Retry-After 404,413,480,486,500,503,600,603 . - o o o o o
    Route R adr c c c c c c
    Server r . - o o o o o
    Subject R . - - - o - -
    Supported R . - o o m* o o
    Supported 2xx . - o o m* m* o
    Timestamp . . o o o o o o
    To c r m m m m m m
    Unsupported 420 . - m - m m m
    User-Agent . . o o o o o o
    Via R amr m m m m m m
    Via rc dr m m m m m m
    Warning r . - o o o o o
    WWW-Authenticate 401 ar - m - m m m
    WWW-Authenticate 407 ar - o - o o o";

/// The column "where".
fn place(text: &str) -> Where {
    let range = |text: &str| match text.split_once('-') {
        Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
        None => (text.replace('x', "0").parse().unwrap(), text.replace('x', "9").parse().unwrap()),
    };
    match text {
        "." => Where::Any,
        "R" => Where::Request,
        "r" | "rc" => Where::Response,
        "c" => Where::Copied,
        statuses => Where::Statuses(statuses.split(',').map(range).collect::<Vec<_>>().leak()),
    }
}

#[test]
fn every_row_of_tables_2_and_3_stands_here_as_there() {
    let methods = [Method::Ack, Method::Bye, Method::Cancel, Method::Invite, Method::Options, Method::Register];
    for row in TABLES_2_AND_3.lines().skip(1) {
        let [name, place_text, proxy, columns @ ..] = &row.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let is_it =
            |rule: &&HeaderRule| rule.name.as_str().eq_ignore_ascii_case(name) && rule.place == place(place_text);
        let rule = HEADER_RULES.iter().find(is_it).unwrap_or_else(|| panic!("no row {row}"));
        let may = [rule.proxy.add(), rule.proxy.modify(), rule.proxy.delete(), rule.proxy.read()];
        assert_eq!(may, ['a', 'm', 'd', 'r'].map(|letter| proxy.contains(letter)), "{row}");
        for (method, column) in methods.iter().zip(columns) {
            let expected = match *column {
                "m" => Presence::Mandatory,
                "m*" => Presence::Should,
                "o" => Presence::Optional,
                "t" => Presence::OverStreams,
                "*" => Presence::WithBody,
                "c" => Presence::Conditional,
                _ => Presence::NotApplicable,
            };
            assert_eq!(rule.presence(*method), expected, "{method} in {row}");
        }
    }
}
