//! Files that somebody or something has damaged: recovered, or refused in words that name the file; never emptied, never half believed.

use super::open;
use crate::testing::{Scratch, account, bind, binding};
use crate::{Account, Outcome, StoreError, Write};
use engine::{Now, Rng};
use rusqlite::Connection;
use sip_registrar::{AddressOfRecord, Binding};
use std::fs;
use std::path::PathBuf;

const NAMES: [&str; 3] = ["ringback.db", "ringback.db-wal", "ringback.db-shm"];

struct Kept {
    accounts: Vec<Account>,
    bindings: Vec<(AddressOfRecord, Binding)>,
}

/// A store with something in everything, closed.
fn filled(scratch: &Scratch, now: Now) -> Kept {
    let store = open(scratch).unwrap();
    for user in 0..40 {
        let name = user.to_string();
        assert_eq!(store.change_and_wait(Write::AddAccount(Box::new(account(&name, "x")))), Outcome::Committed);
        for cseq in 0..16 {
            assert_eq!(bind(&store, &name, &[binding(now, user, cseq, 6000)]), Outcome::Committed);
        }
    }
    Kept { accounts: store.accounts().all_stored(), bindings: store.bindings().all(now) }
}

fn path(scratch: &Scratch) -> PathBuf {
    scratch.path.join("ringback.db")
}

/// Says whether it was recovered; if so, all is there.
fn recovered(scratch: &Scratch, kept: &Kept, now: Now, how: &str) -> bool {
    match open(scratch) {
        Ok(store) => {
            assert!(store.accounts().all_stored() == kept.accounts, "{how}: the accounts are others");
            assert!(store.bindings().all(now) == kept.bindings, "{how}: the bindings are others");
            true
        }
        Err(error) => {
            assert!(matches!(error, StoreError::Damaged { .. } | StoreError::Io { .. } | StoreError::TooNew { .. }));
            assert!(error.to_string().contains("ringback.db"), "{how}: {error}");
            false
        }
    }
}

#[test]
fn a_damaged_file_is_refused_or_nothing_of_it_is_lost() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("damaged");
    let kept = filled(&scratch, now);
    let whole = fs::read(path(&scratch)).unwrap();
    let rng = &mut Rng::from_u64(5);
    let mut refused = 0;
    for round in 0..120 {
        let mut bytes = whole.clone();
        let at = rng.below(bytes.len() as u64) as usize;
        let how = match round % 4 {
            0 => {
                bytes.truncate(at);
                format!("cut off at {at}")
            }
            1 => {
                bytes[at] ^= 1 << rng.below(8);
                format!("a bit of {at} is another")
            }
            2 => {
                let page = at / 4096 * 4096;
                bytes[page..page + 4096].fill(0);
                format!("the page at {page} is empty")
            }
            _ => {
                bytes[at..].iter_mut().take(100).for_each(|byte| *byte = rng.next_u32() as u8);
                format!("100 bytes at {at} are others")
            }
        };
        NAMES.iter().for_each(|name| drop(fs::remove_file(scratch.path.join(name))));
        fs::write(path(&scratch), &bytes).unwrap();
        if !recovered(&scratch, &kept, now, &how) {
            refused += 1;
            assert_eq!(fs::metadata(path(&scratch)).unwrap().len(), bytes.len() as u64, "{how}: left as it was");
        }
    }
    // The rest has hit what holds nothing.
    assert!(refused > 60, "{refused} of 120");
}

#[test]
fn an_empty_file_and_a_missing_one_are_not_taken_for_new() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("empty");
    drop(filled(&scratch, now));
    fs::write(path(&scratch), b"").unwrap();
    let error = open(&scratch).unwrap_err().to_string();
    assert!(
        error.contains("ringback.db") && error.contains("it is empty") && error.contains("left as it is"),
        "{error}"
    );
    fs::remove_file(path(&scratch)).unwrap();
    fs::write(scratch.path.join("ringback.db-wal"), b"changes").unwrap();
    let error = open(&scratch).unwrap_err().to_string();
    assert!(error.contains("missing") && scratch.path.join("ringback.db-wal").exists(), "{error}");
    fs::remove_file(scratch.path.join("ringback.db-wal")).unwrap();
    fs::write(path(&scratch), b"no database at all, but a text of some length").unwrap();
    let error = open(&scratch).unwrap_err().to_string();
    assert!(error.contains("ringback.db cannot be understood"), "{error}");
}

