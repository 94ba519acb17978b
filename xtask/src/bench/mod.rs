//! `cargo xtask bench`: the same calls and registrations through Kamailio and through Ringback, in turns in one run: what one costs
//! in processor time, and how many a second one core bears. The server has one core to itself, the load the other.

mod bindings;
mod idle;
mod measure;
mod report;
mod search;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::cargo;
use crate::peers::{kamailio, ringback};
use crate::process::{Process, Scope, wait_udp_free};

/// The core that the server under test has to itself, and the one that the load runs on.
const SERVER_CORE: u32 = 0;
const LOAD_CORE: u32 = 1;
/// The rates at which processor time is measured, per second.
const RATES: [u32; 3] = [500, 1000, 2000];
/// Worker processes that Kamailio is tried with; the best is used.
const KAMAILIO_CHILDREN: [u32; 3] = [1, 2, 4];

/// Accounts are USER0, USER1 and so on.
const USER: &str = "user";
/// How many are called in turns, and how many at least register in turns.
const CALL_USERS: u32 = 20;
const REGISTER_USERS: u32 = 200;
/// How often each of them registers in a second, at most: a registration that takes longer than the 20th part holds up the load.
const REGISTERS_PER_USER: u32 = 20;

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rival {
    Kamailio { children: u32 },
    Ringback,
}

/// What is done again and again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Call,
    Register,
}

impl Work {
    /// The name that `ringback load --scenario` knows.
    fn scenario(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Register => "register",
        }
    }

    fn users(self, rate: u32) -> u32 {
        match self {
            Self::Call => CALL_USERS,
            Self::Register => REGISTER_USERS.max(rate / REGISTERS_PER_USER),
        }
    }
}

/// How long things take: `--quick` to see that it works, else to believe it.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    rounds: usize,
    measure: Duration,
    probe: Duration,
    searches: usize,
}

const FULL: Plan = Plan { rounds: 3, measure: Duration::from_secs(4), probe: Duration::from_secs(2), searches: 2 };
const QUICK: Plan = Plan { rounds: 1, measure: Duration::from_secs(2), probe: Duration::from_secs(2), searches: 1 };

/// The command: `[--quick] [--no-build] [--idle]`; the second takes the release binary as it is, the last measures idle
/// connections only, and writes nothing.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (mut quick, mut build, mut idle) = (false, true, false);
    for argument in arguments {
        match argument.as_str() {
            "--quick" => quick = true,
            "--no-build" => build = false,
            "--idle" => idle = true,
            other => bail!("bench takes --quick, --no-build and --idle, not {other:?}"),
        }
    }
    let plan = if quick { QUICK } else { FULL };
    ensure!(
        std::thread::available_parallelism()?.get() >= 2,
        "one core for the server and one for the load are needed"
    );
    if !idle && std::process::Command::new("kamailio").arg("-v").output().is_err() {
        eprintln!("the rival is missing: apt-get install kamailio");
        return Ok(ExitCode::from(2));
    }
    if build {
        cargo::build_release()?;
    }
    let bench = Bench { plan, scope: Scope::new(cargo::output_dir()?.join("bench"), 0)? };
    let idle_tls_kb = bench.idle_tls_kb()?;
    println!("an idle TLS connection takes {idle_tls_kb:.1} kB");
    if idle {
        return Ok(if idle_tls_kb <= idle::MEMORY_KB_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let bindings = bench.many_bindings(quick)?;
    println!(
        "a binding takes {:.0} bytes; with {} of them a restart takes {:.1} s",
        bindings.bytes, bindings.count, bindings.restart_s
    );
    let kamailio = bench.best_kamailio()?;
    let mut results = report::Results::new(kamailio, quick, idle_tls_kb, bindings);
    for round in 0..plan.rounds {
        for work in [Work::Call, Work::Register] {
            for rate in RATES {
                for rival in [kamailio, Rival::Ringback] {
                    let cost = bench.cost(rival, work, rate)?;
                    println!("round {}: {} {} {rate}/s: {cost}", round + 1, rival.name(), work.scenario());
                    results.add_cost(rival, work, rate, cost);
                }
            }
        }
    }
    for search in 0..plan.searches {
        for work in [Work::Call, Work::Register] {
            for rival in [kamailio, Rival::Ringback] {
                let rate = bench.highest_rate(rival, work)?;
                println!("search {}: {} {}: {rate}/s", search + 1, rival.name(), work.scenario());
                results.add_highest(rival, work, rate);
            }
        }
    }
    results.publish()
}

impl Rival {
    fn name(self) -> &'static str {
        match self {
            Self::Kamailio { .. } => "Kamailio",
            Self::Ringback => "Ringback",
        }
    }
}

/// The bench at work.
struct Bench {
    plan: Plan,
    scope: Scope,
}

impl Bench {
    /// Starts a fresh server on its core, with the users whom this work at this rate needs.
    fn start(&self, rival: Rival, work: Work, rate: u32) -> Result<Process> {
        let ip = self.scope.ip(1);
        wait_udp_free(&ip, 5060)?;
        match rival {
            Rival::Kamailio { children } => {
                kamailio::start(&self.scope, &ip, &kamailio::Setup { children, core: Some(SERVER_CORE) })
            }
            Rival::Ringback => {
                let data = ringback::Setup::on(&ip).data(&self.scope);
                if data.exists() {
                    std::fs::remove_dir_all(data)?;
                }
                let users = (0..work.users(rate)).map(|number| format!("{USER}{number}")).collect();
                let setup = ringback::Setup { users, ..ringback::Setup::on(&ip) };
                ringback::serve(&self.scope, &setup.text(&self.scope), Some(SERVER_CORE))
            }
        }
    }

    /// The number of worker processes with which Kamailio bears most calls.
    fn best_kamailio(&self) -> Result<Rival> {
        let mut best = (0, Rival::Kamailio { children: KAMAILIO_CHILDREN[0] });
        for children in KAMAILIO_CHILDREN {
            let rival = Rival::Kamailio { children };
            let rate = self.highest_rate(rival, Work::Call)?;
            println!("Kamailio with {children} worker processes: {rate} calls/s");
            best = if rate > best.0 { (rate, rival) } else { best };
        }
        Ok(best.1)
    }
}
