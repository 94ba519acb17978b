//! What every backend must do: each test is a function over something that opens a store, again and again over the same disk.

use crate::testing::fallible::Fallible;
use crate::testing::{Scratch, account, aor, bind, binding, bound, options, record};
use crate::{Account, DataFolder, Outcome, Query, Store, StoredRoute, Write};
use engine::{Network, Now, Rng};
use guard::Ban;
use routing::{AddressPattern, Forwards, Limits, Place};
use std::time::{Duration, SystemTime};

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

fn add(store: &Store, account: Account) -> Outcome {
    store.change_and_wait(Write::AddAccount(Box::new(account)))
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
fn what_has_ended_meanwhile_does_not_come_back() {
    on_each("ended", |open| {
        let now = Now::read_clocks();
        let store = open();
        assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 0), binding(now, 2, 1, 600)]), Outcome::Committed);
        assert_eq!(bind(&store, "2", &[binding(now, 3, 1, 0)]), Outcome::Committed);
        drop(store);
        let store = open();
        assert_eq!((store.bindings().len(), bound(&store, "1")), (1, vec![("2".into(), 1)]));
        // A refresh of what is left knows nothing of what has ended.
        assert_eq!(bind(&store, "1", &[binding(now, 2, 2, 700)]), Outcome::Committed);
        drop(store);
        assert_eq!(bound(&open(), "1"), [("2".to_owned(), 2)]);
    });
}

#[test]
fn a_change_decided_from_an_old_state_is_not_made() {
    on_each("stale", |open| {
        let now = Now::read_clocks();
        let store = open();
        let early = crate::testing::binding_write(&store, "1", &[binding(now, 1, 1, 600)]);
        assert_eq!(bind(&store, "1", &[binding(now, 2, 1, 600)]), Outcome::Committed);
        assert_eq!(store.change_and_wait(early), Outcome::Stale);
        assert_eq!(bound(&store, "1"), [("2".to_owned(), 1)]);
        assert_eq!(store.unbind(now, "1@pbx.example", Some("sip:9@192.0.2.1:5070")), Some(0));
        assert_eq!(store.unbind(now, "1@PBX.example", Some("sip:2@192.0.2.1:5070")), Some(1));
        assert_eq!(
            (store.unbind(now, "1@pbx.example", None), store.unbind(now, "no@no@no no", None)),
            (Some(0), Some(0))
        );
        assert!(store.bindings().is_empty());
    });
}

#[test]
fn users_are_unbound_in_whatever_domain() {
    on_each("unbind", |open| {
        let now = Now::read_clocks();
        let store = open();
        for user in 0..100 {
            assert_eq!(bind(&store, &user.to_string(), &[binding(now, user, 1, 600)]), Outcome::Committed);
        }
        assert_eq!(store.change_and_wait(Write::UnbindUsers(vec!["nobody".into()])), Outcome::Committed);
        let early = crate::testing::binding_write(&store, "7", &[binding(now, 7, 2, 600)]);
        let theirs = ["7", "13"].map(str::to_owned).to_vec();
        assert_eq!(store.change_and_wait(Write::UnbindUsers(theirs)), Outcome::Committed);
        // Who read the record before may not write it back.
        assert_eq!(store.change_and_wait(early), Outcome::Stale);
        drop(store);
        let store = open();
        assert_eq!((store.bindings().len(), bound(&store, "7").len(), bound(&store, "8").len()), (98, 0, 1));
    });
}

#[test]
fn accounts_come_back_after_a_restart() {
    on_each("accounts", |open| {
        let store = open();
        assert!(store.is_new());
        assert_eq!([add(&store, account("100", "a")), add(&store, account("101", "b"))], [Outcome::Committed; 2]);
        assert_eq!(add(&store, account("100", "c")), Outcome::Stale);
        let place = |text| Some(Place::parse(text).unwrap());
        let forwards = Forwards {
            always: place("101"),
            no_answer: place("sip:{user}@vm.example"),
            no_answer_after_s: 12,
            ..Forwards::default()
        };
        let limits = Limits { calls: 3, calls_per_hour: 9, destinations: vec![AddressPattern::parse("+49*").unwrap()] };
        let change = |write| store.change_and_wait(write);
        for outcome in [
            change(Write::PutForwards("100".into(), Box::new(forwards.clone()))),
            change(Write::PutLimits("100".into(), Some(Box::new(limits.clone())))),
            change(Write::ReplaceSecrets(Box::new(account("100", "d")))),
            change(Write::RemoveAccount("101".into())),
        ] {
            assert_eq!(outcome, Outcome::Committed);
        }
        for outcome in [
            change(Write::PutForwards("101".into(), Box::new(forwards.clone()))),
            change(Write::PutLimits("101".into(), None)),
            change(Write::ReplaceSecrets(Box::new(account("101", "d")))),
            change(Write::RemoveAccount("101".into())),
        ] {
            assert_eq!(outcome, Outcome::Stale, "there is no such account");
        }
        drop(store);
        let store = open();
        assert!(!store.is_new());
        let expected = Account { forwards, limits: Some(limits), ..account("100", "d") };
        assert_eq!(store.accounts().all_stored(), [expected]);
        assert_eq!(store.accounts().secrets("100"), Some(account("100", "d").secrets));
        assert_eq!(store.change_and_wait(Write::RemoveAccount("100".into())), Outcome::Committed);
        drop(store);
        assert!(!open().is_new(), "there was somebody once");
    });
}

