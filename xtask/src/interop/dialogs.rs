//! Whole dialogs through the exchange: what phones and trunks do inside a call, and every method there is.

use anyhow::Result;

use super::stage::{CAROL, Stage};
use super::{Needs, Row, World};

pub(super) const SCENARIOS: &[Row] = &[
    ("reinvite_passes_both_ways_over_udp", Needs::Ringback, |world| reinvites(world, "udp")),
    ("reinvite_passes_both_ways_over_tcp", Needs::Ringback, |world| reinvites(world, "tcp")),
    ("update_passes_both_ways_over_udp", Needs::Ringback, |world| updates(world, "udp")),
    ("update_passes_both_ways_over_tcp", Needs::Ringback, |world| updates(world, "tcp")),
    ("prack_passes_before_the_answer_over_udp", Needs::Ringback, |world| pracks(world, "udp")),
    ("prack_passes_before_the_answer_over_tcp", Needs::Ringback, |world| pracks(world, "tcp")),
    ("every_method_passes_inside_a_dialog_over_udp", Needs::Ringback, |world| methods_inside(world, "udp")),
    ("every_method_passes_inside_a_dialog_over_tcp", Needs::Ringback, |world| methods_inside(world, "tcp")),
    ("every_method_passes_outside_a_dialog_over_udp", Needs::Ringback, |world| methods_outside(world, "udp")),
    ("every_method_passes_outside_a_dialog_over_tcp", Needs::Ringback, |world| methods_outside(world, "tcp")),
    ("a_caller_answers_the_challenge_over_udp", Needs::Ringback, |world| challenged(world, "udp")),
    ("a_caller_answers_the_challenge_over_tcp", Needs::Ringback, |world| challenged(world, "tcp")),
    ("strict_router_gets_and_sends_what_it_expects_over_udp", Needs::Ringback, |world| strict_router(world, "udp")),
    ("strict_router_gets_and_sends_what_it_expects_over_tcp", Needs::Ringback, |world| strict_router(world, "tcp")),
];

/// Methods that either end may send inside a dialog, one after the other; the last is nobody's.
const INSIDE: [&str; 7] = ["INFO", "UPDATE", "REFER", "NOTIFY", "MESSAGE", "OPTIONS", "FROBNICATE"];
/// Methods that come with no dialog. (PUBLISH and REGISTER to a phone are odd; a proxy passes them, RFC 3261 section 16.3.)
const OUTSIDE: [&str; 8] = ["OPTIONS", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "INFO", "FROBNICATE"];

fn reinvites(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            sdp
        < 100?
        < 180?
        < 200
            Record-Route: ;lr
        >> ACK
        >> INVITE
            sdp
        < 100?
        < 200
        >> ACK
        << INVITE
        > 200 INVITE
            sdp
        << ACK
        >> BYE
        < 200";
    let carol = "
        < INVITE
            Max-Forwards: 69
        > 180 INVITE
        > 200 INVITE
            sdp
        << ACK
        << INVITE
        > 200 INVITE
            sdp
        << ACK
        >> INVITE
            sdp
        < 100?
        < 200
        >> ACK
        << BYE
        > 200 BYE";
    Stage::set(world, transport)?.call(caller, carol)
}

fn updates(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            sdp
        < 100?
        < 180
        >> UPDATE
            sdp
        < 200
        < 200
        >> ACK
        << UPDATE
        > 200 UPDATE
            sdp
        >> BYE
        < 200";
    let carol = "
        < INVITE
        > 180 INVITE
        << UPDATE
        > 200 UPDATE
            sdp
        > 200 INVITE
            sdp
        << ACK
        >> UPDATE
            sdp
        < 200
        << BYE
        > 200 BYE";
    Stage::set(world, transport)?.call(caller, carol)
}

