use crate::Account;
use calls::CallRecord;
use engine::Network;
use guard::Ban;
use routing::{Forwards, Limits};
use sip_registrar::Change;

/// Accounts that the data folder may hold; one more is [`Outcome::Full`](crate::Outcome::Full).
pub const ACCOUNTS_MAX: usize = 1_000_000;

/// Dial rules set at run time that the data folder may hold; one more is [`Outcome::Full`](crate::Outcome::Full).
pub const ROUTES_MAX: usize = 1_000;

/// Bytes that the text of such a rule may have; a longer one is [`Outcome::Full`](crate::Outcome::Full).
pub const ROUTE_BYTES_MAX: usize = 16 * 1024;

/// Bans that the store may hold, so many more than a guard has that it never hears of it; one more is [`Outcome::Full`](crate::Outcome::Full).
pub const BANS_MAX: usize = 2 * guard::BANS_MAX;

/// Call records that are kept; the oldest goes for one more.
pub const RECORDS_MAX: usize = 10_000_000;

/// Bytes that are kept of each text in a call record; the rest is cut off.
pub const RECORD_TEXT_BYTES_MAX: usize = 1024;

/// What is to be written down. One that is not [`Outcome::Committed`](crate::Outcome::Committed) has changed nothing.
#[derive(Debug)]
pub enum Write {
    /// What is bound to an address-of-record; `Stale` when that is not at the change's version any more.
    Bindings(Change),
    /// Nothing is bound any more to users of these names, in whatever domain.
    UnbindUsers(Vec<String>),
    /// A new account; `Stale` when the data folder has one of this name.
    AddAccount(Box<Account>),
    /// The realm and the secrets of an account that there is, and nothing else of it; `Stale` when there is none.
    ReplaceSecrets(Box<Account>),
    /// Where the calls of an account go instead; `Stale` when there is none.
    PutForwards(String, Box<Forwards>),
    /// What its calls may come to, or that it is what everybody's may; `Stale` when there is no such account.
    PutLimits(String, Option<Box<Limits>>),
    /// An account is gone; `Stale` when there is none.
    RemoveAccount(String),
    /// A dial rule, in the place of one that had its name, or as the last.
    PutRoute(Box<StoredRoute>),
    /// A dial rule is gone; `Stale` when there is none.
    RemoveRoute(String),
    /// A call that is over.
    Record(Box<CallRecord>),
    /// Nothing: told when what came before it is done.
    Nothing,
    /// A ban, in the place of one of the same network.
    Ban(Box<Ban>),
    /// A ban is lifted; `Stale` when there is none.
    Unban(Network),
}

/// A dial rule that was set at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRoute {
    /// Its name.
    pub name: String,
    /// As it would stand in the configuration.
    pub toml: String,
}
