use crate::Account;
use routing::{Forwards, Limits};
use sip_auth::Secrets;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Everybody who may register, in memory, for all drivers: those of the configuration and those of the store. A clone is another handle to
/// the same accounts.
///
/// Where both have a name, the configuration's counts. What the store has is changed with [`Store::change`](crate::Store::change).
#[derive(Debug, Clone)]
pub struct Accounts(Arc<RwLock<Both>>);

#[derive(Debug)]
struct Both {
    realm: String,
    configured: HashMap<String, Known>,
    stored: HashMap<String, Known>,
}

/// What is known of an account.
#[derive(Debug)]
struct Known {
    /// `None` for our own.
    other_realm: Option<Box<str>>,
    secrets: Secrets,
    /// Few have any.
    forwards: Option<Arc<Forwards>>,
    limits: Option<Arc<Limits>>,
}

impl Accounts {
    /// The accounts of the configuration, and those that are stored.
    pub(crate) fn new(realm: &str, configured: Vec<Account>, stored: Vec<Account>) -> Accounts {
        let known = |accounts: Vec<Account>| accounts.into_iter().map(|account| known(realm, account)).collect();
        let (configured, stored) = (known(configured), known(stored));
        Accounts(Arc::new(RwLock::new(Both { realm: realm.to_owned(), configured, stored })))
    }

    /// The secrets of `name` in our realm; `None` for a name that may not register.
    pub fn secrets(&self, name: &str) -> Option<Secrets> {
        self.read().valid(name).map(|known| known.secrets.clone())
    }

    /// Where calls to `name` go instead; `None` when they go nowhere else, and for a name that is nobody's.
    pub fn forwards(&self, name: &str) -> Option<Arc<Forwards>> {
        self.read().valid(name)?.forwards.clone()
    }

    /// What the calls of `name` may come to, if that is not what everybody's may.
    pub fn limits(&self, name: &str) -> Option<Arc<Limits>> {
        self.read().valid(name)?.limits.clone()
    }

    /// Whether there is such an account.
    pub fn contains(&self, name: &str) -> bool {
        self.read().valid(name).is_some()
    }

    /// Whether the account of this name is one of the configuration's, which no command changes.
    pub fn is_configured(&self, name: &str) -> bool {
        self.read().configured.contains_key(name)
    }

    /// Every name, sorted.
    pub fn names(&self) -> Vec<String> {
        let both = self.read();
        let names = both.configured.keys().chain(both.stored.keys());
        let mut names: Vec<String> = names.filter(|name| both.valid(name).is_some()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Every account that is stored, by name: those too whose name the configuration has.
    pub fn all_stored(&self) -> Vec<Account> {
        let both = self.read();
        let mut accounts: Vec<Account> = both.stored.iter().map(|(name, known)| both.account(name, known)).collect();
        accounts.sort_by(|one, other| one.name.cmp(&other.name));
        accounts
    }

    /// The stored account of this name.
    pub fn stored(&self, name: &str) -> Option<Account> {
        let both = self.read();
        both.stored.get(name).map(|known| both.account(name, known))
    }

    /// How many there are of both kinds; a name that both have counts twice, and who cannot register counts, too.
    pub fn len(&self) -> usize {
        let both = self.read();
        both.configured.len() + both.stored.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are stored.
    pub fn stored_len(&self) -> usize {
        self.read().stored.len()
    }

    /// Stored accounts whose secrets were made for another realm, so that they cannot register.
    pub fn of_other_realms(&self) -> Vec<Account> {
        let realm = self.read().realm.clone();
        self.all_stored().into_iter().filter(|account| account.realm != realm).collect()
    }

    /// Takes these in the place of the accounts of the configuration. What comes back are the names that are gone or have another password:
    /// what they registered with the old one is not theirs any more.
    pub fn configure(&self, configured: Vec<Account>) -> Vec<String> {
        let mut both = self.write();
        let configured = configured.into_iter().map(|account| known(&both.realm, account)).collect();
        let before = std::mem::replace(&mut both.configured, configured);
        let changed = |(name, old): &(String, Known)| both.valid(name).is_none_or(|new| new.secrets != old.secrets);
        before.into_iter().filter(changed).map(|(name, _)| name).collect()
    }

    pub(crate) fn put(&self, account: Account) {
        let mut both = self.write();
        let (name, known) = known(&both.realm, account);
        both.stored.insert(name, known);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.write().stored.remove(name);
    }

    fn read(&self) -> RwLockReadGuard<'_, Both> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Both> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Both {
    fn valid(&self, name: &str) -> Option<&Known> {
        self.configured.get(name).or_else(|| self.stored.get(name)).filter(|known| known.other_realm.is_none())
    }

    fn account(&self, name: &str, known: &Known) -> Account {
        Account {
            name: name.to_owned(),
            realm: known.other_realm.as_deref().unwrap_or(&self.realm).to_owned(),
            secrets: known.secrets.clone(),
            forwards: known.forwards.as_deref().cloned().unwrap_or_default(),
            limits: known.limits.as_deref().cloned(),
        }
    }
}

fn known(realm: &str, account: Account) -> (String, Known) {
    let known = Known {
        other_realm: (account.realm != realm).then(|| account.realm.into()),
        secrets: account.secrets,
        forwards: (!account.forwards.is_empty()).then(|| Arc::new(account.forwards)),
        limits: account.limits.map(Arc::new),
    };
    (account.name, known)
}

#[cfg(test)]
mod tests;
