//! `cargo xtask torment`: the exchange is killed again and again at half of what it bears, and what it had acknowledged must be there
//! when it comes back.

mod background;
mod calls;
mod client;
mod phones;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use engine::Rng;
use serde_json::{Value, json};

pub(crate) use self::client::Client;
use crate::cargo;
use crate::peers::ringback::{self, Setup};
use crate::process::{Process, Scope, tail, wait_udp_free};

const ROUNDS: u32 = 100;
const SHORT_ROUNDS: u32 = 5;
/// Telephones that are watched, and how much they do in a second.
const PHONES: usize = 400;
const CALLEES: usize = 8;
const RATES: [u32; 2] = [1500, 150];
/// How long the exchange lives, from `ready` to its end.
const LIFE_MS: (u64, u64) = (200, 1500);
/// One in so many is killed again before it is ready, within this.
const STILLBORN_ONE_IN: u64 = 4;
const STILLBORN_MS_MAX: u64 = 150;
/// The first registrations of all, and the last BYEs of a round.
const REGISTERED: Duration = Duration::from_secs(20);
const HUNG_UP: Duration = Duration::from_secs(15);
const LISTED: Duration = Duration::from_secs(10);
/// Faults that are told one by one.
const FAULTS_TOLD: usize = 10;
/// Beside all the scenarios, which have smaller numbers.
const SCOPE: u8 = 250;

/// The command: `[--rounds 100] [--short] [--seed N] [--no-build]`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (mut rounds, mut seed, mut build) = (ROUNDS, clock_seed(), true);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || rest.next().and_then(|text| text.parse::<u64>().ok()).context("a number is needed");
        match argument.as_str() {
            "--rounds" => rounds = number()? as u32,
            "--seed" => seed = number()?,
            "--short" => rounds = SHORT_ROUNDS,
            "--no-build" => build = false,
            other => bail!("torment takes --rounds N, --short, --seed N and --no-build, not {other:?}"),
        }
    }
    if build {
        cargo::build_release()?;
    }
    let summary = torment(rounds, seed)?;
    println!("{summary}");
    Ok(if good(&summary) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The short form, with the binary as it is.
pub(crate) fn short() -> Result<()> {
    let summary = torment(SHORT_ROUNDS, clock_seed())?;
    ensure!(good(&summary), "{summary}");
    Ok(())
}

fn clock_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_millis() as u64)
}

fn good(summary: &Value) -> bool {
    let is = |key: &str, wanted: &dyn Fn(u64) -> bool| summary[key].as_u64().is_some_and(wanted);
    is("lost", &|lost| lost == 0)
        && is("faults", &|faults| faults == 0)
        && is("calls_failed", &|failed| failed == 0)
        && is("acknowledged", &|acknowledged| acknowledged > 0)
        && is("hung_up_after_restart", &|calls| calls > 0)
}

/// The exchange under torment, and who watches it.
struct Torment {
    scope: Scope,
    setup: String,
    ip: String,
    rng: Rng,
    client: Client,
    /// The longest that a restart took until `ready`.
    restart_max: Duration,
    stillborn: u32,
    lost: u64,
    compared: u64,
    hung_up: u64,
}

fn torment(rounds: u32, seed: u64) -> Result<Value> {
    println!("torment: {rounds} rounds, --seed {seed}");
    let scope = Scope::new(cargo::output_dir()?.join("torment"), SCOPE)?;
    let ip = scope.ip(1);
    let names = |prefix: &str, count: usize| (0..count).map(|number| format!("{prefix}{number}")).collect::<Vec<_>>();
    let (phones, callees) = (names("p", PHONES), names("k", CALLEES));
    let load = background::USERS.iter().flat_map(|(_, prefix, count)| names(prefix, *count as usize));
    let users = phones.iter().chain(&callees).cloned().chain(load).collect();
    let setup = Setup { users, ..Setup::on(&ip) }.text(&scope);
    let mut rng = Rng::from_u64(seed);
    let client = Client::new(&scope.ip(2), &ip, &phones, &callees, RATES, rng.split())?;
    let mut it = Torment {
        scope,
        setup,
        ip,
        rng,
        client,
        restart_max: Duration::ZERO,
        stillborn: 0,
        lost: 0,
        compared: 0,
        hung_up: 0,
    };
    it.run(rounds, seed)
}

