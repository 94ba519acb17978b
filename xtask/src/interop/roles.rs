//! The roles that a server may have beside the stateful proxy, and what rules and users make of a call.

use anyhow::Result;

use super::stage::{CALL, CALLER, CAROL, Stage};
use super::{Needs, Row, World};
use crate::peers::ringback::{self, Setup};
use crate::peers::sipp;

pub(super) const SCENARIOS: &[Row] = &[
    ("recursion_follows_a_302_over_udp", Needs::Ringback, |world| recursion(world, "udp")),
    ("recursion_follows_a_302_over_tcp", Needs::Ringback, |world| recursion(world, "tcp")),
    ("redirect_server_tells_where_carol_is_over_udp", Needs::Ringback, |world| redirect_server(world, "udp")),
    ("redirect_server_tells_where_carol_is_over_tcp", Needs::Ringback, |world| redirect_server(world, "tcp")),
    ("stateless_proxy_passes_a_call_over_udp", Needs::Ringback, |world| stateless_call(world, "udp")),
    ("stateless_proxy_passes_a_call_over_tcp", Needs::Ringback, |world| stateless_call(world, "tcp")),
    ("stateless_proxy_passes_a_cancel_over_udp", Needs::Ringback, |world| stateless_cancel(world, "udp")),
    ("stateless_proxy_passes_a_cancel_over_tcp", Needs::Ringback, |world| stateless_cancel(world, "tcp")),
    ("stateless_proxy_passes_a_refusal_and_its_ack_over_udp", Needs::Ringback, |world| stateless_refusal(world, "udp")),
    ("stateless_proxy_passes_a_refusal_and_its_ack_over_tcp", Needs::Ringback, |world| stateless_refusal(world, "tcp")),
    ("busy_is_forwarded", Needs::Ringback, busy_is_forwarded),
    ("no_answer_is_forwarded", Needs::Ringback, no_answer_is_forwarded),
    ("not_registered_is_forwarded", Needs::Ringback, not_registered_is_forwarded),
    ("every_call_is_forwarded", Needs::Ringback, every_call_is_forwarded),
    ("rule_dials_and_changes_the_number_over_udp", Needs::Ringback, |world| rule_dials(world, "udp")),
    ("rule_dials_and_changes_the_number_over_tcp", Needs::Ringback, |world| rule_dials(world, "tcp")),
    ("rule_forks_over_udp", Needs::Ringback, |world| rule_forks(world, "udp")),
    ("rule_forks_over_tcp", Needs::Ringback, |world| rule_forks(world, "tcp")),
    ("rule_rings_one_after_the_other_over_udp", Needs::Ringback, |world| rule_serial(world, "udp")),
    ("rule_rings_one_after_the_other_over_tcp", Needs::Ringback, |world| rule_serial(world, "tcp")),
    ("rule_redirects_and_rule_rejects", Needs::Ringback, rules_answer),
];

/// Dave's host, and what both the callers and the callees of these tests do.
const DAVE: u8 = 4;
const CALLS: &str = "
    > INVITE
        sdp
    < 100?
    < 180?
    < 180?
    < 200
    >> ACK
    >> BYE
    < 200";
const ANSWERS: &str = "
    < INVITE
    > 200 INVITE
        sdp
    << ACK
    << BYE
    > 200 BYE";
const IS_BUSY: &str = "
    < INVITE
    > 486 INVITE
    < ACK";
const IS_CANCELED: &str = "
    < INVITE
    > 180 INVITE
    < CANCEL
    > 200 CANCEL
    > 487 INVITE
    < ACK";

/// An exchange with further sections, and carol registered if she is to be.
fn stage<'a>(world: &'a World, transport: &'static str, more: &str, registered: bool) -> Result<Stage<'a>> {
    let exchange = world.start_with(more)?;
    if registered {
        register(world, "carol", CAROL)?;
    }
    let uri = format!("sip:carol@{}", world.exchange_ip());
    Ok(Stage { world, exchange, transport, uri, from: None })
}

fn register(world: &World, user: &str, host: u8) -> Result<()> {
    let ip = world.scope.ip(host);
    sipp::register_ok(&world.scope, &world.exchange_ip(), user, &ip, &format!("{ip}:5060"))
}

