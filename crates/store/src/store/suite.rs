//! What every backend must do: each test is a function over something that opens a store, again and again over the same disk.

use crate::testing::fallible::Fallible;
use crate::testing::{Scratch, account, bind, binding, bound, options};
use crate::{DataFolder, Outcome, Store, Write};
use engine::{Now, Rng};

/// Opens a store; each time the same one, as after a restart.
type Open<'a> = &'a dyn Fn() -> Store;

/// Runs a test on each backend.
fn on_each(name: &str, test: impl Fn(Open<'_>)) {
    let scratch = Scratch::new(name);
    let folder = DataFolder::create(&scratch.path).unwrap();
    test(&|| Store::open(&folder, crate::URL, options(), &mut Rng::from_u64(1)).unwrap());
    let disk = Fallible::default();
    test(&|| Store::over(Box::new(disk.clone()), options(), &mut Rng::from_u64(1)).unwrap());
}

#[test]
fn bindings_come_back_after_a_restart() {
    on_each("bindings", |open| {
        let now = Now::read_clocks();
        let store = open();
        for user in 0..50 {
            assert_eq!(bind(&store, &user.to_string(), &[binding(now, user, 1, 600)]), Outcome::Committed);
        }
        let two = [binding(now, 1, 2, 600), binding(now, 2, 1, 600)];
        assert_eq!(bind(&store, "1", &two), Outcome::Committed);
        assert_eq!(bind(&store, "2", &[]), Outcome::Committed);
        assert_eq!(bind(&store, "3", &[binding(now, 3, 2, 900)]), Outcome::Committed);
        let before = store.bindings().all(now);
        drop(store);
        let store = open();
        assert_eq!(store.bindings().all(now), before);
        assert_eq!((store.bindings().len(), bound(&store, "3")), (50, vec![("3".into(), 2)]));
        // And it goes on from there.
        assert_eq!(bind(&store, "3", &[binding(now, 3, 3, 900)]), Outcome::Committed);
        drop(store);
        assert_eq!(bound(&open(), "3"), [("3".to_owned(), 3)]);
    });
}

#[test]
fn accounts_come_back_after_a_restart() {
    on_each("accounts", |open| {
        let store = open();
        assert!(store.is_new());
        let add = |account| store.change_and_wait(Write::AddAccount(Box::new(account)));
        assert_eq!([add(account("100", "a")), add(account("101", "b"))], [Outcome::Committed; 2]);
        assert_eq!(add(account("100", "c")), Outcome::Stale);
        drop(store);
        let store = open();
        assert!(!store.is_new());
        assert_eq!(store.accounts().all_stored(), [account("100", "a"), account("101", "b")]);
    });
}
