use crate::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long somebody else (a copy being made, `sqlite3`) may keep the file to themselves before a group fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a page: the least that one change costs.
pub(super) const PAGE_BYTES: u32 = 4096;

/// Pages in the log beside the file after which they are taken over into it.
const WAL_PAGES: u32 = 4000;

/// Opens the file at `path`. A new one gets that name only when it is whole, so that one that is empty or has lost its beginning is not
/// taken for a new one.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let damaged = |what: &str| StoreError::Damaged { path: path.to_owned(), what: what.to_owned() };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => return Err(damaged("it is empty, which it never was")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if beside(path, "-wal").exists() {
                return Err(damaged("it is missing, though there is a log of its changes (..-wal) beside it"));
            }
            create(path)?;
        }
        Err(error) => return Err(StoreError::io("opening", path)(error)),
    }
    let failed = |error| explain("opening", path, error);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    let set_up = || {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        connection.pragma_update(None, "cache_size", -8192)
    };
    set_up().map_err(failed)?;
    Ok(connection)
}

/// A connection for reading beside the one that writes.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| explain("opening", path, error))
}

/// Whether closing leaves the log beside the file as it is, rather than taking it over into the file.
pub(super) fn keep_log_on_close(connection: &Connection, path: &Path, keep: bool) -> Result<(), StoreError> {
    let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
    set.map(drop).map_err(|error| explain("opening", path, error))
}

/// Looks whether SQLite's own structures are as they should be: what holds rows, not what is in them.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let connection = open_to_read(path)?;
    let found: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match found.map_err(|error| explain("reading", path, error))?.as_str() {
        "ok" => Ok(()),
        what => Err(StoreError::Damaged { path: path.to_owned(), what: what.trim().to_owned() }),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn create(path: &Path) -> Result<(), StoreError> {
    let new = beside(path, ".new");
    for left_over in [new.clone(), beside(&new, "-wal"), beside(&new, "-shm"), beside(&new, "-journal")] {
        let _ = fs::remove_file(left_over);
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&new).map_err(StoreError::io("creating", &new))?;
    let make = || {
        let mut connection = connect(&new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        super::schema::create(&mut connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.close().map_err(|(_, error)| error)
    };
    make().map_err(|error| explain("creating", &new, error))?;
    file.sync_all().map_err(StoreError::io("writing", &new))?;
    fs::rename(&new, path).map_err(StoreError::io("creating", path))?;
    sync_folder(path).map_err(StoreError::io("syncing the folder of", path))
}

/// Makes sure that the folder of the file at `path` knows what it has.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// An error of SQLite's in words that name the file.
pub(super) fn explain(doing: &'static str, path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            return StoreError::Damaged { path, what: error.to_string() };
        }
        Some(ErrorCode::DiskFull) => io::ErrorKind::StorageFull,
        Some(ErrorCode::ReadOnly) => io::ErrorKind::ReadOnlyFilesystem,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => io::ErrorKind::ResourceBusy,
        _ => io::ErrorKind::Other,
    };
    StoreError::Io { doing, path, error: io::Error::new(kind, error.to_string()) }
}
