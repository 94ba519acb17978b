//! What durability costs: many bindings are made and refreshed, at full speed and at given rates.
//!
//!     cargo run --release -p store --example commits_per_second [BINDINGS] [FOLDER]
//!
//! Prints for each phase: changes and groups a second, processor time per change (of the keeper's thread, and of all), bytes on the disk, and what
//! the process holds in memory. Then it opens the store anew and says how long that takes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use engine::{Now, Rng};
use sip_message::Transport;
use sip_registrar::{AddressOfRecord, Binding, Change, Parts};
use sip_transaction::Flow;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{DataFolder, Options, Outcome, Store, Write};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: u32 = arguments.next().map_or(1_000_000, |count| count.parse().unwrap());
    let scratch = arguments.next().map_or_else(|| std::env::temp_dir().join("ringback-commits"), Into::into);
    if count > 0 {
        let _ = fs::remove_dir_all(&scratch);
    }
    let folder = DataFolder::create(&scratch).unwrap();
    if count == 0 {
        return opened(&folder);
    }
    let store = open(&folder);
    run("new bindings", &store, &folder, 0..count, 1, f64::INFINITY);
    run("refreshes", &store, &folder, 0..count, 2, f64::INFINITY);
    for rate in [20.0, 1_000.0, 10_000.0, 100_000.0] {
        run(&format!("refreshes at {rate}/s"), &store, &folder, 0..count.min(rate as u32 * 5), 3 + rate as u32, rate);
    }
    run("other flow at 100000/s", &store, &folder, 0..count.min(500_000), 200_000_001, 100_000.0);
    println!("memory after settling: {} bytes per binding", resident() / u64::from(count.max(1)));
    drop(store);
    println!("closed: {}", sizes(folder.path()));
    opened(&folder);
    if std::env::var_os("KEEP").is_none() {
        fs::remove_dir_all(&scratch).unwrap();
    }
}

fn opened(folder: &DataFolder) {
    let (began, cpu_before) = (Instant::now(), cpu_ns("/proc/self"));
    let store = open(folder);
    let (took, cpu) = (began.elapsed().as_secs_f64(), (cpu_ns("/proc/self") - cpu_before) as f64 / 1e9);
    println!("opened with {} bindings in {took:.2} s, of processor time {cpu:.2} s", store.bindings().len());
}

fn open(folder: &DataFolder) -> Store {
    let options =
        Options { realm: "ringback".into(), accounts: Vec::new(), keep_records: Duration::from_secs(90 * 86_400) };
    Store::open(folder, store::URL, options, &mut Rng::from_u64(1)).unwrap()
}

fn run(what: &str, store: &Store, folder: &DataFolder, users: std::ops::Range<u32>, cseq: u32, rate: f64) {
    let done = Arc::new(AtomicU64::new(0));
    let (began, now, before) = (Instant::now(), Now::read_clocks(), store.counters());
    let (cpu_before, keeper_before) = (cpu_ns("/proc/self"), keeper_ns());
    let total = u64::from(users.end - users.start);
    for (sent, user) in users.enumerate() {
        // As from a driver: what comes in a few ms comes together.
        if sent % ((rate / 500.0) as usize).clamp(1, 256) == 0 {
            while began.elapsed().as_secs_f64() * rate < sent as f64 {
                std::thread::sleep(Duration::from_millis(2));
            }
            while sent as u64 - done.load(Ordering::Relaxed) > 20_000 {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        let aor = AddressOfRecord::new(&format!("user{user}"), "pbx.example.org").unwrap();
        let snapshot = store.bindings().fetch(now, &aor);
        let change = Change { aor, version: snapshot.version, bindings: Arc::from([binding(now, user, cseq)]) };
        let done = done.clone();
        store.change(Write::Bindings(change), move |outcome| {
            assert_eq!(outcome, Outcome::Committed);
            done.fetch_add(1, Ordering::Relaxed);
        });
    }
    while done.load(Ordering::Relaxed) < total {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (took, after) = (began.elapsed().as_secs_f64(), store.counters());
    let (cpu, keeper) = (cpu_ns("/proc/self") - cpu_before, keeper_ns() - keeper_before);
    let groups = after.groups - before.groups;
    println!(
        "{what}: {:.0}/s, {:.0} groups/s of {:.0}, {:.2} ms each, keeper {:.0} ns and all {:.0} ns per change; {}; RSS {} MB",
        total as f64 / took,
        groups as f64 / took,
        total as f64 / groups as f64,
        (after.commit_us - before.commit_us) as f64 / 1000.0 / groups as f64,
        keeper as f64 / total as f64,
        cpu as f64 / total as f64,
        sizes(folder.path()),
        resident() >> 20
    );
}

fn binding(now: Now, user: u32, cseq: u32) -> Binding {
    let port = if cseq > 200_000_000 { 6000 } else { 5060 };
    let remote = std::net::SocketAddr::from((user.to_be_bytes(), port));
    let (contact, call_id) = (format!("sip:user{user}@192.0.2.117:5060;ob"), format!("{user:08}-9a3f-4c5e8d7b@host"));
    let parts = Parts {
        contact: &contact,
        params: ";reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"",
        call_id: &call_id,
        user_agent: "A Phone/1.2.3",
        path: "",
        cseq,
        q: 1000,
        expires_at_s: (now.unix_s() + 3600) as u32,
        flow: Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote, connection: None },
    };
    Binding::new(parts).unwrap()
}

fn sizes(folder: &Path) -> String {
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |metadata| metadata.len()) >> 20;
    format!("file {} MB, wal {} MB", size("ringback.db"), size("ringback.db-wal"))
}

fn keeper_ns() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_keeper = |task: &std::path::PathBuf| fs::read_to_string(task.join("comm")).unwrap().trim() == "keeper";
    tasks.filter(is_keeper).map(|task| cpu_ns(task.to_str().unwrap())).sum()
}

/// As the scheduler counts it.
fn cpu_ns(task: &str) -> u64 {
    if task == "/proc/self" {
        let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        return tasks.map(|task| cpu_ns(task.to_str().unwrap())).sum();
    }
    let text = fs::read_to_string(format!("{task}/schedstat")).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}
