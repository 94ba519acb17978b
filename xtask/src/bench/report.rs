//! Medians side by side, on the screen and in docs/performance.md, and whether they are what the project promises.

use std::fmt::Write;
use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use super::bindings::Bindings;
use super::measure::Cost;
use super::{RATES, Rival, Work};
use crate::cargo;

/// At 1,000 calls a second, Ringback's processor time per call as a share of Kamailio's.
const CALL_COST_RATIO_MAX: f64 = 0.45;
/// At 1,000 registrations a second, the same.
const REGISTER_COST_RATIO_MAX: f64 = 0.5;
/// The highest call rate on one core, as a multiple of Kamailio's.
const CALL_RATE_RATIO_MIN: f64 = 4.0;
/// The highest rate of registrations, durable here and in memory there, as a multiple of Kamailio's.
const REGISTER_RATE_RATIO_MIN: f64 = 2.5;
/// Where the section in docs/performance.md begins and ends.
const BEGIN: &str = "<!-- written by `cargo xtask bench`: begin -->";
const END: &str = "<!-- written by `cargo xtask bench`: end -->";

/// Everything measured so far.
pub(super) struct Results {
    kamailio: Rival,
    quick: bool,
    costs: Vec<(Rival, Work, u32, Cost)>,
    highest: Vec<(Rival, Work, u32)>,
    /// What an idle TLS connection takes of Ringback's memory.
    idle_tls_kb: f64,
    bindings: Bindings,
}

impl Results {
    pub(super) fn new(kamailio: Rival, quick: bool, idle_tls_kb: f64, bindings: Bindings) -> Self {
        Self { kamailio, quick, costs: Vec::new(), highest: Vec::new(), idle_tls_kb, bindings }
    }

    pub(super) fn add_cost(&mut self, rival: Rival, work: Work, rate: u32, cost: Cost) {
        self.costs.push((rival, work, rate, cost));
    }

    pub(super) fn add_highest(&mut self, rival: Rival, work: Work, rate: u32) {
        self.highest.push((rival, work, rate));
    }

