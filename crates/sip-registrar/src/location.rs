use crate::{AddressOfRecord, Binding, Damaged, Record};
use engine::{Now, Rng, TableKey};
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

/// Bindings that one [`Location`] holds; a change that would add to them is [`Outcome::Full`].
pub const BINDINGS_MAX: usize = 2_000_000;

/// Places of the table that one [`Location::sweep`] looks at.
pub const SWEEP_MAX: usize = 1024;

/// The bindings of all addresses-of-record, in memory (RFC 3261 section 10's location service).
///
/// A plain value: the shell puts locks around several of them, each address-of-record in one. Those share a key, so that an
/// address-of-record is hashed once for finding the one that it is in and its place there ([`Location::with_key`]).
pub struct Location {
    key: TableKey,
    records: HashTable<Standing>,
    bindings: usize,
    bindings_max: usize,
    last_version: u64,
    /// Where the next sweep begins.
    swept: usize,
}

/// What stands at an address-of-record: 40 bytes, and never no binding.
struct Standing {
    aor: AddressOfRecord,
    version: u64,
    bindings: Arc<[Binding]>,
}

/// The bindings of one address-of-record at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which state of the record this is; 0: there is none.
    pub version: u64,
    /// The bindings that have not ended, the oldest first.
    pub bindings: Arc<[Binding]>,
}

/// The bindings that an address-of-record is to have from now on, all of them.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whose.
    pub aor: AddressOfRecord,
    /// What it was decided from: the change holds only while this is the record's version.
    pub version: u64,
    /// What is to stand there.
    pub bindings: Arc<[Binding]>,
}

/// What became of a [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everybody sees it from now on.
    Committed,
    /// The record has changed since it was read: nothing was done.
    Stale,
    /// There is no room: nothing was done.
    Full,
    /// The store could not: nothing was done.
    Failed,
}

impl Location {
    /// An empty one, for at most [`BINDINGS_MAX`].
    pub fn new(rng: &mut Rng) -> Location {
        Location::with_max(rng, BINDINGS_MAX)
    }

    /// An empty one, for at most `bindings_max`.
    pub fn with_max(rng: &mut Rng, bindings_max: usize) -> Location {
        Location::with_key(TableKey::new(rng), bindings_max)
    }

    /// An empty one, for at most `bindings_max`, in which addresses-of-record have the hash that `key` gives them.
    pub fn with_key(key: TableKey, bindings_max: usize) -> Location {
        Location { key, records: HashTable::new(), bindings: 0, bindings_max, last_version: 0, swept: 0 }
    }

    /// The bindings of an address-of-record that have not ended at `now`.
    pub fn fetch(&self, now: Now, aor: &AddressOfRecord) -> Snapshot {
        self.fetch_at(self.key.hash_one(aor), now, aor)
    }

    /// The same, for one with this hash.
    pub fn fetch_at(&self, hash: u64, now: Now, aor: &AddressOfRecord) -> Snapshot {
        match self.find(hash, aor) {
            Some(record) => Snapshot { version: record.version, bindings: living(&record.bindings, now) },
            None => Snapshot { version: 0, bindings: none() },
        }
    }

    /// What stands at an address-of-record with this hash, with that which has ended; 0 and nothing when there is none.
    pub fn standing_at(&self, hash: u64, aor: &AddressOfRecord) -> (u64, &[Binding]) {
        self.find(hash, aor).map_or((0, &[]), |record| (record.version, &record.bindings))
    }

    /// Carries a change out, wholly or not at all. Changes that do not add bindings always find room.
    pub fn commit(&mut self, change: Change) -> Outcome {
        let hash = self.key.hash_one(&change.aor);
        let (version, standing) = self.standing_at(hash, &change.aor);
        if version != change.version {
            return Outcome::Stale;
        }
        if self.bindings - standing.len() + change.bindings.len() > self.bindings_max {
            return Outcome::Full;
        }
        self.apply_at(hash, change.aor, change.bindings);
        Outcome::Committed
    }

    /// Carries out what was decided elsewhere, whatever the version and however full it is.
    pub fn apply_at(&mut self, hash: u64, aor: AddressOfRecord, bindings: Arc<[Binding]>) {
        self.last_version += 1;
        let version = self.last_version;
        match self.records.find_entry(place_of(hash), |record| record.aor == aor) {
            Ok(found) if bindings.is_empty() => {
                let (record, _) = found.remove();
                self.bindings -= record.bindings.len();
            }
            Ok(found) => {
                let record = found.into_mut();
                self.bindings = self.bindings - record.bindings.len() + bindings.len();
                (record.version, record.bindings) = (version, bindings);
            }
            Err(_) if bindings.is_empty() => {}
            Err(_) => {
                self.bindings += bindings.len();
                let key = self.key;
                let rehash = |record: &Standing| place_of(key.hash_one(&record.aor));
                self.records.insert_unique(place_of(hash), Standing { aor, version, bindings }, rehash);
            }
        }
    }

