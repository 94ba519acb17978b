use super::{contacts, malformed, v6, well_formed};
use sip_message::{HeaderName, Host};

#[test]
fn rfc5118_4_1_ipv6_good() {
    let message = well_formed("rfc5118/ipv6-good");
    assert_eq!(message.request_uri_parsed().unwrap().host, v6("2001:db8::10"));
    assert_eq!(message.top_via().unwrap().host, v6("2001:db8::9:1"));
    assert_eq!(contacts(&message)[0].uri_parsed().unwrap().host, v6("2001:db8::1"));
}

#[test]
fn rfc5118_4_2_ipv6_bad() {
    malformed("rfc5118/ipv6-bad", "port is not a number");
}

#[test]
fn rfc5118_4_3_port_ambiguous() {
    let message = well_formed("rfc5118/port-ambiguous");
    let uri = message.request_uri_parsed().unwrap();
    assert_eq!((uri.host, uri.port), (v6("2001:db8::10:5070"), None));
}

#[test]
fn rfc5118_4_4_port_unambiguous() {
    let message = well_formed("rfc5118/port-unambiguous");
    let uri = message.request_uri_parsed().unwrap();
    assert_eq!((uri.host, uri.port), (v6("2001:db8::10"), Some(5070)));
}

#[test]
fn rfc5118_4_5_via_received_param_with_delim() {
    let message = well_formed("rfc5118/via-received-param-with-delim");
    assert_eq!(message.top_via().unwrap().received(), Some("2001:db8::9:255".parse().unwrap()));
}

#[test]
fn rfc5118_4_5_via_received_param_no_delim() {
    let message = well_formed("rfc5118/via-received-param-no-delim");
    assert_eq!(message.top_via().unwrap().received(), Some("2001:db8::9:255".parse().unwrap()));
    // We write no brackets either.
    let reply = sip_message::Builder::reply(&message, 404, "[2001:db8::77]:5060".parse().unwrap()).finish();
    assert!(!String::from_utf8_lossy(&reply).contains("received=["));
}

#[test]
fn rfc5118_4_6_ipv6_in_sdp() {
    let message = well_formed("rfc5118/ipv6-in-sdp");
    assert_eq!((message.request_uri_parsed().unwrap().host, message.body().len()), (v6("2001:db8::10"), 251));
    malformed("rfc5118/ipv6-in-sdp-as-printed", "Content-Length is more than what came");
}

#[test]
fn rfc5118_4_7_mult_ip_in_header() {
    let message = well_formed("rfc5118/mult-ip-in-header");
    let vias: Vec<_> = message.values(HeaderName::Via).map(|via| sip_message::Via::parse(via).unwrap()).collect();
    assert_eq!((vias[0].host, vias[0].port), (v6("2001:db8::9:1"), Some(6050)));
    assert_eq!(vias[1].host, Host::V4("192.0.2.1".parse().unwrap()));
    assert_eq!((vias[2].host, vias[2].received()), (v6("2001:db8::9:255"), Some("192.0.2.200".parse().unwrap())));
}

#[test]
fn rfc5118_4_8_mult_ip_in_sdp() {
    let message = well_formed("rfc5118/mult-ip-in-sdp");
    assert!(message.body().starts_with(b"v=0\r\no=bob"));
}

#[test]
fn rfc5118_4_9_ipv4_mapped_ipv6() {
    let message = well_formed("rfc5118/ipv4-mapped-ipv6");
    let via = message.top_via().unwrap();
    assert_eq!((via.host, via.port), (v6("::ffff:192.0.2.10"), Some(19823)));
    assert_eq!(contacts(&message)[0].uri_parsed().unwrap().host, v6("::ffff:192.0.2.2"));
}

#[test]
fn rfc5118_4_10_ipv6_bug_abnf_3_colons() {
    let message = well_formed("rfc5118/ipv6-bug-abnf-3-colons");
    assert_eq!(message.request_uri_parsed().unwrap().host, v6("2001:db8::192.0.2.1"));
    assert!(Host::parse("[2001:db8:::1]").is_err() && Host::parse("[:::192.0.2.1:::192.0.2.1]").is_err());
}

#[test]
fn rfc5118_4_10_ipv6_correct_abnf_2_colons() {
    let message = well_formed("rfc5118/ipv6-correct-abnf-2-colons");
    assert_eq!(message.request_uri_parsed().unwrap().host, v6("2001:db8::192.0.2.1"));
}
