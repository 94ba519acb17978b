//! `ringback call` and `ringback answer` with baresip and with each other, through the exchange and with none.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Needs, Row, World};
use crate::peers::baresip::{Account, Answer, Baresip};
use crate::peers::{PASSWORD, ringback};
use crate::process::Process;
use crate::tone;

pub(super) const SCENARIOS: &[Row] = &[
    ("baresip_calls_ringback_through_the_exchange", Needs::Ringback, |world| {
        baresip_calls(world, Path::Exchange("udp"))
    }),
    ("baresip_calls_ringback_over_tcp", Needs::Ringback, |world| baresip_calls(world, Path::Exchange("tcp"))),
    ("baresip_calls_ringback_directly", Needs::Ringback, |world| baresip_calls(world, Path::Direct)),
    ("ringback_calls_baresip_through_the_exchange", Needs::Ringback, |world| {
        calls_baresip(world, Path::Exchange("udp"))
    }),
    ("ringback_calls_baresip_over_tcp", Needs::Ringback, |world| calls_baresip(world, Path::Exchange("tcp"))),
    ("ringback_calls_baresip_directly", Needs::Ringback, |world| calls_baresip(world, Path::Direct)),
    ("ringback_calls_ringback_directly", Needs::Ringback, ringback_calls_ringback),
    ("ringback_declines_baresip_with_603", Needs::Ringback, declines),
    ("ringback_is_declined", Needs::Ringback, is_declined),
    ("ringback_cancels", Needs::Ringback, cancels),
    ("ringback_registers_and_asks_options", Needs::Ringback, registers_and_asks),
];

const SOON: Duration = Duration::from_secs(10);
const TALK: Duration = Duration::from_secs(20);
const HEARD_SECONDS: f64 = 2.5;

/// How the two find each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Direct,
    /// Both register over this transport.
    Exchange(&'static str),
}

impl Path {
    fn transport(self) -> &'static str {
        match self {
            Self::Direct => "udp",
            Self::Exchange(transport) => transport,
        }
    }

    /// Starts the exchange if there is to be one.
    fn start_exchange(self, world: &World) -> Result<Option<Process>> {
        match self {
            Self::Direct => Ok(None),
            Self::Exchange(_) => world.start_exchange().map(Some),
        }
    }
}

fn baresip_calls(world: &World, path: Path) -> Result<()> {
    let _exchange = path.start_exchange(world)?;
    let (ours, record) = (world.scope.ip(3), world.scope.dir().join("bob.wav"));
    let mut bob = answer(world, path, &ours, &["--record", &record.to_string_lossy(), "--calls", "1"])?;
    let mut alice = baresip(world, path, "alice", Answer::ByHand)?;
    alice.dial(&format!("sip:bob@{}", address_of(world, path, &ours)))?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    alice.wait_heard(3)?;
    alice.hang_up()?;
    bob.wait_code(0, SOON)?;
    alice.expect_heard(880, HEARD_SECONDS)?;
    tone::expect_heard(&record, 440, HEARD_SECONDS)
}

fn calls_baresip(world: &World, path: Path) -> Result<()> {
    let _exchange = path.start_exchange(world)?;
    let mut alice = baresip(world, path, "alice", Answer::Automatically)?;
    let (ours, record) = (world.scope.ip(3), world.scope.dir().join("bob.wav"));
    let uri = format!("sip:alice@{}", address_of(world, path, &world.scope.ip(2)));
    let mut arguments = phone_arguments(world, path, "call", &ours);
    arguments.extend(["--record".into(), record.to_string_lossy().into_owned(), "--duration".into(), "4".into(), uri]);
    let mut bob = start(world, "bob", &arguments)?;
    alice.event("CALL_ESTABLISHED", SOON)?;
    bob.wait_code(0, TALK)?;
    alice.event("CALL_CLOSED", SOON)?;
    alice.expect_heard(880, HEARD_SECONDS)?;
    tone::expect_heard(&record, 440, HEARD_SECONDS)
}

fn ringback_calls_ringback(world: &World) -> Result<()> {
    let (callee, caller) = (world.scope.ip(3), world.scope.ip(2));
    let (heard_by_callee, heard_by_caller) = (world.scope.dir().join("bob.wav"), world.scope.dir().join("alice.wav"));
    let callee_record = heard_by_callee.to_string_lossy();
    let mut bob = answer(world, Path::Direct, &callee, &["--record", &callee_record, "--calls", "1"])?;
    let mut arguments = phone_arguments(world, Path::Direct, "call", &caller);
    if let Some(tone) = arguments.iter_mut().find(|argument| argument.starts_with("tone:")) {
        *tone = "tone:440".into();
    }
    arguments.extend(["--duration", "4", "--record"].map(String::from));
    arguments.extend([heard_by_caller.to_string_lossy().into_owned(), format!("sip:bob@{callee}")]);
    start(world, "alice", &arguments)?.wait_code(0, TALK)?;
    bob.wait_code(0, SOON)?;
    tone::expect_heard(&heard_by_callee, 440, HEARD_SECONDS)?;
    tone::expect_heard(&heard_by_caller, 880, HEARD_SECONDS)
}

