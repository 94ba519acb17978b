use crate::backend::{Backend, Group, Loaded, Query, RECORDS_PER_QUERY_MAX, Reader, Row};
use crate::bindings::Admitted;
use crate::{Account, Bindings, StoreError, StoredRoute};
use calls::CallRecord;
use engine::Rng;
use guard::Ban;
use sip_registrar::{AddressOfRecord, Binding, Record};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::SystemTime;

/// A backend on a disk that a test can break. A clone is the same disk: what is committed outlives the store that did it.
#[derive(Clone, Default)]
pub(crate) struct Fallible(Arc<(Mutex<Disk>, Condvar)>);

#[derive(Default)]
struct Disk {
    kept: Kept,
    /// What the next commits come to; `Fate::Written` when it is empty.
    fates: std::collections::VecDeque<Fate>,
    /// While it is shut, no commit returns.
    shut: bool,
    /// Commits that have begun.
    commits: u64,
    /// Writes and bytes of the largest group.
    largest: (usize, usize),
    /// The table of bindings, if it is not one like others.
    bindings: Option<Bindings>,
}

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Written,
    Fails,
    /// It says that it failed, and has written it.
    FailsAndIsWritten,
}

#[derive(Default, Clone)]
struct Kept {
    bindings: BTreeMap<AddressOfRecord, Arc<[Binding]>>,
    accounts: BTreeMap<String, Account>,
    routes: Vec<StoredRoute>,
    records: Vec<CallRecord>,
    bans: Vec<Ban>,
    peopled: bool,
}

impl Fallible {
    /// What the next commits come to.
    pub(crate) fn will(&self, fates: impl IntoIterator<Item = Fate>) {
        self.lock().fates.extend(fates);
    }

    /// Lets no commit return, or lets them.
    pub(crate) fn shut(&self, shut: bool) {
        self.lock().shut = shut;
        self.0.1.notify_all();
    }

    /// Waits until so many commits have begun since it was made.
    pub(crate) fn wait_for_commits(&self, count: u64) {
        let mut disk = self.lock();
        while disk.commits < count {
            disk = self.0.1.wait(disk).unwrap();
        }
    }

    /// With this table of bindings.
    pub(crate) fn over(bindings: Bindings) -> Fallible {
        let disk = Fallible::default();
        disk.lock().bindings = Some(bindings);
        disk
    }

    pub(crate) fn largest_group(&self) -> (usize, usize) {
        self.lock().largest
    }

    pub(crate) fn commits(&self) -> u64 {
        self.lock().commits
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.0.lock().unwrap()
    }
}

impl Backend for Fallible {
    fn load(&mut self, _rng: &mut Rng) -> Result<Loaded, StoreError> {
        let disk = self.lock();
        let bindings = disk.bindings.clone().unwrap_or_else(|| Bindings::new([1; 32]));
        for (aor, standing) in &disk.kept.bindings {
            let record = Record::Whole { aor: aor.clone(), bindings: standing.clone() };
            bindings.restore(crate::bindings::part_of(bindings.hash(aor)), record).unwrap();
        }
        let Kept { accounts, routes, bans, peopled, .. } = disk.kept.clone();
        Ok(Loaded { bindings, accounts: accounts.into_values().collect(), routes, bans, peopled })
    }

    fn commit(&mut self, group: &Group, _standing: &Bindings) -> Result<(), StoreError> {
        let mut disk = self.lock();
        disk.commits += 1;
        let size = (group.changes.len() + group.rows.len(), group.log.len());
        disk.largest = disk.largest.max(size);
        self.0.1.notify_all();
        while disk.shut {
            disk = self.0.1.wait(disk).unwrap();
        }
        let fate = disk.fates.pop_front().unwrap_or(Fate::Written);
        if fate != Fate::Fails {
            disk.kept.write(group);
        }
        if fate == Fate::Written {
            return Ok(());
        }
        let error = io::Error::new(io::ErrorKind::StorageFull, "no space is left");
        Err(StoreError::Io { doing: "writing", path: "a test's disk".into(), error })
    }

    fn forget_records(&mut self, before: SystemTime) -> Result<bool, StoreError> {
        self.lock().kept.records.retain(|record| record.started >= before);
        Ok(false)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

impl Reader for Fallible {
    fn records(&mut self, query: &Query) -> Result<Vec<CallRecord>, StoreError> {
        let disk = self.lock();
        let is = |user: &Option<String>, wanted: &str| {
            user.as_ref().is_some_and(|user| user == wanted || user.starts_with(&format!("{wanted}@")))
        };
        let asked = |record: &&CallRecord| {
            query.since.is_none_or(|since| record.started >= since)
                && query.until.is_none_or(|until| record.started < until)
                && query.user.as_ref().is_none_or(|user| is(&record.caller, user) || is(&record.callee, user))
        };
        let mut records: Vec<CallRecord> = disk.kept.records.iter().rev().filter(asked).cloned().collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.started));
        records.truncate(if query.limit_max == 0 { RECORDS_PER_QUERY_MAX } else { query.limit_max });
        Ok(records)
    }
}

impl Kept {
    fn write(&mut self, group: &Group) {
        for Admitted { change, .. } in &group.changes {
            self.bindings.insert(change.aor.clone(), change.bindings.clone());
        }
        for row in group.rows.iter().cloned() {
            match row {
                Row::Account(account) => {
                    self.peopled = true;
                    self.accounts.insert(account.name.clone(), account);
                }
                Row::NoAccount(name) => drop(self.accounts.remove(&name)),
                Row::Route(route) => match self.routes.iter_mut().find(|other| other.name == route.name) {
                    Some(other) => *other = route,
                    None => self.routes.push(route),
                },
                Row::NoRoute(name) => self.routes.retain(|route| route.name != name),
                Row::Record(record) => self.records.push(record),
                Row::Nothing => {}
                Row::Ban(ban) => {
                    self.bans.retain(|other| other.network != ban.network);
                    self.bans.push(ban);
                }
                Row::NoBan(network) => self.bans.retain(|ban| ban.network != network),
            }
        }
    }
}
