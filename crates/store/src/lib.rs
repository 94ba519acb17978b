//! What must survive, and what all drivers share: the data folder, the accounts in it, and the bindings.
//!
//! What it does not do: it decides nothing about SIP. Who may register is the server's to say, what a REGISTER changes is
//! `sip-registrar`'s; this crate looks up, writes down and says whether it is safely there. Bindings live in memory for now.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // above the purity line: this is where the disk begins

mod data_folder;
mod error;
mod tls_folder;

mod account;
mod accounts;
mod users_file;

mod bindings;

mod atomic;

pub use account::{Account, NAME_BYTES_MAX, valid_name};
pub use accounts::Accounts;
pub use bindings::Bindings;
pub use data_folder::{DataFolder, FolderLock, KEY_BYTES};
pub use error::StoreError;
pub use tls_folder::{TlsFile, TlsFolder};
pub use users_file::{UsersFile, unhex};