    /// The same for what [`Record::encode_change`] has found to be a mere refresh. What stands is changed in its place when nobody looks at
    /// it, so that a million of them move nothing in memory.
    pub fn refresh_at(&mut self, hash: u64, aor: AddressOfRecord, bindings: Arc<[Binding]>) {
        let found = self.records.find_mut(place_of(hash), |record| record.aor == aor);
        if let Some(record) = found
            && let (Some([old]), [new]) = (Arc::get_mut(&mut record.bindings), &*bindings)
        {
            old.refresh(new);
            self.last_version += 1;
            record.version = self.last_version;
        } else {
            self.apply_at(hash, aor, bindings);
        }
    }

    /// Carries out what was written down once. Records come in the order in which they were written.
    pub fn restore(&mut self, record: Record) -> Result<(), Damaged> {
        let hash = self.key.hash_one(record.aor());
        match record {
            Record::Whole { aor, bindings } => self.apply_at(hash, aor, bindings),
            Record::Refresh { aor, ended_s, expires_at_s, cseq } => {
                let standing = self.standing_at(hash, &aor).1;
                let old = standing.iter().find(|binding| binding.expires_at_s() == ended_s);
                let old = old.ok_or(Damaged("a refresh of a binding that is not there"))?;
                let bindings = Arc::from([old.refreshed(expires_at_s, cseq)]);
                self.apply_at(hash, aor, bindings);
            }
        }
        Ok(())
    }

    /// Drops bindings that have ended, in at most [`SWEEP_MAX`] places of the table; `true` until the end of it is reached, from where it
    /// begins anew. Nothing wrong is seen without; it is for the memory.
    pub fn sweep(&mut self, now: Now) -> bool {
        let end = self.records.num_buckets().min(self.swept + SWEEP_MAX);
        for at in self.swept..end {
            let Ok(mut found) = self.records.get_bucket_entry(at) else { continue };
            let record = found.get_mut();
            if record.bindings.iter().all(|binding| binding.expires_in_s(now) > 0) {
                continue;
            }
            let alive = living(&record.bindings, now);
            self.bindings -= record.bindings.len() - alive.len();
            if alive.is_empty() {
                found.remove();
            } else {
                // The version stays: nobody could see what is dropped here.
                record.bindings = alive;
            }
        }
        let more = end < self.records.num_buckets();
        self.swept = if more { end } else { 0 };
        more
    }

    /// All that stands, in no order, with that which has ended.
    pub fn records(&self) -> impl Iterator<Item = (&AddressOfRecord, &[Binding])> {
        self.records.iter().map(|record| (&record.aor, &*record.bindings))
    }

    /// Addresses-of-record with bindings.
    pub fn records_len(&self) -> usize {
        self.records.len()
    }

    /// Makes room for so many addresses-of-record more.
    pub fn reserve(&mut self, records: usize) {
        let key = self.key;
        self.records.reserve(records, |record| place_of(key.hash_one(&record.aor)));
    }

    /// Bindings held, those included that have ended and were not swept yet.
    pub fn len(&self) -> usize {
        self.bindings
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.bindings == 0
    }

    fn find(&self, hash: u64, aor: &AddressOfRecord) -> Option<&Standing> {
        self.records.find(place_of(hash), |record| record.aor == *aor)
    }
}

/// The hash within the table: those who divide addresses-of-record among several look at the low bits.
fn place_of(hash: u64) -> u64 {
    hash.rotate_right(16)
}

/// No bindings, without a new allocation each time.
fn none() -> Arc<[Binding]> {
    static NONE: LazyLock<Arc<[Binding]>> = LazyLock::new(|| Arc::from([]));
    NONE.clone()
}

/// The same bindings when all are alive, else a list of those that are.
fn living(bindings: &Arc<[Binding]>, now: Now) -> Arc<[Binding]> {
    let alive = |binding: &Binding| binding.expires_in_s(now) > 0;
    if bindings.iter().all(alive) { bindings.clone() } else { bindings.iter().filter(|b| alive(b)).cloned().collect() }
}

#[cfg(test)]
mod tests;
