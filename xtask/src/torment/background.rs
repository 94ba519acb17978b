//! What the exchange bears, and half of it: `ringback load` beside the telephones that are watched.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::peers::{PASSWORD, ringback};
use crate::process::{Process, Scope, tail};

/// The accounts of the load, by scenario.
pub(super) const USERS: [(&str, &str, u32); 2] = [("register", "r", 200), ("call", "c", 20)];
/// How long each is measured for.
const MEASURED: Duration = Duration::from_secs(2);
/// More than anybody bears, so that those in progress are what limits it.
const ANY_RATE: u32 = 500_000;
/// Calls and registrations in progress while capacity is measured.
const IN_PROGRESS: [u32; 2] = [200, 2000];
const CALL_MS: u32 = 100;
/// It says what it saw within this.
const END: Duration = Duration::from_secs(45);

/// Registrations and calls that the exchange handles in a second, each alone.
pub(super) fn capacity(scope: &Scope, exchange: &str) -> Result<[u32; 2]> {
    let mut measured = [0; 2];
    for (which, capacity) in measured.iter_mut().enumerate() {
        let mut process = start(scope, exchange, which, ANY_RATE, IN_PROGRESS[which], MEASURED)?;
        let code = process.wait(END)?;
        ensure!(code <= 1, "ringback load exited with {code}\n{}", tail(&process.output()));
        let report = report(&process)?;
        *capacity = (report["ok"].as_f64().unwrap_or(0.0) / report["seconds"].as_f64().unwrap_or(1.0)) as u32;
    }
    Ok(measured)
}

/// Load of one scenario that goes on until it is stopped.
pub(super) fn run(scope: &Scope, exchange: &str, which: usize, rate: u32) -> Result<Process> {
    // Enough in progress for what an exchange that is away for a moment leaves unanswered.
    let mut process = start(scope, exchange, which, rate, rate.max(1) * 4, Duration::from_secs(3600))?;
    process.wait_for("begun", END)?;
    Ok(process)
}

/// Stops it; its report.
pub(super) fn stop(mut process: Process) -> Result<Value> {
    process.signal("INT");
    process.wait(END)?;
    report(&process)
}

fn start(scope: &Scope, exchange: &str, which: usize, rate: u32, in_progress: u32, time: Duration) -> Result<Process> {
    let (scenario, user, users) = USERS[which];
    let mut command = ringback::command(&["load", &format!("{exchange}:5060"), "--json", "--scenario", scenario])?;
    command.args(["--as", &format!("{user}:{PASSWORD}@{exchange}"), "--users", &users.to_string()]);
    command.args(["-r", &rate.to_string(), "-l", &in_progress.to_string(), "-d", &CALL_MS.to_string()]);
    command.args(["-m", "1000000000", "--timeout", &time.as_secs().to_string()]);
    scope.start(&format!("load-{scenario}"), &command)
}

fn report(process: &Process) -> Result<Value> {
    let output = process.stdout();
    let line = output.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    line.with_context(|| format!("ringback load printed no result\n{}", tail(&process.output())))
}
