use crate::{Accounts, Bindings, StoredRoute, Write};
use engine::{Network, Table, TableKey};
use guard::Ban;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};

/// All that is stored and small enough to be in memory. The keeper writes, everybody reads.
pub(crate) struct Tables {
    pub(crate) bindings: Bindings,
    pub(crate) accounts: Accounts,
    routes: RwLock<Arc<Vec<StoredRoute>>>,
    bans: RwLock<Table<Network, Ban>>,
    key: TableKey,
}

impl Tables {
    pub(crate) fn new(
        bindings: Bindings,
        accounts: Accounts,
        routes: Vec<StoredRoute>,
        bans: Vec<Ban>,
        key: TableKey,
    ) -> Tables {
        let mut by_network = Table::with_hasher(key);
        by_network.extend(bans.into_iter().map(|ban| (ban.network, ban)));
        Tables { bindings, accounts, routes: RwLock::new(Arc::new(routes)), bans: RwLock::new(by_network), key }
    }

    /// In the order in which they were first put.
    pub(crate) fn routes(&self) -> Arc<Vec<StoredRoute>> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn bans(&self) -> Vec<Ban> {
        self.bans.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn bans_len(&self) -> usize {
        self.bans.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn has_ban(&self, network: &Network) -> bool {
        self.bans.read().unwrap_or_else(PoisonError::into_inner).contains_key(network)
    }

    pub(crate) fn put_route(&self, route: StoredRoute) {
        self.change_routes(|routes| match routes.iter_mut().find(|other| other.name == route.name) {
            Some(other) => *other = route,
            None => routes.push(route),
        });
    }

    pub(crate) fn remove_route(&self, name: &str) {
        self.change_routes(|routes| routes.retain(|route| route.name != name));
    }

    pub(crate) fn put_ban(&self, ban: Ban) {
        self.bans.write().unwrap_or_else(PoisonError::into_inner).insert(ban.network, ban);
    }

    pub(crate) fn remove_ban(&self, network: &Network) {
        self.bans.write().unwrap_or_else(PoisonError::into_inner).remove(network);
    }

    /// What a write is about, as a keyed hash; `None` when it stands in no other's way. Bindings have their own.
    pub(crate) fn key_of(&self, write: &Write) -> Option<u64> {
        let (kind, name) = match write {
            Write::AddAccount(account) | Write::ReplaceSecrets(account) => (1, account.name.clone()),
            Write::PutForwards(name, _) | Write::PutLimits(name, _) | Write::RemoveAccount(name) => (1, name.clone()),
            Write::PutRoute(route) => (2, route.name.clone()),
            Write::RemoveRoute(name) => (2, name.clone()),
            Write::Ban(ban) => (3, ban.network.to_string()),
            Write::Unban(network) => (3, network.to_string()),
            Write::Record(_) | Write::Nothing | Write::Bindings(_) | Write::UnbindUsers(_) => return None,
        };
        Some(self.key.hash_one((kind, name)))
    }

    fn change_routes(&self, change: impl FnOnce(&mut Vec<StoredRoute>)) {
        change(Arc::make_mut(&mut self.routes.write().unwrap_or_else(PoisonError::into_inner)));
    }
}
