//! One run of the load against one server: how many succeeded, how fast, and what they cost the server.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Bench, LOAD_CORE, Rival, SERVER_CORE, USER, Work};
use crate::peers::{PASSWORD, ringback};
use crate::process::{Process, tail};
use crate::usage::{core_us, cpu_us, memory_kb};

/// For how long a call is held.
const HOLD_MS: u32 = 100;
/// A fresh server handles this many seconds' worth before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// What other programs may take of the server's core, and how late the load may once be, in a run that counts.
const OTHERS_SHARE_MAX: f64 = 0.05;
const TICK_LATE_MS_MAX: f64 = 10.0;
/// More failures than this and the figures mean nothing.
const FAILED_SHARE_MAX: f64 = 0.001;

/// What the load saw.
pub(super) struct Run {
    pub(super) total: u64,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) setup_ms_p99: f64,
    /// What was really begun, a second.
    pub(super) rate_achieved: f64,
    /// How much of its core the load took: near 1, it is the load that is measured.
    pub(super) load_share: f64,
    /// Other people's programs took the server's core or held up the load: the figures say little.
    pub(super) disturbed: bool,
}

impl Run {
    /// The share that failed.
    pub(super) fn failed_share(&self) -> f64 {
        if self.total == 0 { 1.0 } else { self.failed as f64 / self.total as f64 }
    }
}

/// What one call or registration costs the server.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    pub(super) cpu_us: f64,
    pub(super) setup_ms_p99: f64,
    /// Memory at the end, in MB; what processes share is counted once.
    pub(super) memory_mb: f64,
    /// See [`Run::disturbed`].
    pub(super) disturbed: bool,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disturbed = if self.disturbed { " (disturbed by other programs)" } else { "" };
        write!(f, "{:.0} us, p99 {:.1} ms, {:.0} MB{disturbed}", self.cpu_us, self.setup_ms_p99, self.memory_mb)
    }
}

impl Bench {
    /// Processor time per call or registration at a steady rate, with a fresh and warmed server.
    pub(super) fn cost(&self, rival: Rival, work: Work, rate: u32) -> Result<Cost> {
        let server = self.start(rival, work, rate)?;
        self.load(&server, work, rate, WARM_UP)?;
        let before = cpu_us(&server)?;
        let run = self.load(&server, work, rate, self.plan.measure)?;
        let spent = cpu_us(&server)? - before;
        let share = run.failed_share();
        if share > FAILED_SHARE_MAX {
            println!("{} failed {} of {} at {rate}/s", rival.name(), run.failed, run.total);
        }
        ensure!(run.ok > 0, "{} handled nothing at {rate}/s\n{}", rival.name(), tail(&server.output()));
        let memory_mb = memory_kb(&server)? as f64 / 1024.0;
        Ok(Cost {
            cpu_us: spent as f64 / run.ok as f64,
            setup_ms_p99: run.setup_ms_p99,
            memory_mb,
            disturbed: run.disturbed,
        })
    }

    /// One run of `ringback load` on its own core.
    pub(super) fn load(&self, server: &Process, work: Work, rate: u32, time: Duration) -> Result<Run> {
        let (core, own, started) = (core_us(SERVER_CORE)?, cpu_us(server)?, Instant::now());
        let (ip, total) = (self.scope.ip(1), u64::from(rate) * time.as_secs());
        let mut command = std::process::Command::new("taskset");
        command.args(["-c", &LOAD_CORE.to_string()]).arg(ringback::binary()?);
        command.args(["load", &format!("{ip}:5060"), "--json", "--scenario", work.scenario()]);
        command.args(["--as", &format!("{USER}:{PASSWORD}@{ip}"), "--users", &work.users(rate).to_string()]);
        command.args(["-r", &rate.to_string(), "-m", &total.to_string(), "-d", &HOLD_MS.to_string()]);
        let (code, process) = self.scope.run("load", &command, time * 3 + Duration::from_secs(60))?;
        // 1: some calls failed, which the figures show.
        if code != 0 && code != 1 {
            bail!("ringback load exited with {code}\n{}", tail(&process.output()));
        }
        let others = (core_us(SERVER_CORE)? - core).saturating_sub(cpu_us(server)? - own);
        let others_share = others as f64 / started.elapsed().as_micros() as f64;
        let output = process.stdout();
        let summary = output.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let summary =
            summary.with_context(|| format!("ringback load printed no result\n{}", tail(&process.output())))?;
        let number = |name: &str| summary[name].as_f64().with_context(|| format!("no {name} in {summary}"));
        Ok(Run {
            total: number("total")? as u64,
            ok: number("ok")? as u64,
            failed: number("failed")? as u64,
            setup_ms_p99: summary["setup_ms_p99"].as_f64().unwrap_or(f64::INFINITY),
            rate_achieved: number("rate_achieved")?,
            disturbed: others_share > OTHERS_SHARE_MAX || number("tick_late_ms_max")? > TICK_LATE_MS_MAX,
            load_share: number("load_cpu_seconds")? / number("seconds")?.max(0.001),
        })
    }
}