/// Carol's and dave's scripts, and the caller's; everybody must see what is written.
fn play(stage: &Stage<'_>, callees: &[(u8, &str)], caller: &str) -> Result<()> {
    let scope = &stage.world.scope;
    let mut ends = Vec::new();
    for (host, lines) in callees {
        ends.push(stage.end(*host, "callee", lines)?);
    }
    let called = stage.end(CALLER, "caller", caller)?.finish(scope, CALL);
    stage.explain(called)?;
    ends.iter_mut().try_for_each(|end| stage.explain(end.finish(scope, CALL)))
}

/// ";transport=tcp" where it is not the default.
fn parameter(transport: &str) -> &'static str {
    if transport == "tcp" { ";transport=tcp" } else { "" }
}

const OPEN: &str = "[auth]\nrequired = false\n";

/// Carol's phone says where she is; the exchange goes there, and the caller never hears of it (RFC 3261 section 16.7 item 4).
fn recursion(world: &World, transport: &'static str) -> Result<()> {
    let more = format!("{OPEN}\n[proxy]\nrecurse = true\n");
    let uri = format!("sip:carol@{}:5060{}", world.scope.ip(CAROL), parameter(transport));
    let stage = Stage { world, exchange: world.start_with(&more)?, transport, uri, from: None };
    let elsewhere = world.scope.ip(DAVE);
    let moved = format!(
        "
        < INVITE
        > 302 INVITE
            Contact: <sip:there@{elsewhere}:5060{}>
        < ACK",
        parameter(transport)
    );
    let answers = ANSWERS.replacen("< INVITE", &format!("< INVITE\n        message: ^INVITE sip:there@{elsewhere}"), 1);
    play(&stage, &[(CAROL, &moved), (DAVE, &answers)], CALLS)
}

/// A 302 with carol's contact, and nothing is sent to her.
fn redirect_server(world: &World, transport: &'static str) -> Result<()> {
    let stage = stage(world, transport, "[proxy]\nmode = \"redirect\"\n", true)?;
    let caller = format!(
        "
        > INVITE
            sdp
        < 302
            Contact: sip:carol@{}:5060
        > ACK",
        world.scope.ip(CAROL)
    );
    play(&stage, &[], &caller)
}

/// Over UDP to carol who is registered, over TCP to an address anywhere.
fn stateless(world: &World, transport: &'static str, carol: &str, caller: &str) -> Result<()> {
    if transport == "udp" {
        return play(&stage(world, transport, "[proxy]\nmode = \"stateless\"\n", true)?, &[(CAROL, carol)], caller);
    }
    let more = format!("{OPEN}\n[proxy]\nmode = \"stateless\"\n");
    let uri = format!("sip:carol@{}:5060{}", world.scope.ip(CAROL), parameter(transport));
    let stage = Stage { world, exchange: world.start_with(&more)?, transport, uri, from: None };
    play(&stage, &[(CAROL, carol)], caller)
}

fn stateless_call(world: &World, transport: &'static str) -> Result<()> {
    stateless(world, transport, ANSWERS, CALLS)
}

fn stateless_cancel(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            sdp
        < 180
        > CANCEL
        < 200
        < 487
        > ACK";
    stateless(world, transport, IS_CANCELED, caller)
}

/// Nobody but the two ends keeps state, so the ACK to a refusal goes all the way.
fn stateless_refusal(world: &World, transport: &'static str) -> Result<()> {
    let caller = "
        > INVITE
            sdp
        < 486
        > ACK";
    stateless(world, transport, IS_BUSY, caller)
}

/// Carol's calls go on to dave when `when` holds; what the ends do.
fn forwarded(world: &World, forward: &str, registered: bool, carol: Option<&str>) -> Result<()> {
    let ip = world.exchange_ip();
    let users = ["alice", "dave"].map(String::from).into();
    let more = format!("[[user]]\nname = \"carol\"\npassword = \"secret\"\nforward = {{ {forward} }}\n");
    let exchange = ringback::start(&world.scope, &Setup { users, more, ..Setup::on(&ip) })?;
    register(world, "dave", DAVE)?;
    if registered {
        register(world, "carol", CAROL)?;
    }
    let stage = Stage { world, exchange, transport: "udp", uri: format!("sip:carol@{ip}"), from: None };
    // Whom it was for, is said (RFC 7044 or RFC 5806).
    let told = "< INVITE\n        message: (History-Info|Diversion): *<sip:carol@";
    let answers = ANSWERS.replacen("< INVITE", told, 1);
    let mut callees = vec![(DAVE, answers.as_str())];
    callees.extend(carol.map(|lines| (CAROL, lines)));
    play(&stage, &callees, CALLS)
}

