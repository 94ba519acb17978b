use crate::bindings::Admitted;
use crate::{Account, Bindings, StoreError, StoredRoute};
use calls::CallRecord;
use engine::{Network, Rng};
use guard::Ban;
use std::time::SystemTime;

/// What keeps things over a restart. It decides nothing: what it is given has been found possible, and it is told everything once.
pub(crate) trait Backend: Send {
    /// Everything that was ever committed. Called once, before anything else. What is damaged is refused, and left as it is.
    fn load(&mut self, rng: &mut Rng) -> Result<Loaded, StoreError>;

    /// Writes a group down: all of it or nothing, and so that nothing takes it away any more when this returns. `standing` is the table of
    /// bindings as it is without this group. An empty group is written, too, to see whether that is possible.
    ///
    /// After a failure it may turn out after a restart that the last group was written all the same; none before it is ever lost, and
    /// none after it is mixed up with it.
    fn commit(&mut self, group: &Group, standing: &Bindings) -> Result<(), StoreError>;

    /// Forgets call records of before `before`, a bounded number of them; says whether there are more.
    fn forget_records(&mut self, before: SystemTime) -> Result<bool, StoreError>;

    /// A way to read call records beside the writing.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;
}

/// Reads what is too much to be held in memory.
pub(crate) trait Reader: Send {
    /// The call records that are asked for, the latest first.
    fn records(&mut self, query: &Query) -> Result<Vec<CallRecord>, StoreError>;
}

/// What was there when the exchange started.
pub(crate) struct Loaded {
    pub(crate) bindings: Bindings,
    pub(crate) accounts: Vec<Account>,
    pub(crate) routes: Vec<StoredRoute>,
    pub(crate) bans: Vec<Ban>,
    /// Whether there was ever an account.
    pub(crate) peopled: bool,
}

/// What is written down together.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// No two of the same address-of-record.
    pub(crate) changes: Vec<Admitted>,
    /// The same, encoded one behind the other ([`sip_registrar::Record`]).
    pub(crate) log: Vec<u8>,
    pub(crate) rows: Vec<Row>,
}

/// Anything but bindings.
#[derive(Debug, Clone)]
pub(crate) enum Row {
    Account(Account),
    NoAccount(String),
    Route(StoredRoute),
    NoRoute(String),
    Record(CallRecord),
    Nothing,
    Ban(Ban),
    NoBan(Network),
}

/// Which call records are asked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Calls that began then or later.
    pub since: Option<SystemTime>,
    /// Calls that began before.
    pub until: Option<SystemTime>,
    /// Calls by or to this user of ours, with or without the domain.
    pub user: Option<String>,
    /// How many at most, beyond [`RECORDS_PER_QUERY_MAX`] in no case; 0: so many.
    pub limit_max: usize,
}

/// Call records that one [`Query`] brings at most; those before it are asked for with [`Query::until`].
pub const RECORDS_PER_QUERY_MAX: usize = 10_000;

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.rows.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.log.clear();
        self.rows.clear();
    }
}
