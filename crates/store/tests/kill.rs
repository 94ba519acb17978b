//! `kill -9` at any moment loses nothing that was acknowledged.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use engine::{Now, Rng};
use sip_auth::Secrets;
use sip_message::Transport;
use sip_registrar::{AddressOfRecord, Binding, Change, Parts};
use sip_transaction::Flow;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use store::{Account, DataFolder, Options, Outcome, Store, URL, Write};

/// How often it is killed.
const KILLS: u64 = 30;

/// Says to the child where its folder is.
const FOLDER: &str = "RINGBACK_KILL_TEST_FOLDER";

/// Threads of the child, each with users of its own.
const WRITERS: u32 = 8;

fn open(folder: &Path) -> Store {
    let options = Options { realm: "ringback".into(), accounts: Vec::new(), keep_records: Duration::from_secs(1) };
    Store::open(&DataFolder::at(folder), URL, options, &mut Rng::from_u64(1)).expect("it can always be opened")
}

fn user(name: u32) -> AddressOfRecord {
    AddressOfRecord::new(&name.to_string(), "pbx.example").unwrap()
}

fn binding(now: Now, cseq: u32, fat: bool) -> Binding {
    let address = "192.0.2.1:5060".parse().unwrap();
    let params = if fat { format!(";x={cseq};y={}", "z".repeat(480)) } else { String::new() };
    let parts = Parts {
        contact: "sip:a@192.0.2.1",
        params: &params,
        call_id: "a",
        user_agent: "",
        path: "",
        cseq,
        q: 1000,
        expires_at_s: (now.unix_s() + 6000) as u32,
        flow: Flow { transport: Transport::Udp, local: address, remote: address, connection: None },
    };
    Binding::new(parts).unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_when_it_is_killed_at_any_moment() {
    let folder = env::temp_dir().join(format!("ringback-store-kill-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    DataFolder::create(&folder).unwrap();
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut rng = Rng::from_u64(seed);
    let (mut bindings, mut accounts) = (BTreeMap::new(), Vec::new());
    for kill in 0..KILLS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_child_that_is_killed", "--nocapture"])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut after = rng.below(400);
        while let Some(Ok(line)) = lines.next() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["bound", name, cseq] => {
                    let cseq: u32 = cseq.parse().unwrap();
                    let latest: &mut u32 = bindings.entry(name.parse::<u32>().unwrap()).or_default();
                    *latest = cseq.max(*latest);
                }
                ["added", name] => accounts.push(name.to_owned()),
                _ => continue,
            }
            // What it says after that, before it is dead, counts, too.
            match after.checked_sub(1) {
                Some(left) => after = left,
                None => child.kill().unwrap(),
            }
        }
        child.wait().unwrap();
        let store = open(&folder);
        for (name, cseq) in &bindings {
            let found = store.bindings().fetch(Now::read_clocks(), &user(*name)).bindings;
            let found = found.first().map(Binding::cseq);
            assert!(found >= Some(*cseq), "kill {kill}: {name} was bound with CSeq {cseq}, and is with {found:?}");
        }
        for name in &accounts {
            assert!(store.accounts().contains(name), "kill {kill}: {name} was added");
        }
    }
    assert!(bindings.len() > 100 && accounts.len() > 100, "{} bindings, {} accounts", bindings.len(), accounts.len());
    fs::remove_dir_all(&folder).unwrap();
}

/// Not a test by itself: what the one above starts. It says each change that it was told is safe.
#[test]
fn the_child_that_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let store = open(Path::new(&folder));
    println!();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        thread::spawn(move || write_for_ever(&store, writer))
    });
    writers.collect::<Vec<_>>().into_iter().for_each(|writer| writer.join().unwrap());
}

fn write_for_ever(store: &Store, writer: u32) {
    for round in 0.. {
        let now = Now::read_clocks();
        let name = writer * 100 + round % 50;
        if round % 8 == 7 {
            let account = format!("{name}-{}-{round}", std::process::id());
            let secrets = Secrets { md5: [1; 16], sha256: [2; 32], sha512_256: None };
            let write = Write::AddAccount(Box::new(Account::new(&account, "ringback", secrets)));
            assert_eq!(store.change_and_wait(write), Outcome::Committed);
            say(&format!("added {account}"));
        }
        let aor = user(name);
        let standing = store.bindings().fetch(now, &aor);
        let cseq = standing.bindings.first().map_or(1, |binding| binding.cseq() + 1);
        // Some are refreshes, some are new each time and as large as may be.
        let count = if writer < 2 { 10 } else { 1 };
        let bindings = (0..count).map(|_| binding(now, cseq, writer < 2)).collect();
        let write = Write::Bindings(Change { aor, version: standing.version, bindings });
        assert_eq!(store.change_and_wait(write), Outcome::Committed);
        say(&format!("bound {name} {cseq}"));
    }
}

/// In one write, so that no line is torn.
fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("{line}\n").as_bytes()).unwrap();
}
