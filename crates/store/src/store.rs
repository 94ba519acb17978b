use crate::backend::{Backend, Reader};
use crate::keeper::{Item, Keeper, Shared, Tally};
use crate::memory::Nothing;
use crate::sqlite::Sqlite;
use crate::{
    Account, Accounts, Bindings, DataFolder, Health, Outcome, Query, StoreError, StoredRoute, Tables, Write, take_over,
};
use calls::CallRecord;
use engine::{Now, Rng, TableKey};
use guard::Ban;
use sip_registrar::{AddressOfRecord, Binding, Change};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Where changes are kept when nobody says otherwise.
pub const URL: &str = "sqlite:ringback.db";

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The realm that secrets are made for.
    pub realm: String,
    /// The accounts of the configuration.
    pub accounts: Vec<Account>,
    /// How long call records are kept.
    pub keep_records: Duration,
}

impl Default for Options {
    /// No accounts, for no realm; records are kept for ever.
    fn default() -> Options {
        Options { realm: String::new(), accounts: Vec::new(), keep_records: Duration::MAX }
    }
}

/// Everything that must survive. A clone is another handle to the same; when the last is gone, what waits is written down and the file
/// closed.
#[derive(Clone)]
pub struct Store(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    reader: Mutex<Box<dyn Reader>>,
    peopled: bool,
    keeper: Option<JoinHandle<()>>,
}

/// What has been done since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times that something was written down, or was to be.
    pub groups: u64,
    /// Changes that were written down.
    pub changes: u64,
    /// Changes that could not be.
    pub failures: u64,
    /// What the writing has taken, all together.
    pub commit_us: u64,
}

impl Store {
    /// Opens what `url` names (`sqlite:FILE`, in the data folder if it is no path of its own), makes it if there is none, and takes the
    /// accounts of an older data folder's `users.toml` over. The caller holds the folder's lock.
    ///
    /// What is damaged is refused in words that name the file, and left as it is.
    pub fn open(folder: &DataFolder, url: &str, options: Options, rng: &mut Rng) -> Result<Store, StoreError> {
        let file = url.strip_prefix("sqlite:").filter(|file| !file.is_empty());
        let file = file.ok_or_else(|| StoreError::UnknownUrl(url.to_owned()))?;
        let backend = Sqlite::open(&folder.path().join(Path::new(file)))?;
        let store = Store::over(Box::new(backend), options, rng)?;
        take_over::users_file(folder, &store)?;
        Ok(store)
    }

    /// One that forgets everything when it is gone.
    pub fn volatile(options: Options, rng: &mut Rng) -> Store {
        Store::over(Box::new(Nothing), options, rng).expect("it has nothing that could fail")
    }

    pub(crate) fn over(mut backend: Box<dyn Backend>, options: Options, rng: &mut Rng) -> Result<Store, StoreError> {
        let loaded = backend.load(rng)?;
        loaded.bindings.sweep_all(Now::read_clocks());
        let accounts = Accounts::new(&options.realm, options.accounts, loaded.accounts);
        let tables = Tables::new(loaded.bindings, accounts, loaded.routes, loaded.bans, TableKey::new(rng));
        let reader = Mutex::new(backend.reader()?);
        let shared = Arc::new(Shared::new(tables));
        let keeper = Keeper::new(shared.clone(), backend, options.keep_records);
        let keeper = thread::Builder::new().name("keeper".to_owned()).spawn(|| keeper.run());
        let keeper = Some(keeper.map_err(StoreError::NoThread)?);
        Ok(Store(Arc::new(Handle { shared, reader, peopled: loaded.peopled, keeper })))
    }

    /// Has something written down, and `reply` called with what became of it: on the keeper's thread, or at once when it fails without
    /// being tried. Only when it is told `Committed` is the change safe, and only then is it seen. `reply` must not wait for a store.
    ///
    /// `Failed`: the store is not [`Health::Well`], or [`WRITES_PENDING_MAX`](crate::WRITES_PENDING_MAX) wait already.
    pub fn change(&self, write: Write, reply: impl FnOnce(Outcome) + Send + 'static) {
        self.0.shared.queue.push(Item { write, reply: Box::new(reply), urgent: true });
    }

