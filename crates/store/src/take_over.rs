use crate::{DataFolder, Outcome, Store, StoreError, Write};
use std::fs;

/// Takes over the accounts that an older version has kept in `users.toml`, and renames that file to `users.toml.imported`. After a crash in
/// between it is done again: what is there already stays as it is.
pub(crate) fn users_file(folder: &DataFolder, store: &Store) -> Result<(), StoreError> {
    let file = folder.users_file();
    if !file.exists() {
        return Ok(());
    }
    for account in file.read()? {
        match store.change_and_wait(Write::AddAccount(Box::new(account))) {
            Outcome::Committed | Outcome::Stale => {}
            Outcome::Full | Outcome::Failed => return Err(StoreError::NotWritten(store.health().to_string())),
        }
    }
    let imported = file.path().with_extension("toml.imported");
    fs::rename(file.path(), &imported).map_err(StoreError::io("renaming", file.path()))
}
