use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why the data folder did not do what was asked. Each says in words what to do next.
#[derive(Debug)]
pub enum StoreError {
    /// The system refused an operation on a file.
    Io {
        /// What was being done, as in "reading".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another exchange runs on this folder.
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other exchange's process, as far as it has said.
        holder: Option<(u32, String)>,
    },
    /// A file of ours does not hold what we once wrote. It is left as it is.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A later version of this program has written the file.
    TooNew {
        /// The file.
        path: PathBuf,
    },
    /// No kind of store that there is.
    UnknownUrl(String),
    /// The system gives us no thread.
    NoThread(io::Error),
    /// Something could not be written down.
    NotWritten(String),
    /// There is no account of this name.
    NoSuchUser(String),
    /// There is an account of this name already.
    UserExists(String),
    /// The name cannot be an account's.
    BadName(String),
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |error| StoreError::Io { doing, path, error }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { doing, path, error } => write!(f, "{doing} {}: {error}", path.display()),
            StoreError::InUse { path, holder } => {
                write!(f, "the data folder {} is in use by another ringback", path.display())?;
                if let Some((pid, name)) = holder {
                    write!(f, ": {name} (process {pid})")?;
                }
                f.write_str("; stop that one, or give this one a folder of its own with --data DIR")
            }
            StoreError::Damaged { path, what } => write!(
                f,
                "{} cannot be understood, and has been left as it is: {what}\nrepair it, put back a copy, or move it away to begin anew",
                path.display()
            ),
            StoreError::TooNew { path } => {
                write!(
                    f,
                    "{} was written by a later version of ringback; run that one, or put back a copy",
                    path.display()
                )
            }
            StoreError::UnknownUrl(url) => {
                write!(f, "there is no such store as {url:?}; store.url is sqlite:FILE, as in {:?}", crate::URL)
            }
            StoreError::NoThread(error) => write!(f, "starting a thread: {error}"),
            StoreError::NotWritten(why) => write!(f, "it is not done: {why}"),
            StoreError::NoSuchUser(name) => {
                write!(f, "there is no user {name}; see `ringback user ls`, or add it with `ringback user add {name}`")
            }
            StoreError::UserExists(name) => {
                write!(f, "there is a user {name} already; a new password is set with `ringback user passwd {name}`")
            }
            StoreError::BadName(name) => write!(
                f,
                "{:?} cannot be a user name: use 1 to {} letters of ASCII, digits, and . _ + ~ ! * -",
                name.chars().take(crate::NAME_BYTES_MAX).collect::<String>(),
                crate::NAME_BYTES_MAX
            ),
        }
    }
}

impl std::error::Error for StoreError {}