fn busy_is_forwarded(world: &World) -> Result<()> {
    forwarded(world, "busy = \"dave\"", true, Some(IS_BUSY))
}

fn no_answer_is_forwarded(world: &World) -> Result<()> {
    forwarded(world, "no_answer = \"dave\", no_answer_after_s = 1", true, Some(IS_CANCELED))
}

fn not_registered_is_forwarded(world: &World) -> Result<()> {
    forwarded(world, "not_registered = \"dave\"", false, None)
}

fn every_call_is_forwarded(world: &World) -> Result<()> {
    forwarded(world, "always = \"dave\"", true, None)
}

/// Calls of 0049 and something, with an exchange that has one rule for them; `HOST` in it are the phones' addresses.
fn by_rule<'a>(world: &'a World, transport: &'static str, rule: &str) -> Result<Stage<'a>> {
    let place = |host: u8| format!("@{}:5060{}", world.scope.ip(host), parameter(transport));
    let rule = rule.replace("@CAROL", &place(CAROL)).replace("@DAVE", &place(DAVE));
    let more = format!("{OPEN}\n[[route]]\nname = \"germany\"\nwhen = {{ to = \"0049*\" }}\n{rule}\n");
    let uri = format!("sip:004930@{}", world.exchange_ip());
    Ok(Stage { world, exchange: world.start_with(&more)?, transport, uri, from: None })
}

fn rule_dials(world: &World, transport: &'static str) -> Result<()> {
    let rule = "do = \"dial\"\nstrip = 4\nprefix = \"0\"\nto = [\"sip:{user}@CAROL\"]";
    let stage = by_rule(world, transport, rule)?;
    let answers = ANSWERS.replacen("< INVITE", "< INVITE\n        message: ^INVITE sip:030@", 1);
    play(&stage, &[(CAROL, &answers)], CALLS)
}

/// The second phone answers when the caller has heard the first one ring; the first one is canceled.
fn rule_forks(world: &World, transport: &'static str) -> Result<()> {
    let stage = by_rule(world, transport, "do = \"fork\"\nto = [\"sip:a@CAROL\", \"sip:b@DAVE\"]")?;
    let answers = ANSWERS.replacen("> 200 INVITE", "> 180 INVITE\n    pause 500\n    > 200 INVITE", 1);
    play(&stage, &[(CAROL, IS_CANCELED), (DAVE, &answers)], CALLS)
}

/// The first rings for a second and is canceled, then the second rings.
fn rule_serial(world: &World, transport: &'static str) -> Result<()> {
    let rule = "do = \"serial\"\nring_s = 1\nto = [\"sip:a@CAROL\", \"sip:b@DAVE\"]";
    let stage = by_rule(world, transport, rule)?;
    play(&stage, &[(CAROL, IS_CANCELED), (DAVE, ANSWERS)], CALLS)
}

fn rules_answer(world: &World) -> Result<()> {
    let more = "[[route]]\nname = \"moved\"\nwhen = { to = \"carol\" }\ndo = \"redirect\"\nstatus = 301\n\
                to = [\"sip:carol@elsewhere.test\"]\n\n\
                [[route]]\nname = \"no\"\nwhen = { to = \"09*\" }\ndo = \"reject\"\nstatus = 603\nreason = \"Too dear\"\n";
    let mut stage = stage(world, "udp", more, false)?;
    let moved = "
        > INVITE
            sdp
        < 301
            Contact: sip:carol@elsewhere.test
        > ACK";
    play(&stage, &[], moved)?;
    stage.uri = format!("sip:0900@{}", world.exchange_ip());
    let refused = "
        > INVITE
            sdp
        < 603
            message: ^SIP/2.0 603 Too dear
        > ACK";
    play(&stage, &[], refused)
}
