//! A tenth of all packets is lost: every call still succeeds, because both sides and the exchange send again (RFC 3261 section 17).

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Needs, Row, World};
use crate::netns::Netns;
use crate::peers::ringback::{self, Setup};
use crate::peers::sipp::{self, End, Script};
use crate::process::{Scope, tail};

pub(super) const SCENARIOS: &[Row] =
    &[("calls_succeed_with_a_tenth_of_all_packets_lost", Needs::Ringback, calls_succeed)];

const CALLS: u32 = 200;
const RATE: u32 = 20;
/// Timer B and F are 32 s: a call that was unlucky throughout is over by then.
const WITHIN: Duration = Duration::from_secs(80);
/// A late ACK or a BYE that overtakes it is no reason to give a call up; INVITE is repeated for 32 s, as RFC 3261 wants it.
const PATIENT: [&str; 4] = ["-default_behaviors", "all,-abortunexp", "-max_invite_retrans", "10"];

fn calls_succeed(world: &World) -> Result<()> {
    let net = Netns::new("loss")?;
    let scope = Scope::new(world.scope.dir().join("lossy"), world.scope.index())?.inside(net.name());
    let (exchange, carol, caller) = (scope.ip(1), scope.ip(3), scope.ip(2));
    let server = ringback::start(&scope, &Setup::on(&exchange))?;
    sipp::register_ok(&scope, &exchange, "carol", &carol, &format!("{carol}:5060"))?;
    lose_a_tenth(&net)?;
    let lines = "
        < INVITE
        > 180 INVITE
        > 200 INVITE
            sdp
        << ACK?
        << BYE
        > 200 BYE
        linger";
    let answers = Script { name: "carol", uri: "", from: "", lines };
    let _callee = End::start(&scope, &carol, "udp", &answers, &PATIENT)?;
    let lines = "
        > INVITE
            sdp
        < 100?
        < 180?
        < 200
        >> ACK
        pause 4000
        >> BYE
        < 200";
    let calls = Script { name: "caller", uri: &format!("sip:carol@{exchange}"), from: &format!("x@{caller}"), lines };
    let (server_address, total, rate) = (format!("{exchange}:5060"), CALLS.to_string(), RATE.to_string());
    let mut arguments = vec![server_address.as_str(), "-m", &total, "-r", &rate];
    arguments.extend(PATIENT);
    let mut caller = End::start(&scope, &caller, "udp", &calls, &arguments)?;
    let outcome = caller.finish(&scope, WITHIN);
    let lost = lost(&net)?;
    println!("  ({lost} packets of {CALLS} calls were lost)");
    outcome.with_context(|| format!("{lost} packets were lost; the exchange said:\n{}", tail(&server.stderr())))?;
    ensure!(lost > u64::from(CALLS) / 2, "only {lost} packets were lost: the rule does not work");
    Ok(())
}

/// From now on, of UDP packets one in ten is dropped on its way in.
fn lose_a_tenth(net: &Netns) -> Result<()> {
    net.run("nft", &["add", "table", "inet", "loss"])?;
    let chain = "add chain inet loss input { type filter hook input priority 0; policy accept; }";
    net.run("nft", &[chain])?;
    net.run("nft", &["add rule inet loss input meta l4proto udp numgen random mod 10 0 counter drop"])?;
    Ok(())
}

/// How many were dropped.
fn lost(net: &Netns) -> Result<u64> {
    let rules = net.run("nft", &["list", "chain", "inet", "loss", "input"])?;
    let after = rules.split("counter packets ").nth(1).context("no counter in nft's list")?;
    Ok(after.split_whitespace().next().unwrap_or_default().parse()?)
}
