//! Hours of an exchange with its phones, over a bad network, with restarts and a store that fails; the whole day is
//! `cargo run --release -p simnet --example day`.

use simnet::{Day, Settings};

fn hours_with(seed: u64, shards: usize) {
    let settings = Settings { seed, shards, phones: 100, hours: 6, calls_per_phone: 40, ..Settings::default() };
    let verdict = Day::new(settings).live(|_| {});
    assert_eq!(verdict.counts.rules_broken, 0, "{verdict}");
    let counts = verdict.counts;
    let all = [
        (counts.lost, 100),
        (counts.registrations, 800),
        (counts.registrations_failed, 20),
        (counts.answered, 300),
        (counts.refused, 50),
        (counts.busy, 5),
        (counts.given_up, 50),
        (counts.not_written, 1),
        (counts.phones_restarted, 5),
        (counts.restarts, 5),
        (counts.records, 500),
    ];
    assert!(all.iter().all(|(count, least)| count >= least), "everything has happened: {verdict}");
}

#[test]
fn six_hours_with_one_shard() {
    hours_with(1, 1);
}

#[test]
fn six_hours_with_two_shards() {
    hours_with(2, 2);
}

#[test]
fn six_hours_with_four_shards() {
    hours_with(3, 4);
}

#[test]
fn the_same_seed_makes_the_same_day() {
    let day = |seed| {
        let settings = Settings { seed, phones: 20, hours: 2, ..Settings::default() };
        Day::new(settings).live(|_| {}).counts
    };
    assert_eq!(day(4), day(4));
    assert_ne!(day(4), day(5));
}
