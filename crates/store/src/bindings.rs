use engine::{Now, Rng, TableKey};
use sip_registrar::{AddressOfRecord, Answer, Ask, BINDINGS_MAX, Binding, Change, Location, Snapshot};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parts of the table, each behind its own lock: so many that drivers seldom meet.
const PARTS: usize = 64;

/// The bindings of all addresses-of-record, in memory, for all drivers. A clone is another handle to the same ones.
#[derive(Clone)]
pub struct Bindings(Arc<Parts>);

struct Parts {
    key: TableKey,
    parts: Vec<Mutex<Location>>,
}

impl Bindings {
    /// None yet; room for [`BINDINGS_MAX`], evenly divided.
    pub fn new(rng: &mut Rng) -> Bindings {
        Bindings::with_max(rng, BINDINGS_MAX)
    }

    fn with_max(rng: &mut Rng, bindings_max: usize) -> Bindings {
        let key = TableKey::new(rng);
        let part = |_| Mutex::new(Location::with_max(rng, bindings_max.div_ceil(PARTS)));
        Bindings(Arc::new(Parts { key, parts: (0..PARTS).map(part).collect() }))
    }

    /// What is bound to an address-of-record.
    pub fn fetch(&self, now: Now, aor: &AddressOfRecord) -> Snapshot {
        self.part(aor).fetch(now, aor)
    }

    /// Answers the registrar at once. What it hears to be committed, everybody sees; it is not kept over a restart.
    pub fn answer(&self, now: Now, ask: Ask) -> Answer {
        match ask {
            Ask::Fetch { ticket, aor } => Answer::Fetched { ticket, snapshot: self.fetch(now, &aor) },
            Ask::Commit { ticket, change } => {
                let outcome = self.part(&change.aor).commit(change);
                Answer::Committed { ticket, outcome }
            }
        }
    }

