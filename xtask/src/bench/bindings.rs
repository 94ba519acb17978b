//! What a binding takes of memory, and how soon an exchange with many of them is there again.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Bench, LOAD_CORE, SERVER_CORE, USER};
use crate::peers::PASSWORD;
use crate::peers::ringback::{self, Setup};
use crate::process::{Process, eventually, tail, wait_udp_free};
use crate::usage::{Member, members, memory_kb};

/// Phones, one binding each; and with `--quick`.
const MANY: u32 = 1_000_000;
const FEW: u32 = 20_000;
/// REGISTERs a second: a fraction of what is borne, because it is not the rate that is measured.
const RATE: u32 = 20_000;
/// The most that one may take, in bytes.
pub(super) const BYTES_MAX: f64 = 500.0;
/// The longest that a restart may take with [`MANY`], in seconds.
pub(super) const RESTART_S_MAX: f64 = 5.0;
const END_WITHIN: Duration = Duration::from_secs(60);
/// Memory is read again and again until it has been the same for this long.
const STEADY: Duration = Duration::from_secs(1);

/// What was measured.
#[derive(Clone, Copy)]
pub(super) struct Bindings {
    pub(super) count: u32,
    /// Of memory, each, in the process that was started again.
    pub(super) bytes: f64,
    /// From the start of the program to `ready`.
    pub(super) restart_s: f64,
}

impl Bench {
    /// Registers as many phones as there are to be, kills the exchange, and starts it again.
    pub(super) fn many_bindings(&self, quick: bool) -> Result<Bindings> {
        let count = if quick { FEW } else { MANY };
        let ip = self.scope.ip(3);
        wait_udp_free(&ip, 5060)?;
        // Accounts are not what is measured.
        let more = "[auth]\nrequired = false\n".to_owned();
        let setup = Setup { name: "many", users: Vec::new(), more, ..Setup::on(&ip) };
        if setup.data(&self.scope).exists() {
            fs::remove_dir_all(setup.data(&self.scope))?;
        }
        let start = || -> Result<Process> { ringback::serve(&self.scope, &setup.text(&self.scope), Some(SERVER_CORE)) };
        let mut server = start()?;
        let empty = steady_kb(&server)?;
        self.register_once(&ip, count)?;
        let members = members(server.group())?;
        server.kill();
        // A thread that waits for the disk outlives the others, and holds the lock on the data folder.
        let threads = |member: &Member| fs::read_dir(format!("/proc/{}/task", member.id)).map_or(0, Iterator::count);
        eventually("the end of the exchange", END_WITHIN, || Ok(members.iter().all(|member| threads(member) <= 1)))?;
        let started = Instant::now();
        let mut server = start()?;
        let restart_s = started.elapsed().as_secs_f64();
        let full = steady_kb(&server)?;
        server.kill();
        let bytes = full.saturating_sub(empty) as f64 * 1024.0 / f64::from(count);
        Ok(Bindings { count, bytes, restart_s })
    }

    /// Registers each phone once, and leaves no time to remove what is bound.
    fn register_once(&self, ip: &str, count: u32) -> Result<()> {
        let mut command = std::process::Command::new("taskset");
        command.args(["-c", &LOAD_CORE.to_string()]).arg(ringback::binary()?);
        command.args(["load", &format!("{ip}:5060"), "--scenario", "register", "-r", &RATE.to_string()]);
        command.args(["--as", &format!("{USER}:{PASSWORD}@{ip}"), "--users", &count.to_string()]);
        // Twice, so that it is still at it when the last phone has registered.
        command.args(["-m", &(2 * u64::from(count)).to_string()]);
        let mut load = self.scope.start("load", &command)?;
        let within = Duration::from_secs(60 + 4 * u64::from(count / RATE));
        let done = |output: &str| registered(output).filter(|ok| *ok >= u64::from(count)).map(|_| ());
        load.wait_until("a binding for each phone", within, done).with_context(|| tail(&load.output()))?;
        let output = load.output();
        load.kill();
        ensure!(output.contains(" 0 failed"), "registrations failed\n{}", tail(&output));
        Ok(())
    }
}

/// How many have been registered according to the last line of progress.
fn registered(output: &str) -> Option<u64> {
    let line = output.lines().rev().find(|line| line.contains(" ok, "))?;
    line.split(" ok, ").next()?.rsplit(' ').next()?.parse().ok()
}

/// The memory of a server once it does not change any more, in kB.
pub(super) fn steady_kb(server: &Process) -> Result<u64> {
    let mut last = memory_kb(server)?;
    loop {
        thread::sleep(STEADY);
        let now = memory_kb(server)?;
        if now.abs_diff(last) <= last / 200 {
            return Ok(now);
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn progress_is_read_from_its_last_line() {
        let output = "    1 s: 20001 begun, 3 in progress, 19998 ok, 0 failed, 0 sent again\n    2 s: 40001 begun, 3 in progress, 39998 ok, 0 failed, 0 sent again\n";
        assert_eq!(super::registered(output), Some(39_998));
        assert_eq!(super::registered("ringback load\n"), None);
    }
}