/// As after a loss of power: the log ends anywhere. What was committed before that is there, and nothing is half there.
#[test]
fn a_torn_log_is_recovered_to_its_last_whole_change() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("torn-log");
    let store = open(&scratch).unwrap();
    for user in 0..30 {
        let name = user.to_string();
        assert_eq!(bind(&store, &name, &[binding(now, user, 1, 6000)]), Outcome::Committed);
    }
    let [db, wal] = ["ringback.db", "ringback.db-wal"].map(|name| fs::read(scratch.path.join(name)).unwrap());
    drop(store);
    let rng = &mut Rng::from_u64(6);
    let mut counts = Vec::new();
    for round in 0..40 {
        let mut torn = wal.clone();
        let at = 32 + rng.below(wal.len() as u64 - 32) as usize;
        match round % 2 {
            0 => torn.truncate(at),
            _ => torn[at..].iter_mut().take(4096).for_each(|byte| *byte = rng.next_u32() as u8),
        }
        NAMES.iter().for_each(|name| drop(fs::remove_file(scratch.path.join(name))));
        fs::write(path(&scratch), &db).unwrap();
        fs::write(scratch.path.join("ringback.db-wal"), &torn).unwrap();
        let store = open(&scratch).unwrap();
        let users: Vec<u32> = store.bindings().all(now).iter().map(|(aor, _)| aor.user().parse().unwrap()).collect();
        // Those who came first, without a gap.
        let count = users.len() as u32;
        assert!(users.iter().all(|user| *user < count), "{users:?}");
        counts.push((at, count));
        // And it can be written to.
        assert_eq!(bind(&store, "next", &[binding(now, 99, 1, 6000)]), Outcome::Committed);
    }
    counts.sort_unstable();
    assert!(counts.is_sorted_by_key(|(_, count)| *count), "the more is left, the more is there: {counts:?}");
    assert!(counts.first().unwrap().1 < counts.last().unwrap().1);
}

/// As after a kill, when somebody tidies up: what was in the log is missed, not forgotten.
#[test]
fn a_log_that_is_gone_is_missed() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("log-gone");
    let store = open(&scratch).unwrap();
    assert_eq!(bind(&store, "100", &[binding(now, 100, 1, 6000)]), Outcome::Committed);
    let mark = scratch.path.join("ringback.db-open");
    assert!(mark.exists());
    let [db, wal] = ["ringback.db", "ringback.db-wal"].map(|name| fs::read(scratch.path.join(name)).unwrap());
    drop(store);
    assert!(!mark.exists(), "closed in peace, the file has everything");
    let mut scribbled = wal.clone();
    scribbled[9] ^= 1;
    for (how, log) in [
        ("removed", None),
        ("emptied", Some(&wal[..0])),
        ("cut", Some(&wal[..31])),
        ("scribbled", Some(&scribbled[..])),
    ] {
        NAMES.iter().for_each(|name| drop(fs::remove_file(scratch.path.join(name))));
        fs::write(path(&scratch), &db).unwrap();
        fs::write(&mark, b"").unwrap();
        log.into_iter().for_each(|log| fs::write(scratch.path.join("ringback.db-wal"), log).unwrap());
        let error = open(&scratch).unwrap_err().to_string();
        assert!(error.contains("ringback.db-open") && error.contains("log of its latest changes"), "{how}: {error}");
    }
    fs::write(scratch.path.join("ringback.db-wal"), &wal).unwrap();
    assert_eq!(open(&scratch).unwrap().bindings().all(now).len(), 1);
}

/// Rows that are as SQLite wants them, and not as we wrote them.
#[test]
fn a_row_that_is_not_ours_is_refused() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("rows");
    let kept = filled(&scratch, now);
    let whole = fs::read(path(&scratch)).unwrap();
    for sql in [
        "UPDATE account SET ha1_md5 = zeroblob(16) WHERE name = '7'",
        "UPDATE account SET realm = 'other' WHERE name = '7'",
        "INSERT INTO forward VALUES ('7', 'busy', '100', NULL)",
        "UPDATE binding_part SET records = substr(records, 1, 20) WHERE part = (SELECT part FROM binding_part WHERE length(records) > 20)",
        "UPDATE binding_part SET records = zeroblob(9)",
        "UPDATE binding_log SET changes = zeroblob(9)",
        "DELETE FROM binding_log",
        "DELETE FROM binding_log WHERE seq = (SELECT min(seq) + 1 FROM binding_log)",
        "DELETE FROM binding_part WHERE part = (SELECT part FROM binding_part ORDER BY seq DESC)",
        "UPDATE meta SET value = zeroblob(31) WHERE key = 'seed'",
        "UPDATE meta SET value = zeroblob(8) WHERE key = 'parts'",
        "PRAGMA user_version = 1000",
        "PRAGMA user_version = 0",
        "DROP TABLE binding_log",
    ] {
        NAMES.iter().for_each(|name| drop(fs::remove_file(scratch.path.join(name))));
        fs::write(path(&scratch), &whole).unwrap();
        let file = Connection::open(path(&scratch)).unwrap();
        file.execute_batch(sql).unwrap();
        file.close().unwrap();
        assert!(!recovered(&scratch, &kept, now, sql), "{sql}");
    }
}
