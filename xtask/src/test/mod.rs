//! `cargo xtask test`: everything that CI runs, one step after the other, from nothing but a Rust toolchain.

pub(crate) mod packages;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::peers::ringback;
use crate::process::tail;
use crate::{advisories, cargo, interop, tidy, torment};

/// `ringback demo` ends within this, or has failed.
const DEMO_SECONDS_MAX: u64 = 15;
/// What both ends of the demo's call must at least hear (mean opinion score).
const DEMO_MOS_MIN: f64 = 4.0;

/// How far the printed unit may be exposed, in tenths of what `systemd-analyze security` counts: 100 is a service with all rights, and
/// what is left to us is that we speak on the network.
const UNIT_EXPOSURE_MAX: u32 = 20;

/// Tests counted so far. A step that is not itself made of tests adds one failure when it fails and nothing when it passes.
#[derive(Default)]
struct Report {
    passed: usize,
    failed: usize,
}

/// The command; takes no arguments.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.first() {
        bail!("test takes no arguments, not {argument:?}");
    }
    let logs = cargo::output_dir()?;
    fs::create_dir_all(&logs)?;
    if let Err(what) = packages::install() {
        eprintln!("{what:#}");
        return Ok(ExitCode::from(2));
    }
    let mut report = Report::default();
    let cargo_step = |report: &mut Report, name: &str, arguments: &[&str]| {
        report.step(name, || quiet(&logs, name, &mut cargo::cargo(arguments)).map(drop))
    };
    cargo_step(&mut report, "fmt", &["fmt", "--all", "--check"]);
    cargo_step(&mut report, "fmt-fuzz", &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]);
    cargo_step(&mut report, "clippy", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    report.step("check-fuzz", || quiet(&logs, "check-fuzz", &mut check_fuzz()).map(drop));
    report.cargo_tests(&logs);
    if cargo_step(&mut report, "build", &["build", "--quiet", "--release", "--package", "ringback"]) {
        report.step("demo", || demo(&logs, &ringback::binary()?));
        report.step("unit", || unit(&logs));
        report.interop()?;
        report.step("torment", torment::short);
    }
    report.step("tidy", tidy::check_all);
    let mut unchecked = Vec::new();
    report.step("advisories", || {
        let answers = advisories::check()?;
        answers.notes.iter().for_each(|note| println!("note: {note}"));
        unchecked = answers.unchecked;
        if answers.problems.is_empty() { Ok(()) } else { bail!("{}", answers.problems.join("\n")) }
    });
    unchecked.iter().for_each(|what| println!("NOT CHECKED: {what}"));
    println!("{} passed, {} failed", report.passed, report.failed);
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Report {
    /// Runs one step, says how it went, and returns whether it passed.
    fn step(&mut self, name: &str, run: impl FnOnce() -> Result<()>) -> bool {
        let outcome = timed(name, run);
        self.failed += usize::from(!outcome);
        outcome
    }

    fn cargo_tests(&mut self, logs: &Path) {
        let (mut passed, mut failed) = (0, 0);
        let whole = timed("cargo test", || {
            let mut command = cargo::cargo(&["test", "--workspace", "--no-fail-fast"]);
            let (ok, output) = logged(logs, "cargo-test", &mut command)?;
            (passed, failed) = count(&output);
            if ok { Ok(()) } else { bail!("{}", failures(&output)) }
        });
        println!("  {passed} passed, {failed} failed in cargo test");
        self.passed += passed;
        // A failure to build counts, too.
        self.failed += failed.max(usize::from(!whole));
    }

    fn interop(&mut self) -> Result<()> {
        println!("interop:");
        let tally = interop::run_against_ringback()?;
        self.passed += tally.passed;
        self.failed += tally.failed.len();
        Ok(())
    }
}

/// Prints `name ... ok (3.1 s)`, or what went wrong.
fn timed(name: &str, run: impl FnOnce() -> Result<()>) -> bool {
    print!("{name} ... ");
    let _ = std::io::stdout().flush();
    let started = Instant::now();
    let outcome = run();
    let seconds = started.elapsed().as_secs_f32();
    match &outcome {
        Ok(()) => println!("ok ({seconds:.1} s)"),
        Err(error) => println!("FAILED ({seconds:.1} s)\n{error:#}"),
    }
    outcome.is_ok()
}

/// Fuzz targets are a workspace of their own; without this they would fall behind what they call. No fuzzer is linked, so no C++
/// compiler is asked for.
fn check_fuzz() -> Command {
    let mut command = cargo::cargo(&["check", "--quiet", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    command.env("CUSTOM_LIBFUZZER_PATH", "/nowhere/libFuzzer.a");
    command
}

/// Runs `command` with its output in a log file and returns standard output; an error that shows the log if it fails.
fn quiet(logs: &Path, name: &str, command: &mut Command) -> Result<String> {
    let (ok, output) = logged(logs, name, command)?;
    if ok { Ok(output) } else { bail!("{}", tail(&output)) }
}

fn logged(logs: &Path, name: &str, command: &mut Command) -> Result<(bool, String)> {
    let path: PathBuf = logs.join(format!("{name}.log"));
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let status = command.stdout(file.try_clone()?).stderr(file).status()?;
    let output = fs::read(&path)?;
    Ok((status.success(), String::from_utf8_lossy(&output).into_owned()))
}

/// Sums libtest's closing lines.
fn count(output: &str) -> (usize, usize) {
    let number = |line: &str, what: &str| -> usize {
        let before = line.split(what).next().unwrap_or_default();
        before.rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    let results = output.lines().filter(|line| line.starts_with("test result:"));
    results.fold((0, 0), |(passed, failed), line| (passed + number(line, " passed"), failed + number(line, " failed")))
}

/// The part of libtest's output that says which tests failed and how; the compiler's last words if none ran.
fn failures(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let mut shown = Vec::new();
    let mut inside = false;
    for line in &lines {
        inside = (inside || line.starts_with("---- ")) && !line.starts_with("failures:");
        if inside || line.ends_with("FAILED") {
            shown.push(*line);
        }
    }
    if shown.is_empty() { tail(output) } else { shown.join("\n") }
}

/// A whole call in one process: exit code 0 in time, and both ends heard the other well.
pub(crate) fn demo(logs: &Path, binary: &Path) -> Result<()> {
    let started = Instant::now();
    let output = quiet(logs, "demo", Command::new(binary).args(["demo", "--json"]))?;
    if started.elapsed().as_secs() >= DEMO_SECONDS_MAX {
        bail!("it took {:?}", started.elapsed());
    }
    let values = output.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let heard: Vec<_> = values.filter(|value| value.get("mos").is_some()).collect();
    if heard.len() != 2 {
        bail!("expected what both ends heard, got {}", tail(&output));
    }
    for end in heard {
        if end["mos"].as_f64().unwrap_or(0.0) < DEMO_MOS_MIN || end["lost"].as_u64() != Some(0) {
            bail!("an end did not hear well: {end}");
        }
    }
    Ok(())
}

/// The unit that we print is one that systemd takes without a word, and it locks us in.
fn unit(logs: &Path) -> Result<()> {
    let text = quiet(logs, "deploy", Command::new(ringback::binary()?).args(["deploy", "systemd"]))?;
    let file = logs.join("ringback.service");
    fs::write(&file, text)?;
    quiet(logs, "systemd-verify", Command::new("systemd-analyze").arg("verify").arg(&file))?;
    let threshold = format!("--threshold={UNIT_EXPOSURE_MAX}");
    let security = ["security", "--offline=yes", "--no-pager", &threshold];
    quiet(logs, "systemd-security", Command::new("systemd-analyze").args(security).arg(&file)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_libtest_are_summed() {
        let output = "test a ... ok\ntest result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
                      test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(count(output), (15, 2));
    }

    #[test]
    fn a_failed_test_is_shown_and_a_good_one_is_not() {
        let output = "test good ... ok\ntest bad ... FAILED\n\nfailures:\n\n---- bad stdout ----\npanicked: 1 != 2\n\nfailures:\n    bad\n";
        let shown = failures(output);
        assert!(shown.contains("panicked: 1 != 2") && !shown.contains("good"), "{shown}");
    }
}
