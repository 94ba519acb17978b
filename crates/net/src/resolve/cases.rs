//! RFC 3263 as a table: a zone, and what URIs come to in it.

use super::locate::{Place, locate};
use super::{SERVICES_MAX, TARGETS_MAX};
use crate::dns::zone::Zone;
use engine::Rng;
use sip_message::{NextHop, Transport, Uri};
use std::net::IpAddr;

const ZONE: &str = "
    one.test        A       192.0.2.1
    two.test        A       192.0.2.2
    three.test      A       192.0.2.3
    alias.test      CNAME   one.test
    pair.test       A       192.0.2.21
    pair.test       A       192.0.2.22
    dual.test       A       192.0.2.9
    dual.test       AAAA    2001:db8::9
    mapped.test     A       192.0.2.9
    mapped.test     AAAA    ::ffff:192.0.2.9

    full.test       NAPTR   50  50  s  SIPS+D2T  -  _sips._tcp.full.test
    full.test       NAPTR   90  50  s  SIP+D2T   -  _sip._tcp.full.test
    full.test       NAPTR   100 50  s  SIP+D2U   -  _sip._udp.full.test
    _sips._tcp.full.test    SRV  0  1 5061 one.test
    _sip._tcp.full.test     SRV  0  1 5060 one.test
    _sip._tcp.full.test     SRV  10 1 5070 two.test
    _sip._udp.full.test     SRV  0  1 5080 three.test

    bare.test       A       192.0.2.40
    _sip._udp.bare.test     SRV  20 0 5091 two.test
    _sip._udp.bare.test     SRV  10 0 5090 one.test
    _sip._tcp.bare.test     SRV  10 0 5092 three.test
    _sips._tcp.bare.test    SRV  10 0 5093 three.test

    host.test       A       192.0.2.30

    closed.test     A       192.0.2.50
    _sip._udp.closed.test   SRV  0  0 0    .
    _sip._tcp.closed.test   SRV  0  0 5060 one.test
    shut.test       A       192.0.2.51
    _sip._udp.shut.test     SRV  0  0 0    .
    _sip._tcp.shut.test     SRV  0  0 0    .

    strange.test    NAPTR   10  10  s  SIP+D2S   -  _sip._sctp.strange.test
    strange.test    NAPTR   11  10  u  E2U+sip   !^.*$!sip:x@elsewhere.test! .
    strange.test    NAPTR   12  10  a  SIP+D2U   -  three.test
    strange.test    NAPTR   13  10  s  SIP+D2U   !^.*$!x! _sip._udp.full.test
    strange.test    NAPTR   14  10  s  SIPS+D2U  -  _sips._udp.strange.test
    strange.test    NAPTR   20  10  S  sip+d2u   -  _sip._udp.strange.test
    _sip._udp.strange.test  SRV  0  0 5066 two.test

    only.test       NAPTR   10  10  s  SIP+D2S   -  _sip._sctp.only.test
    _sip._udp.only.test     SRV  0  0 5064 two.test

    away.test       NAPTR   10  10  s  SIPS+D2W  -  _sips._ws.away.test
    away.test       NAPTR   20  10  s  SIP+D2U   -  _sip._udp.provider.test
    _sips._ws.away.test     SRV  0  0 8443 one.test
    _sip._udp.provider.test SRV  0  0 5067 three.test

    equal.test      NAPTR   10  20  s  SIP+D2T   -  _sip._tcp.equal.test
    equal.test      NAPTR   10  10  s  SIP+D2U   -  _sip._udp.equal.test
    equal.test      NAPTR   11  1   s  SIP+D2U   -  _sip._udp.full.test
    _sip._tcp.equal.test    SRV  0  0 5072 one.test
    _sip._udp.equal.test    SRV  0  0 5071 two.test

    dangling.test   NAPTR   10  10  s  SIP+D2T   -  _sip._tcp.nowhere.test
    dangling.test   NAPTR   20  10  s  SIP+D2U   -  _sip._udp.full.test
    dangling.test   A       192.0.2.60

    ws.test         NAPTR   10  10  s  SIP+D2W   -  _sip._ws.sockets.test
    _sip._ws.sockets.test   SRV  0  0 8080 one.test

    broken.test     A       192.0.2.70
    _sip._udp.broken.test   SRV  0  0 5060 nobody.test
    _sip._udp.broken.test   SRV  1  0 5060 two.test
    _sip._udp.portless.test SRV  0  0 0    two.test
    _sip._udp.portless.test SRV  1  0 5069 one.test

    _sip._udp.twins.test    SRV  0  0 5068 dual.test
    _sip._udp.pairs.test    SRV  0  0 5060 pair.test
    _sip._udp.pairs.test    SRV  1  0 5061 one.test
    same.test       A       192.0.2.1
