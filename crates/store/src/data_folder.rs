use crate::{StoreError, UsersFile, atomic};
use engine::Rng;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes of the folder's key, from which everything that the exchange signs is derived.
pub const KEY_BYTES: usize = 32;

/// The folder that holds everything an exchange must not forget (mode 0700).
#[derive(Debug, Clone)]
pub struct DataFolder {
    path: PathBuf,
}

/// While it lives, no other exchange uses the folder. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl DataFolder {
    /// The folder at `path`, created (for its owner alone) if there is none.
    pub fn create(path: &Path) -> Result<DataFolder, StoreError> {
        if !path.is_dir() {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(StoreError::io("creating the data folder", path))?;
        }
        Ok(DataFolder { path: path.to_owned() })
    }

    /// The folder at `path`, which may not be there.
    pub fn at(path: &Path) -> DataFolder {
        DataFolder { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where older versions have kept the accounts.
    pub(crate) fn users_file(&self) -> UsersFile {
        UsersFile::new(self.path.join("users.toml"))
    }

    /// Where the running exchange listens for commands.
    pub fn control_socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }

    /// Takes the folder for this process; [`StoreError::InUse`] if another exchange has it.
    pub fn lock(&self) -> Result<FolderLock, StoreError> {
        let path = self.path.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(64).read_to_string(&mut text);
                let holder = text.trim().parse().ok().map(|pid| (pid, process_name(pid)));
                return Err(StoreError::InUse { path: self.path.clone(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io("locking", &path)(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(StoreError::io("writing", &path))?;
        Ok(FolderLock { _file: file })
    }

    /// The folder's key, drawn and written down (mode 0600) when it is first asked for.
    pub fn key(&self, rng: &mut Rng) -> Result<[u8; KEY_BYTES], StoreError> {
        let path = self.path.join("key");
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| StoreError::Damaged {
                path,
                what: format!("a key has {KEY_BYTES} bytes, this file {}", bytes.len()),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = [0; KEY_BYTES];
                rng.fill(&mut key);
                atomic::write(&path, &key)?;
                Ok(key)
            }
            Err(error) => Err(StoreError::io("reading", &path)(error)),
        }
    }
}

fn process_name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or_else(|_| "a process".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_folder_and_its_key_are_for_the_owner_alone() {
        let scratch = Scratch::new("folder");
        let folder = DataFolder::create(&scratch.path.join("a/b")).unwrap();
        let key = folder.key(&mut Rng::from_u64(1)).unwrap();
        assert_eq!((mode(folder.path()), mode(&folder.path().join("key"))), (0o700, 0o600));
        assert_eq!(folder.key(&mut Rng::from_u64(2)).unwrap(), key, "it is drawn once");
    }

    #[test]
    fn a_short_key_is_refused_and_kept() {
        let scratch = Scratch::new("short-key");
        let folder = DataFolder::create(&scratch.path).unwrap();
        fs::write(scratch.path.join("key"), b"short").unwrap();
        let error = folder.key(&mut Rng::from_u64(1)).unwrap_err().to_string();
        assert!(error.contains("32 bytes, this file 5"), "{error}");
        assert_eq!(fs::read(scratch.path.join("key")).unwrap(), b"short");
    }

    #[test]
    fn a_second_exchange_is_told_who_has_the_folder() {
        let scratch = Scratch::new("lock");
        let folder = DataFolder::create(&scratch.path).unwrap();
        let lock = folder.lock().unwrap();
        let error = folder.lock().unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        folder.lock().unwrap();
    }
}