impl Torment {
    fn run(&mut self, rounds: u32, seed: u64) -> Result<Value> {
        let started = Instant::now();
        let mut exchange = self.start()?;
        let capacity = background::capacity(&self.scope, &self.ip)?;
        // Half of it, in halves: both are done at once.
        let rates = [0, 1].map(|which| (capacity[which] / 4).saturating_sub(RATES[which]).max(1));
        println!(
            "it bears {} registrations or {} calls a second; it gets {} and {}, and {} and {} that are watched",
            capacity[0], capacity[1], rates[0], rates[1], RATES[0], RATES[1]
        );
        let mut load = Vec::new();
        for (which, rate) in rates.into_iter().enumerate() {
            load.push(background::run(&self.scope, &self.ip, which, rate)?);
        }
        self.client.drive(REGISTERED, false, |client| client.phones.all_registered())?;
        ensure!(self.client.phones.all_registered(), "not all telephones could register\n{}", tail(&exchange.output()));
        for round in 1..=rounds {
            let established;
            (exchange, established) = self.round(exchange)?;
            let (phones, calls) = (&self.client.phones, &self.client.calls.tally);
            println!(
                "  round {round}: {} acknowledged, {} held, {} lost; {established} calls under way, {} failed ({:.0} s)",
                phones.tally.acknowledged,
                phones.held(),
                self.lost,
                calls.failed,
                started.elapsed().as_secs_f32()
            );
        }
        let load = load.into_iter().map(background::stop).collect::<Result<Vec<_>>>()?;
        let (phones, calls) = (&self.client.phones.tally, &self.client.calls.tally);
        let faults: Vec<&String> = phones.faults.iter().chain(&calls.faults).collect();
        for fault in faults.iter().take(FAULTS_TOLD) {
            println!("  {fault}");
        }
        if !faults.is_empty() {
            println!("the exchange said:\n{}", tail(&exchange.output()));
        }
        Ok(json!({
            "event": "torment",
            "seed": seed,
            "rounds": rounds,
            "killed_before_ready": self.stillborn,
            "seconds": started.elapsed().as_secs(),
            "capacity_registers_per_s": capacity[0],
            "capacity_calls_per_s": capacity[1],
            "acknowledged": phones.acknowledged,
            "compared": self.compared,
            "lost": self.lost,
            "faults": faults.len(),
            "registers_refused": phones.refused,
            "calls_established": calls.established,
            "calls_ended": calls.ended,
            "hung_up_after_restart": self.hung_up,
            "calls_failed": calls.failed,
            "calls_refused": calls.refused,
            "ready_ms_max": self.restart_max.as_millis() as u64,
            "load": load,
        }))
    }

    /// One life and death; the exchange that came back, and how many calls outlived the other.
    fn round(&mut self, mut exchange: Process) -> Result<(Process, usize)> {
        let life = Duration::from_millis(LIFE_MS.0 + self.rng.below(LIFE_MS.1 - LIFE_MS.0));
        self.client.drive(life, true, |_| false)?;
        ensure!(exchange.running()?, "the exchange ended by itself\n{}", tail(&exchange.output()));
        exchange.kill();
        self.client.settle()?;
        if self.rng.below(STILLBORN_ONE_IN) == 0 {
            let mut stillborn = ringback::launch(&self.scope, "stillborn", &self.setup)?;
            std::thread::sleep(Duration::from_millis(self.rng.below(STILLBORN_MS_MAX)));
            stillborn.kill();
            self.stillborn += 1;
        }
        let exchange = self.start()?;
        let established = self.client.calls.established();
        self.client.calls.hang_up_all(Instant::now());
        let listed = self.listed()?;
        self.compared += self.client.phones.held() as u64;
        self.lost += self.client.phones.compare(Instant::now(), &listed)?;
        let before = self.client.calls.tally.ended;
        self.client.drive(HUNG_UP, false, |client| client.calls.established() == 0)?;
        self.hung_up += self.client.calls.tally.ended - before;
        Ok((exchange, established))
    }

    fn start(&mut self) -> Result<Process> {
        wait_udp_free(&self.ip, 5060)?;
        let started = Instant::now();
        let exchange = ringback::serve(&self.scope, &self.setup, None)?;
        self.restart_max = self.restart_max.max(started.elapsed());
        Ok(exchange)
    }

    /// What `ringback reg ls` says.
    fn listed(&self) -> Result<String> {
        let file = self.scope.dir().join("ringback.toml");
        let command = ringback::command(&["reg", "ls", "--json", "--config", &file.to_string_lossy()])?;
        let (code, process) = self.scope.run("reg-ls", &command, LISTED)?;
        ensure!(code == 0, "reg ls exited with {code}\n{}", tail(&process.output()));
        Ok(process.stdout())
    }
}
