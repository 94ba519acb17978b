//! The resolver against a name server on loopback, and without any.

use super::{FLOWS_MAX, RESOLVES_MAX, Resolver};
use crate::dns::DnsConfig;
use crate::dns::zone::Zone;
use crate::{LocalAddress, Plans};
use sip_message::{NextHop, Transport};
use sip_transaction::Flow;
use std::sync::Arc;
use tokio::sync::Notify;

const LISTENING: [(Transport, &str); 2] = [(Transport::Udp, "127.0.0.1:5061"), (Transport::Tcp, "127.0.0.1:5062")];

fn resolver(listening: &[(Transport, &str)]) -> Resolver {
    let local = |(transport, address): &(Transport, &str)| LocalAddress {
        transport: *transport,
        address: address.parse().unwrap(),
    };
    Resolver::new(&listening.iter().map(local).collect::<Vec<_>>())
}

/// A resolver that asks a server of `zone`.
async fn asking(zone: &Arc<Zone>) -> Resolver {
    resolver(&LISTENING).with_dns(&DnsConfig { servers: vec![zone.clone().serve().await] })
}

fn hop(transport: Option<Transport>, host: &str, port: Option<u16>) -> NextHop {
    NextHop { secure: false, transport, host: host.to_owned(), port }
}

fn flow(transport: Transport, local: &str, remote: &str) -> Flow {
    Flow { transport, local: local.parse().unwrap(), remote: remote.parse().unwrap(), connection: None }
}

fn udp(remote: &str) -> Flow {
    flow(Transport::Udp, "127.0.0.1:5061", remote)
}

#[test]
fn an_address_has_the_local_address_that_reaches_it() {
    let all =
        resolver(&[(Transport::Udp, "0.0.0.0:5070"), (Transport::Udp, "[::]:5071"), (Transport::Tcp, "0.0.0.0:5072")]);
    let cases = [
        (None, "127.0.0.5", None, flow(Transport::Udp, "127.0.0.1:5070", "127.0.0.5:5060")),
        (None, "::1", Some(9), flow(Transport::Udp, "[::1]:5071", "[::1]:9")),
        (Some(Transport::Tcp), "127.0.0.1", None, flow(Transport::Tcp, "127.0.0.1:5072", "127.0.0.1:5060")),
        (Some(Transport::Tcp), "::1", None, flow(Transport::Tcp, "[::1]:5071", "[::1]:5060")),
        (None, "::ffff:127.0.0.1", None, flow(Transport::Udp, "127.0.0.1:5070", "127.0.0.1:5060")),
    ];
    for (transport, host, port, expected) in cases {
        assert_eq!(all.resolve_at_once(&hop(transport, host, port)), Some(vec![expected]), "{host}");
    }
    assert_eq!(all.resolve_at_once(&hop(None, "localhost", None)), None);
    assert_eq!(all.resolve_at_once(&hop(None, "127.0.0.1", Some(0))), Some(vec![]));
}

#[test]
fn of_several_sockets_the_one_on_the_route_is_used() {
    let two = resolver(&[(Transport::Udp, "192.0.2.77:5060"), (Transport::Udp, "127.0.0.1:5061")]);
    let expected = flow(Transport::Udp, "127.0.0.1:5061", "127.0.0.1:5060");
    assert_eq!(two.resolve_at_once(&hop(None, "127.0.0.1", None)), Some(vec![expected]));
    assert_eq!(two.resolve_at_once(&hop(None, "::1", None)), Some(vec![]));
}

#[tokio::test]
async fn what_was_found_a_moment_ago_is_told_at_once() {
    let zone = Arc::new(Zone::new("pbx.test A 127.0.0.11"));
    let ours = asking(&zone).await;
    let (pbx, expected) = (hop(None, "pbx.test", None), [udp("127.0.0.11:5060")]);
    assert_eq!(ours.resolve_at_once(&pbx), None);
    assert_eq!(ours.resolve(&pbx).await, expected);
    assert_eq!(ours.resolve_at_once(&pbx).unwrap(), expected);
    assert_eq!(ours.clone().resolve_at_once(&pbx).unwrap(), expected);
    assert_eq!(ours.resolve_at_once(&hop(None, "pbx.test", Some(5060))), None);
    assert_eq!(ours.resolve(&hop(None, "pbx.test.", None)).await, expected);
}

