use crate::users_file::Stamp;
use crate::{Account, StoreError, UsersFile};
use routing::Forwards;
use sip_auth::Secrets;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Everybody who may register, in memory, for all drivers: those of the configuration and those of the data folder. A clone
/// is another handle to the same accounts.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    realm: String,
    configured: Mutex<Vec<Account>>,
    file: Option<UsersFile>,
    by_name: RwLock<HashMap<String, Known>>,
    read: Mutex<Option<Stamp>>,
}

/// What is known of an account.
#[derive(Debug)]
struct Known {
    secrets: Secrets,
    /// Few have any.
    forwards: Option<Arc<Forwards>>,
}

impl Accounts {
    /// The accounts of `configured` and, where no configured one has the name, of `file`.
    pub fn load(realm: &str, configured: Vec<Account>, file: Option<UsersFile>) -> Result<Accounts, StoreError> {
        let shared = Shared {
            realm: realm.to_owned(),
            configured: Mutex::new(configured),
            file,
            by_name: RwLock::default(),
            read: Mutex::new(None),
        };
        let accounts = Accounts(Arc::new(shared));
        accounts.read_again(true)?;
        Ok(accounts)
    }

    /// The secrets of `name` in our realm; `None` for a name that may not register.
    pub fn secrets(&self, name: &str) -> Option<Secrets> {
        self.0.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).map(|known| known.secrets.clone())
    }

    /// Where calls to `name` go instead; `None` when they go nowhere else, and for a name that is nobody's.
    pub fn forwards(&self, name: &str) -> Option<Arc<Forwards>> {
        let by_name = self.0.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(name)?.forwards.clone()
    }

    /// Whether there is such an account.
    pub fn contains(&self, name: &str) -> bool {
        self.0.by_name.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Whether the account of this name is one of the configuration's, which no command changes.
    pub fn is_configured(&self, name: &str) -> bool {
        let configured = self.0.configured.lock().unwrap_or_else(PoisonError::into_inner);
        configured.iter().any(|account| account.name == name)
    }

    /// Every name, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.0.by_name.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        names.sort();
        names
    }

    /// Reads the data folder's file if it has been changed since it was read. What comes back are the names that are gone or have another
    /// password: what they registered with the old one is not theirs any more. On an error everybody stays as they were.
    pub fn refresh(&self) -> Result<Vec<String>, StoreError> {
        self.read_again(false)
    }

    /// Takes these in the place of the accounts of the configuration, and reads the file again; what comes back as with
    /// [`Accounts::refresh`].
    pub fn configure(&self, configured: Vec<Account>) -> Result<Vec<String>, StoreError> {
        *self.0.configured.lock().unwrap_or_else(PoisonError::into_inner) = configured;
        self.read_again(true)
    }

    /// Accounts of the file whose secrets were made for another realm, so that they cannot register.
    pub fn of_other_realms(&self) -> Result<Vec<Account>, StoreError> {
        let in_file = self.0.file.as_ref().map_or(Ok(Vec::new()), UsersFile::read)?;
        Ok(in_file.into_iter().filter(|account| account.realm != self.0.realm).collect())
    }

    fn read_again(&self, even_unchanged: bool) -> Result<Vec<String>, StoreError> {
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the reading: a change in between is then read once more than needed, never missed.
        let stamp = self.0.file.as_ref().and_then(UsersFile::stamp);
        if *read == stamp && !even_unchanged {
            return Ok(Vec::new());
        }
        let in_file = self.0.file.as_ref().map_or(Ok(Vec::new()), UsersFile::read)?;
        let valid = in_file.into_iter().filter(|account| account.realm == self.0.realm);
        let configured = self.0.configured.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = |account: Account| {
            let forwards = (!account.forwards.is_empty()).then(|| Arc::new(account.forwards));
            (account.name, Known { secrets: account.secrets, forwards })
        };
        let all = valid.chain(configured).map(known).collect();
        let before = std::mem::replace(&mut *self.0.by_name.write().unwrap_or_else(PoisonError::into_inner), all);
        *read = stamp;
        drop(read);
        let now = self.0.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let changed =
            before.into_iter().filter(|(name, old)| now.get(name).is_none_or(|new| new.secrets != old.secrets));
        Ok(changed.map(|(name, _)| name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Accounts;
    use crate::Account;
    use crate::users_file::tests::{Scratch, account};
    use routing::{Forwards, Place};
    use std::fs;

    #[test]
    fn a_change_of_the_file_is_noticed_and_a_damaged_one_changes_nothing() {
        let scratch = Scratch::new("accounts");
        let file = scratch.users();
        let accounts = Accounts::load("ringback", vec![account("100", "typed")], Some(file.clone())).unwrap();
        assert!(accounts.is_configured("100") && !accounts.is_configured("101"));
        let other = accounts.clone();
        assert_eq!(accounts.names(), ["100"]);
        assert_eq!(accounts.refresh().unwrap(), [""; 0]);
        file.add(account("101", "x")).unwrap();
        file.add(account("100", "not this one: the configuration wins")).unwrap();
        assert_eq!(accounts.refresh().unwrap(), [""; 0], "nobody has lost anything");
        assert_eq!(other.names(), ["100", "101"]);
        assert_eq!(other.secrets("100"), Some(account("100", "typed").secrets));
        file.remove("101").unwrap();
        assert_eq!(accounts.refresh().unwrap(), ["101"]);
        assert_eq!((other.secrets("101"), other.contains("100")), (None, true));
        fs::write(file.path(), "torn").unwrap();
        assert!(accounts.refresh().is_err());
        assert_eq!(accounts.names(), ["100"]);
    }

    #[test]
    fn who_is_gone_or_has_another_password_is_told() {
        let scratch = Scratch::new("changed");
        let file = scratch.users();
        for name in ["100", "101", "102"] {
            file.add(account(name, "x")).unwrap();
        }
        let accounts =
            Accounts::load("ringback", vec![account("103", "typed"), account("104", "x")], Some(file.clone())).unwrap();
        file.replace_secrets(account("101", "y")).unwrap();
        file.remove("102").unwrap();
        let mut changed = accounts.refresh().unwrap();
        changed.sort();
        assert_eq!(changed, ["101", "102"]);
        let mut changed = accounts.configure(vec![account("103", "other")]).unwrap();
        changed.sort();
        assert_eq!(changed, ["103", "104"]);
        assert_eq!(accounts.names(), ["100", "101", "103"]);
    }

    #[test]
    fn forwards_are_there_and_a_change_of_them_drops_nobody() {
        let scratch = Scratch::new("forwards");
        let forwarded = |to| Account {
            forwards: Forwards { busy: Some(Place::parse(to).unwrap()), ..Forwards::default() },
            ..account("100", "x")
        };
        let accounts = Accounts::load("ringback", vec![forwarded("101")], Some(scratch.users())).unwrap();
        assert_eq!(accounts.forwards("100").unwrap().busy, Some(Place::parse("101").unwrap()));
        assert_eq!(accounts.configure(vec![forwarded("sip:a@b"), account("101", "x")]).unwrap(), [""; 0]);
        assert_eq!(accounts.forwards("100").unwrap().busy, Some(Place::parse("sip:a@b").unwrap()));
        assert_eq!((accounts.forwards("101"), accounts.forwards("102")), (None, None));
    }

    #[test]
    fn secrets_of_another_realm_are_worth_nothing() {
        let scratch = Scratch::new("realm");
        let file = scratch.users();
        file.add(Account { realm: "other".into(), ..account("101", "x") }).unwrap();
        let accounts = Accounts::load("ringback", Vec::new(), Some(file)).unwrap();
        assert_eq!(accounts.names().len(), 0);
        assert_eq!(accounts.of_other_realms().unwrap()[0].name, "101");
    }
}
