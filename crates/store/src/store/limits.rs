use crate::testing::fallible::Fallible;
use crate::testing::{Scratch, account, bind, binding, binding_write, options, record};
use crate::{
    ACCOUNTS_MAX, BANS_MAX, Bindings, DataFolder, GROUP_BYTES_MAX, Outcome, Query, RECORD_TEXT_BYTES_MAX,
    ROUTE_BYTES_MAX, ROUTES_MAX, Store, StoredRoute, WRITES_PER_GROUP_MAX, Write,
};
use calls::CallRecord;
use engine::{Network, Now, Rng};
use guard::Ban;
use std::sync::mpsc;
use std::time::SystemTime;

fn volatile() -> Store {
    Store::volatile(options(), &mut Rng::from_u64(1))
}

/// Has all of these written, and tells how many of each outcome there were: committed, full.
fn write_all(store: &Store, writes: impl Iterator<Item = Write>) -> [u64; 2] {
    let (tell, hear) = mpsc::channel();
    for write in writes {
        let tell = tell.clone();
        store.change(write, move |outcome| tell.send(outcome).unwrap());
    }
    drop(tell);
    let mut counts = [0; 2];
    for outcome in hear {
        let at = [Outcome::Committed, Outcome::Full].iter().position(|known| *known == outcome);
        counts[at.expect("nothing else")] += 1;
    }
    counts
}

#[test]
fn there_is_room_for_so_many_routes_and_each_has_its_limit() {
    let store = volatile();
    let route = |number: usize, bytes| {
        Write::PutRoute(Box::new(StoredRoute { name: number.to_string(), toml: "x".repeat(bytes) }))
    };
    assert_eq!(write_all(&store, (0..ROUTES_MAX + 2).map(|number| route(number, 1))), [ROUTES_MAX as u64, 2]);
    assert_eq!(store.change_and_wait(route(1, ROUTE_BYTES_MAX)), Outcome::Committed);
    assert_eq!(store.change_and_wait(route(1, ROUTE_BYTES_MAX + 1)), Outcome::Full);
}

#[test]
fn there_is_room_for_so_many_accounts() {
    let store = volatile();
    let secrets = account("100", "x").secrets;
    let add = |number: usize| {
        Write::AddAccount(Box::new(crate::Account::new(&number.to_string(), "ringback", secrets.clone())))
    };
    let mut written = 0;
    while written < ACCOUNTS_MAX {
        let until = (written + 50_000).min(ACCOUNTS_MAX);
        assert_eq!(write_all(&store, (written..until).map(add)), [(until - written) as u64, 0]);
        written = until;
    }
    assert_eq!(write_all(&store, (written..written + 3).map(add)), [0, 3]);
    assert_eq!(store.change_and_wait(Write::RemoveAccount("1".into())), Outcome::Committed);
    assert_eq!(store.change_and_wait(add(written)), Outcome::Committed);
}

#[test]
fn there_is_room_for_so_many_bans() {
    let store = volatile();
    let ban = |number: usize| {
        let network = Network::of(std::net::Ipv4Addr::from(number as u32).into(), 32);
        Write::Ban(Box::new(Ban { network, until: SystemTime::UNIX_EPOCH, why: String::new(), times: 1 }))
    };
    assert_eq!(write_all(&store, (0..BANS_MAX / 2).map(ban)), [BANS_MAX as u64 / 2, 0]);
    assert_eq!(write_all(&store, (BANS_MAX / 2..BANS_MAX + 2).map(ban)), [BANS_MAX as u64 / 2, 2]);
    assert_eq!((store.change_and_wait(ban(1)), store.bans().len()), (Outcome::Committed, BANS_MAX));
}

#[test]
fn there_is_room_for_so_many_bindings() {
    let now = Now::read_clocks();
    let bindings = Bindings::with_max([1; 32], 3);
    let store = Store::over(Box::new(Fallible::over(bindings)), options(), &mut Rng::from_u64(1)).unwrap();
    let phones = |count: u32| (0..count).map(|phone| binding(now, phone, 1, 600)).collect::<Vec<_>>();
    assert_eq!(bind(&store, "a", &phones(2)), Outcome::Committed);
    // Two that come in one group find room for one.
    let mut outcomes = write_all(
        &store,
        ["b", "c"].into_iter().map(|user| binding_write(&store, user, &phones(1))).collect::<Vec<_>>().into_iter(),
    );
    outcomes.sort_unstable();
    assert_eq!(outcomes, [1, 1]);
    assert_eq!(bind(&store, "a", &phones(3)), Outcome::Full);
    assert_eq!(bind(&store, "a", &phones(1)), Outcome::Committed);
    assert_eq!((bind(&store, "d", &phones(1)), store.bindings().len()), (Outcome::Committed, 3));
}

#[test]
fn a_group_has_its_limits() {
    let now = Now::read_clocks();
    let disk = Fallible::default();
    let store = Store::over(Box::new(disk.clone()), options(), &mut Rng::from_u64(1)).unwrap();
    disk.shut(true);
    store.change(Write::AddAccount(Box::new(account("100", "x"))), drop);
    disk.wait_for_commits(1);
    for user in 0..WRITES_PER_GROUP_MAX as u32 + 1 {
        store.change(binding_write(&store, &user.to_string(), &[binding(now, user, 1, 600)]), drop);
    }
    disk.shut(false);
    drop(store);
    assert_eq!((disk.largest_group().0, disk.commits()), (WRITES_PER_GROUP_MAX, 3));
    // By bytes: ten bindings of a kilobyte each.
    let disk = Fallible::default();
    let store = Store::over(Box::new(disk.clone()), options(), &mut Rng::from_u64(1)).unwrap();
    disk.shut(true);
    store.change(Write::AddAccount(Box::new(account("100", "x"))), drop);
    disk.wait_for_commits(1);
    let fat: Vec<_> = (0..10).map(|phone| crate::testing::fat_binding(now, phone)).collect();
    for user in 0..1000 {
        store.change(binding_write(&store, &user.to_string(), &fat), drop);
    }
    disk.shut(false);
    drop(store);
    let (writes, bytes) = disk.largest_group();
    assert!(writes < 1000 && (GROUP_BYTES_MAX..GROUP_BYTES_MAX + 20_000).contains(&bytes), "{writes} of {bytes} bytes");
}

#[test]
fn long_texts_of_a_call_are_cut() {
    let scratch = Scratch::new("long-texts");
    let folder = DataFolder::create(&scratch.path).unwrap();
    let store = Store::open(&folder, crate::URL, options(), &mut Rng::from_u64(1)).unwrap();
    let long = || "é".repeat(RECORD_TEXT_BYTES_MAX);
    let fat = CallRecord {
        call_id: long(),
        from: long(),
        to: long(),
        caller: Some(long()),
        callee: Some(long()),
        how: long(),
        ..record(1)
    };
    assert_eq!(store.change_and_wait(Write::Record(Box::new(fat))), Outcome::Committed);
    let [read] = &store.records(&Query::default()).unwrap()[..] else { panic!("one record") };
    let texts =
        [&read.call_id, &read.from, &read.to, &read.how, read.caller.as_ref().unwrap(), read.callee.as_ref().unwrap()];
    assert_eq!(texts.map(|text| text.len()), [RECORD_TEXT_BYTES_MAX; 6]);
}
