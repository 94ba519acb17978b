//! Two exchanges in two domains that find each other by DNS (RFC 3263): NAPTR, SRV, A; and the next server when the first is dead.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::stage::CALL;
use super::{Needs, Row, World};
use crate::peers::dnsmasq;
use crate::peers::raw::UdpPeer;
use crate::peers::ringback::{self, Setup};
use crate::peers::sipp::{End, Script};
use crate::process::{Process, tail};

pub(super) const SCENARIOS: &[Row] = &[
    ("exchanges_in_two_domains_call_each_other_by_dns", Needs::Ringback, call_each_other),
    ("a_loop_through_dns_ends", Needs::Ringback, loop_through_dns),
];

const DNS_PORT: u16 = 5353;
const SOON: Duration = Duration::from_secs(20);
/// Host numbers: the exchanges, their phones, the name server, what pretends to be a server and refuses, and where nobody is.
const A: u8 = 1;
const B: u8 = 11;
const ALICE: u8 = 2;
const BOB: u8 = 12;
const DNS: u8 = 53;
const DEAD: u8 = 99;
const BUSY: u8 = 98;

/// b.test wants TCP and its first server is dead; a.test has UDP only, its first server has no address and its second no time.
fn records(world: &World) -> String {
    let ip = |host: u8| world.scope.ip(host);
    format!(
        "naptr-record=b.test,10,50,s,SIP+D2T,,_sip._tcp.b.test\n\
         naptr-record=b.test,20,50,s,SIP+D2U,,_sip._udp.b.test\n\
         srv-host=_sip._tcp.b.test,dead.b.test,5060,10,1\n\
         srv-host=_sip._tcp.b.test,sip.b.test,5060,20,1\n\
         srv-host=_sip._udp.b.test,dead.b.test,5060,10,1\n\
         srv-host=_sip._udp.a.test,nowhere.a.test,5060,10,1\n\
         srv-host=_sip._udp.a.test,busy.a.test,5060,15,1\n\
         srv-host=_sip._udp.a.test,sip.a.test,5060,20,1\n\
         host-record=dead.b.test,{}\nhost-record=sip.b.test,{}\nhost-record=sip.a.test,{}\nhost-record=busy.a.test,{}\n",
        ip(DEAD),
        ip(B),
        ip(A),
        ip(BUSY)
    )
}

fn call_each_other(world: &World) -> Result<()> {
    let dns = dnsmasq::start(&world.scope, "dns", &world.scope.ip(DNS), DNS_PORT, &records(world))?;
    let exchanges = [exchange(world, A, "a.test", DNS)?, exchange(world, B, "b.test", DNS)?];
    call(world, &exchanges, ("alice@a.test", ALICE, A), ("bob@b.test", BOB, B), &dns)?;
    ensure!(dns.output().contains("_sip._tcp.b.test"), "nobody asked for b.test's servers\n{}", dns.output());
    let refuses = "
        < INVITE
        > 503 INVITE
        < ACK";
    let script = Script { name: "busy", uri: "", from: "", lines: refuses };
    let mut busy = End::start(&world.scope, &world.scope.ip(BUSY), "udp", &script, &["-m", "1"])?;
    call(world, &exchanges, ("bob@b.test", BOB, B), ("alice@a.test", ALICE, A), &dns)?;
    busy.finish(&world.scope, SOON)
}

/// An exchange that is responsible for one domain and asks this name server.
fn exchange(world: &World, host: u8, domain: &str, dns: u8) -> Result<Process> {
    let ip = world.scope.ip(host);
    let more = format!("[dns]\nservers = [\"{}:{DNS_PORT}\"]\n", world.scope.ip(dns));
    ringback::start(&world.scope, &Setup { name: domain, domain, more, ..Setup::on(&ip) })
}

