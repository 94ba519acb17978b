//! What must survive, and what all drivers share: the data folder, and in it accounts, bindings, dial rules set at run time, bans and call
//! records.
//!
//! What it does not do: it decides nothing about SIP. Who may register is the server's to say, what a REGISTER changes is
//! `sip-registrar`'s; this crate looks up, writes down and says when it is safely there.
//!
//! A [`Store`] is one thread that writes, the keeper, over a backend, and tables in memory that everybody reads. A change is on the disk before
//! anybody sees it and before whoever wanted it hears of it, so what was seen or promised is there after a crash at any moment.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // above the purity line: this is where the disk begins

mod data_folder;
mod error;
mod tls_folder;

mod health;
mod store;
mod write;

mod account;
mod accounts;
mod bindings;
mod tables;

mod keeper;

mod backend;
mod memory;
mod sqlite;

mod take_over;
mod users_file;

mod atomic;
mod checksum;

#[cfg(test)]
mod testing;

pub use account::{Account, NAME_BYTES_MAX, valid_name};
pub use accounts::Accounts;
pub use backend::{Query, RECORDS_PER_QUERY_MAX};
pub use bindings::Bindings;
pub use data_folder::{DataFolder, FolderLock, KEY_BYTES};
pub use error::StoreError;
pub use health::{Health, SLOW_AFTER};
pub use keeper::{GROUP_BYTES_MAX, WRITES_PENDING_MAX, WRITES_PER_GROUP_MAX};
pub use sip_registrar::Outcome;
pub use store::{Counters, Options, Store, URL};
pub use tls_folder::{TlsFile, TlsFolder};
pub use users_file::unhex;
pub use write::{
    ACCOUNTS_MAX, BANS_MAX, RECORD_TEXT_BYTES_MAX, RECORDS_MAX, ROUTE_BYTES_MAX, ROUTES_MAX, StoredRoute, Write,
};

pub(crate) use tables::Tables;
pub(crate) use users_file::UsersFile;