fn declines(world: &World) -> Result<()> {
    let path = Path::Exchange("udp");
    let _exchange = path.start_exchange(world)?;
    let _bob = answer(world, path, &world.scope.ip(3), &["--reject", "603"])?;
    let mut alice = baresip(world, path, "alice", Answer::ByHand)?;
    alice.dial(&format!("sip:bob@{}", world.exchange_ip()))?;
    let closed = alice.event("CALL_CLOSED", SOON)?;
    ensure!(closed["param"].as_str().is_some_and(|reason| reason.contains("603")), "alice was told {closed}");
    Ok(())
}

fn is_declined(world: &World) -> Result<()> {
    let path = Path::Exchange("udp");
    let _exchange = path.start_exchange(world)?;
    let mut alice = baresip(world, path, "alice", Answer::ByHand)?;
    let mut arguments = phone_arguments(world, path, "call", &world.scope.ip(3));
    arguments.push(format!("sip:alice@{}", world.exchange_ip()));
    let mut bob = start(world, "bob", &arguments)?;
    alice.event("CALL_INCOMING", SOON)?;
    alice.hang_up()?;
    bob.wait_code(1, SOON)?;
    ensure!(bob.output().contains("486"), "bob was not told 486\n{}", bob.output());
    Ok(())
}

/// Ctrl-C while it rings sends CANCEL, waits for the 487 and exits with a negative answer.
fn cancels(world: &World) -> Result<()> {
    let path = Path::Exchange("udp");
    let _exchange = path.start_exchange(world)?;
    let mut alice = baresip(world, path, "alice", Answer::ByHand)?;
    let mut arguments = phone_arguments(world, path, "call", &world.scope.ip(3));
    arguments.push(format!("sip:alice@{}", world.exchange_ip()));
    let mut bob = start(world, "bob", &arguments)?;
    alice.event("CALL_INCOMING", SOON)?;
    bob.wait_for("ringing", SOON)?;
    bob.signal("INT");
    alice.event("CALL_CLOSED", SOON)?;
    ensure!(alice.trace().contains("\nCANCEL sip:"), "alice saw no CANCEL");
    bob.wait_code(1, SOON)
}

fn registers_and_asks(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let exchange = world.exchange_ip();
    let run = |name: &str, arguments: &[&str], code: i32| -> Result<()> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        start(world, name, &arguments)?.wait_code(code, Duration::from_secs(40))
    };
    run("good", &["register", "--json", "--once", "--as", &format!("bob:{PASSWORD}@{exchange}")], 0)?;
    run("wrong", &["register", "--json", "--once", "--as", &format!("bob:wrong@{exchange}")], 1)?;
    run("options", &["options", "--json", &format!("sip:{exchange}")], 0)?;
    run("nobody", &["options", "--json", &format!("sip:{}", world.scope.ip(77))], 3)
}

/// `ringback answer` as bob, playing 880 Hz, ready to be called.
fn answer(world: &World, path: Path, ip: &str, more: &[&str]) -> Result<Process> {
    let mut arguments = phone_arguments(world, path, "answer", ip);
    arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
    let mut process = start(world, "bob", &arguments)?;
    let ready = match path {
        Path::Direct => "\"event\":\"ready\"",
        Path::Exchange(_) => "\"event\":\"registered\"",
    };
    process.wait_for(ready, SOON)?;
    Ok(process)
}

fn phone_arguments(world: &World, path: Path, command: &str, ip: &str) -> Vec<String> {
    let mut arguments: Vec<String> = [command, "--json", "--play", "tone:880", "--bind"].map(String::from).into();
    arguments.push(format!("{ip}:5060"));
    if let Path::Exchange(transport) = path {
        arguments.extend(["--as".into(), format!("bob:{PASSWORD}@{}", world.exchange_ip())]);
        arguments.extend(["--transport".into(), transport.into()]);
    }
    arguments
}

fn start(world: &World, name: &str, arguments: &[String]) -> Result<Process> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    world.scope.start(name, &ringback::command(&arguments)?)
}

fn baresip(world: &World, path: Path, user: &str, answer: Answer) -> Result<Baresip> {
    let (ip, exchange) = (world.scope.ip(2), world.exchange_ip());
    let exchange = matches!(path, Path::Exchange(_)).then_some(exchange.as_str());
    let account = Account { user, ip: &ip, exchange, transport: path.transport(), answer, tone_hz: 440 };
    Baresip::start(&world.scope, &account)
}

/// What follows the @ to reach the phone at `ip`: itself, or the exchange.
fn address_of(world: &World, path: Path, ip: &str) -> String {
    match path {
        Path::Direct => format!("{ip}:5060"),
        Path::Exchange(_) => world.exchange_ip(),
    }
}