/// The caller (who proves who they are) and the callee each have their own exchange.
fn call(
    world: &World,
    exchanges: &[Process],
    caller: (&str, u8, u8),
    callee: (&str, u8, u8),
    dns: &Process,
) -> Result<()> {
    let (from, from_host, from_exchange) = caller;
    let (to, to_host, to_exchange) = callee;
    let to_uri = format!("sip:{to}");
    let answers = "
        < INVITE
            Record-Route: ;lr
        > 200 INVITE
            sdp
        << ACK
        << BYE
        > 200 BYE";
    register(world, to, to_host, to_exchange)?;
    let (callee_ip, caller_ip) = (world.scope.ip(to_host), world.scope.ip(from_host));
    let script = Script { name: "callee", uri: "", from: "", lines: answers };
    let mut callee = End::start(&world.scope, &callee_ip, "udp", &script, &["-m", "1"])?;
    let user = from.split('@').next().unwrap_or_default();
    let calls = format!(
        "
        > INVITE
            sdp
        < 407
        > ACK
        > INVITE
            [authentication username={user} password=secret]
            sdp
        < 100?
        < 200
        >> ACK
        >> BYE
        < 200"
    );
    let script = Script { name: "caller", uri: &to_uri, from, lines: &calls };
    let server = format!("{}:5060", world.scope.ip(from_exchange));
    let mut caller = End::start(&world.scope, &caller_ip, "udp", &script, &[&server, "-m", "1"])?;
    let said = || {
        let exchanges: Vec<String> = exchanges.iter().map(|exchange| tail(&exchange.stderr())).collect();
        format!(
            "{from} calls {to}\nthe exchanges said:\n{}\nthe name server said:\n{}",
            exchanges.join("\n"),
            tail(&dns.output())
        )
    };
    caller.finish(&world.scope, CALL).map_err(|error| error.context(said()))?;
    callee.finish(&world.scope, SOON).map_err(|error| error.context(said()))
}

fn register(world: &World, user: &str, host: u8, exchange: u8) -> Result<()> {
    let (name, domain) = user.split_once('@').unwrap_or((user, ""));
    let lines = format!(
        "
        > REGISTER
            Expires: 300
        < 401
        > REGISTER
            [authentication username={name} password=secret]
            Expires: 300
        < 200"
    );
    let (uri, server) = (format!("sip:{user}"), format!("{}:5060", world.scope.ip(exchange)));
    let script = Script { name: &format!("register-{domain}"), uri: &uri, from: user, lines: &lines };
    End::start(&world.scope, &world.scope.ip(host), "udp", &script, &[&server, "-m", "1"])?.finish(&world.scope, SOON)
}

/// Each of two exchanges has been told by its own name server that c.test is the other.
fn loop_through_dns(world: &World) -> Result<()> {
    let (one, other) = (world.scope.ip(A), world.scope.ip(B));
    let record = |ip: &str| format!("srv-host=_sip._udp.c.test,sip.c.test,5060,10,1\nhost-record=sip.c.test,{ip}\n");
    let _dns = [
        dnsmasq::start(&world.scope, "dns-a", &world.scope.ip(DNS), DNS_PORT, &record(&other))?,
        dnsmasq::start(&world.scope, "dns-b", &world.scope.ip(DNS + 1), DNS_PORT, &record(&one))?,
    ];
    let mut exchanges = Vec::new();
    for (ip, domain, dns) in [(&one, "a.test", DNS), (&other, "b.test", DNS + 1)] {
        let more = format!("[auth]\nrequired = false\n\n[dns]\nservers = [\"{}:{DNS_PORT}\"]\n", world.scope.ip(dns));
        exchanges.push(ringback::start(&world.scope, &Setup { name: domain, domain, more, ..Setup::on(ip) })?);
    }
    let caller = UdpPeer::bind(&world.scope.ip(ALICE))?;
    super::strangers::expect_loop_found(&caller, &one, &world.scope.ip(ALICE), "sip:x@c.test")
}
