//! Ten thousand connections from one address that say hardly anything: everybody else is served as before.

use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::stage::CAROL;
use super::{Needs, Row, World};
use crate::peers::http;
use crate::peers::raw::{half_open, open_websocket};
use crate::peers::ringback::{self, Setup};
use crate::peers::sipp::{self, Outcome};
use crate::peers::tls::Client;
use crate::process::tail;
use crate::usage::memory_kb;

pub(super) const SCENARIOS: &[Row] = &[
    ("half_open_tcp_connections_leave_others_served", Needs::Ringback, |world| flood(world, &TCP)),
    ("half_open_tls_connections_leave_others_served", Needs::Ringback, |world| flood(world, &TLS)),
    ("half_open_http_connections_leave_others_served", Needs::Ringback, |world| flood(world, &HTTP)),
    ("half_open_websockets_leave_others_served", Needs::Ringback, |world| flood(world, &WS)),
];

const CONNECTIONS: usize = 10_000;
/// Descriptors that we need ourselves for that.
const DESCRIPTORS: usize = 15_000;
/// Fewer would mean that there was no flood.
const TAKEN_MIN: usize = 500;
const MEMORY_MB_MAX: u64 = 256;

/// Where the flood goes, and what each connection says before it falls silent.
struct Kind {
    transport: &'static str,
    port: u16,
    listen: &'static str,
    hello: &'static [u8],
}

const TCP: Kind =
    Kind { transport: "tcp", port: 5060, listen: "", hello: b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP " };
/// The head of a TLS record with a ClientHello that does not come.
const TLS: Kind = Kind {
    transport: "tls",
    port: 5061,
    listen: "tls = [\"IP:5061\"]\n",
    hello: &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3],
};
const WS: Kind = Kind {
    transport: "ws",
    port: 8080,
    listen: "ws = [\"IP:8080\"]\n",
    hello: b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: webso",
};

const HTTP: Kind =
    Kind { transport: "http", port: 8088, listen: "http = [\"IP:8088\"]\n", hello: b"GET /metrics HTTP/1.1\r\nHost: " };

/// One flood at a time: more would not fit into one process.
static ALONE: Mutex<()> = Mutex::new(());

fn flood(world: &World, kind: &Kind) -> Result<()> {
    let _alone = ALONE.lock().map_err(|_| anyhow!("another flood panicked"))?;
    may_open(DESCRIPTORS)?;
    let ip = world.exchange_ip();
    let setup = Setup { listen: kind.listen.replace("IP", &ip), ..Setup::on(&ip) };
    let mut exchange = ringback::start(&world.scope, &setup)?;
    let to = format!("{ip}:{}", kind.port).parse()?;
    let mut open = half_open(to, kind.hello, CONNECTIONS / 2);
    served(world, kind, "half")?;
    open.extend(half_open(to, kind.hello, CONNECTIONS / 2));
    let outcome = served(world, kind, "all");
    let memory_mb = memory_kb(&exchange)? / 1024;
    println!("  ({} of {CONNECTIONS} connections were taken, {memory_mb} MB)", open.len());
    ensure!(exchange.running()?, "the exchange ended\n{}", tail(&exchange.output()));
    outcome.with_context(|| format!("the exchange said:\n{}", tail(&exchange.stderr())))?;
    ensure!(open.len() >= TAKEN_MIN, "only {} connections were taken", open.len());
    ensure!(memory_mb < MEMORY_MB_MAX, "the exchange holds {memory_mb} MB");
    Ok(())
}

/// Another address is served over what is under attack, and a phone there registers and calls.
fn served(world: &World, kind: &Kind, when: &str) -> Result<()> {
    let (exchange, carol, caller) = (world.exchange_ip(), world.scope.ip(CAROL), world.scope.ip(2));
    sipp::register_ok(&world.scope, &exchange, "carol", &carol, &format!("{carol}:5060"))?;
    let (other, to) = (world.scope.ip(4), format!("{exchange}:{}", kind.port).parse()?);
    match kind.transport {
        "tls" => {
            let authority = Setup::on(&exchange).data(&world.scope).join("tls/ca.pem");
            drop(Client::new(&exchange, kind.port, &authority)?.open(0, &other)?);
        }
        "ws" => drop(open_websocket(&other, to)?),
        "http" => {
            let (status, page) = http::get_from(&other, &format!("{exchange}:{}", kind.port), "/healthz")?;
            ensure!(status == 200, "/healthz got {status} {page}");
        }
        // The calls below go over it.
        _ => {}
    }
    let _callee = sipp::start_callee(&world.scope, "callee", &carol, &[])?;
    for transport in ["u1", "t1"] {
        let mut command = sipp::command("caller", &caller);
        command.arg(format!("{exchange}:5060")).args(["-s", "carol", "-m", "5", "-t", transport]);
        let name = format!("caller-{when}-{transport}");
        Outcome::of(&world.scope, &name, &command, Duration::from_secs(30))?.expect_all(5)?;
    }
    Ok(())
}

/// Raises our own limit of open descriptors, where it is lower.
fn may_open(descriptors: usize) -> Result<()> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let now = limits.lines().find(|line| line.starts_with("Max open files")).context("no limit of open files")?;
    let soft: usize = now.split_whitespace().nth(3).unwrap_or_default().parse().unwrap_or(usize::MAX);
    if soft >= descriptors {
        return Ok(());
    }
    let (process, limit) = (std::process::id().to_string(), format!("--nofile={descriptors}:"));
    let raised = Command::new("prlimit").args(["--pid", &process, &limit]).output().context("starting prlimit")?;
    ensure!(raised.status.success(), "prlimit: {}", String::from_utf8_lossy(&raised.stderr));
    Ok(())
}