    /// Prints the table, writes it down unless this was `--quick`, and fails if a promise was not kept.
    pub(super) fn publish(&self) -> Result<ExitCode> {
        let table = self.table();
        println!("\n{table}");
        if !self.quick {
            write_section(&table)?;
        }
        let promises = [
            ("CPU per call at 1000/s", self.cost_ratio(Work::Call, 1000), CALL_COST_RATIO_MAX, false),
            ("CPU per REGISTER at 1000/s", self.cost_ratio(Work::Register, 1000), REGISTER_COST_RATIO_MAX, false),
            ("calls per second on one core", self.rate_ratio(Work::Call), CALL_RATE_RATIO_MIN, true),
            ("REGISTERs per second on one core", self.rate_ratio(Work::Register), REGISTER_RATE_RATIO_MIN, true),
        ];
        let mut kept = true;
        for (what, ratio, limit, at_least) in promises {
            let good = if at_least { ratio >= limit } else { ratio <= limit };
            let (bound, verdict) =
                (if at_least { "at least" } else { "at most" }, if good { "kept" } else { "MISSED" });
            println!("{what}: {ratio:.2}x of Kamailio's, {bound} {limit}x was promised: {verdict}");
            kept &= good;
        }
        let Bindings { count, bytes, restart_s } = self.bindings;
        for (what, value, most, unit) in [
            ("an idle TLS connection".to_owned(), self.idle_tls_kb, super::idle::MEMORY_KB_MAX, "kB"),
            (format!("a binding, of {count}"), bytes, super::bindings::BYTES_MAX, "bytes"),
            (format!("a restart with {count} bindings"), restart_s, super::bindings::RESTART_S_MAX, "s"),
        ] {
            let verdict = if value <= most { "kept" } else { "MISSED" };
            println!("{what}: {value:.1} {unit}, at most {most} {unit} was promised: {verdict}");
            kept &= value <= most;
        }
        Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn table(&self) -> String {
        let mut text = String::from("| | Kamailio | Ringback | ratio |\n|---|---:|---:|---:|\n");
        for work in [Work::Call, Work::Register] {
            for rate in RATES {
                let cell = |rival: Rival| self.median(rival, work, rate, |cost| cost.cpu_us);
                let _ = writeln!(
                    text,
                    "| CPU per {} at {rate}/s, us | {:.0} | {:.0} | {:.2} |",
                    work.scenario(),
                    cell(self.kamailio),
                    cell(Rival::Ringback),
                    self.cost_ratio(work, rate)
                );
            }
            let last = RATES[RATES.len() - 1];
            let memory = |rival: Rival| self.median(rival, work, last, |cost| cost.memory_mb);
            let (theirs, ours) = (memory(self.kamailio), memory(Rival::Ringback));
            let _ = writeln!(
                text,
                "| memory after {}s at {last}/s, MB | {theirs:.0} | {ours:.0} | {:.2} |",
                work.scenario(),
                ours / theirs
            );
            let p99 = |rival: Rival| self.median(rival, work, 1000, |cost| cost.setup_ms_p99);
            let (theirs, ours) = (p99(self.kamailio), p99(Rival::Ringback));
            let _ = writeln!(
                text,
                "| {} set up in (p99 at 1000/s), ms | {theirs:.2} | {ours:.2} | {:.2} |",
                work.scenario(),
                ours / theirs
            );
            let (theirs, ours) = (self.highest(self.kamailio, work), self.highest(Rival::Ringback, work));
            let _ = writeln!(
                text,
                "| highest rate, {}s/s | {theirs:.0} | {ours:.0} | {:.2} |",
                work.scenario(),
                ours / theirs
            );
        }
        let _ = writeln!(text, "| memory per idle TLS connection, kB | | {:.1} | |", self.idle_tls_kb);
        let Bindings { count, bytes, restart_s } = self.bindings;
        let _ = writeln!(text, "| memory per binding, of {count}, bytes | | {bytes:.0} | |");
        let _ = writeln!(text, "| restart with {count} bindings, s | | {restart_s:.1} | |");
        let children = match self.kamailio {
            Rival::Kamailio { children } => children,
            Rival::Ringback => 0,
        };
        let rounds = self
            .costs
            .iter()
            .filter(|(rival, work, rate, _)| (*rival, *work, *rate) == (Rival::Ringback, Work::Call, RATES[0]));
        let _ = writeln!(
            text,
            "\nMedians of {} rounds in turns, {} searches; {}; server on one core, load on another. Kamailio {} with {children} \
             worker processes (the best of 1, 2 and 4 here), everything in memory; Ringback's 200 to a REGISTER leaves when the change is on \
             the disk. All registrations come from one address, as from an edge proxy. A call is INVITE, 100, 180, 200, ACK, BYE, 200 \
             through a record-routing proxy; a highest rate has at most 0.1 % failed and 99 % set up within 20 ms.",
            rounds.count(),
            self.highest.iter().filter(|(rival, work, _)| (*rival, *work) == (Rival::Ringback, Work::Call)).count(),
            machine(),
            kamailio_version(),
        );
        let disturbed = self.costs.iter().filter(|(.., cost)| cost.disturbed).count();
        if disturbed > 0 {
            let all = self.costs.len();
            let _ = writeln!(text, "\nOther programs were at work on the same cores in {disturbed} of {all} runs.");
        }
        text
    }

    fn cost_ratio(&self, work: Work, rate: u32) -> f64 {
        let cell = |rival: Rival| self.median(rival, work, rate, |cost| cost.cpu_us);
        cell(Rival::Ringback) / cell(self.kamailio)
    }

    fn rate_ratio(&self, work: Work) -> f64 {
        self.highest(Rival::Ringback, work) / self.highest(self.kamailio, work)
    }

    fn median(&self, rival: Rival, work: Work, rate: u32, value: impl Fn(&Cost) -> f64) -> f64 {
        let chosen = self.costs.iter().filter(|(r, w, s, _)| (*r, *w, *s) == (rival, work, rate));
        median(chosen.map(|(.., cost)| value(cost)).collect())
    }

    fn highest(&self, rival: Rival, work: Work) -> f64 {
        let chosen = self.highest.iter().filter(|(r, w, _)| (*r, *w) == (rival, work));
        median(chosen.map(|(.., rate)| f64::from(*rate)).collect())
    }
}

/// The middle value; not a number when there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    // Of an even number, the lower of the two in the middle.
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// Replaces the section between the marks, or adds it at the end.
fn write_section(table: &str) -> Result<()> {
    let path = cargo::root().join("docs/performance.md");
    let old = fs::read_to_string(&path).unwrap_or_else(|_| "# Performance\n".to_owned());
    fs::write(&path, with_section(&old, table))?;
    println!("written to {}", path.display());
    Ok(())
}

fn with_section(old: &str, table: &str) -> String {
    let section = format!("{BEGIN}\n\n{table}\n{END}");
    match (old.split_once(BEGIN), old.split_once(END)) {
        (Some((before, _)), Some((_, after))) => format!("{before}{section}{after}"),
        _ => format!("{}\n\n{section}\n", old.trim_end()),
    }
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    model.trim_start_matches([' ', '\t', ':']).to_owned()
}

fn kamailio_version() -> String {
    let output = std::process::Command::new("kamailio").arg("-v").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_value_is_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn the_section_is_added_once_and_then_replaced() {
        let first = with_section("# Performance\n\nWords.\n", "| one |");
        let second = with_section(&first, "| two |");
        assert!(
            second.starts_with("# Performance\n\nWords.\n")
                && second.contains("| two |")
                && !second.contains("| one |")
        );
        assert_eq!(second.matches(BEGIN).count(), 1);
    }
}