#[test]
fn many_changes_at_once_are_all_made_in_their_order() {
    on_each("many", |open| {
        let now = Now::read_clocks();
        let store = open();
        let (tell, hear) = std::sync::mpsc::channel();
        let change = |write| {
            let tell = tell.clone();
            store.change(write, move |outcome| tell.send(outcome).unwrap());
        };
        for user in 0..500 {
            change(crate::testing::binding_write(&store, &user.to_string(), &[binding(now, user, 1, 600)]));
            // Of one account, one behind the other.
            change(Write::AddAccount(Box::new(account("100", "a"))));
            change(Write::RemoveAccount("100".into()));
        }
        let outcomes: Vec<Outcome> = hear.iter().take(1500).collect();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Committed), "{outcomes:?}");
        drop(store);
        let store = open();
        assert_eq!((store.bindings().len(), store.accounts().stored_len()), (500, 0));
    });
}

#[test]
fn routes_and_bans_come_back_after_a_restart() {
    on_each("routes", |open| {
        let store = open();
        let put = |name: &str, toml: &str| {
            let route = StoredRoute { name: name.into(), toml: toml.into() };
            store.change_and_wait(Write::PutRoute(Box::new(route)))
        };
        let (until, network) =
            (SystemTime::UNIX_EPOCH + Duration::from_millis(4_000_000_000_500), network("10.0.0.0/8"));
        let ban = |times| Ban { network, until, why: "a scanner".into(), times };
        let outcomes = [
            put("b", "x = 1"),
            put("a", "y = 1"),
            put("b", "z = 1"),
            put("c", ""),
            store.change_and_wait(Write::RemoveRoute("c".into())),
            store.change_and_wait(Write::Ban(Box::new(ban(1)))),
            store.change_and_wait(Write::Ban(Box::new(ban(2)))),
            store.change_and_wait(Write::Ban(Box::new(Ban { network: self::network("::1"), ..ban(1) }))),
            store.change_and_wait(Write::Unban(self::network("::1"))),
        ];
        assert_eq!(outcomes, [Outcome::Committed; 9]);
        assert_eq!(store.change_and_wait(Write::RemoveRoute("c".into())), Outcome::Stale);
        assert_eq!(store.change_and_wait(Write::Unban(self::network("::1"))), Outcome::Stale);
        drop(store);
        let store = open();
        let routes: Vec<_> = store.routes().iter().map(|route| (route.name.clone(), route.toml.clone())).collect();
        assert_eq!(routes, [("b".into(), "z = 1".to_owned()), ("a".into(), "y = 1".into())]);
        assert_eq!(*store.bans(), [ban(2)]);
    });
}

fn network(text: &str) -> Network {
    Network::parse(text).unwrap()
}

#[test]
fn call_records_are_found_again() {
    on_each("records", |open| {
        let store = open();
        for number in 0..30 {
            assert_eq!(store.change_and_wait(Write::Record(Box::new(record(number)))), Outcome::Committed);
        }
        drop(store);
        let store = open();
        let numbers = |query: Query| -> Vec<u64> {
            store.records(&query).unwrap().iter().map(|record| record.id.number).collect()
        };
        let all = Query::default();
        assert_eq!(numbers(all.clone()), (0..30).rev().collect::<Vec<_>>());
        assert_eq!(store.records(&all).unwrap()[0], record(29));
        assert_eq!(numbers(Query { limit_max: 2, ..all.clone() }), [29, 28]);
        let at = |number| Some(record(number).started);
        assert_eq!(numbers(Query { since: at(5), until: at(8), ..all.clone() }), [7, 6, 5]);
        // Each third is by 100, each fifth to 101.
        assert_eq!(numbers(Query { user: Some("100".into()), until: at(7), ..all.clone() }), [6, 3, 0]);
        assert_eq!(numbers(Query { user: Some("101@pbx.example".into()), until: at(11), ..all.clone() }), [10, 5, 0]);
        assert_eq!(numbers(Query { user: Some("10".into()), ..all }), [0; 0]);
    });
}

#[test]
fn a_version_of_a_binding_is_not_another_after_a_restart() {
    on_each("versions", |open| {
        let now = Now::read_clocks();
        let store = open();
        assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 600)]), Outcome::Committed);
        drop(store);
        let store = open();
        let read = store.bindings().fetch(now, &aor("1"));
        assert_ne!(read.version, 0);
        assert_eq!(bind(&store, "1", &[binding(now, 1, 2, 600)]), Outcome::Committed);
    });
}
