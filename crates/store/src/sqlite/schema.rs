use super::file::explain;
use crate::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// What each version of the file has over the one before; `user_version` says how many were carried out. What was released is never
/// changed here, only followed by another.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE account (
        name TEXT PRIMARY KEY,
        realm TEXT NOT NULL,
        ha1_md5 BLOB,
        ha1_sha256 BLOB,
        ha1_sha512_256 BLOB,
        calls INTEGER,                  -- the limits: all or none of the three
        calls_per_hour INTEGER,
        destinations TEXT,              -- patterns, one a line
        checksum INTEGER NOT NULL       -- over all of these and the forwards
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE forward (
        account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
        condition TEXT NOT NULL,        -- always, busy, no_answer, not_registered
        place TEXT NOT NULL,
        after_s INTEGER,                -- of no_answer
        PRIMARY KEY (account, condition)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE route (
        place INTEGER PRIMARY KEY,      -- their order
        name TEXT NOT NULL UNIQUE,
        toml TEXT NOT NULL
    ) STRICT;
    CREATE TABLE record (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        call_id TEXT NOT NULL,
        caller_uri TEXT NOT NULL,
        callee_uri TEXT NOT NULL,
        caller TEXT,                    -- users of ours: user@domain
        callee TEXT,
        source TEXT NOT NULL,
        started_ms INTEGER NOT NULL,    -- times since 1970
        answered_ms INTEGER,
        ended_ms INTEGER NOT NULL,
        ended_by TEXT NOT NULL,
        status INTEGER NOT NULL,
        how TEXT NOT NULL
    ) STRICT;
    CREATE INDEX record_by_start ON record (started_ms);
    CREATE TABLE ban (
        network TEXT PRIMARY KEY,
        until_ms INTEGER NOT NULL,
        why TEXT NOT NULL,
        times INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE binding_log (          -- one row for each group of changes, see sip_registrar::Record
        seq INTEGER PRIMARY KEY,
        changes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE binding_part (         -- what stood in each part after the group with this number
        part INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL,
        records BLOB NOT NULL
    ) STRICT;
"];

/// Makes a new file.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    run_from(connection, 0)
}

/// Brings an older file to this version's form. A newer one is refused.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| explain("opening", path, error);
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    match usize::try_from(version) {
        Ok(version @ 1..) if version <= MIGRATIONS.len() => run_from(connection, version).map_err(failed),
        Ok(0) => Err(StoreError::Damaged { path: path.to_owned(), what: "it was not made by ringback".to_owned() }),
        _ => Err(StoreError::TooNew { path: path.to_owned() }),
    }
}

fn run_from(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