    /// Has a call that is over written down, within a second or beside something else: waking the keeper for each would cost more than
    /// the call has. Nobody is told when that fails.
    pub fn note(&self, record: Box<CallRecord>) {
        self.0.shared.queue.push(Item { write: Write::Record(record), reply: Box::new(drop), urgent: false });
    }

    /// The same, and waits for what becomes of it. Not for a thread that others wait for.
    pub fn change_and_wait(&self, write: Write) -> Outcome {
        let (tell, hear) = mpsc::channel();
        self.change(write, move |outcome| {
            let _ = tell.send(outcome);
        });
        hear.recv().unwrap_or(Outcome::Failed)
    }

    /// Removes the bindings of the address-of-record of this text, or the one with this contact; tells how many there were, `None` when that
    /// could not be written down. Waits as [`Store::change_and_wait`] does.
    pub fn unbind(&self, now: Now, aor: &str, contact: Option<&str>) -> Option<usize> {
        let (user, domain) = aor.rsplit_once('@').unwrap_or(("", aor));
        let Ok(aor) = AddressOfRecord::new(user, domain) else { return Some(0) };
        loop {
            let before = self.bindings().fetch(now, &aor);
            let stays = |binding: &&Binding| contact.is_some_and(|contact| !binding.is_for(contact));
            let bindings: Arc<[Binding]> = before.bindings.iter().filter(stays).cloned().collect();
            let removed = before.bindings.len() - bindings.len();
            if removed == 0 {
                return Some(0);
            }
            match self.change_and_wait(Write::Bindings(Change { aor: aor.clone(), version: before.version, bindings }))
            {
                Outcome::Committed => return Some(removed),
                Outcome::Stale => {}
                Outcome::Full | Outcome::Failed => return None,
            }
        }
    }

    /// What is bound to whom.
    pub fn bindings(&self) -> &Bindings {
        &self.0.shared.tables.bindings
    }

    /// Who may register.
    pub fn accounts(&self) -> &Accounts {
        &self.0.shared.tables.accounts
    }

    /// The dial rules that were set at run time, in the order in which they were first set.
    pub fn routes(&self) -> Arc<Vec<StoredRoute>> {
        self.0.shared.tables.routes()
    }

    /// The bans, in no order; some may have ended.
    pub fn bans(&self) -> Vec<Ban> {
        self.0.shared.tables.bans()
    }

    /// Call records, the latest first, with those noted before. Reads the disk, and waits as [`Store::change_and_wait`] does.
    pub fn records(&self, query: &Query) -> Result<Vec<CallRecord>, StoreError> {
        // While nothing can be written, those that are written are what there is.
        let _ = self.change_and_wait(Write::Nothing);
        self.0.reader.lock().unwrap_or_else(PoisonError::into_inner).records(query)
    }

    /// Whether changes are written down.
    pub fn health(&self) -> Health {
        self.0.shared.queue.health()
    }

    /// Whether there was never an account when it was opened: an exchange that nobody has used.
    pub fn is_new(&self) -> bool {
        !self.0.peopled
    }

    /// What has been done.
    pub fn counters(&self) -> Counters {
        let Tally { groups, changes, failures, commit_us } = &self.0.shared.tally;
        let [groups, changes, failures, commit_us] =
            [groups, changes, failures, commit_us].map(|counter| counter.load(Ordering::Relaxed));
        Counters { groups, changes, failures, commit_us }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.stop();
        // The last handle may have been with a reply, which the keeper calls itself.
        if let Some(keeper) = self.keeper.take().filter(|keeper| keeper.thread().id() != thread::current().id()) {
            let _ = keeper.join();
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("health", &self.health()).field("bindings", self.bindings()).finish()
    }
}

#[cfg(test)]
mod limits;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod trouble;
