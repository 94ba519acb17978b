use crate::{DataFolder, StoreError, atomic};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where the certificates are that the exchange made for itself: `tls` in the data folder (mode 0700, each file 0600). What is in them is
/// nobody's business here.
#[derive(Debug, Clone)]
pub struct TlsFolder {
    path: PathBuf,
}

/// Which certificate, each with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    /// The exchange's own authority: `ca.pem` and `ca.key`.
    Authority,
    /// What it shows: `server.pem` and `server.key`.
    Server,
}

impl TlsFile {
    fn stem(self) -> &'static str {
        match self {
            TlsFile::Authority => "ca",
            TlsFile::Server => "server",
        }
    }
}

impl DataFolder {
    /// The folder for certificates in it.
    pub fn tls(&self) -> TlsFolder {
        TlsFolder { path: self.path().join("tls") }
    }
}

impl TlsFolder {
    /// The path of a certificate.
    pub fn certificate(&self, which: TlsFile) -> PathBuf {
        self.path.join(which.stem()).with_extension("pem")
    }

    /// The path of its key.
    pub fn key(&self, which: TlsFile) -> PathBuf {
        self.path.join(which.stem()).with_extension("key")
    }

    /// A certificate and its key, in PEM, as they were written; `None` unless both are there.
    pub fn read(&self, which: TlsFile) -> Result<Option<(String, String)>, StoreError> {
        Ok(read(&self.certificate(which))?.zip(read(&self.key(which))?))
    }

    /// Writes a certificate and its key, each whole or not at all. After a crash between the two they may not fit each other: whoever
    /// reads them looks whether they do, and makes them anew.
    pub fn write(&self, which: TlsFile, certificate: &str, key: &str) -> Result<(), StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.path).map_err(StoreError::io("creating", &self.path))?;
        atomic::write(&self.key(which), key.as_bytes())?;
        atomic::write(&self.certificate(which), certificate.as_bytes())
    }
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("reading", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::TlsFile;
    use crate::DataFolder;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_written_is_read_and_only_by_its_owner() {
        let path = std::env::temp_dir().join(format!("ringback-tls-folder-{}", std::process::id()));
        let folder = DataFolder::create(&path).expect("a folder").tls();
        assert_eq!(folder.read(TlsFile::Authority).expect("readable"), None);
        for text in ["one", "two"] {
            folder.write(TlsFile::Authority, text, "key").expect("written");
            let found = folder.read(TlsFile::Authority).expect("readable");
            assert_eq!(found, Some((text.to_owned(), "key".to_owned())));
        }
        assert_eq!(folder.read(TlsFile::Server).expect("readable"), None);
        let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder.key(TlsFile::Authority)), 0o600);
        assert_eq!(mode(&path.join("tls")), 0o700);
        fs::remove_file(folder.key(TlsFile::Authority)).expect("removed");
        assert_eq!(folder.read(TlsFile::Authority).expect("readable"), None);
        fs::remove_dir_all(&path).expect("removed");
    }
}