    /// Every binding that has not ended, by address-of-record.
    pub fn all(&self, now: Now) -> Vec<(AddressOfRecord, Binding)> {
        let mut all = Vec::new();
        for part in &self.0.parts {
            let part = lock(part);
            for aor in part.addresses_of_record() {
                all.extend(part.fetch(now, aor).bindings.iter().map(|binding| (aor.clone(), binding.clone())));
            }
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Lets go of what has expired. To be called about once a second; nothing wrong is seen without.
    pub fn sweep(&self, now: Now) {
        for part in &self.0.parts {
            // The lock is let go between the batches.
            while lock(part).sweep(now) {}
        }
    }

    /// Removes the bindings of the address-of-record of this text, or the one with this contact; tells how many there were.
    pub fn remove(&self, now: Now, aor: &str, contact: Option<&str>) -> usize {
        let (user, domain) = aor.rsplit_once('@').unwrap_or(("", aor));
        let Ok(aor) = AddressOfRecord::new(user, domain) else { return 0 };
        let mut part = self.part(&aor);
        let before = part.fetch(now, &aor);
        let stays = |binding: &&Binding| contact.is_some_and(|contact| !binding.is_for(contact));
        let bindings: Arc<[Binding]> = before.bindings.iter().filter(stays).cloned().collect();
        let removed = before.bindings.len() - bindings.len();
        if removed > 0 {
            part.commit(Change { aor, version: before.version, bindings });
        }
        removed
    }

    /// Lets go of everything that is bound to users of these names, in whatever domain.
    pub fn drop_users(&self, names: &[String]) {
        for part in &self.0.parts {
            let mut part = lock(part);
            let theirs = |aor: &&AddressOfRecord| names.iter().any(|name| name == aor.user());
            let dropped: Vec<AddressOfRecord> = part.addresses_of_record().filter(theirs).cloned().collect();
            dropped.iter().for_each(|aor| part.drop_all(aor));
        }
    }

    /// Bindings held, perhaps some that have just expired.
    pub fn len(&self) -> usize {
        self.0.parts.iter().map(|part| lock(part).len()).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn part(&self, aor: &AddressOfRecord) -> MutexGuard<'_, Location> {
        lock(&self.0.parts[self.0.key.hash_one(aor) as usize % PARTS])
    }
}

/// A driver that panicked in here has left a table that is still whole: `Location` changes it last.
fn lock(part: &Mutex<Location>) -> MutexGuard<'_, Location> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Bindings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bindings").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bindings, PARTS};
    use engine::{Now, Rng};
    use sip_message::Transport;
    use sip_registrar::{AddressOfRecord, Answer, Ask, Binding, Change, Outcome, Parts};
    use sip_transaction::Flow;
    use std::time::Duration;

    fn change(now: Now, user: &str, version: u64, expires_s: u64) -> Change {
        let (local, remote) = ("127.0.0.1:5060".parse().unwrap(), "127.0.0.1:5070".parse().unwrap());
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        let parts = Parts {
            contact: "sip:a@127.0.0.1:5070",
            params: "",
            call_id: "a",
            user_agent: "",
            path: "",
            cseq: 1,
            q: 1000,
            expires_at_s: (now.unix_s() + expires_s) as u32,
            flow,
        };
        let aor = AddressOfRecord::new(user, "example.org").unwrap();
        Change { aor, version, bindings: [Binding::new(parts).unwrap()].into() }
    }

    fn commit(bindings: &Bindings, now: Now, change: Change) -> Outcome {
        match bindings.answer(now, Ask::Commit { ticket: 7, change }) {
            Answer::Committed { ticket: 7, outcome } => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_committed_is_seen_by_all_until_it_expires() {
        let now = Now::read_clocks();
        let bindings = Bindings::new(&mut Rng::from_u64(1));
        let other = bindings.clone();
        for user in 0..100 {
            assert_eq!(commit(&bindings, now, change(now, &user.to_string(), 0, 60)), Outcome::Committed);
        }
        assert_eq!(commit(&bindings, now, change(now, "1", 0, 60)), Outcome::Stale);
        let aor = AddressOfRecord::new("1", "example.org").unwrap();
        let Answer::Fetched { ticket: 8, snapshot } = other.answer(now, Ask::Fetch { ticket: 8, aor: aor.clone() })
        else {
            panic!("another answer");
        };
        assert_eq!((snapshot.bindings.len(), other.len()), (1, 100));
        let all: Vec<String> = other.all(now).iter().map(|(aor, _)| aor.as_str().to_owned()).collect();
        assert!(all.is_sorted() && all.len() == 100, "{all:?}");
        let later = now + Duration::from_secs(61);
        assert!(other.fetch(later, &aor).bindings.is_empty());
        bindings.sweep(later);
        assert!(other.is_empty());
    }

    #[test]
    fn what_a_user_has_bound_is_dropped() {
        let now = Now::read_clocks();
        let bindings = Bindings::new(&mut Rng::from_u64(1));
        for user in 0..100 {
            assert_eq!(commit(&bindings, now, change(now, &user.to_string(), 0, 60)), Outcome::Committed);
        }
        bindings.drop_users(&[]);
        bindings.drop_users(&["7".to_owned(), "13".to_owned(), "nobody".to_owned()]);
        let left: Vec<String> = bindings.all(now).iter().map(|(aor, _)| aor.user().to_owned()).collect();
        assert_eq!((left.len(), bindings.len()), (98, 98));
        assert!(!left.contains(&"7".to_owned()) && !left.contains(&"13".to_owned()));
        // Who read the record before may not write it back.
        let stale = change(now, "7", 1, 60);
        assert_eq!(commit(&bindings, now, stale), Outcome::Stale);
        assert_eq!(commit(&bindings, now, change(now, "7", 0, 60)), Outcome::Committed);
    }

    #[test]
    fn one_contact_or_all_of_an_address_are_removed() {
        let now = Now::read_clocks();
        let bindings = Bindings::new(&mut Rng::from_u64(1));
        for user in ["7", "8"] {
            assert_eq!(commit(&bindings, now, change(now, user, 0, 60)), Outcome::Committed);
        }
        assert_eq!(bindings.remove(now, "7@example.org", Some("sip:b@127.0.0.1:5070")), 0);
        assert_eq!((bindings.remove(now, "9@example.org", None), bindings.remove(now, "no@no@no no", None)), (0, 0));
        assert_eq!(bindings.len(), 2);
        assert_eq!(bindings.remove(now, "7@Example.org", Some("sip:a@127.0.0.1:5070")), 1);
        assert_eq!((bindings.remove(now, "8@example.org", None), bindings.len()), (1, 0));
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let now = Now::read_clocks();
        let bindings = Bindings::with_max(&mut Rng::from_u64(1), PARTS);
        let outcomes: Vec<Outcome> =
            (0..1000).map(|user| commit(&bindings, now, change(now, &user.to_string(), 0, 60))).collect();
        assert!(outcomes.contains(&Outcome::Full) && bindings.len() <= PARTS);
    }
}
