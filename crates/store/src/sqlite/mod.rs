//! The one place where SQL is: a file in the data folder, with its log beside it (WAL).
//!
//! Synchronous is FULL: when a transaction is committed, `fdatasync` has returned. Whoever wants to look or to make a copy may do so with
//! `sqlite3` while the exchange runs.

mod binding_log;
mod file;
mod mark;
mod records;
mod rows;
mod schema;

use crate::backend::{Backend, Group, Loaded, Reader};
use crate::bindings::PARTS;
use crate::{Bindings, StoreError};
use binding_log::BindingLog;
use engine::Rng;
use mark::Mark;
use rusqlite::{Connection, OptionalExtension};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

/// Call records that are forgotten at one time at most.
const FORGOTTEN_AT_ONCE_MAX: usize = 2_000;

pub(crate) struct Sqlite {
    path: PathBuf,
    connection: Connection,
    log: BindingLog,
    mark: Mark,
    /// Whether it was understood: what was not is left as it is.
    loaded: bool,
    /// Whether it is written down that there was ever an account.
    peopled: bool,
}

impl Sqlite {
    /// Opens the file at `path`, makes it when there is none, and brings it to this version's form.
    pub(crate) fn open(path: &Path) -> Result<Sqlite, StoreError> {
        Sqlite::open_with(path, binding_log::LOG_BYTES_MIN)
    }

    fn open_with(path: &Path, log_bytes_min: u64) -> Result<Sqlite, StoreError> {
        let mark = Mark::find(path)?;
        let mut connection = file::open(path)?;
        file::keep_log_on_close(&connection, path, true)?;
        schema::migrate(&mut connection, path)?;
        Ok(Sqlite {
            path: path.to_owned(),
            connection,
            log: BindingLog::new(log_bytes_min),
            mark,
            loaded: false,
            peopled: false,
        })
    }

    fn meta(&self, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        self.connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
    }

    fn set_meta(&self, key: &str, value: &[u8]) -> rusqlite::Result<()> {
        let mut put = self.connection.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?;
        put.execute((key, value)).map(drop)
    }

    /// What divides addresses-of-record into parts, drawn when it is first asked for.
    fn seed(&self, rng: &mut Rng) -> Result<[u8; 32], StoreError> {
        let failed = |error| file::explain("reading", &self.path, error);
        match self.meta("seed").map_err(failed)? {
            Some(bytes) => bytes.try_into().map_err(|_| self.damaged("its seed is none".to_owned())),
            None => {
                let mut seed = [0; 32];
                rng.fill(&mut seed);
                self.set_meta("seed", &seed).map_err(|error| file::explain("writing", &self.path, error))?;
                Ok(seed)
            }
        }
    }

    /// How many parts there are is a part of the file's form.
    fn check_parts(&self) -> Result<(), StoreError> {
        let parts = (PARTS as u64).to_le_bytes();
        match self.meta("parts").map_err(|error| file::explain("reading", &self.path, error))? {
            Some(written) if written == parts => Ok(()),
            Some(_) => Err(StoreError::TooNew { path: self.path.clone() }),
            None => self.set_meta("parts", &parts).map_err(|error| file::explain("writing", &self.path, error)),
        }
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what }
    }

    fn write(&mut self, group: &Group, standing: &Bindings) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        // What writes nothing says nothing about whether anything can be written.
        if group.changes.is_empty() && group.rows.iter().all(|row| matches!(row, crate::backend::Row::Nothing)) {
            let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
            self.set_meta("tried", &second.to_le_bytes())?;
        }
        if !group.changes.is_empty() {
            self.log.write(&self.connection, &group.log, standing)?;
        }
        for row in &group.rows {
            rows::write(&self.connection, row)?;
        }
        let peoples = !self.peopled && group.rows.iter().any(|row| matches!(row, crate::backend::Row::Account(_)));
        if peoples {
            self.set_meta("peopled", b"1")?;
        }
        transaction.commit()?;
        self.log.written();
        // On a full disk it is tried again with the next group.
        let _ = self.mark.make();
        self.peopled |= peoples;
        Ok(())
    }
}

/// Does something while nobody else can write to the file at `path`.
#[cfg(test)]
pub(crate) fn while_held(path: &Path, action: impl FnOnce()) {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    action();
    other.execute_batch("ROLLBACK").unwrap();
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        if !self.loaded {
            return;
        }
        // Passive: it waits for nobody. What it says is whether somebody was in the way, and how much there was of how much is done.
        let taken_over = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            let [busy, pages, done]: [i64; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            Ok(busy == 0 && pages == done)
        });
        if taken_over.unwrap_or(false) {
            self.mark.remove();
        }
    }
}

impl Backend for Sqlite {
    fn load(&mut self, rng: &mut Rng) -> Result<Loaded, StoreError> {
        self.check_parts()?;
        let failed = |error| file::explain("reading", &self.path, error);
        let bindings = Bindings::new(self.seed(rng)?);
        // Each reads all of the file.
        let path = self.path.clone();
        let check = thread::Builder::new().spawn(move || file::check(&path)).map_err(StoreError::NoThread)?;
        let loaded = self.log.load(&self.connection, &bindings);
        check.join().map_err(|_| self.damaged("looking through it failed".to_owned()))??;
        match loaded {
            Ok(()) => {}
            Err(binding_log::Failure::Sql(error)) => return Err(failed(error)),
            Err(binding_log::Failure::Damaged(what)) => return Err(self.damaged(what)),
        }
        self.peopled = self.meta("peopled").map_err(failed)?.is_some();
        let rows = rows::load(&self.connection).map_err(failed)?;
        let (accounts, routes, bans) = rows.map_err(|what| self.damaged(what))?;
        file::keep_log_on_close(&self.connection, &self.path, false)?;
        self.loaded = true;
        Ok(Loaded { bindings, accounts, routes, bans, peopled: self.peopled })
    }

    fn commit(&mut self, group: &Group, standing: &Bindings) -> Result<(), StoreError> {
        self.write(group, standing).map_err(|error| file::explain("writing", &self.path, error))
    }

    fn forget_records(&mut self, before: SystemTime) -> Result<bool, StoreError> {
        let forgotten = rows::forget_records(&self.connection, before, FORGOTTEN_AT_ONCE_MAX);
        let forgotten = forgotten.map_err(|error| file::explain("writing", &self.path, error))?;
        Ok(forgotten == FORGOTTEN_AT_ONCE_MAX)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(records::RecordReader::open(&self.path)?))
    }
}

#[cfg(test)]
mod tests;
