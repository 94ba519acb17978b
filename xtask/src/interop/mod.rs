//! `cargo xtask interop`: Ringback between programs that others wrote. Each scenario has its own loopback addresses, its own
//! folder of logs and a hard limit of time, so that they run side by side.

mod attacks;
mod browser;
mod calls;
mod dialogs;
mod disk;
mod domains;
mod durable;
mod exchange;
mod floods;
mod forking;
mod hostile;
mod loss;
mod operations;
mod operator;
mod phone;
mod races;
mod roles;
mod scanners;
mod spoofed;
mod stage;
mod strangers;
mod street;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::cargo;
use crate::peers::{kamailio, ringback};
use crate::process::{Process, Scope};

/// A scenario that takes longer has failed.
const SCENARIO_SECONDS_MAX: u64 = 90;
/// Scenarios at a time: they mostly wait for speech to be spoken, so more than there are cores.
const JOBS: usize = 4;

/// What would disturb the others, or be disturbed by them: one after the other when all else is done.
const ALONE: [&str; 2] =
    ["a_flood_of_spoofed_requests_leaves_phones_calling", "known_and_unknown_users_are_answered_alike"];

/// One named test with real peers.
pub(crate) struct Scenario {
    name: &'static str,
    /// Whether any exchange will do, or only Ringback's own programs and answers.
    needs: Needs,
    run: fn(&World) -> Result<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    AnyExchange,
    Ringback,
}

/// What a scenario is given: its place, and which exchange is under test.
pub(crate) struct World {
    scope: Scope,
    exchange: Exchange,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Exchange {
    Ringback,
    Kamailio,
}

impl World {
    /// The address of the exchange; the peers take the ones after it.
    fn exchange_ip(&self) -> String {
        self.scope.ip(1)
    }

    /// Starts the exchange under test.
    fn start_exchange(&self) -> Result<Process> {
        match self.exchange {
            Exchange::Ringback => {
                ringback::serve(&self.scope, &ringback::configuration(&self.scope, &self.exchange_ip()), None)
            }
            Exchange::Kamailio => {
                kamailio::start(&self.scope, &self.exchange_ip(), &kamailio::Setup { children: 2, core: None })
            }
        }
    }
}

/// How many scenarios passed, and the names of those that did not.
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<&'static str>,
}

