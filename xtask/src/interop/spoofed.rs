//! A flood of requests from addresses that are not the sender's: memory stays where it is, and phones go on calling.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use engine::Rng;
use serde_json::Value;

use super::street::{EXCHANGE, Stage};
use super::{Needs, Row, World};
use crate::netns::Street;
use crate::peers::spoof;
use crate::process::tail;
use crate::usage::{cpu_us, memory_kb};

pub(super) const SCENARIOS: &[Row] =
    &[("a_flood_of_spoofed_requests_leaves_phones_calling", Needs::Ringback, spoofed_flood)];

/// What is sent in a second, unless `RINGBACK_FLOOD_PER_S` says otherwise, and for how long (`RINGBACK_FLOOD_S`).
const RATE: u32 = 50_000;
const SECONDS: u32 = 8;
/// Less than this share of it, and there was no flood.
const SENT_SHARE_MIN: f64 = 0.2;
const MEMORY_MB_MORE_MAX: f64 = 64.0;
/// A flood that fails while the load is held up for longer than this is tried again, so often.
const TICK_LATE_MS_MAX: f64 = 200.0;
const ATTEMPTS_MAX: u32 = 3;
const CALLS_PER_S: u32 = 20;

fn spoofed_flood(world: &World) -> Result<()> {
    let number = |name: &str, otherwise: u32| {
        std::env::var(name).map_or(Ok(otherwise), |text| text.parse()).with_context(|| format!("{name} is no number"))
    };
    let (rate, seconds) = (number("RINGBACK_FLOOD_PER_S", RATE)?, number("RINGBACK_FLOOD_S", SECONDS)?);
    let mut stage = Stage::set(world, &[])?;
    stage.expect_calls()?;
    let before = memory_mb(&stage)?;
    for attempt in 1..=ATTEMPTS_MAX {
        let (ok, total, report) = flood(&stage, rate, seconds)?;
        let after = memory_mb(&stage)?;
        let (later, later_report) = stage.calls(CALLS_PER_S, 100)?;
        println!("  ({before:.0} MB, then {after:.0} MB; {ok} of {total} calls during it, {later} of 100 after it)");
        ensure!(stage.exchange.running()?, "the exchange ended\n{}", tail(&stage.exchange.output()));
        ensure!(after - before < MEMORY_MB_MORE_MAX, "the exchange grew from {before:.0} to {after:.0} MB");
        ensure!(later >= 99, "{later} of 100 calls succeeded after the flood: {later_report}");
        if ok as f64 >= 0.9 * f64::from(total) {
            return Ok(());
        }
        // Other programs had the cores: that is what was measured then.
        let disturbed = report["tick_late_ms_max"].as_f64().unwrap_or(0.0) > TICK_LATE_MS_MAX;
        ensure!(disturbed && attempt < ATTEMPTS_MAX, "{ok} of {total} calls succeeded during the flood: {report}");
    }
    Ok(())
}

fn memory_mb(stage: &Stage) -> Result<f64> {
    Ok(memory_kb(&stage.exchange)? as f64 / 1024.0)
}

/// How many of how many calls succeeded while it lasted, and what the phones saw.
fn flood(stage: &Stage, rate: u32, seconds: u32) -> Result<(u64, u32, Value)> {
    let (cpu, total, to) = (cpu_us(&stage.exchange)?, CALLS_PER_S * seconds, Street::ip(EXCHANGE).parse()?);
    let (sent, (ok, report)) = std::thread::scope(|threads| -> Result<_> {
        let net = &stage.street.others;
        let flood = threads.spawn(move || {
            net.within(|| spoof::flood(to, f64::from(rate), Duration::from_secs(seconds.into()), Rng::from_u64(1)))
        });
        let calls =
            stage.start_calls("calls-during", CALLS_PER_S, total).and_then(|mut calls| Stage::called(&mut calls));
        let sent = flood.join().map_err(|_| anyhow!("the flood panicked"))??;
        Ok((sent, calls?))
    })?;
    let cores = (cpu_us(&stage.exchange)? - cpu) as f64 / 1e6 / f64::from(seconds);
    let per_s = sent as f64 / f64::from(seconds);
    println!("  ({per_s:.0} spoofed requests a second for {seconds} s; the exchange took {cores:.1} cores)");
    ensure!(per_s > f64::from(rate) * SENT_SHARE_MIN, "only {sent} requests were sent");
    Ok((ok, total, report))
}
