//! One address-of-record, several phones: all ring at once, or one after the other by their q values (RFC 3261 section 16.6).

use std::time::Duration;

use anyhow::Result;

use super::stage::{CALL, Stage};
use super::{Needs, Row, World};
use crate::peers::PASSWORD;
use crate::peers::sipp::{self, End, Outcome, Script};
use crate::process::Process;

pub(super) const SCENARIOS: &[Row] = &[
    ("fork_first_to_answer_wins_and_the_other_is_canceled", Needs::AnyExchange, parallel),
    ("fork_serial_by_q_goes_on_after_a_refusal", Needs::Ringback, serial),
    ("fork_over_tcp_first_to_answer_wins_and_the_other_is_canceled", Needs::Ringback, parallel_over_tcp),
    ("fork_over_tcp_serial_by_q_goes_on_after_a_refusal", Needs::Ringback, serial_over_tcp),
];

const SOON: Duration = Duration::from_secs(10);

/// Both phones ring; the second answers, and the first gets a CANCEL.
fn parallel(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut rings = phone(world, 3, "callee_is_canceled", "1.0")?;
    let mut answers = phone(world, 4, "callee_rings_then_answers", "1.0")?;
    call(world)?;
    rings.wait_code(0, SOON)?;
    answers.wait_code(0, SOON)
}

/// The phone with the higher q declines with 486 and only then does the other one ring.
fn serial(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut busy = phone(world, 3, "callee_is_busy", "1.0")?;
    let mut answers = phone(world, 4, "callee", "0.5")?;
    call(world)?;
    busy.wait_code(0, SOON)?;
    answers.wait_code(0, SOON)
}

/// Both phones ring over the connections on which they registered; the caller's answer is the one that came.
fn parallel_over_tcp(world: &World) -> Result<()> {
    let rings = "
        < INVITE
        > 180 INVITE
        < CANCEL
            Reason: SIP
        > 200 CANCEL
        > 487 INVITE
        < ACK
        done";
    let answers = "
        < INVITE
        > 180 INVITE
        pause 500
        > 200 INVITE
            sdp
        << ACK
        << BYE
        > 200 BYE
        done";
    let caller = "
        > INVITE
            sdp
        < 100?
        < 180
        < 180
        < 200
        >> ACK
        >> BYE
        < 200";
    over_tcp(world, caller, [(rings, "1.0"), (answers, "1.0")])
}

/// The phone with the higher q declines with 486 and only then does the other one ring.
fn serial_over_tcp(world: &World) -> Result<()> {
    let busy = "
        < INVITE
        > 180 INVITE
        > 486 INVITE
        < ACK
        done";
    let answers = "
        < INVITE
        > 200 INVITE
            sdp
        << ACK
        << BYE
        > 200 BYE
        done";
    let caller = "
        > INVITE
            sdp
        < 100?
        < 180
        < 200
        >> ACK
        >> BYE
        < 200";
    over_tcp(world, caller, [(busy, "1.0"), (answers, "0.5")])
}

/// One call to carol, whose phones registered over TCP.
fn over_tcp(world: &World, caller: &str, phones: [(&str, &str); 2]) -> Result<()> {
    let exchange = world.start_exchange()?;
    let uri = format!("sip:carol@{}", world.exchange_ip());
    let stage = Stage { world, exchange, transport: "tcp", uri, from: None };
    let mut ends = Vec::new();
    for (number, (lines, q)) in phones.into_iter().enumerate() {
        let (scope, ip) = (&world.scope, world.scope.ip(3 + number as u8));
        let script = Script { name: "carol", uri: "", from: "", lines };
        ends.push(End::register_over_tcp(scope, &world.exchange_ip(), "carol", &ip, q, &script)?);
    }
    let called = stage.end(2, "caller", caller)?.finish(&world.scope, CALL);
    stage.explain(called)?;
    ends.iter_mut().try_for_each(|end| stage.explain(end.finish(&world.scope, SOON)))
}

/// Registers carol at `host` and has sipp play one call of `scenario` there.
fn phone(world: &World, host: u8, scenario: &str, q: &str) -> Result<Process> {
    let (exchange, ip) = (world.exchange_ip(), world.scope.ip(host));
    let contact = format!("{ip}:5060");
    sipp::register_with_q(&world.scope, &exchange, "carol", PASSWORD, &ip, &contact, q)?.expect_all(1)?;
    sipp::start_callee(&world.scope, scenario, &ip, &["-m", "1"])
}

fn call(world: &World) -> Result<()> {
    let mut command = sipp::command("caller_of_many", &world.scope.ip(2));
    command.arg(format!("{}:5060", world.exchange_ip())).args(["-s", "carol", "-m", "1", "-d", "100"]);
    Outcome::of(&world.scope, "caller", &command, Duration::from_secs(40))?.expect_all(1)
}