fn pracks(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            Supported: 100rel
            sdp
        < 100?
        < 183
            Require: 100rel
            RSeq: 4711
        >> PRACK
            RAck: 4711 1 INVITE
        < 200
        < 200
        >> ACK
        >> BYE
        < 200";
    let carol = "
        < INVITE
            Supported: 100rel
        > 183 INVITE
            Require: 100rel
            RSeq: 4711
            sdp
        << PRACK
            RAck: 4711 1 INVITE
        > 200 PRACK
        > 200 INVITE
        << ACK
        << BYE
        > 200 BYE";
    Stage::set(world, transport)?.call(caller, carol)
}

/// The caller sends each method, then carol does.
fn methods_inside(world: &World, transport: &'static str) -> Result<()> {
    let mut caller = "> INVITE\n  sdp\n< 100?\n< 180?\n< 200\n>> ACK\n".to_owned();
    let mut carol = "< INVITE\n> 200 INVITE\n  sdp\n<< ACK\n".to_owned();
    let asks = INSIDE.map(|method| format!(">> {method}\n  X-Unknown: kept\n< 200\n  X-Answer: kept\n")).concat();
    let answers =
        INSIDE.map(|method| format!("<< {method}\n  X-Unknown: kept\n> 200 {method}\n  X-Answer: kept\n")).concat();
    caller += &(asks.clone() + &answers + ">> BYE\n< 200\n");
    carol += &(answers + &asks + "<< BYE\n> 200 BYE\n");
    Stage::set(world, transport)?.call(&caller, &carol)
}

fn methods_outside(world: &World, transport: &'static str) -> Result<()> {
    let asks = OUTSIDE.map(|method| format!("> {method}\n  Event: presence\n< 200\n")).concat();
    let answers = OUTSIDE.map(|method| format!("< {method}\n  Event: presence\n> 200 {method}\n")).concat();
    Stage::set(world, transport)?.call(&asks, &answers)
}

/// 407, and with credentials the call goes through; the credentials stay with us (RFC 3261 section 22.3).
fn challenged(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            sdp
        < 407
            Proxy-Authenticate: Digest
        > ACK
        > INVITE
            [authentication username=alice password=secret]
            sdp
        < 100?
        < 200
        >> ACK
        >> BYE
        < 200";
    let carol = "
        < INVITE
            !Proxy-Authorization: .
        > 200 INVITE
            sdp
        << ACK
        << BYE
        > 200 BYE";
    Stage::set_for_alice(world, transport)?.call(caller, carol)
}

/// A hop after ours that knows RFC 2543 only: what it gets has itself as the Request-URI and the rest as Route (RFC 3261 section
/// 16.6 item 6); what it sends has us as the Request-URI, and the rest as Route (section 16.4).
fn strict_router(world: &World, transport: &'static str) -> Result<()> {
    let (router, exchange) = (world.scope.ip(CAROL), world.exchange_ip());
    let parameter = if transport == "tcp" { ";transport=tcp" } else { "" };
    let caller = format!(
        "
        > INVITE
            Route: <sip:{exchange};lr>, <sip:{router}:5060{parameter}>
            sdp
        < 100?
        < 200
        >> ACK
        >> MESSAGE
        < 200
        << BYE
        > 200 BYE"
    );
    let router = format!(
        "
        < INVITE
            message: ^INVITE sip:{router}:5060
            message: [[:cntrl:]]Route: <sip:dave@192.0.2.1>
        > 200 INVITE
            Record-Route: <sip:{router}:5060{parameter}>
            Contact: <sip:dave@192.0.2.1>
            sdp
        << ACK
            message: ^ACK sip:{router}:5060
            message: [[:cntrl:]]Route: <sip:dave@192.0.2.1>
        << MESSAGE
            message: ^MESSAGE sip:{router}:5060
            message: [[:cntrl:]]Route: <sip:dave@192.0.2.1>
        > 200 MESSAGE
        strict BYE
        < 200"
    );
    let exchange = world.start_with("[auth]\nrequired = false\n")?;
    let stage = Stage { world, exchange, transport, uri: "sip:dave@192.0.2.1".to_owned(), from: None };
    stage.call(&caller, &router)
}
