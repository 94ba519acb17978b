use super::{Change, Location, Outcome, SWEEP_MAX};
use crate::binding::Parts;
use crate::{AddressOfRecord, Binding};
use engine::{Now, Rng};
use sip_message::Transport;
use sip_transaction::Flow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

fn at(unix_s: u64) -> Now {
    Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s), ..Now::read_clocks() }
}

fn aor(user: &str) -> AddressOfRecord {
    AddressOfRecord::new(user, "pbx.example").unwrap()
}

fn binding(number: usize, expires_at_s: u32) -> Binding {
    let address = "192.0.2.1:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Udp, local: address, remote: address, connection: None };
    let contact = format!("sip:{number}@192.0.2.1");
    let parts = Parts {
        contact: &contact,
        params: "",
        call_id: "a",
        user_agent: "",
        path: "",
        q: 1000,
        cseq: 1,
        expires_at_s,
        flow,
    };
    Binding::new(parts).unwrap()
}

/// A change from what stands there now.
fn set(location: &mut Location, user: &str, ends_s: &[u32]) -> Outcome {
    let version = location.fetch(at(0), &aor(user)).version;
    let bindings: Arc<[Binding]> = ends_s.iter().enumerate().map(|(number, end)| binding(number, *end)).collect();
    location.commit(Change { aor: aor(user), version, bindings })
}

fn ends(location: &Location, now_s: u64, user: &str) -> Vec<u32> {
    location.fetch(at(now_s), &aor(user)).bindings.iter().map(Binding::expires_at_s).collect()
}

#[test]
fn a_change_decided_from_an_old_state_is_not_carried_out() {
    let mut location = Location::new(&mut Rng::from_u64(1));
    let old = location.fetch(at(0), &aor("a"));
    assert_eq!((old.version, old.bindings.len()), (0, 0));
    assert_eq!(set(&mut location, "a", &[100]), Outcome::Committed);
    let change = Change { aor: aor("a"), version: old.version, bindings: old.bindings };
    assert_eq!(location.commit(change.clone()), Outcome::Stale);
    assert_eq!(ends(&location, 0, "a"), [100]);
    let version = location.fetch(at(0), &aor("a")).version;
    assert_eq!(location.commit(Change { version, ..change.clone() }), Outcome::Committed);
    assert_eq!(location.commit(Change { version, ..change }), Outcome::Stale);
    assert_eq!((ends(&location, 0, "a"), location.len(), location.due.len()), (vec![], 0, 0));
}

#[test]
fn what_has_ended_is_not_seen_and_then_dropped() {
    let mut location = Location::new(&mut Rng::from_u64(1));
    set(&mut location, "a", &[100, 200, 150]);
    set(&mut location, "b", &[120]);
    assert_eq!(ends(&location, 99, "a"), [100, 200, 150]);
    assert_eq!(ends(&location, 100, "a"), [200, 150]);
    let version = location.fetch(at(100), &aor("a")).version;
    assert!(!location.sweep(at(99)));
    assert_eq!(location.len(), 4);
    assert!(!location.sweep(at(100)));
    assert_eq!((location.len(), location.fetch(at(100), &aor("a")).version), (3, version));
    location.sweep(at(149));
    assert_eq!((location.len(), ends(&location, 149, "b").len()), (2, 0));
    location.sweep(at(1000));
    assert!(location.is_empty() && location.records.is_empty() && location.due.is_empty());
}

#[test]
fn one_place_in_the_sweep_however_often_a_record_changes() {
    let mut location = Location::new(&mut Rng::from_u64(1));
    for round in 0..100 {
        set(&mut location, "a", &[1000 + round, 5000 - round]);
        assert_eq!(location.due.len(), 1);
        if round % 10 == 0 {
            set(&mut location, "a", &[]);
            assert_eq!(location.due.len(), 0);
        }
    }
    set(&mut location, "a", &[50]);
    location.sweep(at(50));
    assert!(location.is_empty(), "an end that moved earlier is still met");
    set(&mut location, "a", &[60]);
    set(&mut location, "a", &[90]);
    location.sweep(at(60));
    assert_eq!(ends(&location, 60, "a"), [90], "an end that moved later is not");
    location.sweep(at(90));
    assert!(location.is_empty());
}

#[test]
fn a_sweep_is_bounded_and_says_when_there_is_more() {
    let mut location = Location::new(&mut Rng::from_u64(1));
    for user in 0..SWEEP_MAX + 1 {
        set(&mut location, &user.to_string(), &[10]);
    }
    assert!(location.sweep(at(10)));
    assert_eq!(location.len(), 1);
    assert!(!location.sweep(at(10)));
    assert!(location.is_empty());
}

#[test]
fn a_full_location_takes_refreshes_and_removals_only() {
    let mut location = Location::with_max(&mut Rng::from_u64(1), 3);
    assert_eq!(set(&mut location, "a", &[10, 10]), Outcome::Committed);
    assert_eq!(set(&mut location, "b", &[10]), Outcome::Committed);
    assert_eq!(set(&mut location, "c", &[10]), Outcome::Full);
    assert_eq!(set(&mut location, "b", &[10, 20]), Outcome::Full);
    assert_eq!(set(&mut location, "b", &[20]), Outcome::Committed);
    assert_eq!(set(&mut location, "a", &[20]), Outcome::Committed);
    assert_eq!(set(&mut location, "c", &[20]), Outcome::Committed);
    assert_eq!(location.len(), 3);
}
