//! `cargo xtask fuzz`: libFuzzer on the stable toolchain, without cargo-fuzz. LLVM's coverage pass is switched on by hand; that
//! it really guides the search is proven first, on a target that nobody could hit by chance.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;
use crate::process::tail;

/// The target that proves the machinery, and for how long it may take.
const PROOF: &str = "machinery";
const PROOF_SECONDS: u32 = 60;
const SECONDS_DEFAULT: u32 = 60;
/// A target that holds more memory than this has failed.
const RSS_MB_MAX: u32 = 1024;
/// No input is longer: the largest datagram there is.
const INPUT_BYTES_MAX: u32 = 65_536;
/// A single input that takes longer has failed.
const INPUT_SECONDS_MAX: u32 = 5;
/// Inline counters per edge, a table of addresses, and traced comparisons: what libFuzzer feeds on.
const COVERAGE_FLAGS: [&str; 9] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
    "-Cforce-frame-pointers=yes",
];

/// The command: `[TARGET..] [--seconds N]`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut seconds = SECONDS_DEFAULT;
    let mut chosen = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => seconds = rest.next().context("--seconds takes a number")?.parse()?,
            flag if flag.starts_with('-') => bail!("fuzz has no flag {flag}"),
            target => chosen.push(target.to_owned()),
        }
    }
    let targets = targets()?;
    if let Some(unknown) = chosen.iter().find(|name| !targets.contains(name)) {
        bail!("no fuzz target {unknown:?}; there are {}", targets.join(", "));
    }
    if chosen.is_empty() {
        chosen = targets.into_iter().filter(|target| target != PROOF).collect();
    }
    let binaries = build()?;
    prove(&binaries)?;
    for target in &chosen {
        fuzz(&binaries, target, seconds)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn folder() -> PathBuf {
    cargo::root().join("fuzz")
}

/// Names of the targets, from the files that hold them.
fn targets() -> Result<Vec<String>> {
    let files = fs::read_dir(folder().join("fuzz_targets"))?.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<String> = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Builds all targets and returns the folder of the binaries. With an explicit `--target`, build scripts stay without coverage.
fn build() -> Result<PathBuf> {
    let version = Command::new("rustc").arg("-vV").output().context("rustc -vV")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let target_dir = cargo::target_dir()?.join("fuzz");
    let mut command = cargo::cargo(&["build", "--release", "--target", host]);
    command.current_dir(folder()).env("CARGO_TARGET_DIR", &target_dir).env("RUSTFLAGS", COVERAGE_FLAGS.join(" "));
    ensure!(command.status()?.success(), "the fuzz targets do not build");
    Ok(target_dir.join(host).join("release"))
}

/// libFuzzer finds the proof's word, or coverage does not reach it.
fn prove(binaries: &Path) -> Result<()> {
    let scratch = cargo::output_dir()?.join("fuzz");
    fs::create_dir_all(&scratch)?;
    let mut command = Command::new(binaries.join(PROOF));
    command.arg(format!("-max_total_time={PROOF_SECONDS}")).arg(format!("-artifact_prefix={}/", scratch.display()));
    let output = command.current_dir(&scratch).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("coverage guides the search"), "libFuzzer gets no coverage\n{}", tail(&said));
    println!("fuzz: coverage guides the search");
    Ok(())
}

/// Runs one target; a crash, a hang or too much memory is an error that names the input which did it.
fn fuzz(binaries: &Path, target: &str, seconds: u32) -> Result<()> {
    let (corpus, seeds) = (folder().join("corpus").join(target), folder().join("seeds").join(target));
    let artifacts = folder().join("artifacts").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(binaries.join(target));
    command.arg(&corpus);
    if seeds.exists() {
        command.arg(&seeds);
    }
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={RSS_MB_MAX}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1");
    command.env("RUST_BACKTRACE", "0");
    println!("fuzz: {target} for {seconds} s");
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let plain: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
    let why = tail(&plain.join("\n"));
    ensure!(output.status.success(), "{target} failed; the input is in {}\n{why}", artifacts.display());
    let (first, last) = coverage(&said).context("libFuzzer reported no coverage")?;
    let stat = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    let (runs, rss) = (stat("stat::number_of_executed_units:"), stat("stat::peak_rss_mb:"));
    println!("fuzz: {target}: {runs} runs, coverage {first} -> {last}, peak memory {rss} MB");
    Ok(())
}

/// The first and the last coverage in libFuzzer's output.
fn coverage(output: &str) -> Option<(u32, u32)> {
    let mut values =
        output.lines().filter_map(|line| line.split(" cov: ").nth(1)?.split_whitespace().next()?.parse().ok());
    let first = values.next()?;
    Some((first, values.next_back().unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_read_from_the_first_and_the_last_line() {
        let output = "#2\tINITED cov: 8 ft: 8 corp: 1/1b\n#9\tNEW    cov: 9 ft: 9\n#99\tDONE   cov: 11 ft: 11\n";
        assert_eq!(coverage(output), Some((8, 11)));
        assert_eq!(coverage("nothing"), None);
    }

    #[test]
    fn every_target_has_its_place_in_the_manifest() {
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        for target in targets().unwrap() {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is not in fuzz/Cargo.toml");
        }
    }
}