#[tokio::test]
async fn localhost_and_the_hosts_file_need_no_name_server() {
    let zone = Arc::new(Zone::new("localhost A 127.0.0.99\n_sip._udp.localhost SRV 0 0 9 localhost"));
    for ours in [resolver(&LISTENING), asking(&zone).await] {
        assert_eq!(ours.resolve(&hop(None, "localhost", None)).await, [udp("127.0.0.1:5060")]);
        assert_eq!(ours.resolve(&hop(None, "LocalHost", Some(7))).await, [udp("127.0.0.1:7")]);
        assert_eq!(ours.resolve(&hop(None, "a.b.localhost", None)).await, [udp("127.0.0.1:5060")]);
    }
    assert_eq!(zone.take_asked(), [""; 0]);
}

#[tokio::test]
async fn naptr_srv_and_addresses_come_from_the_name_server_once() {
    let zone = Arc::new(Zone::new(
        "pbx.test             NAPTR 10 10 s SIPS+D2T - _sips._tcp.pbx.test
         pbx.test             NAPTR 20 10 s SIP+D2T  - _sip._tcp.pbx.test
         _sip._tcp.pbx.test   SRV   0 0 5080 one.pbx.test
         _sip._tcp.pbx.test   SRV   1 0 5081 alias.pbx.test
         alias.pbx.test       CNAME two.pbx.test
         one.pbx.test         A     127.0.0.11
         two.pbx.test         A     127.0.0.12",
    ));
    let ours = asking(&zone).await;
    let tcp = |remote| flow(Transport::Tcp, "127.0.0.1:5062", remote);
    let expected = [tcp("127.0.0.11:5080"), tcp("127.0.0.12:5081")];
    assert_eq!(ours.resolve(&hop(None, "pbx.test", None)).await, expected);
    let mut asked = zone.take_asked();
    asked.sort();
    let [one, alias] = ["one", "alias"].map(|host| [format!("A {host}.pbx.test"), format!("AAAA {host}.pbx.test")]);
    let mut every = [&alias[..], &one[..]].concat();
    every.extend(["NAPTR pbx.test", "SRV _sip._tcp.pbx.test", "AAAA two.pbx.test"].map(str::to_owned)); // the alias has no AAAA
    every.sort();
    assert_eq!(asked, every);
    ours.forget();
    assert_eq!(ours.resolve(&hop(None, "PBX.test", None)).await, expected);
    assert_eq!(zone.take_asked(), [""; 0], "what is known is not asked again, nor that there is nothing");
}

#[tokio::test]
async fn that_there_is_nothing_is_known_for_a_while() {
    let zone = Arc::new(Zone::new("plain.test A 127.0.0.11"));
    let ours = asking(&zone).await;
    for host in ["plain.test", "none.test"] {
        let first = ours.resolve(&hop(None, host, None)).await;
        assert_eq!(first.len(), usize::from(host == "plain.test"));
        assert!(zone.take_asked().contains(&format!("NAPTR {host}")));
        ours.forget();
        assert_eq!(ours.resolve(&hop(None, host, None)).await, first);
        assert_eq!(zone.take_asked(), [""; 0]);
    }
}

/// As in a driver: a runtime of its own, whose tasks stay on its thread.
#[test]
fn an_answer_too_long_for_a_datagram_comes_by_stream_and_the_flows_are_limited() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()).unwrap();
    let srvs = (0..30).map(|n| format!("_sip._udp.long.test SRV {n} 0 50{n:02} h{n}.test\nh{n}.test A 127.0.0.1\n"));
    let zone = Arc::new(Zone::new(&srvs.collect::<String>()));
    runtime.block_on(async {
        let ours = asking(&zone).await;
        let flows = ours.resolve(&hop(None, "long.test", None)).await;
        let expected: Vec<Flow> = (0..FLOWS_MAX).map(|n| udp(&format!("127.0.0.1:50{n:02}"))).collect();
        assert_eq!(flows, expected);
        assert_eq!(ours.resolve(&hop(None, "long.test", None)).await, expected);
    });
}

