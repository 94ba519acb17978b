//! Ringback's one tool: `cargo xtask test|interop|torment|bench|fuzz|advisories|dist|tidy`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod advisories;
mod bench;
mod cargo;
mod conformance;
mod dist;
mod floors;
mod fuzz;
mod interop;
mod netns;
mod peers;
mod process;
mod test;
mod tidy;
mod tone;
mod torment;
mod usage;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  test                  everything that CI runs; ends with `N passed, N failed`
  interop [NAME..]      calls with real peers (baresip, sipp, sipsak); --list; --against kamailio checks the scenarios themselves
  torment [--rounds 100] [--short] [--seed N]  kills the exchange again and again under load: nothing acknowledged may be lost
  bench [--quick] [--idle]  Kamailio and Ringback in turns: CPU per call and per REGISTER, highest rate, memory per idle TLS
                        connection (--idle: only that); writes docs/performance.md
  fuzz [TARGET..]       libFuzzer on the stable toolchain; --seconds 60
  advisories [--database URL|FOLDER]  versions withdrawn from crates.io, and RustSec's advisories, of all that is locked
  dist                  the static binary for any Linux, with manual and completions, as an archive
  tidy                  the rules that live in code: floors, file lengths, the map, licences, conformance tables
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("--help", arguments.as_slice()),
    };
    let outcome = match command {
        "test" => test::run(rest),
        "interop" => interop::run(rest),
        "torment" => torment::run(rest),
        "bench" => bench::run(rest),
        "fuzz" => fuzz::run(rest),
        "advisories" => advisories::run(rest),
        "dist" => dist::run(rest),
        "tidy" => tidy::run(rest),
        "--help" | "-h" | "help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: no command {other:?}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
