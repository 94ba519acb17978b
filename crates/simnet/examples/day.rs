//! A day of an exchange with thousands of phones, in minutes: `cargo run --release -p simnet --example day -- [--seed N] [--phones 10000]
//! [--hours 24] [--shards 2] [--restarts 6] [--failures 4] [--follow user17]`. Exits with 1 when a rule was broken.
#![allow(clippy::disallowed_methods)] // how long it took is told

use simnet::{Day, Settings};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut settings = Settings::default();
    let mut follow = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default();
        let number = value.parse::<u64>();
        match (&*word, number) {
            ("--follow", _) => follow.push(value),
            ("--seed", Ok(number)) => settings.seed = number,
            ("--phones", Ok(number)) => settings.phones = number as usize,
            ("--hours", Ok(number)) => settings.hours = number as u32,
            ("--shards", Ok(number)) => settings.shards = number as usize,
            ("--restarts", Ok(number)) => settings.restarts = number as u32,
            ("--failures", Ok(number)) => settings.failures = number as u32,
            ("--calls", Ok(number)) => settings.calls_per_phone = number as u32,
            ("--loss", Ok(number)) => settings.link.loss_percent = number as u8,
            ("--streams", Ok(number)) => settings.stream_percent = number,
            _ => {
                eprintln!("what is {word} {value}?");
                return ExitCode::from(2);
            }
        }
    }
    let began = Instant::now();
    println!("{settings:?}");
    let mut day = Day::new(settings);
    follow.iter().for_each(|name| day.follow(name));
    let verdict = day.live(|hour| println!("{hour}, {:.1} s, {} MB", began.elapsed().as_secs_f64(), memory_mb()));
    for (line, bytes) in &verdict.followed {
        println!("{line}\n{}", String::from_utf8_lossy(bytes));
    }
    println!("{verdict}\ntook {:.1} s", began.elapsed().as_secs_f64());
    ExitCode::from(u8::from(verdict.counts.rules_broken > 0))
}

/// Resident memory, as Linux tells it; 0 elsewhere.
fn memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