#[tokio::test]
async fn a_dead_name_server_is_passed_over() {
    let zone = Arc::new(Zone::new("alive.test A 127.0.0.11"));
    let dead = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let servers = vec![dead.local_addr().unwrap(), zone.clone().serve().await];
    let ours = resolver(&LISTENING).with_dns(&DnsConfig { servers });
    assert_eq!(ours.resolve(&hop(None, "alive.test", Some(7))).await, [udp("127.0.0.11:7")]);
}

#[tokio::test]
async fn a_host_with_many_addresses_gives_no_more_flows_than_allowed() {
    let many: String = (1..=FLOWS_MAX + 4).map(|n| format!("many.test A 127.0.1.{n}\n")).collect();
    let ours = asking(&Arc::new(Zone::new(&many))).await;
    assert_eq!(ours.resolve(&hop(None, "many.test", None)).await.len(), FLOWS_MAX);
}

#[tokio::test]
async fn flows_are_there_once_and_only_where_we_reach() {
    let zone = Arc::new(Zone::new(
        "_sip._udp.some.test  SRV  0 0 5060 one.test
         _sip._udp.some.test  SRV  1 0 5060 same.test
         _sip._udp.some.test  SRV  2 0 5060 six.test
         _sip._udp.some.test  SRV  3 0 5060 mapped.test
         one.test     A    127.0.0.11
         same.test    A    127.0.0.11
         six.test     AAAA ::1
         mapped.test  AAAA ::ffff:127.0.0.12",
    ));
    let ours = asking(&zone).await;
    assert_eq!(ours.resolve(&hop(None, "some.test", None)).await, [udp("127.0.0.11:5060"), udp("127.0.0.12:5060")]);
}

#[tokio::test]
async fn of_two_families_the_preferred_comes_first() {
    let zone = Arc::new(Zone::new("dual.test A 127.0.0.1\ndual.test AAAA ::1"));
    let both = resolver(&[(Transport::Udp, "127.0.0.1:5061"), (Transport::Udp, "[::1]:5061")]);
    let both = both.with_dns(&DnsConfig { servers: vec![zone.clone().serve().await] });
    let flows = both.resolve(&hop(None, "dual.test", None)).await;
    assert_eq!(flows, [flow(Transport::Udp, "[::1]:5061", "[::1]:5060"), udp("127.0.0.1:5060")]);
}

#[tokio::test]
async fn section_4_4_the_order_is_steady_for_stateless_proxies_however_dns_shuffles() {
    let lines: Vec<String> = (0..4)
        .flat_map(|n| {
            let addresses = (1..=2).map(move |m| format!("h{n}.test A 127.0.{n}.{m}"));
            addresses.chain([format!("_sip._udp.lot.test SRV 0 1 5060 h{n}.test")])
        })
        .collect();
    let shuffled: Vec<String> = lines.iter().rev().cloned().collect();
    let lot = hop(None, "lot.test", None);
    let mut orders = Vec::new();
    for lines in [lines, shuffled] {
        let ours = asking(&Arc::new(Zone::new(&lines.join("\n")))).await;
        orders.push(ours.resolve_steadily(&lot).await);
        orders.push(ours.resolve_steadily(&lot).await);
    }
    assert_eq!(orders[0].len(), 8);
    assert_eq!(orders, vec![orders[0].clone(); 4]);
}

#[tokio::test]
async fn what_is_asked_for_while_it_is_looked_up_is_one_lookup() {
    let zone = Arc::new(Zone::new("slow.test A 127.0.0.11"));
    let go = Arc::new(Notify::new());
    let servers = vec![zone.clone().serve_when(Some(go.clone())).await];
    let ours = resolver(&LISTENING).with_dns(&DnsConfig { servers });
    let slow = hop(None, "slow.test", Some(9));
    let many = super::all::all((0..RESOLVES_MAX * 2).map(|_| ours.resolve(&slow)));
    let release = async { go.notify_one() };
    let (found, ()) = tokio::join!(many, release);
    assert_eq!(found, vec![vec![udp("127.0.0.11:9")]; RESOLVES_MAX * 2]);
    let mut asked = zone.take_asked();
    asked.sort();
    asked.dedup(); // a datagram may be sent again while it waits
    assert_eq!(asked, ["A slow.test", "AAAA slow.test"]);
}

