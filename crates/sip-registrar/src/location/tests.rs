use super::{Change, Location, Outcome, SWEEP_MAX};
use crate::binding::Parts;
use crate::{AddressOfRecord, Binding};
use engine::{Now, Rng};
use sip_message::Transport;
use sip_transaction::Flow;
use std::hash::BuildHasher;
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
    assert_eq!((ends(&location, 0, "a"), location.len()), (vec![], 0));
}

#[test]
fn what_has_ended_is_not_seen_and_then_dropped() {
    let mut location = Location::new(&mut Rng::from_u64(1));
    set(&mut location, "a", &[100, 200, 150]);
    set(&mut location, "b", &[120]);
    assert_eq!(ends(&location, 99, "a"), [100, 200, 150]);
    assert_eq!(ends(&location, 100, "a"), [200, 150]);
    let version = location.fetch(at(100), &aor("a")).version;
    location.sweep(at(99));
    assert_eq!(location.len(), 4);
    location.sweep(at(100));
    assert_eq!((location.len(), location.fetch(at(100), &aor("a")).version), (3, version));
    location.sweep(at(149));
    assert_eq!((location.len(), ends(&location, 149, "b").len()), (2, 0));
    location.sweep(at(1000));
    assert!(location.is_empty() && location.records.is_empty());
}

#[test]
fn a_sweep_is_bounded_and_says_when_there_is_more() {
    let mut location = Location::new(&mut Rng::from_u64(1));
    for user in 0..2 * SWEEP_MAX {
        set(&mut location, &user.to_string(), &[10 + user as u32 % 2]);
    }
    let mut before = location.len();
    while location.sweep(at(10)) {
        assert!(before - location.len() <= SWEEP_MAX);
        before = location.len();
    }
    assert_eq!(location.len(), SWEEP_MAX, "those that have not ended");
    while location.sweep(at(11)) {}
    assert!(location.is_empty());
}

/// A mere refresh changes what stands in its place, unless somebody looks at it: they go on seeing what they saw.
#[test]
fn a_refresh_moves_nothing_and_changes_no_snapshot() {
    let mut location = Location::new(&mut Rng::from_u64(1));
    let (name, hash) = (aor("a"), location.key.hash_one(aor("a")));
    location.apply_at(hash, name.clone(), [binding(1, 100)].into());
    let place = location.at(&name).1.as_ptr();
    location.refresh_at(hash, name.clone(), [binding(1, 200)].into());
    assert_eq!((location.at(&name).1.as_ptr(), ends(&location, 0, "a")), (place, vec![200]));
    let seen = location.fetch(at(0), &name);
    location.refresh_at(hash, name.clone(), [binding(1, 300)].into());
    assert_eq!((seen.bindings[0].expires_at_s(), ends(&location, 0, "a")), (200, vec![300]));
    assert_ne!(location.fetch(at(0), &name).version, seen.version);
    location.sweep(at(300));
    location.refresh_at(hash, name, [binding(1, 400)].into());
    assert_eq!((ends(&location, 0, "a"), location.len()), (vec![400], 1), "it was swept meanwhile");
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

impl Location {
    /// Puts bindings there whatever there is.
    pub(crate) fn put(&mut self, aor: &AddressOfRecord, bindings: Arc<[Binding]>) {
        self.apply_at(self.key.hash_one(aor), aor.clone(), bindings);
    }

    /// What stands there.
    pub(crate) fn at(&self, aor: &AddressOfRecord) -> (u64, &[Binding]) {
        self.standing_at(self.key.hash_one(aor), aor)
    }
}
