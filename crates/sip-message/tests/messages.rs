//! Whole messages: read, changed and made.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use bytes::Bytes;
use sip_message::{Builder, Contacts, Defect, Edit, HeaderName, Message, Method, inspect};

const INVITE: &str = "INVITE sip:bob@example.org SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.example.com;rport;branch=z9hG4bK776, SIP/2.0/TCP inner.example.com;branch=z9hG4bK1\r\n\
    v: SIP/2.0/UDP last.example.com;branch=z9hG4bK0\r\n\
    Max-Forwards: 70\r\n\
    Route: <sip:p1.example.org;lr>, <sip:p2.example.org;lr>\r\n\
    t: Bob\r\n\t <sip:bob@example.org>\r\n\
    From: \"Alice, A.\" <sip:alice@example.com>;tag=1928\r\n\
    Call-ID: a84b4c76e66710\r\n\
    CSeq: 314159 INVITE\r\n\
    m: <sip:alice@pc33.example.com>;q=0.7, \"x, y\" <sip:a,b@h>\r\n\
    X-Unknown: as, it  is\r\n\
    Content-Length: 4\r\n\
    \r\n\
    body";

fn parse(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_part_is_found() {
    let message = parse(INVITE);
    assert_eq!(
        (message.method(), message.request_uri(), message.body()),
        (Method::Invite, "sip:bob@example.org", &b"body"[..])
    );
    assert_eq!(message.values(HeaderName::Via).count(), 3);
    assert_eq!(message.top_via().unwrap().branch(), Some("z9hG4bK776"));
    assert_eq!(message.to().unwrap().uri, "sip:bob@example.org");
    assert_eq!((message.from_tag(), message.to_tag(), message.call_id()), (Some("1928"), None, "a84b4c76e66710"));
    assert_eq!((message.cseq().unwrap().number, message.max_forwards()), (314159, Ok(Some(70))));
    let Contacts::List(contacts) = message.contacts().unwrap() else { panic!("a list") };
    assert_eq!(
        contacts.iter().map(|c| (c.uri, c.q().unwrap())).collect::<Vec<_>>(),
        [("sip:alice@pc33.example.com", 700), ("sip:a,b@h", 1000)]
    );
    assert_eq!(message.all_fields().find(|f| f.name_text == "X-Unknown").unwrap().value, "as, it  is");
}

#[test]
fn edits_change_what_they_name_and_nothing_else() {
    let message = parse(INVITE);
    let forwarded = Edit::new(&message)
        .request_uri("sip:bob@192.0.2.4")
        .prepend(HeaderName::Via, "SIP/2.0/UDP proxy;branch=z9hG4bKp")
        .prepend(HeaderName::RecordRoute, "<sip:proxy;lr>")
        .set(HeaderName::MaxForwards, 69)
        .remove_first_values(HeaderName::Route, 1)
        .stamp_via("192.0.2.9:5062".parse().unwrap())
        .finish();
    let expected = INVITE
        .replacen("sip:bob@example.org SIP", "sip:bob@192.0.2.4 SIP", 1)
        .replacen("Via: ", "Via: SIP/2.0/UDP proxy;branch=z9hG4bKp\r\nRecord-Route: <sip:proxy;lr>\r\nVia: ", 1)
        .replacen(";rport;branch=z9hG4bK776,", ";rport=5062;branch=z9hG4bK776;received=192.0.2.9,", 1)
        .replacen("70", "69", 1)
        .replacen("Forwards: 70", "Forwards: 69", 1)
        .replacen("<sip:p1.example.org;lr>, ", "", 1);
    // 70 occurs in no other place before Max-Forwards
    assert_eq!(text(&forwarded), expected);
    assert_eq!(text(&Edit::new(&message).finish()), INVITE);

    let without = Edit::new(&message).remove(HeaderName::Via).remove_first_values(HeaderName::Route, 2).finish();
    let without = Message::parse(without).unwrap_err();
    assert_eq!(without.defect, Defect::Text("Via is missing"));
    let popped = parse(&text(
        &Edit::new(&message).remove_first_values(HeaderName::Via, 2).remove_last_value(HeaderName::Route).finish(),
    ));
    assert_eq!(popped.top_via().unwrap().branch(), Some("z9hG4bK0"));
    assert_eq!(popped.values(HeaderName::Route).collect::<Vec<_>>(), ["<sip:p1.example.org;lr>"]);
}

#[test]
fn a_reply_copies_what_section_8_2_6_2_names() {
    let request = parse(INVITE);
    let reply = Builder::reply(&request, 486, "192.0.2.9:5062".parse().unwrap())
        .to_tag("z")
        .header(HeaderName::Server, "a\r\nX: b")
        .finish();
    let reply = parse(&text(&reply));
    assert_eq!((reply.status(), reply.reason(), reply.method()), (486, "Busy Here", Method::Invite));
    assert_eq!(reply.values(HeaderName::Via).count(), 3);
    let via = reply.top_via().unwrap();
    assert_eq!((via.rport(), via.received()), (Some(Some(5062)), Some("192.0.2.9".parse().unwrap())));
    assert_eq!((reply.to_tag(), reply.from_tag(), reply.call_id()), (Some("z"), Some("1928"), "a84b4c76e66710"));
    assert_eq!(reply.header(HeaderName::Server), Some("a  X: b"));
}

/// RFC 3261 section 18.2.1 and RFC 3581 section 4, in a response and in the copy that goes on.
#[test]
fn rport_is_filled_in_and_received_beside_it() {
    for (via, stamped) in [
        ("192.0.2.9;branch=z9hG4bK1", "192.0.2.9;branch=z9hG4bK1"),
        ("192.0.2.8;branch=z9hG4bK1", "192.0.2.8;branch=z9hG4bK1;received=192.0.2.9"),
        ("h.example;branch=z9hG4bK1", "h.example;branch=z9hG4bK1;received=192.0.2.9"),
        ("192.0.2.9:5062;rport;branch=z9hG4bK1", "192.0.2.9:5062;rport=5062;branch=z9hG4bK1;received=192.0.2.9"),
    ] {
        let request = parse(&format!(
            "OPTIONS sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        ));
        let source = "192.0.2.9:5062".parse().unwrap();
        for bytes in [Edit::new(&request).stamp_via(source).finish(), Builder::reply(&request, 200, source).finish()] {
            let expected = format!("SIP/2.0/UDP {stamped}");
            assert_eq!(parse(&text(&bytes)).values(HeaderName::Via).collect::<Vec<_>>(), [expected]);
        }
    }
}

#[test]
fn a_malformed_request_earns_a_400_that_says_why() {
    let from = "192.0.2.9:5062".parse().unwrap();
    for (old, new, reason) in [
        ("Content-Length: 4", "Content-Length: 5", "Content-Length is more than what came"),
        ("Content-Length: 4", "Content-Length: x", "Content-Length is not a number"),
        ("X-Unknown: as", "X Unknown: as", "header field's name is not a token"),
        ("X-Unknown: as", "Call-ID: as", "header field that must be single stands twice"),
        (
            "sip:bob@example.org SIP",
            "sip:bob @example.org SIP",
            "request line is not method, URI and version with single spaces",
        ),
        ("X-Unknown: as", "X-Unknown:\n as", "line does not end in CR LF"),
    ] {
        let malformed = Message::parse(Bytes::from(INVITE.replacen(old, new, 1))).unwrap_err();
        assert_eq!(malformed.defect.reason(), reason, "{new}");
        let reply = parse(&text(&malformed.reply(from).unwrap()));
        assert_eq!((reply.status(), reply.reason()), (400, reason));
    }
    for (old, new) in [("Call-ID: a84b4c76e66710\r\n", ""), ("From", "Frm"), ("t: ", "tt: ")] {
        let malformed = Message::parse(Bytes::from(INVITE.replacen(old, new, 1))).unwrap_err();
        let reply = text(&malformed.reply(from).unwrap());
        assert!(reply.starts_with("SIP/2.0 400 ") && reply.contains("\r\nCSeq: 314159 INVITE\r\n"), "{reply}");
    }
    let version = Message::parse(Bytes::from(INVITE.replacen("SIP/2.0\r\n", "SIP/7.0\r\n", 1))).unwrap_err();
    assert_eq!(parse(&text(&version.reply(from).unwrap())).status(), 505);
    for (old, new) in [("SIP/2.0/UDP pc33", "SIP pc33"), ("INVITE sip:bob", "ACK sip:bob"), ("CSeq", "CSq")] {
        let broken = INVITE.replacen(old, new, 1).replacen("Content-Length: 4", "Content-Length: 5", 1);
        assert!(Message::parse(Bytes::from(broken)).unwrap_err().reply(from).is_none(), "{new}: nothing to answer to");
    }
    for garbage in ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0", "SIP/2.0 4000 X\r\n\r\n", "SIP/2.0\r\n"] {
        assert!(Message::parse(Bytes::from(garbage)).unwrap_err().reply(from).is_none(), "{garbage:?}");
    }
}

/// RFC 3261 section 7.3.1: text is UTF-8. Phones that write Latin-1 are told so.
#[test]
fn text_is_utf_8_and_what_is_not_is_refused() {
    let name = "\u{42e}\u{440}\u{438}\u{439} \u{1f600}";
    let request = INVITE.replace("Bob\r\n\t", name).replace("as, it  is", name);
    let message = parse(&request);
    assert_eq!(message.to().unwrap().display, Some(name));
    assert!(inspect(request.as_bytes()).valid);
    let from = "192.0.2.9:5062".parse().unwrap();
    for bad in [&b"J\xfcrgen"[..], b"\xff\xfe", b"a\xe2\x82", b"\xed\xa0\x80 \xc0\x80"] {
        let at = INVITE.find("Alice").unwrap();
        let spoilt = [&INVITE.as_bytes()[..at], bad, &INVITE.as_bytes()[at..]].concat();
        let malformed = Message::parse(Bytes::from(spoilt.clone())).unwrap_err();
        assert_eq!(malformed.defect, Defect::Text("header is not UTF-8"));
        let reply = malformed.reply(from).unwrap();
        assert!(reply.len() < spoilt.len() + 100);
        let reply = parse(&text(&reply));
        assert_eq!((reply.status(), reply.from_tag(), reply.call_id()), (400, Some("1928"), "a84b4c76e66710"));
        let marks = reply.header(HeaderName::From).unwrap().matches('?').count();
        assert!(marks > 0 && marks <= bad.len(), "a question mark for each byte: {:?}", reply.header(HeaderName::From));
        let verdict = inspect(&spoilt);
        assert_eq!((verdict.valid, verdict.response, verdict.method.as_deref()), (false, Some(400), Some("INVITE")));
        let response = [b"SIP/2.0 200 ", bad, &INVITE.as_bytes()[INVITE.find("\r\n").unwrap()..]].concat();
        assert!(Message::parse(Bytes::from(response)).unwrap_err().reply(from).is_none());
    }
}

/// Found by fuzzing: only the first line of a folded value was looked at.
#[test]
fn a_control_character_in_a_folded_line_is_found() {
    for control in ["\0", "\r", "\x7f"] {
        let request = INVITE.replace("t: Bob\r\n\t <", &format!("t: Bob\r\n\t{control}<"));
        let malformed = Message::parse(Bytes::from(request)).unwrap_err();
        assert_eq!(malformed.defect.reason(), "control character in a header field");
    }
}

/// RFC 3261 section 25.1: a quoted-pair holds any ASCII character but CR and LF, and only in a quoted string.
#[test]
fn a_quoted_control_character_stays_as_it_is_and_goes_back_in_the_answer() {
    let to = "\"a\\\0b\r\n \\\x7f\" <sip:bob@example.org>";
    let request = parse(&INVITE.replace("Bob\r\n\t <sip:bob@example.org>", to));
    assert_eq!(request.header(HeaderName::To), Some(to));
    let reply = Builder::reply(&request, 404, "192.0.2.9:5062".parse().unwrap()).finish();
    assert_eq!(parse(&text(&reply)).header(HeaderName::To), Some(to.replace("\r\n", "  ").as_str()));
    for bad in [
        "a\\\0b <sip:b@c>",
        "\"a\" \\\0 <sip:b@c>",
        "\"a\\\\\0\" <sip:b@c>",
        "\"a\\\rb\" <sip:b@c>",
        "\"a\r\nX: \\\0\"",
    ] {
        let request = INVITE.replace("Bob\r\n\t <sip:bob@example.org>", bad);
        let malformed = Message::parse(Bytes::from(request)).unwrap_err();
        assert_eq!(malformed.defect.reason(), "control character in a header field", "{bad:?}");
    }
}

/// What another parser might take for the end of a line, and of a name.
#[test]
fn a_lone_cr_is_found_wherever_it_stands() {
    for (old, new, reason) in [
        ("a84b4c76e66710\r\n", "a84b4c76e66710\r\r\n", "control character in a header field"),
        ("Call-ID: a84", "Call-ID: \ra84", "control character in a header field"),
        ("Call-ID:", "Call-ID\r:", "header field's name is not a token"),
    ] {
        let malformed = Message::parse(Bytes::from(INVITE.replace(old, new))).unwrap_err();
        assert_eq!(malformed.defect.reason(), reason, "{new:?}");
    }
}

#[test]
fn fields_that_are_lists_and_fields_that_stand_once() {
    let more = "Privacy: id;critical\r\nPrivacy: user, header\r\nMax-Breadth: 60\r\n\
                P-Asserted-Identity: \"A, B\" <sip:a@b>, <tel:+12>\r\nX-Unknown";
    let message = parse(&INVITE.replacen("X-Unknown", more, 1));
    assert_eq!(message.privacy().collect::<Vec<_>>(), ["id", "critical", "user", "header"]);
    assert_eq!((message.max_breadth(), parse(INVITE).max_breadth()), (Some(60), None));
    let uris = message.addresses(HeaderName::PAssertedIdentity).map(|address| address.unwrap().uri);
    assert_eq!(uris.collect::<Vec<_>>(), ["sip:a@b", "tel:+12"]);
    let twice = INVITE.replacen("X-Unknown", "Max-Breadth: 60\r\nMax-Breadth: 2\r\nX-Unknown", 1);
    let defect = Message::parse(Bytes::from(twice)).unwrap_err().defect;
    assert_eq!(defect, Defect::Text("header field that must be single stands twice"));
}

#[test]
fn limits_on_what_one_message_may_hold() {
    let many = INVITE.replacen("X-Unknown", &"X-A: y\r\n".repeat(sip_message::HEADERS_MAX), 1);
    assert_eq!(Message::parse(Bytes::from(many)).unwrap_err().defect, Defect::Text("too many header fields"));
    let long = INVITE.replacen("as, it", &"a".repeat(sip_message::MESSAGE_BYTES_MAX), 1);
    assert_eq!(Message::parse(Bytes::from(long)).unwrap_err().defect, Defect::Text("message is too long"));
    // RFC 3261 section 18.1.1: up to the largest datagram.
    let head = "MESSAGE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\r\n";
    let longest = format!("{head}{}", "x".repeat(65_535 - head.len()));
    assert_eq!(parse(&longest).body().len(), 65_535 - head.len());
}

/// RFC 3261 section 7.4: a body is bytes, whatever the header is.
#[test]
fn a_body_that_is_no_text_stays_as_it_came() {
    for name in ["B", "B\u{e9}la"] {
        for body in [b"plain".as_slice(), "\u{e9}".as_bytes(), b"\xff\x00\xc3", b"\x80"] {
            let head = format!(
                "MESSAGE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: {name} <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\r\n"
            );
            let bytes = Bytes::from([head.as_bytes(), body].concat());
            let message = Message::parse(bytes.clone()).unwrap();
            assert_eq!((message.bytes(), message.body()), (&bytes, body));
            assert_eq!(message.from().unwrap().display, Some(name));
            let edited = Message::parse(Edit::new(&message).append(HeaderName::Subject, "x").finish()).unwrap();
            assert_eq!((edited.header(HeaderName::Subject), edited.body()), (Some("x"), body));
        }
    }
}

#[test]
fn inspect_reads_what_a_proxy_would_pass_on() {
    assert!(inspect(INVITE.as_bytes()).valid);
    for (old, new, error, response) in [
        (
            "\"Alice, A.\"",
            "\"Alice, A.",
            "display name without a URI in angle brackets, or quotes that do not close",
            Some(400),
        ),
        ("314159 INVITE", "314159 BYE", "CSeq names another method than the request line", Some(400)),
        ("314159 INVITE", "36893488147419103232 INVITE", "CSeq number is 2^31 or more", Some(400)),
        ("sip:bob@example.org SIP", "nobody:x SIP", "URI scheme is unknown", Some(416)),
        ("X-Unknown", "Require", "extension is not supported", Some(420)),
        ("<sip:p1.example.org;lr>", "sip:p1.example.org", "a route needs angle brackets", Some(400)),
    ] {
        let verdict = inspect(INVITE.replacen(old, new, 1).as_bytes());
        assert_eq!((verdict.error.as_deref(), verdict.response), (Some(error), response), "{new}");
    }
}
