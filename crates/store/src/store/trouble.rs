//! A disk that fails, is slow, or is away: what is promised then, and that it heals by itself.

use crate::keeper::WRITES_PENDING_MAX;
use crate::testing::fallible::{Fallible, Fate};
use crate::testing::{Scratch, account, bind, binding, binding_write, bound, options};
use crate::{DataFolder, Health, Outcome, SLOW_AFTER, Store, Write};
use engine::{Now, Rng};
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn over(disk: &Fallible) -> Store {
    Store::over(Box::new(disk.clone()), options(), &mut Rng::from_u64(1)).unwrap()
}

/// Waits for what must come soon, without saying how soon.
fn wait_until(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_not_written_is_not_seen_and_what_was_stays() {
    let now = Now::read_clocks();
    let disk = Fallible::default();
    let store = over(&disk);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 600)]), Outcome::Committed);
    disk.will([Fate::Fails; 3]);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 2, 600)]), Outcome::Failed);
    assert_eq!(store.change_and_wait(Write::AddAccount(Box::new(account("100", "x")))), Outcome::Failed);
    let Health::Failing { why, since } = store.health() else { panic!("it is not well: {:?}", store.health()) };
    assert!(why.contains("no space is left") && why.contains("a test's disk"), "{why}");
    assert_eq!((bound(&store, "1"), store.accounts().stored_len()), (vec![("1".into(), 1)], 0));
    assert_eq!(bind(&store, "1", &[]), Outcome::Failed);
    assert!(matches!(store.health(), Health::Failing { since: still, .. } if still == since));
    // The next one is tried, and finds the disk well.
    assert_eq!(bind(&store, "1", &[binding(now, 1, 3, 600)]), Outcome::Committed);
    assert_eq!((store.health(), bound(&store, "1")), (Health::Well, vec![("1".into(), 3)]));
    assert_eq!((store.counters().changes, store.counters().failures), (2, 3));
}

#[test]
fn a_store_that_failed_finds_out_by_itself_that_it_is_well_again() {
    let disk = Fallible::default();
    let store = over(&disk);
    disk.will([Fate::Fails, Fate::Fails]);
    assert_eq!(bind(&store, "1", &[binding(Now::read_clocks(), 1, 1, 600)]), Outcome::Failed);
    assert!(!store.health().is_well());
    // Nobody wants anything written meanwhile.
    wait_until("it heals", || store.health().is_well());
    assert!(disk.commits() >= 3);
}

/// The disk said that it failed and has written all the same, as one that dies in the middle may: nothing later is mixed up with it.
#[test]
fn a_failure_that_was_none_harms_nobody() {
    let now = Now::read_clocks();
    let disk = Fallible::default();
    let store = over(&disk);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 600)]), Outcome::Committed);
    disk.will([Fate::FailsAndIsWritten]);
    assert_eq!(bind(&store, "1", &[binding(now, 2, 1, 600)]), Outcome::Failed);
    assert_eq!(bound(&store, "1"), [("1".to_owned(), 1)]);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 2, 700)]), Outcome::Committed);
    drop(store);
    assert_eq!(bound(&over(&disk), "1"), [("1".to_owned(), 2)]);
}

#[test]
fn while_the_disk_does_not_answer_what_comes_fails_at_once_and_lookups_go_on() {
    let now = Now::read_clocks();
    let disk = Fallible::default();
    let store = over(&disk);
    assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 600)]), Outcome::Committed);
    disk.shut(true);
    let (tell, hear) = mpsc::channel();
    let change = |name: &'static str, write| {
        let tell = tell.clone();
        store.change(write, move |outcome| tell.send((name, outcome)).unwrap());
    };
    change("written", binding_write(&store, "1", &[binding(now, 1, 2, 600)]));
    disk.wait_for_commits(2);
    let began = Instant::now();
    change("waits", binding_write(&store, "2", &[binding(now, 2, 1, 600)]));
    assert!(store.health().is_well() && hear.try_recv().is_err());
    wait_until("it is slow", || matches!(store.health(), Health::Slow { .. }));
    assert!(began.elapsed() <= SLOW_AFTER + Duration::from_secs(5));
    // What waited fails, and what comes.
    assert_eq!(hear.try_recv(), Ok(("waits", Outcome::Failed)));
    change("comes", binding_write(&store, "3", &[binding(now, 3, 1, 600)]));
    assert_eq!(hear.try_recv(), Ok(("comes", Outcome::Failed)));
    assert_eq!(bound(&store, "1"), [("1".to_owned(), 1)], "nobody sees what may not be there");
    disk.shut(false);
    assert_eq!(hear.recv(), Ok(("written", Outcome::Committed)));
    assert_eq!((store.health(), bound(&store, "1")), (Health::Well, vec![("1".into(), 2)]));
    assert_eq!(bind(&store, "2", &[binding(now, 2, 1, 600)]), Outcome::Committed);
}

