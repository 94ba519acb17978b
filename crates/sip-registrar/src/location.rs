use crate::{AddressOfRecord, Binding, Damaged, Record};
use engine::{Now, Rng, Table, TableKey};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bindings that one [`Location`] holds; a change that would add to them is [`Outcome::Full`].
pub const BINDINGS_MAX: usize = 2_000_000;

/// Addresses-of-record that one [`Location::sweep`] looks at.
pub const SWEEP_MAX: usize = 1000;

/// The bindings of all addresses-of-record, in memory (RFC 3261 section 10's location service).
///
/// A plain value: the shell puts locks around several of them, each address-of-record in one.
pub struct Location {
    records: Table<AddressOfRecord, Standing>,
    /// When which record must be swept next: each record is in here once, no later than its first binding ends.
    due: BTreeSet<(u32, AddressOfRecord)>,
    bindings: usize,
    bindings_max: usize,
    last_version: u64,
    none: Arc<[Binding]>,
}

struct Standing {
    version: u64,
    bindings: Arc<[Binding]>,
    due_s: u32,
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
        Location {
            records: Table::with_hasher(TableKey::new(rng)),
            due: BTreeSet::new(),
            bindings: 0,
            bindings_max,
            last_version: 0,
            none: Arc::from([]),
        }
    }

    /// The bindings of an address-of-record that have not ended at `now`.
    pub fn fetch(&self, now: Now, aor: &AddressOfRecord) -> Snapshot {
        match self.records.get(aor) {
            Some(record) => Snapshot { version: record.version, bindings: living(&record.bindings, now) },
            None => Snapshot { version: 0, bindings: self.none.clone() },
        }
    }

    /// Carries a change out, wholly or not at all. Changes that do not add bindings always find room.
    pub fn commit(&mut self, change: Change) -> Outcome {
        let record = self.records.get(&change.aor);
        if record.map_or(0, |record| record.version) != change.version {
            return Outcome::Stale;
        }
        let (before, after) = (record.map_or(0, |record| record.bindings.len()), change.bindings.len());
        if self.bindings - before + after > self.bindings_max {
            return Outcome::Full;
        }
        self.put(change.aor, change.bindings);
        Outcome::Committed
    }

    /// What stands at an address-of-record, with that which has ended; 0 and nothing when there is none.
    pub fn standing(&self, aor: &AddressOfRecord) -> (u64, &[Binding]) {
        self.records.get(aor).map_or((0, &[]), |record| (record.version, &record.bindings))
    }

    /// Carries out what was decided elsewhere, whatever the version and however full it is.
    pub fn apply(&mut self, aor: AddressOfRecord, bindings: Arc<[Binding]>) {
        self.put(aor, bindings);
    }

    /// Carries out what was written down once. Records come in the order in which they were written.
    pub fn restore(&mut self, record: Record) -> Result<(), Damaged> {
        match record {
            Record::Whole { aor, bindings } => self.put(aor, bindings),
            Record::Refresh { aor, ended_s, expires_at_s, cseq } => {
                let old = self.standing(&aor).1.iter().find(|binding| binding.expires_at_s() == ended_s);
                let old = old.ok_or(Damaged("a refresh of a binding that is not there"))?;
                let bindings = Arc::from([old.refreshed(expires_at_s, cseq)]);
                self.put(aor, bindings);
            }
        }
        Ok(())
    }

    /// All that stands, in no order.
    pub fn records(&self) -> impl Iterator<Item = (&AddressOfRecord, &[Binding])> {
        self.records.iter().map(|(aor, record)| (aor, &*record.bindings))
    }

    /// Addresses-of-record with bindings.
    pub fn records_len(&self) -> usize {
        self.records.len()
    }

    /// Makes room for so many addresses-of-record more.
    pub fn reserve(&mut self, records: usize) {
        self.records.reserve(records);
    }

    /// Drops all bindings of an address-of-record, whoever is about to change them.
    pub fn drop_all(&mut self, aor: &AddressOfRecord) {
        self.put(aor.clone(), self.none.clone());
    }

    /// Drops bindings that have ended, of at most [`SWEEP_MAX`] addresses-of-record; `true` when there is more to do at once.
    /// To be called about once a second. Nothing wrong is seen without; it is for the memory.
    pub fn sweep(&mut self, now: Now) -> bool {
        let is_due = |(due_s, _): &&(u32, AddressOfRecord)| u64::from(*due_s) <= now.unix_s();
        for _ in 0..SWEEP_MAX {
            if self.due.first().filter(is_due).is_none() {
                return false;
            }
            let Some((_, aor)) = self.due.pop_first() else { return false };
            let Some(record) = self.records.get_mut(&aor) else { continue };
            let bindings = living(&record.bindings, now);
            self.bindings -= record.bindings.len() - bindings.len();
            match first_end_s(&bindings) {
                Some(ends_s) => {
                    // The version stays: nobody could see what is dropped here.
                    record.bindings = bindings;
                    record.due_s = ends_s;
                    self.due.insert((ends_s, aor));
                }
                None => drop(self.records.remove(&aor)),
            }
        }
        self.due.first().filter(is_due).is_some()
    }

    /// Every address-of-record that has bindings, or had some until a moment ago; those first whose bindings end first.
    pub fn addresses_of_record(&self) -> impl Iterator<Item = &AddressOfRecord> {
        self.due.iter().map(|(_, aor)| aor)
    }

    /// Bindings held, those included that have ended and were not swept yet.
    pub fn len(&self) -> usize {
        self.bindings
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.bindings == 0
    }

    fn put(&mut self, aor: AddressOfRecord, bindings: Arc<[Binding]>) {
        let Some(ends_s) = first_end_s(&bindings) else {
            if let Some((aor, record)) = self.records.remove_entry(&aor) {
                self.bindings -= record.bindings.len();
                self.due.remove(&(record.due_s, aor));
            }
            return;
        };
        self.last_version += 1;
        let version = self.last_version;
        self.bindings += bindings.len();
        match self.records.get_mut(&aor) {
            Some(record) => {
                self.bindings -= record.bindings.len();
                record.version = version;
                record.bindings = bindings;
                // Most refreshes move the end later. That is left to the sweep: once per expiry, not once per refresh.
                if ends_s < record.due_s {
                    self.due.remove(&(record.due_s, aor.clone()));
                    record.due_s = ends_s;
                    self.due.insert((ends_s, aor));
                }
            }
            None => {
                self.due.insert((ends_s, aor.clone()));
                self.records.insert(aor, Standing { version, bindings, due_s: ends_s });
            }
        }
    }
}

fn first_end_s(bindings: &[Binding]) -> Option<u32> {
    bindings.iter().map(Binding::expires_at_s).min()
}

/// The same bindings when all are alive, else a list of those that are.
fn living(bindings: &Arc<[Binding]>, now: Now) -> Arc<[Binding]> {
    let alive = |binding: &Binding| binding.expires_in_s(now) > 0;
    if bindings.iter().all(alive) { bindings.clone() } else { bindings.iter().filter(|b| alive(b)).cloned().collect() }
}

#[cfg(test)]
mod tests;