";

const EVERYTHING: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
const USUAL: &[Transport] = &[Transport::Udp, Transport::Tcp, Transport::Tls];

async fn locate_in(zone: &Zone, hop: &NextHop, have: &[Transport]) -> Vec<String> {
    let keep = |_: &mut [IpAddr]| {};
    let places = locate(hop, have, zone, &mut Rng::from_u64(3263), keep).await;
    places.iter().map(|Place { transport, address }| format!("{transport} {address}")).collect()
}

/// What `uri` comes to for a client with the transports `have`.
#[track_caller]
fn check(have: &[Transport], uri: &str, expected: &[&str]) {
    let hop = NextHop::of(&Uri::parse(uri).unwrap()).unwrap();
    assert_eq!(run(locate_in(&Zone::new(ZONE), &hop, have)), expected, "{uri}");
}

/// What is asked about `uri`.
#[track_caller]
fn check_asked(have: &[Transport], uri: &str, expected: &[&str]) {
    let zone = Zone::new(ZONE);
    let hop = NextHop::of(&Uri::parse(uri).unwrap()).unwrap();
    run(locate_in(&zone, &hop, have));
    assert_eq!(zone.take_asked(), expected, "{uri}");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn section_4_1_the_transport_in_the_uri_is_used_and_naptr_is_not_asked() {
    check(USUAL, "sip:full.test;transport=udp", &["UDP 192.0.2.3:5080"]);
    check(USUAL, "sip:full.test;transport=tcp", &["TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070"]);
    check(USUAL, "sip:full.test;transport=tls", &["TLS 192.0.2.1:5061"]);
    check(USUAL, "sips:full.test;transport=tcp", &["TLS 192.0.2.1:5061"]);
    check_asked(USUAL, "sip:full.test;transport=udp", &["SRV _sip._udp.full.test", "A three.test"]);
    check_asked(USUAL, "sip:full.test;transport=tls", &["SRV _sips._tcp.full.test", "A one.test"]);
    check(&[Transport::Udp], "sip:full.test;transport=tcp", &[]);
}

#[test]
fn section_4_1_a_number_or_a_port_without_a_transport_is_udp_or_tls() {
    check(USUAL, "sip:192.0.2.99", &["UDP 192.0.2.99:5060"]);
    check(USUAL, "sips:192.0.2.99", &["TLS 192.0.2.99:5061"]);
    check(USUAL, "sip:one.test:7777", &["UDP 192.0.2.1:7777"]);
    check(USUAL, "sips:one.test:7777", &["TLS 192.0.2.1:7777"]);
    check(&[Transport::Udp, Transport::Tcp], "sips:192.0.2.99", &[]);
    check(&[Transport::Udp, Transport::Tcp], "sips:one.test:7777", &[]);
    check(&[Transport::Tcp], "sip:192.0.2.99", &["TCP 192.0.2.99:5060"]); // there is no UDP here to prefer
}

#[test]
fn section_4_1_the_lowest_order_of_naptr_that_we_can_use_wins() {
    check(USUAL, "sip:full.test", &["TLS 192.0.2.1:5061"]);
    check(&[Transport::Udp, Transport::Tcp], "sip:full.test", &["TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070"]);
    check(&[Transport::Udp], "sip:full.test", &["UDP 192.0.2.3:5080"]);
    check_asked(USUAL, "sip:full.test", &["NAPTR full.test", "SRV _sips._tcp.full.test", "A one.test"]);
}

#[test]
fn section_4_1_of_equal_order_the_preferred_comes_first_and_the_others_follow() {
    check(USUAL, "sip:equal.test", &["UDP 192.0.2.2:5071", "TCP 192.0.2.1:5072"]);
}

#[test]
fn section_4_1_for_sips_only_sips_services_will_do() {
    check(USUAL, "sips:full.test", &["TLS 192.0.2.1:5061"]);
    check(&EVERYTHING, "sips:equal.test", &[]);
    check(&[Transport::Udp, Transport::Tcp], "sips:full.test", &[]);
    check_asked(USUAL, "sips:equal.test", &["NAPTR equal.test", "SRV _sips._tcp.equal.test", "A equal.test"]);
}

#[test]
fn section_4_1_services_flags_and_expressions_that_are_none_of_ours_are_discarded() {
    check(&EVERYTHING, "sip:strange.test", &["UDP 192.0.2.2:5066"]);
    check(USUAL, "sip:only.test", &["UDP 192.0.2.2:5064"]); // nothing applicable is as good as nothing
}

#[test]
fn section_4_1_the_replacement_may_be_in_another_domain() {
    check(USUAL, "sip:away.test", &["UDP 192.0.2.3:5067"]);
}

#[test]
fn rfc_7118_websocket_services_are_taken_when_we_have_websocket() {
    check(&EVERYTHING, "sip:away.test", &["WSS 192.0.2.1:8443"]);
    check(&EVERYTHING, "sips:away.test", &["WSS 192.0.2.1:8443"]);
    check(&EVERYTHING, "sip:ws.test", &["WS 192.0.2.1:8080"]);
    check(&EVERYTHING, "sip:host.test;transport=ws", &["WS 192.0.2.30:80"]);
    check(&EVERYTHING, "sips:host.test;transport=ws", &["WSS 192.0.2.30:443"]);
    check(&EVERYTHING, "sips:away.test;transport=ws", &["WSS 192.0.2.1:8443"]);
}

#[test]
fn section_4_1_without_naptr_each_transport_is_asked_for() {
    check(USUAL, "sip:bare.test", &["UDP 192.0.2.1:5090", "UDP 192.0.2.2:5091", "TCP 192.0.2.3:5092"]);
    check(&[Transport::Tcp], "sip:bare.test", &["TCP 192.0.2.3:5092"]);
    check(USUAL, "sips:bare.test", &["TLS 192.0.2.3:5093"]);
    let asked = &["NAPTR bare.test", "SRV _sip._udp.bare.test", "SRV _sip._tcp.bare.test"];
    let hosts = &["A one.test", "A two.test", "A three.test"];
    check_asked(USUAL, "sip:bare.test", &[&asked[..], &hosts[..]].concat());
    let asked = ["NAPTR bare.test", "SRV _sips._tcp.bare.test", "SRV _sips._ws.bare.test", "A three.test"];
    check_asked(&EVERYTHING, "sips:bare.test", &asked);
}

#[test]
fn section_4_1_without_srv_it_is_udp_or_tls_at_the_default_port() {
    check(USUAL, "sip:host.test", &["UDP 192.0.2.30:5060"]);
    check(USUAL, "sips:host.test", &["TLS 192.0.2.30:5061"]);
    check(USUAL, "sip:host.test;transport=tcp", &["TCP 192.0.2.30:5060"]);
    check(USUAL, "sip:nothing.test", &[]);
    check(USUAL, "sip:dangling.test", &["TCP 192.0.2.60:5060"]); // the transport that NAPTR chose
}

#[test]
fn section_4_2_numbers_are_used_as_they_are() {
    check(USUAL, "sip:192.0.2.99:5077;transport=tcp", &["TCP 192.0.2.99:5077"]);
    check(USUAL, "sip:[2001:db8::1];transport=tcp", &["TCP [2001:db8::1]:5060"]);
    check(USUAL, "sip:[2001:db8::1];transport=tls", &["TLS [2001:db8::1]:5061"]);
    check(USUAL, "sip:x;maddr=192.0.2.77", &["UDP 192.0.2.77:5060"]);
    check(USUAL, "sip:x;maddr=bare.test;transport=tcp", &["TCP 192.0.2.3:5092"]);
    check_asked(USUAL, "sip:192.0.2.99", &[]);
}

#[test]
fn section_4_2_a_port_means_addresses_alone_even_the_default_one() {
    check(USUAL, "sip:bare.test:5060", &["UDP 192.0.2.40:5060"]);
    check(USUAL, "sip:bare.test:5061;transport=tcp", &["TCP 192.0.2.40:5061"]);
    check_asked(USUAL, "sip:bare.test:5060", &["A bare.test"]);
}

#[test]
fn section_4_2_aliases_are_followed() {
    check(USUAL, "sip:alias.test", &["UDP 192.0.2.1:5060"]);
}

#[test]
fn section_4_3_every_address_of_every_target_is_kept_in_order() {
    check(USUAL, "sip:pair.test", &["UDP 192.0.2.21:5060", "UDP 192.0.2.22:5060"]);
    let all = ["UDP 192.0.2.21:5060", "UDP 192.0.2.22:5060", "UDP 192.0.2.1:5061"];
    check(USUAL, "sip:pairs.test", &all);
}

#[test]
fn section_4_3_a_target_without_addresses_is_passed_over() {
    check(USUAL, "sip:broken.test", &["UDP 192.0.2.2:5060"]);
    check(USUAL, "sip:portless.test", &["UDP 192.0.2.1:5069"]);
}

#[test]
fn rfc_2782_the_root_as_target_means_that_there_is_no_such_service() {
    check(&[Transport::Udp, Transport::Tcp], "sip:closed.test", &["TCP 192.0.2.1:5060"]);
    check(USUAL, "sip:closed.test;transport=udp", &[]); // not even the address of the domain
    check(USUAL, "sip:shut.test", &[]);
}

#[test]
fn rfc_7984_addresses_of_both_families_are_looked_up_and_arranged_for_each_target_alone() {
    check(USUAL, "sip:twins.test", &["UDP 192.0.2.9:5068", "UDP [2001:db8::9]:5068"]);
    let zone = Zone::new(ZONE);
    let hop = NextHop::of(&Uri::parse("sip:twins.test").unwrap()).unwrap();
    let mut rng = Rng::from_u64(1);
    let places = run(locate(&hop, USUAL, &zone, &mut rng, |addresses| addresses.reverse()));
    assert_eq!(places[0].address, "[2001:db8::9]:5068".parse().unwrap());
    check(USUAL, "sip:mapped.test", &["UDP 192.0.2.9:5060", "UDP 192.0.2.9:5060"]); // the resolver keeps one
}

#[test]
fn section_4_4_the_same_lot_gives_the_same_order() {
    let zone = Zone::new(
        &(0..6)
            .map(|n| format!("_sip._udp.lot.test SRV 0 1 50{n}0 one.test\none.test A 192.0.2.1\n"))
            .collect::<String>(),
    );
    let hop = NextHop::of(&Uri::parse("sip:lot.test").unwrap()).unwrap();
    assert_eq!(run(locate_in(&zone, &hop, USUAL)), run(locate_in(&zone, &hop, USUAL)));
}

#[test]
fn section_5_a_response_goes_where_the_sent_by_says() {
    let sent_by = |transport, host: &str, port| {
        let hop = NextHop { secure: false, transport: Some(transport), host: host.to_owned(), port };
        run(locate_in(&Zone::new(ZONE), &hop, &EVERYTHING))
    };
    assert_eq!(sent_by(Transport::Udp, "192.0.2.8", None), ["UDP 192.0.2.8:5060"]);
    assert_eq!(sent_by(Transport::Tls, "192.0.2.8", None), ["TLS 192.0.2.8:5061"]);
    assert_eq!(sent_by(Transport::Tcp, "192.0.2.8", Some(7)), ["TCP 192.0.2.8:7"]);
    assert_eq!(sent_by(Transport::Udp, "pair.test", Some(7)), ["UDP 192.0.2.21:7", "UDP 192.0.2.22:7"]);
    assert_eq!(sent_by(Transport::Udp, "bare.test", None), ["UDP 192.0.2.1:5090", "UDP 192.0.2.2:5091"]);
    assert_eq!(sent_by(Transport::Tls, "bare.test", None), ["TLS 192.0.2.3:5093"]);
    assert_eq!(sent_by(Transport::Udp, "full.test", None), ["UDP 192.0.2.3:5080"]); // no NAPTR
}

#[test]
fn what_a_zone_can_make_us_ask_is_limited() {
    let naptrs = (0..100).map(|n| format!("wide.test NAPTR 1 {n} s SIP+D2U - _sip._udp.n{n}.test\n"));
    let srvs = (0..100).map(|n| format!("_sip._udp.n{}.test SRV {n} 0 5060 h{n}.test\n", n % 10));
    let zone = Zone::new(&naptrs.chain(srvs).collect::<String>());
    let hop = NextHop::of(&Uri::parse("sip:wide.test").unwrap()).unwrap();
    run(locate_in(&zone, &hop, USUAL));
    let asked = zone.take_asked();
    let of = |kind: &str| asked.iter().filter(|asked| asked.starts_with(kind)).count();
    assert_eq!((of("NAPTR "), of("SRV "), of("A ")), (1, SERVICES_MAX, TARGETS_MAX));
}