/// Nobody asks for the store's health: the changes themselves find out.
#[test]
fn slowness_is_noticed_by_whoever_comes() {
    let now = Now::read_clocks();
    let disk = Fallible::default();
    let store = over(&disk);
    disk.shut(true);
    store.change(binding_write(&store, "1", &[binding(now, 1, 1, 600)]), drop);
    disk.wait_for_commits(1);
    let began = Instant::now();
    let (tell, hear) = mpsc::channel();
    let mut user = 2;
    let first = loop {
        let tell = tell.clone();
        store.change(binding_write(&store, &user.to_string(), &[]), move |outcome| {
            let _ = tell.send(outcome);
        });
        user += 1;
        if let Ok(outcome) = hear.recv_timeout(Duration::from_millis(20)) {
            break outcome;
        }
        assert!(began.elapsed() < Duration::from_secs(30));
    };
    assert_eq!(first, Outcome::Failed);
    assert!(began.elapsed() >= SLOW_AFTER - Duration::from_millis(100));
    disk.shut(false);
}

#[test]
fn so_many_may_wait_and_the_next_fails_at_once() {
    let now = Now::read_clocks();
    let disk = Fallible::default();
    let store = over(&disk);
    disk.shut(true);
    store.change(binding_write(&store, "1", &[binding(now, 1, 1, 600)]), drop);
    disk.wait_for_commits(1);
    let (tell, hear) = mpsc::channel();
    let one = |number: usize| {
        let tell = tell.clone();
        store.change(Write::RemoveAccount("nobody".into()), move |outcome| {
            let _ = tell.send((number, outcome));
        });
    };
    (0..WRITES_PENDING_MAX).for_each(one);
    assert!(hear.try_recv().is_err(), "all of them wait");
    one(WRITES_PENDING_MAX);
    assert_eq!(hear.try_recv(), Ok((WRITES_PENDING_MAX, Outcome::Failed)));
    disk.shut(false);
    assert_eq!(
        hear.iter().take(WRITES_PENDING_MAX).filter(|(_, outcome)| *outcome == Outcome::Stale).count(),
        WRITES_PENDING_MAX
    );
}

#[test]
fn what_waits_when_the_store_is_closed_is_still_written() {
    let now = Now::read_clocks();
    let disk = Fallible::default();
    let store = over(&disk);
    disk.shut(true);
    store.change(binding_write(&store, "1", &[binding(now, 1, 1, 600)]), drop);
    disk.wait_for_commits(1);
    for user in 2..50 {
        store.change(binding_write(&store, &user.to_string(), &[binding(now, user, 1, 600)]), drop);
    }
    disk.shut(false);
    drop(store);
    assert_eq!(over(&disk).bindings().len(), 49);
}

/// Somebody else keeps the file to themselves: that is slowness, and then failure, and it heals.
#[test]
fn a_file_that_somebody_else_holds_is_waited_for() {
    let scratch = Scratch::new("held");
    let folder = DataFolder::create(&scratch.path).unwrap();
    let store = Store::open(&folder, crate::URL, options(), &mut Rng::from_u64(1)).unwrap();
    let now = Now::read_clocks();
    assert_eq!(bind(&store, "1", &[binding(now, 1, 1, 600)]), Outcome::Committed);
    let (tell, hear) = mpsc::channel();
    crate::sqlite::while_held(&scratch.path.join("ringback.db"), || {
        store
            .change(binding_write(&store, "1", &[binding(now, 1, 2, 600)]), move |outcome| tell.send(outcome).unwrap());
        wait_until("it is slow", || matches!(store.health(), Health::Slow { .. }));
        assert_eq!(bound(&store, "1"), [("1".to_owned(), 1)]);
    });
    assert_eq!(hear.recv(), Ok(Outcome::Committed));
    assert_eq!((store.health(), bound(&store, "1")), (Health::Well, vec![("1".into(), 2)]));
}
