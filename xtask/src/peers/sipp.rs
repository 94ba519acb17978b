//! SIPp (Debian's sip-tester): scripted callers and callees, from the files in `xtask/scenarios`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::PASSWORD;
use crate::process::{Process, Scope, tail, wait_udp_bound};

/// A scenario file of ours.
fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(format!("{name}.xml"))
}

/// A `sipp` command line for scenario `name` from address `ip`, port 5060.
pub(crate) fn command(name: &str, ip: &str) -> Command {
    let mut command = Command::new("sipp");
    command.arg("-sf").arg(scenario(name)).args(["-i", ip, "-p", "5060", "-nostdin", "-trace_err"]);
    command
}

/// Starts the side that waits for calls and returns when its UDP port is open.
pub(crate) fn start_callee(scope: &Scope, scenario_name: &str, ip: &str, arguments: &[&str]) -> Result<Process> {
    let mut command = command(scenario_name, ip);
    command.args(arguments);
    let process = scope.start(&format!("{scenario_name}-{ip}"), &command)?;
    wait_udp_bound(ip, 5060)?;
    Ok(process)
}

/// Registers `user` at `exchange` with digest credentials from `ip`; the contact is `user@contact`.
pub(crate) fn register(
    scope: &Scope,
    exchange: &str,
    user: &str,
    password: &str,
    ip: &str,
    contact: &str,
) -> Result<Outcome> {
    register_with_q(scope, exchange, user, password, ip, contact, "1.0")
}

/// The same with a preference for this contact (RFC 3261 section 20.10).
pub(crate) fn register_with_q(
    scope: &Scope,
    exchange: &str,
    user: &str,
    password: &str,
    ip: &str,
    contact: &str,
    q: &str,
) -> Result<Outcome> {
    let row = format!("SEQUENTIAL\n{user};[authentication username={user} password={password}];{contact};{q};\n");
    let csv = scope.write(&format!("register-{user}.csv"), row)?;
    let mut command = command("register", ip);
    command.arg(format!("{exchange}:5060")).arg("-inf").arg(csv).args(["-m", "1"]);
    Outcome::of(scope, &format!("register-{user}"), &command, Duration::from_secs(20))
}

/// Registers `user` and insists on success.
pub(crate) fn register_ok(scope: &Scope, exchange: &str, user: &str, ip: &str, contact: &str) -> Result<()> {
    register(scope, exchange, user, PASSWORD, ip, contact)?.expect_all(1)
}

/// How a run of `sipp` ended.
pub(crate) struct Outcome {
    code: i32,
    successful: u64,
    failed: u64,
    output: String,
}

impl Outcome {
    /// Runs `command` to its end and reads its closing statistics.
    pub(crate) fn of(scope: &Scope, name: &str, command: &Command, within: Duration) -> Result<Self> {
        let (code, process) = scope.run(name, command, within)?;
        let output = process.output();
        let count = |label: &str| -> Result<u64> {
            let row = output.lines().rev().find(|line| line.trim_start().starts_with(label));
            let row = row.with_context(|| format!("sipp printed no {label:?}\n{}", tail(&output)))?;
            Ok(row.rsplit('|').next().unwrap_or_default().trim().parse()?)
        };
        Ok(Self { code, successful: count("Successful call")?, failed: count("Failed call")?, output })
    }

    /// Fails unless exactly `calls` calls succeeded and none failed.
    pub(crate) fn expect_all(&self, calls: u64) -> Result<()> {
        let (code, good, bad) = (self.code, self.successful, self.failed);
        ensure!(
            code == 0 && good == calls && bad == 0,
            "sipp: {good} of {calls} good, {bad} failed, exit {code}\n{}",
            self.output
        );
        Ok(())
    }

    /// Fails if any call succeeded.
    pub(crate) fn expect_none(&self) -> Result<()> {
        ensure!(self.successful == 0 && self.failed > 0, "sipp: {} calls succeeded\n{}", self.successful, self.output);
        Ok(())
    }
}
