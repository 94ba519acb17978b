use super::{answer, bytes, contacts, malformed, well_formed};
use sip_message::{Frame, FrameError, Framer, HeaderName, Host, Message, Method, Part, unescape, unquote};

#[test]
fn rfc4475_3_1_1_1_wsinv() {
    let message = well_formed("rfc4475/wsinv");
    assert_eq!((message.max_forwards(), message.cseq().unwrap().number), (Ok(Some(68)), 9));
    assert_eq!(message.values(HeaderName::Via).count(), 3);
    let via = message.top_via().unwrap();
    assert_eq!((via.sent_by, via.branch()), ("192.0.2.2", Some("390skdjuw")));
    assert_eq!(message.to_tag(), Some("1918181833n"));
    let from = message.from().unwrap();
    assert_eq!((unquote(from.display.unwrap()).as_ref(), from.tag()), ("J Rosenberg \\\"", Some("98asjd8")));
    assert_eq!((message.header(HeaderName::Subject), message.body().len()), (Some(""), 150));
    assert_eq!(message.request_uri_parsed().unwrap().param("unknownparam"), Some(""));
    let contact = contacts(&message)[0];
    assert_eq!((contact.display, contact.q()), (Some("\"Quoted string \\\"\\\"\""), Ok(330)));
    assert_eq!((contact.params.get("newparam"), contact.params.get("secondparam")), (Some("newvalue"), Some("")));
    let route = message.first_route().unwrap().unwrap().uri_parsed().unwrap();
    assert_eq!((route.param("lr"), route.param("unknownwith")), (Some(""), Some("value")));
    let unknown = message.all_fields().find(|field| field.name_text == "UnknownHeaderWithUnusualValue").unwrap();
    assert_eq!(unknown.value, ";;,,;;,;");
}

