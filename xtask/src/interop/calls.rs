//! Calls between two baresips through the exchange: signalling by it, sound between them.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Needs, Row, World};
use crate::peers::baresip::{Account, Answer, Baresip};

pub(super) const SCENARIOS: &[Row] = &[
    ("two_baresips_call_over_udp", Needs::AnyExchange, |world| two_baresips_call(world, "udp")),
    ("two_baresips_call_over_tcp", Needs::AnyExchange, |world| two_baresips_call(world, "tcp")),
    ("callee_hangs_up", Needs::AnyExchange, callee_hangs_up),
    ("baresip_caller_cancels", Needs::AnyExchange, caller_cancels),
    ("baresip_callee_rejects", Needs::AnyExchange, callee_rejects),
];

/// Long enough for a phone to notice what the other did.
const SOON: Duration = Duration::from_secs(10);
/// How much of the other's tone each end must have heard, and for how long they talk.
const HEARD_SECONDS: f64 = 2.5;
const TALK_SECONDS: u64 = 3;

fn two_baresips_call(world: &World, transport: &str) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut bob = phone(world, "bob", 3, transport, Answer::Automatically, 880)?;
    let mut alice = phone(world, "alice", 2, transport, Answer::ByHand, 440)?;
    alice.dial(&format!("sip:bob@{}", world.exchange_ip()))?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    bob.event("CALL_ESTABLISHED", SOON)?;
    alice.wait_heard(TALK_SECONDS)?;
    bob.wait_heard(TALK_SECONDS)?;
    alice.hang_up()?;
    bob.event("CALL_CLOSED", SOON)?;
    bob.expect_heard(440, HEARD_SECONDS)?;
    alice.expect_heard(880, HEARD_SECONDS)?;
    if transport == "tcp" {
        let port = format!("TCP {}:", world.scope.ip(3));
        ensure!(bob.trace().contains(&port) && !bob.trace().contains("UDP "), "bob's messages did not go over TCP");
    }
    Ok(())
}

fn callee_hangs_up(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut bob = phone(world, "bob", 3, "udp", Answer::Automatically, 880)?;
    let mut alice = phone(world, "alice", 2, "udp", Answer::ByHand, 440)?;
    alice.dial(&format!("sip:bob@{}", world.exchange_ip()))?;
    bob.event("CALL_ESTABLISHED", SOON)?;
    alice.wait_heard(1)?;
    bob.hang_up()?;
    alice.event("CALL_CLOSED", SOON)?;
    Ok(())
}

fn caller_cancels(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut bob = phone(world, "bob", 3, "udp", Answer::ByHand, 880)?;
    let mut alice = phone(world, "alice", 2, "udp", Answer::ByHand, 440)?;
    alice.dial(&format!("sip:bob@{}", world.exchange_ip()))?;
    bob.event("CALL_INCOMING", SOON)?;
    alice.event("CALL_RINGING", SOON)?;
    alice.hang_up()?;
    bob.event("CALL_CLOSED", SOON)?;
    ensure!(bob.trace().contains("\nCANCEL sip:"), "bob saw no CANCEL");
    Ok(())
}

fn callee_rejects(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let mut bob = phone(world, "bob", 3, "udp", Answer::ByHand, 880)?;
    let mut alice = phone(world, "alice", 2, "udp", Answer::ByHand, 440)?;
    alice.dial(&format!("sip:bob@{}", world.exchange_ip()))?;
    bob.event("CALL_INCOMING", SOON)?;
    bob.hang_up()?;
    let closed = alice.event("CALL_CLOSED", SOON)?;
    ensure!(closed["param"].as_str().is_some_and(|reason| reason.contains("486")), "alice was told {closed}");
    Ok(())
}

fn phone(world: &World, user: &str, host: u8, transport: &str, answer: Answer, tone_hz: u32) -> Result<Baresip> {
    let (ip, exchange) = (world.scope.ip(host), world.exchange_ip());
    Baresip::start(&world.scope, &Account { user, ip: &ip, exchange: Some(&exchange), transport, answer, tone_hz })
}
