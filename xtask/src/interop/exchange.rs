//! The exchange between SIPp and sipsak: registration, load, cancelling, declining, both transports.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Exchange, Needs, Row, World};
use crate::peers::baresip::{Account, Answer, Baresip};
use crate::peers::sipp::{self, Outcome};

pub(super) const SCENARIOS: &[Row] = &[
    ("sipp_makes_1000_calls_at_200_a_second", Needs::AnyExchange, |world| sipp_calls(world, 1000, 200, "u1")),
    ("sipp_calls_over_tcp", Needs::AnyExchange, |world| sipp_calls(world, 100, 50, "t1")),
    ("sipp_registers_with_digest", Needs::AnyExchange, registers_with_digest),
    ("sipp_caller_cancels", Needs::AnyExchange, caller_cancels),
    ("sipp_callee_declines", Needs::AnyExchange, callee_declines),
    ("baresip_hears_603", Needs::AnyExchange, baresip_hears_603),
    ("sipsak_gets_200_for_options", Needs::AnyExchange, sipsak_options),
    ("a_call_to_nobody_fails", Needs::AnyExchange, a_call_to_nobody_fails),
];

const SOON: Duration = Duration::from_secs(10);

fn sipp_calls(world: &World, calls: u64, rate: u32, transport: &str) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (exchange, callee, caller) = (world.exchange_ip(), world.scope.ip(3), world.scope.ip(2));
    sipp::register_ok(&world.scope, &exchange, "carol", &callee, &format!("{callee}:5060"))?;
    let _callee = sipp::start_callee(&world.scope, "callee", &callee, &[])?;
    let mut command = sipp::command("caller", &caller);
    command.arg(format!("{exchange}:5060")).args(["-s", "carol", "-t", transport, "-d", "200"]);
    command.args(["-m", &calls.to_string(), "-r", &rate.to_string()]);
    Outcome::of(&world.scope, "caller", &command, Duration::from_secs(60))?.expect_all(calls)
}

fn registers_with_digest(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (exchange, ip) = (world.exchange_ip(), world.scope.ip(2));
    sipp::register_ok(&world.scope, &exchange, "alice", &ip, &format!("{ip}:5060"))?;
    // (Kamailio's configuration here gives every name the one password.)
    let strangers: &[(&str, &str)] = match world.exchange {
        Exchange::Ringback => &[("bob", "wrong"), ("mallory", "secret")],
        Exchange::Kamailio => &[("bob", "wrong")],
    };
    for (user, password) in strangers {
        sipp::register(&world.scope, &exchange, user, password, &ip, &format!("{ip}:5060"))?.expect_none()?;
    }
    Ok(())
}

fn caller_cancels(world: &World) -> Result<()> {
    one_call(world, "callee_is_canceled", "caller_cancels")
}

fn callee_declines(world: &World) -> Result<()> {
    one_call(world, "callee_declines", "caller_is_declined")
}

/// One call between two sipps; both must have seen exactly what their scenario says.
fn one_call(world: &World, callee_scenario: &str, caller_scenario: &str) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (exchange, callee, caller) = (world.exchange_ip(), world.scope.ip(3), world.scope.ip(2));
    sipp::register_ok(&world.scope, &exchange, "carol", &callee, &format!("{callee}:5060"))?;
    let mut ringing = sipp::start_callee(&world.scope, callee_scenario, &callee, &["-m", "1"])?;
    let mut command = sipp::command(caller_scenario, &caller);
    command.arg(format!("{exchange}:5060")).args(["-s", "carol", "-m", "1"]);
    Outcome::of(&world.scope, "caller", &command, Duration::from_secs(40))?.expect_all(1)?;
    ringing.wait_code(0, Duration::from_secs(10))
}

fn baresip_hears_603(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (exchange, callee, ip) = (world.exchange_ip(), world.scope.ip(3), world.scope.ip(2));
    sipp::register_ok(&world.scope, &exchange, "carol", &callee, &format!("{callee}:5060"))?;
    let mut declining = sipp::start_callee(&world.scope, "callee_declines", &callee, &["-m", "1"])?;
    let account = Account {
        user: "alice",
        ip: &ip,
        exchange: Some(&exchange),
        transport: "udp",
        answer: Answer::ByHand,
        tone_hz: 440,
    };
    let mut alice = Baresip::start(&world.scope, &account)?;
    alice.dial(&format!("sip:carol@{exchange}"))?;
    let closed = alice.event("CALL_CLOSED", SOON)?;
    ensure!(closed["param"].as_str().is_some_and(|reason| reason.contains("603")), "alice was told {closed}");
    declining.wait_code(0, SOON)
}

fn sipsak_options(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut command = Command::new("sipsak");
    command.args(["-vv", "-s", &format!("sip:{}:5060", world.exchange_ip())]);
    let (code, process) = world.scope.run("sipsak", &command, Duration::from_secs(20))?;
    let output = process.output();
    ensure!(code == 0 && output.contains("SIP/2.0 200"), "sipsak exited with {code}\n{output}");
    Ok(())
}

fn a_call_to_nobody_fails(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut command = sipp::command("caller", &world.scope.ip(2));
    command.arg(format!("{}:5060", world.exchange_ip())).args(["-s", "nobody", "-m", "1"]);
    let (_, process) = world.scope.run("caller", &command, Duration::from_secs(40))?;
    let mut errors = String::new();
    for file in std::fs::read_dir(world.scope.dir())?.flatten() {
        if file.file_name().to_string_lossy().contains("_errors") {
            errors += &std::fs::read_to_string(file.path())?;
        }
    }
    let refused = errors.contains("SIP/2.0 404") || errors.contains("SIP/2.0 480");
    ensure!(refused, "neither 404 nor 480\n{errors}\n{}", process.output());
    Ok(())
}
