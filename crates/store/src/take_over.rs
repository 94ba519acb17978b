use crate::{DataFolder, Outcome, Store, StoreError, Write};
use std::fs;
use std::sync::mpsc;

/// Takes over the accounts that an older version has kept in `users.toml`, and renames that file to `users.toml.imported`. After a crash in
/// between it is done again: what is there already stays as it is.
pub(crate) fn users_file(folder: &DataFolder, store: &Store) -> Result<(), StoreError> {
    let file = folder.users_file();
    let Some(accounts) = file.read()? else { return Ok(()) };
    let (tell, hear) = mpsc::channel();
    for account in accounts {
        let tell = tell.clone();
        store.change(Write::AddAccount(Box::new(account)), move |outcome| {
            let _ = tell.send(outcome);
        });
    }
    drop(tell);
    if hear.iter().any(|outcome| !matches!(outcome, Outcome::Committed | Outcome::Stale)) {
        return Err(StoreError::NotWritten(store.health().to_string()));
    }
    let imported = file.path().with_extension("toml.imported");
    fs::rename(file.path(), &imported).map_err(StoreError::io("renaming", file.path()))
}