#[tokio::test]
async fn names_are_looked_up_but_not_more_than_allowed_at_once() {
    let names: String = (0..=RESOLVES_MAX).map(|n| format!("n{n}.test A 127.0.0.11\n")).collect();
    let zone = Arc::new(Zone::new(&names));
    let go = Arc::new(Notify::new());
    let servers = vec![zone.clone().serve_when(Some(go.clone())).await];
    let ours = resolver(&LISTENING).with_dns(&DnsConfig { servers });
    let hops: Vec<NextHop> = (0..=RESOLVES_MAX).map(|n| hop(None, &format!("n{n}.test"), Some(9))).collect();
    let many = super::all::all(hops.iter().map(|hop| ours.resolve(hop)));
    let (found, ()) = tokio::join!(many, async { go.notify_one() });
    let (last, first) = found.split_last().unwrap();
    assert!(first.iter().all(|flows| *flows == [udp("127.0.0.11:9")]));
    assert_eq!(*last, []);
    assert_eq!(ours.resolve(&hops[RESOLVES_MAX]).await, [udp("127.0.0.11:9")]);
}

#[tokio::test]
async fn connections_of_tls_and_websocket_are_planned_for_the_domain_of_the_uri() {
    let zone = Arc::new(Zone::new(
        "safe.test              NAPTR 10 10 s SIPS+D2T - _sips._tcp.provider.test
         safe.test              NAPTR 20 10 s SIP+D2W  - _sip._ws.provider.test
         _sip._ws.provider.test SRV 0 0 8080 one.provider.test
         one.provider.test      A 127.0.0.11",
    ));
    let plans = Plans::new(None, true); // no TLS, but WebSockets
    let ours = asking(&zone).await;
    let safe = hop(None, "safe.test", None);
    assert_eq!(ours.resolve(&safe).await, [], "without plans there is neither");
    let ours = ours.with_plans(&plans);
    let numeric = hop(Some(Transport::Ws), "127.0.0.1", None);
    let found = [ours.resolve(&safe).await, ours.resolve_at_once(&numeric).unwrap()];
    let expected = [("127.0.0.11:8080", "safe.test"), ("127.0.0.1:80", "127.0.0.1")];
    for (flows, (remote, domain)) in found.into_iter().zip(expected) {
        let [flow] = flows[..] else { panic!("{flows:?}") };
        let plan = plans.get(flow.connection.unwrap()).unwrap();
        assert_eq!((flow.transport, flow.remote), (Transport::Ws, remote.parse().unwrap()));
        assert_eq!((plan.transport, plan.local, plan.remote), (flow.transport, flow.local, flow.remote));
        assert_eq!(plan.domain, domain);
    }
    assert_eq!(ours.resolve_at_once(&hop(Some(Transport::Tls), "127.0.0.1", None)), Some(vec![]));
    assert_eq!(ours.resolve_at_once(&NextHop { secure: true, ..hop(None, "127.0.0.1", None) }), Some(vec![]));
}

#[tokio::test]
async fn responses_find_their_way_by_the_sent_by() {
    let zone = Arc::new(Zone::new("_sip._udp.via.test SRV 0 0 5090 one.test\none.test A 127.0.0.11"));
    let ours = asking(&zone).await;
    assert_eq!(ours.resolve_sent_by(Transport::Udp, "via.test", None).await, [udp("127.0.0.11:5090")]);
    assert_eq!(ours.resolve_sent_by(Transport::Udp, "one.test", Some(6)).await, [udp("127.0.0.11:6")]);
    assert_eq!(ours.resolve_sent_by(Transport::Udp, "127.0.0.3", None).await, [udp("127.0.0.3:5060")]);
}
