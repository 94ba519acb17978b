use crate::StoreError;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces the file at `path` by one (mode 0600) with these bytes: after a crash at any moment there is either the old file
/// or the new one, whole; on return the new one is on the disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_extension("new");
    // Left behind by a crash; its mode would outlive an open.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(StoreError::io("creating", &temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(StoreError::io("writing", &temporary))?;
    fs::rename(&temporary, path).map_err(StoreError::io("replacing", path))?;
    // The rename itself must be on the disk, too.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io("syncing", folder))
}
