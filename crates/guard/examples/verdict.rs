//! What a verdict costs: `cargo run --release -p guard --example verdict`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // it measures

use engine::{Network, Now, Rng};
use guard::{Bucket, Config, Guard, Offence, SOURCES_MAX, Verdict};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// So few that a run fits between two other programs' turns on a busy machine, and so many runs that some did.
const ROUNDS: u32 = 10_000;
const RUNS: u32 = 1000;

fn nth(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0B00_0000 + number).into()
}

/// The median and the tenth percentile of the runs, each of them of so many verdicts about `count` sources in an order that no cache foresees.
fn measure(what: &str, guard: &mut Guard, mut now: Now, count: u32) {
    let mut lengths = Vec::new();
    let mut admitted = 0;
    for run in 0..RUNS {
        let start = Instant::now();
        for round in run * ROUNDS..(run + 1) * ROUNDS {
            now.mono += Duration::from_micros(7); // 140,000 a second
            let from = nth(round.wrapping_mul(2_654_435_761) % count);
            admitted += u32::from(matches!(guard.handle_packet(now, from), Verdict::Known | Verdict::Stranger));
        }
        lengths.push(start.elapsed());
    }
    lengths.sort_unstable();
    let each = |part: usize| lengths[lengths.len() * part / 100].as_nanos() as f64 / f64::from(ROUNDS);
    let (tenth, median) = (each(10), each(50));
    let share = f64::from(admitted) / f64::from(ROUNDS * RUNS);
    println!("{tenth:6.1} ns (median {median:6.1})  {what} ({:.0} % let in)", share * 100.0);
}

fn main() {
    let (now, mut rng) = (Now::read_clocks(), Rng::from_u64(1));
    let mut new = |config: Config| Guard::new(now, config, &mut rng);
    let network = |text| Network::parse(text).expect("a network");
    measure("switched off", &mut new(Config { enabled: false, ..Config::default() }), now, 100_000);
    let allow = vec![network("127.0.0.0/8"), network("::1"), network("11.0.0.0/8")];
    measure("allow-listed", &mut new(Config { allow, ..Config::default() }), now, 100_000);
    for (words, count) in
        [("1,000 known sources", 1000), ("100,000 known sources", 100_000), ("1,000,000 known sources", 1_000_000)]
    {
        let mut guard = new(Config::default());
        (0..count).for_each(|number| guard.handle_known(now, nth(number)));
        measure(words, &mut guard, now, count);
    }
    measure("1,000 strangers", &mut new(Config::default()), now, 1000);
    let mut guard = new(Config { stranger_per_s: 1, stranger_burst: 60, ..Config::default() });
    measure("1,000,000 forged strangers", &mut guard, now, 1_000_000);
    println!("           {} sources of at most {SOURCES_MAX}, {} bytes", guard.sources(), guard.source_bytes());
    let mut guard = new(Config::default());
    (0..2000).for_each(|number| drop(guard.handle_offence(now, nth(number), Offence::Scanner)));
    measure("2,000 banned sources", &mut guard, now, 2000);
    measure("4,000 sources, half of them banned", &mut guard, now, 4000);
    let (bucket, start) = (Mutex::new(Bucket::new(now, 20_000, 2000)), Instant::now());
    let taken = (0..ROUNDS).filter(|_| bucket.lock().expect("one thread").take(now)).count();
    let each = start.elapsed().as_nanos() as f64 / f64::from(ROUNDS);
    println!("{each:6.1} ns  the bucket of all strangers, with its lock ({taken} let in)");
}
