//! SIPp (Debian's sip-tester): scripted callers and callees, from the files in `xtask/scenarios` or from a [`Script`].

mod script;

pub(crate) use script::Script;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, ensure};

use super::PASSWORD;
use crate::process::{Process, Scope, eventually, tail};

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
    let mut process = scope.start(&format!("{scenario_name}-{ip}"), &command)?;
    process.wait_udp_bound(ip, 5060)?;
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

/// One end of a call: it plays a script on port 5060 of an address.
pub(crate) struct End {
    process: Process,
    name: String,
    /// sipp goes on after the call: what is done shows in its log.
    goes_on: bool,
}

/// A phone on a connection: registers `user` and keeps the connection, over which calls then come.
const REGISTERS: &str = "
    > REGISTER
        Expires: 300
    < 401
    > REGISTER
        [authentication username=USER password=PASSWORD]
        Expires: 300
    < 200
    done
    pause 120000";

impl End {
    /// Starts it; one that waits for calls is ready when this returns. `arguments` are more words for sipp.
    pub(crate) fn start(
        scope: &Scope,
        ip: &str,
        transport: &str,
        script: &Script<'_>,
        arguments: &[&str],
    ) -> Result<Self> {
        let mut end = Self::launch(scope, ip, transport, script, arguments)?;
        match transport {
            "tcp" if script.answers() => end.process.wait_tcp_listening(ip, 5060)?,
            "udp" if script.answers() => end.process.wait_udp_bound(ip, 5060)?,
            _ => {}
        }
        Ok(end)
    }

    /// Registers `user` at `exchange` from `ip` over TCP and plays `script` when a call comes over that connection.
    pub(crate) fn register_over_tcp(
        scope: &Scope,
        exchange: &str,
        user: &str,
        ip: &str,
        q: &str,
        script: &Script<'_>,
    ) -> Result<Self> {
        let calls = scope.write(&format!("{}-{ip}-calls.xml", script.name), script.xml()?)?;
        let lines = REGISTERS.replace("USER", user).replace("PASSWORD", PASSWORD);
        let contact = format!("Contact: <sip:{user}@{ip}:5060;transport=tcp>;q={q}\n        Expires");
        let (uri, lines) = (format!("sip:{user}@{exchange}"), lines.replace("Expires", &contact));
        let register = Script { name: script.name, uri: &uri, from: uri.trim_start_matches("sip:"), lines: &lines };
        let server = format!("{exchange}:5060");
        let arguments = [&server, "-m", "1", "-oocsf", &calls.to_string_lossy()];
        let mut end = Self::launch(scope, ip, "tcp", &register, &arguments)?;
        end.goes_on = true;
        end.wait_done(scope, 1, Duration::from_secs(20))?;
        Ok(end)
    }

    fn launch(scope: &Scope, ip: &str, transport: &str, script: &Script<'_>, arguments: &[&str]) -> Result<Self> {
        let name = format!("{}-{ip}", script.name);
        let file = scope.write(&format!("{name}.xml"), script.xml()?)?;
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(file).args(["-i", ip, "-p", "5060", "-nostdin", "-t", sipp_transport(transport)]);
        command.args(["-trace_err", "-error_file", &format!("{name}.errors"), "-error_overwrite", "false"]);
        command.args(["-trace_logs", "-log_file", &format!("{name}.logs")]);
        command.args(["-trace_msg", "-message_file", &format!("{name}.messages")]).args(arguments);
        let process = scope.start(&name, &command)?;
        Ok(Self { process, name, goes_on: false })
    }

    /// Waits until it has played its script to the end; what it saw instead is in the error.
    pub(crate) fn finish(&mut self, scope: &Scope, within: Duration) -> Result<()> {
        if self.goes_on { self.wait_done(scope, 2, within) } else { self.wait_exit(scope, within) }
    }

    /// Its file of this kind (`errors`, `messages`, `logs`) so far.
    pub(crate) fn file(&self, scope: &Scope, kind: &str) -> String {
        let bytes = std::fs::read(scope.dir().join(format!("{}.{kind}", self.name))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn wait_exit(&mut self, scope: &Scope, within: Duration) -> Result<()> {
        self.process.wait_code(0, within).map_err(|_| self.explanation(scope))
    }

    /// Waits until scripts with a `done` have been played so often.
    fn wait_done(&mut self, scope: &Scope, times: usize, within: Duration) -> Result<()> {
        let done = eventually("the end of a script", within, || {
            ensure!(self.process.running()?, "sipp ended");
            Ok(self.file(scope, "logs").matches(script::DONE).count() >= times)
        });
        done.map_err(|_| self.explanation(scope))
    }

    fn explanation(&self, scope: &Scope) -> Error {
        let (errors, messages) = (self.file(scope, "errors"), self.file(scope, "messages"));
        let lines: Vec<&str> = messages.lines().collect();
        let last = lines[lines.len().saturating_sub(60)..].join("\n");
        let (name, printed) = (&self.name, tail(&self.process.stderr()));
        anyhow!("{name} did not play its script to the end\n{printed}{}\nits last messages:\n{last}", tail(&errors))
    }
}

fn sipp_transport(transport: &str) -> &'static str {
    if transport == "tcp" { "t1" } else { "u1" }
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