/// The command: `[NAME..] [--list] [--against kamailio] [--no-build]`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut exchange = Exchange::Ringback;
    let mut build = true;
    let mut names = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--list" => {
                scenarios().iter().for_each(|scenario| println!("{}", scenario.name));
                return Ok(ExitCode::SUCCESS);
            }
            "--no-build" => build = false,
            "--against" => match rest.next().map(String::as_str) {
                Some("kamailio") => exchange = Exchange::Kamailio,
                Some("ringback") => exchange = Exchange::Ringback,
                _ => bail!("--against takes ringback or kamailio"),
            },
            flag if flag.starts_with('-') => bail!("interop has no flag {flag}"),
            name => names.push(name.to_owned()),
        }
    }
    let missing = crate::test::packages::missing()?;
    if !missing.is_empty() {
        eprintln!("missing: apt-get install {}", missing.join(" "));
        return Ok(ExitCode::from(2));
    }
    if build && exchange == Exchange::Ringback {
        cargo::build_release()?;
    }
    if crate::peers::browser::missing()? {
        println!("fetching JsSIP from npm");
        crate::peers::browser::prepare()?;
    }
    let tally = run_all(exchange, &names)?;
    println!("{} passed, {} failed", tally.passed, tally.failed.len());
    Ok(if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs every scenario against the release binary of Ringback.
pub(crate) fn run_against_ringback() -> Result<Tally> {
    run_all(Exchange::Ringback, &[])
}

fn scenarios() -> Vec<Scenario> {
    let all: &[&[Row]] = &[
        calls::SCENARIOS,
        exchange::SCENARIOS,
        forking::SCENARIOS,
        loss::SCENARIOS,
        dialogs::SCENARIOS,
        races::SCENARIOS,
        phone::SCENARIOS,
        attacks::SCENARIOS,
        operator::SCENARIOS,
        operations::SCENARIOS,
        floods::SCENARIOS,
        strangers::SCENARIOS,
        scanners::SCENARIOS,
        spoofed::SCENARIOS,
        durable::SCENARIOS,
        disk::SCENARIOS,
        hostile::SCENARIOS,
        roles::SCENARIOS,
        domains::SCENARIOS,
        tls::SCENARIOS,
        browser::SCENARIOS,
    ];
    let rows = all.iter().copied().flatten();
    rows.map(|&(name, needs, run)| Scenario { name, needs, run }).collect()
}

/// How scenarios are listed: name, needs, and what is done.
type Row = (&'static str, Needs, fn(&World) -> Result<()>);

fn run_all(exchange: Exchange, names: &[String]) -> Result<Tally> {
    let mut chosen = scenarios();
    for name in names {
        if !chosen.iter().any(|scenario| scenario.name.contains(name.as_str())) {
            bail!("no scenario has {name:?} in its name; see --list");
        }
    }
    chosen.retain(|scenario| {
        (names.is_empty() || names.iter().any(|name| scenario.name.contains(name.as_str())))
            && (exchange == Exchange::Ringback || scenario.needs == Needs::AnyExchange)
    });
    let folder = cargo::output_dir()?.join("interop");
    let tally = Mutex::new(Tally { passed: 0, failed: Vec::new() });
    let (alone, together): (Vec<_>, Vec<_>) =
        chosen.iter().enumerate().partition(|(_, scenario)| ALONE.contains(&scenario.name));
    for (jobs, scenarios) in [(JOBS, together), (1, alone)] {
        let queue = Mutex::new(scenarios.into_iter());
        thread::scope(|threads| -> Result<()> {
            let workers: Vec<_> =
                (0..jobs).map(|_| threads.spawn(|| work(&queue, &tally, exchange, &folder))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
        })?;
    }
    tally.into_inner().map_err(|_| anyhow!("a worker panicked"))
}

/// Takes scenarios from the queue until it is empty.
fn work<'a>(
    queue: &Mutex<impl Iterator<Item = (usize, &'a Scenario)>>,
    tally: &Mutex<Tally>,
    exchange: Exchange,
    folder: &std::path::Path,
) -> Result<()> {
    loop {
        let next = queue.lock().map_err(|_| anyhow!("a worker panicked"))?.next();
        let Some((index, scenario)) = next else { return Ok(()) };
        let started = Instant::now();
        let outcome = run_one(scenario, exchange, folder.join(scenario.name), index as u8);
        let seconds = started.elapsed().as_secs_f32();
        let mut tally = tally.lock().map_err(|_| anyhow!("a worker panicked"))?;
        match outcome {
            Ok(()) => {
                println!("  {} ... ok ({seconds:.1} s)", scenario.name);
                tally.passed += 1;
            }
            Err(error) => {
                println!("  {} ... FAILED ({seconds:.1} s)\n{error:#}", scenario.name);
                tally.failed.push(scenario.name);
            }
        }
    }
}

/// Runs one scenario in a thread of its own; when its time is up, its processes are killed and it has failed.
fn run_one(scenario: &Scenario, exchange: Exchange, folder: PathBuf, index: u8) -> Result<()> {
    let world = Arc::new(World { scope: Scope::new(folder, index)?, exchange });
    let (done, finished) = mpsc::channel();
    let test = scenario.run;
    let inner = Arc::clone(&world);
    let thread = thread::spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&inner)));
        let _ = done.send(outcome.unwrap_or_else(|_| Err(anyhow!("the scenario panicked"))));
    });
    match finished.recv_timeout(Duration::from_secs(SCENARIO_SECONDS_MAX)) {
        Ok(outcome) => {
            // What it holds is gone before we may be.
            let _ = thread.join();
            outcome.with_context(|| format!("logs: {}", world.scope.dir().display()))
        }
        Err(_) => {
            world.scope.kill_all();
            bail!("not done after {SCENARIO_SECONDS_MAX} s; logs: {}", world.scope.dir().display())
        }
    }
}
