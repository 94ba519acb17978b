use super::open;
use crate::Outcome;
use crate::testing::{Scratch, bind, binding, bound};
use engine::{Now, Rng};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

/// Whatever is bound, refreshed and removed, and however often it is opened anew: it is there as it was.
#[test]
fn parts_and_log_are_what_stands() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("log");
    let rng = &mut Rng::from_u64(11);
    let mut model: BTreeMap<String, Vec<(String, u32)>> = BTreeMap::new();
    let mut store = Some(open(&scratch).unwrap());
    for round in 0..1500 {
        let user = rng.below(60).to_string();
        let phones: Vec<(String, u32)> = match rng.below(4) {
            // A refresh, as most are.
            0 | 1 => model.get(&user).into_iter().flatten().map(|(phone, cseq)| (phone.clone(), cseq + 1)).collect(),
            _ => (0..rng.below(3)).map(|_| (rng.below(100_000).to_string(), round)).collect(),
        };
        let bindings: Vec<_> = phones
            .iter()
            .map(|(phone, cseq)| binding(now, phone.parse().unwrap(), *cseq, 600 + u64::from(round)))
            .collect();
        assert_eq!(bind(store.as_ref().unwrap(), &user, &bindings), Outcome::Committed);
        model.insert(user, phones);
        if rng.below(100) == 0 {
            drop(store.take());
            store = Some(open(&scratch).unwrap());
            for (user, phones) in &model {
                assert_eq!(bound(store.as_ref().unwrap(), user), *phones, "round {round}");
            }
        }
    }
    drop(store);
    let file = Connection::open(scratch.path.join("ringback.db")).unwrap();
    let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let (log, parts) = (
        count("SELECT coalesce(sum(length(changes)), 0) FROM binding_log"),
        count("SELECT sum(length(records)) FROM binding_part"),
    );
    assert!(log <= parts.max(3_000) * 5 / 4, "the log of {log} bytes is no longer than the parts of {parts}");
    assert!(count("SELECT min(seq) FROM binding_log") > 1, "what every part has overtaken is gone");
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let scratch = Scratch::new("mode");
    let store = open(&scratch).unwrap();
    assert_eq!(bind(&store, "1", &[]), Outcome::Committed);
    for name in ["ringback.db", "ringback.db-wal", "ringback.db-shm"] {
        let mode = scratch.path.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn every_commit_is_synced() {
    let scratch = Scratch::new("synced");
    let backend = super::Sqlite::open(&scratch.path.join("ringback.db")).unwrap();
    let pragma = |name| backend.connection.pragma_query_value(None, name, |row| row.get::<_, String>(0));
    let number = backend.connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
    assert_eq!((pragma("journal_mode").unwrap(), number.unwrap()), ("wal".to_owned(), 2));
}
