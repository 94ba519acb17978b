//! SQLite's own way to say that there is no more room, or that nothing may be written.

use super::Sqlite;
use crate::testing::{Scratch, bind, binding, bound, options};
use crate::{Health, Outcome, Store, StoredRoute, Write};
use engine::{Now, Rng};

fn over(backend: Sqlite) -> Store {
    Store::over(Box::new(backend), options(), &mut Rng::from_u64(1)).unwrap()
}

fn why(store: &Store) -> String {
    match store.health() {
        Health::Failing { why, .. } => why,
        other => panic!("it is {other:?}"),
    }
}

#[test]
fn a_full_disk_takes_nothing_until_there_is_room_and_keeps_what_it_has() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("full");
    let path = scratch.path.join("ringback.db");
    let backend = Sqlite::open(&path).unwrap();
    let pages: i64 = backend.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    backend.connection.pragma_update(None, "max_page_count", pages + 40).unwrap();
    let store = over(backend);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 600)]), Outcome::Committed);
    let put = |number: usize| {
        let route = StoredRoute { name: number.to_string(), toml: "x".repeat(16_000) };
        store.change_and_wait(Write::PutRoute(Box::new(route)))
    };
    let kept = (0..).take_while(|number| put(*number) == Outcome::Committed).count();
    assert!((5..40).contains(&kept), "{kept}");
    let why = why(&store);
    assert!(why.contains("ringback.db") && why.contains("full"), "{why}");
    assert_eq!((store.routes().len(), bound(&store, "1")), (kept, vec![("1".into(), 1)]));
    // What makes room is done, and then it is well.
    assert_eq!(store.change_and_wait(Write::RemoveRoute("0".into())), Outcome::Committed);
    assert_eq!(put(kept), Outcome::Committed);
    assert_eq!(store.health(), Health::Well);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 2, 700)]), Outcome::Committed);
    drop(store);
    let store = over(Sqlite::open(&path).unwrap());
    assert_eq!((store.routes().len(), bound(&store, "1")), (kept, vec![("1".into(), 2)]));
}

#[test]
fn what_may_not_be_written_to_is_read_all_the_same() {
    let now = Now::read_clocks();
    let scratch = Scratch::new("read-only");
    let path = scratch.path.join("ringback.db");
    let store = over(Sqlite::open(&path).unwrap());
    assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 600)]), Outcome::Committed);
    drop(store);
    let backend = Sqlite::open(&path).unwrap();
    backend.connection.pragma_update(None, "query_only", true).unwrap();
    let store = over(backend);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 2, 600)]), Outcome::Failed);
    assert!(why(&store).contains("readonly"), "{}", why(&store));
    assert_eq!(bound(&store, "1"), [("1".to_owned(), 1)]);
}
