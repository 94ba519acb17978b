//! CANCEL and the answer on the way at the same time: the caller's call ends properly whichever is first (RFC 3261 section 9.1).

use anyhow::Result;

use super::stage::Stage;
use super::{Needs, Row, World};

pub(super) const SCENARIOS: &[Row] = &[
    ("cancel_ends_a_ringing_call_over_udp", Needs::Ringback, |world| canceled(world, "udp")),
    ("cancel_ends_a_ringing_call_over_tcp", Needs::Ringback, |world| canceled(world, "tcp")),
    ("cancel_that_meets_a_200_at_the_callee_over_udp", Needs::Ringback, |world| meets_at_callee(world, "udp")),
    ("cancel_that_meets_a_200_at_the_callee_over_tcp", Needs::Ringback, |world| meets_at_callee(world, "tcp")),
    ("cancel_after_the_200_changes_nothing_over_udp", Needs::Ringback, |world| after_the_answer(world, "udp")),
    ("cancel_after_the_200_changes_nothing_over_tcp", Needs::Ringback, |world| after_the_answer(world, "tcp")),
];

/// A phone that rings until it is canceled.
const RINGS: &str = "
    < INVITE
    > 180 INVITE
    < CANCEL
    > 200 CANCEL
    > 487 INVITE
    < ACK";
const CANCELS: &str = "
    > INVITE
        sdp
    < 100?
    < 180
    > CANCEL
    < 200
    < 487
    > ACK";

fn canceled(world: &World, transport: &'static str) -> Result<()> {
    Stage::set(world, transport)?.call(CANCELS, RINGS)
}

/// The callee has answered when the CANCEL comes: the caller gets the 200 after all, and hangs up.
fn meets_at_callee(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            sdp
        < 100?
        < 180
        > CANCEL
        < 200
        < 200
            CSeq: INVITE
        >> ACK
        >> BYE
        < 200";
    let carol = "
        < INVITE
        > 180 INVITE
        < CANCEL
        > 200 CANCEL
        > 200 INVITE
            sdp
        << ACK
        << BYE
        > 200 BYE";
    Stage::set(world, transport)?.call(caller, carol)
}

/// The caller cancels what was answered already: the CANCEL is answered, goes nowhere, and the call stands.
fn after_the_answer(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            sdp
        < 100?
        < 180?
        < 200
        > CANCEL
        < 200
            CSeq: CANCEL
        >> ACK
        >> BYE
        < 200";
    let carol = "
        < INVITE
        > 180 INVITE
        > 200 INVITE
            sdp
        << ACK
        << BYE
        > 200 BYE";
    Stage::set(world, transport)?.call(caller, carol)
}