#[test]
fn rfc4475_3_1_1_2_intmeth() {
    let message = well_formed("rfc4475/intmeth");
    assert_eq!((message.method(), message.max_forwards()), (Method::Other, Ok(Some(255))));
    let uri = message.request_uri_parsed().unwrap();
    assert_eq!(
        (uri.user, uri.host),
        (Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"), Host::Name("example.com"))
    );
    assert_eq!(uri.password, Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(unquote(message.to().unwrap().display.unwrap()), "BEL:\x07 NUL:\0 DEL:\x7f");
    let from = message.from().unwrap();
    assert_eq!((from.display, from.tag()), (Some("token1~` token2'+_ token3*%!.-"), Some("_token~1'+`*%!-.")));
    assert_eq!(
        from.params.get("fromParam''~+*_!.-%"),
        Some("\"\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\u{44e}\u{449}\u{438}\u{439}\"")
    );
    assert_eq!(message.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(message.top_via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
}

#[test]
fn rfc4475_3_1_1_3_esc01() {
    let message = well_formed("rfc4475/esc01");
    let uri = message.request_uri_parsed().unwrap();
    assert_eq!((uri.user_unescaped().as_str(), uri.host), ("sips:user@example.com", Host::Name("example.net")));
    assert_eq!(message.to().unwrap().uri_parsed().unwrap().user_unescaped(), "user");
    assert_eq!(message.from().unwrap().uri_parsed().unwrap().user_unescaped(), "I have spaces");
    let contact = contacts(&message)[0].uri_parsed().unwrap();
    assert_eq!(contact.user_unescaped(), "caller");
    // Never twice: it is value%41, not valueA.
    let parameter = contact.params.iter().nth(1).unwrap();
    assert_eq!(
        (unescape(parameter.0).as_ref(), unescape(parameter.1.unwrap()).as_ref()),
        (&b"name"[..], &b"value%41"[..])
    );
    assert_eq!(
        (contact.param("lr"), contact.param("NAME")),
        (Some(""), Some("v%61lue%25%34%31")),
        "names are unescaped, too"
    );
}

#[test]
fn rfc4475_3_1_1_4_escnull() {
    let message = well_formed("rfc4475/escnull");
    assert_eq!(message.to().unwrap().uri_parsed().unwrap().user_unescaped(), "null-\0-null");
    let contacts: Vec<_> = contacts(&message).iter().map(|contact| contact.uri_parsed().unwrap()).collect();
    assert_eq!((contacts[0].user_unescaped().as_str(), contacts[1].user_unescaped().as_str()), ("\0", "\0\0"));
    assert!(!contacts[0].equivalent(&contacts[1]), "two contacts");
}

#[test]
fn rfc4475_3_1_1_5_esc02() {
    let message = well_formed("rfc4475/esc02");
    assert_eq!((message.method(), contacts(&message).len()), (Method::Other, 2));
    assert_eq!(unquote(message.to().unwrap().display.unwrap()), "%Z%45");
}

#[test]
fn rfc4475_3_1_1_6_lwsdisp() {
    let message = well_formed("rfc4475/lwsdisp");
    let from = message.from().unwrap();
    assert_eq!((from.display, from.uri), (Some("caller"), "sip:caller@example.com"));
}

#[test]
fn rfc4475_3_1_1_7_longreq() {
    let message = well_formed("rfc4475/longreq");
    assert_eq!(
        (message.values(HeaderName::Via).count(), message.top_via().unwrap().sent_by),
        (34, "sip33.example.com")
    );
    assert_eq!(message.from_tag().unwrap(), format!("12{}424", "982".repeat(50)));
    assert_eq!(message.call_id(), format!("longreq.one{}longcallid", "really".repeat(20)));
    assert_eq!(message.to().unwrap().uri_parsed().unwrap().port, Some(6000));
}

#[test]
fn rfc4475_3_1_1_8_dblreq() {
    let message = well_formed("rfc4475/dblreq");
    assert_eq!((message.method(), message.body().len()), (Method::Register, 0));
    let forwarded = sip_message::Edit::new(&message).finish();
    assert!(!forwarded.windows(6).any(|six| six == b"INVITE"), "what follows the body is not forwarded");
    let mut framer = Framer::new();
    framer.push(&bytes("rfc4475/dblreq"));
    let frame = framer.next_frame().unwrap();
    assert!(matches!(&frame, Some(Frame::Message(first)) if first.ends_with(b"Length: 0\r\n\r\n")), "{frame:?}");
}

#[test]
fn rfc4475_3_1_1_9_semiuri() {
    let message = well_formed("rfc4475/semiuri");
    let uri = message.request_uri_parsed().unwrap();
    assert_eq!((uri.user_unescaped().as_str(), uri.host), ("user;par=u@example.net", Host::Name("example.com")));
}

#[test]
fn rfc4475_3_1_1_10_transports() {
    let message = well_formed("rfc4475/transports");
    let transports: Vec<_> = message.values(HeaderName::Via).map(|via| sip_message::Via::parse(via).unwrap()).collect();
    assert_eq!(
        transports.iter().map(|via| via.transport_text).collect::<Vec<_>>(),
        ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
    );
    assert_eq!(transports.iter().filter(|via| via.transport.is_none()).count(), 2);
}

#[test]
fn rfc4475_3_1_1_11_mpart01() {
    let message = well_formed("rfc4475/mpart01");
    assert_eq!(message.body().len(), 553);
    let parts = Part::all(message.header(HeaderName::ContentType).unwrap(), message.body()).unwrap();
    let kinds: Vec<_> = parts.iter().map(|part| part.header(HeaderName::ContentType)).collect();
    assert_eq!(kinds, [Some("text/plain"), Some("application/octet-stream")]);
    assert_eq!((parts[0].body, parts[1].body.len()), (&b"Hello"[..], 342));
    assert!(message.body().contains(&0) && message.body().ends_with(b"\r\n--7a9cbec02ceef655--\r\n"));
    assert_eq!(sip_message::Edit::new(&message).finish(), message.bytes());
}

#[test]
fn rfc4475_3_1_1_12_unreason() {
    let message = well_formed("rfc4475/unreason");
    assert!(
        message.reason().starts_with("= 2**3 * 5**2 \u{43d}\u{43e} ")
            && message.reason().ends_with("\u{43f}\u{440}\u{43e}\u{441}\u{442}\u{43e}\u{435}")
    );
}

#[test]
fn rfc4475_3_1_1_13_noreason() {
    let message = well_formed("rfc4475/noreason");
    assert_eq!((message.status(), message.reason(), message.method()), (100, "", Method::Invite));
}

#[test]
fn rfc4475_3_1_2_1_badinv01() {
    malformed("rfc4475/badinv01", "bad parameter in a Via");
}

#[test]
fn rfc4475_3_1_2_2_clerr() {
    malformed("rfc4475/clerr", "Content-Length is more than what came");
    assert_eq!(answer("rfc4475/clerr").as_deref(), Some("SIP/2.0 400 Content-Length is more than what came"));
    let mut framer = Framer::new();
    framer.push(&bytes("rfc4475/clerr"));
    assert_eq!(framer.next_frame(), Ok(None), "on a stream the rest may still come");
}

#[test]
fn rfc4475_3_1_2_3_ncl() {
    malformed("rfc4475/ncl", "Content-Length is not a number");
    let mut framer = Framer::new();
    framer.push(&bytes("rfc4475/ncl"));
    assert_eq!(framer.next_frame(), Err(FrameError::BadContentLength), "such a stream is closed");
}

#[test]
fn rfc4475_3_1_2_4_scalar02() {
    malformed("rfc4475/scalar02", "CSeq number is 2^31 or more");
    let message = Message::parse(bytes("rfc4475/scalar02")).unwrap();
    assert!(message.max_forwards().is_err());
    assert_eq!((message.expires(), contacts(&message)[0].expires()), (Some(u32::MAX), Some(u32::MAX)));
}

#[test]
fn rfc4475_3_1_2_5_scalarlg() {
    malformed("rfc4475/scalarlg", "CSeq number is 2^31 or more");
}

#[test]
fn rfc4475_3_1_2_6_quotbal() {
    malformed("rfc4475/quotbal", "display name without a URI in angle brackets, or quotes that do not close");
}

#[test]
fn rfc4475_3_1_2_7_ltgtruri() {
    malformed("rfc4475/ltgtruri", "bad URI scheme");
}

#[test]
fn rfc4475_3_1_2_8_lwsruri() {
    malformed("rfc4475/lwsruri", "request line is not method, URI and version with single spaces");
}

#[test]
fn rfc4475_3_1_2_9_lwsstart() {
    malformed("rfc4475/lwsstart", "request line is not method, URI and version with single spaces");
}

#[test]
fn rfc4475_3_1_2_10_trws() {
    malformed("rfc4475/trws", "space behind the request line");
}

#[test]
fn rfc4475_3_1_2_11_escruri() {
    malformed("rfc4475/escruri", "Request-URI has header fields in it");
}

#[test]
fn rfc4475_3_1_2_12_baddate() {
    malformed("rfc4475/baddate", "Date is not in GMT");
    assert!(Message::parse(bytes("rfc4475/baddate")).is_ok(), "who does not use Date need not read it");
}

#[test]
fn rfc4475_3_1_2_13_regbadct() {
    malformed("rfc4475/regbadct", "a URI with commas, question marks or spaces needs angle brackets");
    assert!(Message::parse(bytes("rfc4475/regbadct")).unwrap().contacts().is_err());
}

#[test]
fn rfc4475_3_1_2_14_badaspec() {
    malformed("rfc4475/badaspec", "bad URI scheme");
}

#[test]
fn rfc4475_3_1_2_15_baddn() {
    malformed("rfc4475/baddn", "display name is neither words nor one quoted string");
}

#[test]
fn rfc4475_3_1_2_16_badvers() {
    malformed("rfc4475/badvers", "SIP version is not 2.0");
    assert_eq!(answer("rfc4475/badvers").as_deref(), Some("SIP/2.0 505 SIP version is not 2.0"));
}

#[test]
fn rfc4475_3_1_2_17_mismatch01() {
    malformed("rfc4475/mismatch01", "CSeq names another method than the request line");
}

#[test]
fn rfc4475_3_1_2_18_mismatch02() {
    malformed("rfc4475/mismatch02", "CSeq names another method than the request line");
}

#[test]
fn rfc4475_3_1_2_19_bigcode() {
    malformed("rfc4475/bigcode", "bad status line");
    assert_eq!(answer("rfc4475/bigcode"), None);
}

#[test]
fn rfc4475_3_2_1_badbranch() {
    let message = well_formed("rfc4475/badbranch");
    assert_eq!(message.top_via().unwrap().branch(), Some("z9hG4bK"));
}

#[test]
fn rfc4475_3_3_1_insuf() {
    malformed("rfc4475/insuf", "From is missing");
    assert_eq!(answer("rfc4475/insuf").as_deref(), Some("SIP/2.0 400 From is missing"));
}

#[test]
fn rfc4475_3_3_2_unkscm() {
    let message = well_formed("rfc4475/unkscm");
    let uri = message.request_uri_parsed().unwrap();
    assert_eq!(uri.scheme, sip_message::Scheme::Other("nobodyKnowsThisScheme"));
}

#[test]
fn rfc4475_3_3_3_novelsc() {
    let message = well_formed("rfc4475/novelsc");
    assert_eq!(message.request_uri_parsed().unwrap().scheme, sip_message::Scheme::Other("soap.beep"));
}

#[test]
fn rfc4475_3_3_4_unksm2() {
    let message = well_formed("rfc4475/unksm2");
    assert_eq!(message.to().unwrap().uri_parsed().unwrap().scheme, sip_message::Scheme::Other("isbn"));
    assert_eq!((message.from_tag(), contacts(&message)[0].uri), (Some("3234233"), "name:John_Smith"));
}

#[test]
fn rfc4475_3_3_5_bext01() {
    let message = well_formed("rfc4475/bext01");
    let tags: Vec<_> = message.values(HeaderName::ProxyRequire).collect();
    assert_eq!(tags, ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]);
    assert_eq!(message.values(HeaderName::Require).last(), Some("nothingSupportsThisEither"));
}

#[test]
fn rfc4475_3_3_6_invut() {
    let message = well_formed("rfc4475/invut");
    assert_eq!(
        (message.header(HeaderName::ContentType), message.body().len()),
        (Some("application/unknownformat"), 40)
    );
}

#[test]
fn rfc4475_3_3_7_regaut01() {
    let message = well_formed("rfc4475/regaut01");
    let value = sip_message::AuthValue::parse(message.header(HeaderName::Authorization).unwrap()).unwrap();
    assert_eq!((value.scheme, value.get("opaque-data").as_deref()), ("NoOneKnowsThisScheme", Some("here")));
}

#[test]
fn rfc4475_3_3_8_multi01() {
    malformed("rfc4475/multi01", "header field that must be single stands twice");
    assert!(answer("rfc4475/multi01").unwrap().starts_with("SIP/2.0 400 "));
}

#[test]
fn rfc4475_3_3_9_mcl01() {
    malformed("rfc4475/mcl01", "header field that must be single stands twice");
    let mut framer = Framer::new();
    framer.push(&bytes("rfc4475/mcl01"));
    assert_eq!(framer.next_frame(), Err(FrameError::BadContentLength), "such a stream is closed");
}

#[test]
fn rfc4475_3_3_10_bcast() {
    let message = well_formed("rfc4475/bcast");
    let second = message.values(HeaderName::Via).nth(1).unwrap();
    assert_eq!(sip_message::Via::parse(second).unwrap().host.ip(), Some("255.255.255.255".parse().unwrap()));
}

#[test]
fn rfc4475_3_3_11_zeromf() {
    assert_eq!(well_formed("rfc4475/zeromf").max_forwards(), Ok(Some(0)));
}

#[test]
fn rfc4475_3_3_12_cparam01() {
    let message = well_formed("rfc4475/cparam01");
    let contact = contacts(&message)[0];
    assert_eq!((contact.uri, contact.params.get("unknownparam")), ("sip:+19725552222@gw1.example.net", Some("")));
}

#[test]
fn rfc4475_3_3_13_cparam02() {
    let message = well_formed("rfc4475/cparam02");
    let contact = contacts(&message)[0];
    assert_eq!((contact.uri_parsed().unwrap().param("unknownparam"), contact.params.as_str()), (Some(""), ""));
}

#[test]
fn rfc4475_3_3_14_regescrt() {
    let message = well_formed("rfc4475/regescrt");
    let uri = contacts(&message)[0].uri_parsed().unwrap();
    assert_eq!((uri.user, uri.headers), (Some("user"), "Route=%3Csip:sip.example.com%3E"));
}

#[test]
fn rfc4475_3_3_15_sdp01() {
    let message = well_formed("rfc4475/sdp01");
    assert_eq!(message.values(HeaderName::Accept).collect::<Vec<_>>(), ["text/nobodyKnowsThis"]);
}

#[test]
fn rfc4475_3_4_1_inv2543() {
    let message = well_formed("rfc4475/inv2543");
    assert_eq!(
        (message.top_via().unwrap().branch(), message.from_tag(), message.max_forwards()),
        (None, None, Ok(None))
    );
    assert_eq!(message.body().len(), 105, "to the end of the datagram");
    assert_eq!(message.to().unwrap().params.get("user"), Some("phone"));
}
