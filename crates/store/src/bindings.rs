use engine::{Now, Rng, TableKey};
use sip_registrar::{AddressOfRecord, BINDINGS_MAX, Binding, Change, Damaged, Location, Outcome, Record, Snapshot};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Parts of the table, each behind its own lock and written down by itself: so many that drivers seldom meet, and that writing one down
/// (a thousandth of everything) delays nobody. With a million bindings, their tables are well filled.
pub(crate) const PARTS: usize = 1280;

/// Parts that one [`Bindings::sweep`] looks at.
const SWEPT_AT_ONCE: usize = PARTS / 40;

/// Seconds within which a group is written down, however busy the file is.
const SWEPT_NO_SOONER_S: u64 = 60;

/// The bindings of all addresses-of-record, in memory, for all drivers. A clone is another handle to the same ones.
///
/// Everybody reads; only the keeper changes them, after the change is on the disk.
#[derive(Clone)]
pub struct Bindings(Arc<Table>);

struct Table {
    key: TableKey,
    parts: Vec<RwLock<Location>>,
    len: AtomicUsize,
    max: usize,
    /// Where the next sweep begins.
    swept: AtomicUsize,
}

impl Bindings {
    /// None yet; room for [`BINDINGS_MAX`]. The same `seed` divides addresses-of-record into the same parts.
    pub(crate) fn new(seed: [u8; 32]) -> Bindings {
        Bindings::with_max(seed, BINDINGS_MAX)
    }

    pub(crate) fn with_max(seed: [u8; 32], max: usize) -> Bindings {
        let mut rng = Rng::from_seed(seed);
        let key = TableKey::new(&mut rng);
        let parts = (0..PARTS).map(|_| RwLock::new(Location::with_key(key, usize::MAX))).collect();
        Bindings(Arc::new(Table { key, parts, len: AtomicUsize::new(0), max, swept: AtomicUsize::new(0) }))
    }

    /// What is bound to an address-of-record.
    pub fn fetch(&self, now: Now, aor: &AddressOfRecord) -> Snapshot {
        let hash = self.hash(aor);
        self.read(part_of(hash)).fetch_at(hash, now, aor)
    }

    /// Every binding that has not ended, by address-of-record.
    pub fn all(&self, now: Now) -> Vec<(AddressOfRecord, Binding)> {
        let mut all = Vec::new();
        for part in 0..PARTS {
            for (aor, bindings) in self.read(part).records() {
                let alive = bindings.iter().filter(|binding| binding.expires_in_s(now) > 0);
                all.extend(alive.map(|binding| (aor.clone(), binding.clone())));
            }
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Shows every binding, perhaps some that have just ended, in no order.
    pub fn for_each(&self, mut each: impl FnMut(&AddressOfRecord, &Binding)) {
        for part in 0..PARTS {
            for (aor, bindings) in self.read(part).records() {
                bindings.iter().for_each(|binding| each(aor, binding));
            }
        }
    }

    /// Lets go of what has expired, in a fortieth of the table. To be called about once a second; nothing wrong is seen without.
    pub fn sweep(&self, now: Now) {
        let first = self.0.swept.fetch_add(SWEPT_AT_ONCE, Ordering::Relaxed);
        (first..first + SWEPT_AT_ONCE).for_each(|part| self.sweep_part(part % PARTS, now));
    }

    /// Lets go of everything that has expired.
    pub(crate) fn sweep_all(&self, now: Now) {
        (0..PARTS).for_each(|part| self.sweep_part(part, now));
    }

    fn sweep_part(&self, part: usize, now: Now) {
        // The lock is let go between the batches.
        while self.changing(part, |part| part.sweep(now)) {}
    }

    /// Bindings held, perhaps some that have just expired.
    pub fn len(&self) -> usize {
        self.0.len.load(Ordering::Relaxed)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A keyed hash, which says which part it is in.
    pub(crate) fn hash(&self, aor: &AddressOfRecord) -> u64 {
        self.0.key.hash_one(aor)
    }

    /// Whether this change may be made now, beside others that are about to add `added`. If so, its record is appended; `true`: it is a mere
    /// refresh.
    pub(crate) fn admit(
        &self,
        hash: u64,
        change: &Change,
        added: &mut isize,
        log: &mut Vec<u8>,
    ) -> Result<bool, Outcome> {
        let part = self.read(part_of(hash));
        let (version, standing) = part.standing_at(hash, &change.aor);
        if version != change.version {
            return Err(Outcome::Stale);
        }
        let more = change.bindings.len() as isize - standing.len() as isize;
        if more > 0 && self.len() as isize + *added + more > self.0.max as isize {
            return Err(Outcome::Full);
        }
        *added += more;
        // A mere refresh leans on what stands: that must not be swept away before the refresh is written down and made.
        let lasts_s = Now::read_clocks().unix_s() + SWEPT_NO_SOONER_S;
        if standing.iter().all(|binding| u64::from(binding.expires_at_s()) > lasts_s) {
            return Ok(Record::encode_change(&change.aor, standing, &change.bindings, log));
        }
        Record::encode(&change.aor, &change.bindings, log);
        Ok(false)
    }

    /// Makes a change that is on the disk.
    pub(crate) fn apply(&self, admitted: Admitted) {
        let Admitted { hash, change, refresh } = admitted;
        let mut part = self.write(part_of(hash));
        if refresh {
            part.refresh_at(hash, change.aor, change.bindings);
        } else {
            let before = part.len();
            part.apply_at(hash, change.aor, change.bindings);
            self.count(before, part.len());
        }
    }

    /// Makes a change that was found on the disk.
    pub(crate) fn restore(&self, part: usize, record: Record) -> Result<(), Damaged> {
        self.changing(part, |part| part.restore(record))
    }

    /// The addresses-of-record of users of these names that have bindings, in whatever domain.
    pub(crate) fn of_users(&self, names: &[String]) -> Vec<AddressOfRecord> {
        let mut theirs = Vec::new();
        for part in 0..PARTS {
            let part = self.read(part);
            let of_them = part.records().filter(|(aor, _)| names.iter().any(|name| name == aor.user()));
            theirs.extend(of_them.map(|(aor, _)| aor.clone()));
        }
        theirs
    }

    fn changing<T>(&self, part: usize, change: impl FnOnce(&mut Location) -> T) -> T {
        let mut part = self.write(part);
        let before = part.len();
        let result = change(&mut part);
        self.count(before, part.len());
        result
    }

    fn count(&self, before: usize, after: usize) {
        // Wraps when there are fewer.
        self.0.len.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    /// A reader who panicked has changed nothing; `Location` changes its table last.
    pub(crate) fn read(&self, part: usize) -> RwLockReadGuard<'_, Location> {
        self.0.parts[part].read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, part: usize) -> RwLockWriteGuard<'_, Location> {
        self.0.parts[part].write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change that will be made when it is on the disk.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Of its address-of-record.
    pub(crate) hash: u64,
    pub(crate) change: Change,
    /// Nothing but expiry and CSeq is new.
    pub(crate) refresh: bool,
}

/// The part that an address-of-record with this hash is in.
pub(crate) fn part_of(hash: u64) -> usize {
    hash as usize % PARTS
}

impl std::fmt::Debug for Bindings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bindings").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests;
