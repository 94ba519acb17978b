use crate::{Accounts, Bindings, StoredRoute, Write};
use engine::{Network, TableKey};
use guard::Ban;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};

/// All that is stored and small enough to be in memory. The keeper writes, everybody reads.
pub(crate) struct Tables {
    pub(crate) bindings: Bindings,
    pub(crate) accounts: Accounts,
    routes: RwLock<Arc<Vec<StoredRoute>>>,
    bans: RwLock<Arc<Vec<Ban>>>,
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
        let (routes, bans) = (RwLock::new(Arc::new(routes)), RwLock::new(Arc::new(bans)));
        Tables { bindings, accounts, routes, bans, key }
    }

    /// In the order in which they were first put.
    pub(crate) fn routes(&self) -> Arc<Vec<StoredRoute>> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn bans(&self) -> Arc<Vec<Ban>> {
        self.bans.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn has_ban(&self, network: &Network) -> bool {
        self.bans().iter().any(|ban| ban.network == *network)
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
        self.change_bans(|bans| match bans.iter_mut().find(|other| other.network == ban.network) {
            Some(other) => *other = ban,
            None => bans.push(ban),
        });
    }

    pub(crate) fn remove_ban(&self, network: &Network) {
        self.change_bans(|bans| bans.retain(|ban| ban.network != *network));
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
            Write::Record(_) | Write::Bindings(_) | Write::UnbindUsers(_) => return None,
        };
        Some(self.key.hash_one((kind, name)))
    }

    fn change_routes(&self, change: impl FnOnce(&mut Vec<StoredRoute>)) {
        change(Arc::make_mut(&mut self.routes.write().unwrap_or_else(PoisonError::into_inner)));
    }

    fn change_bans(&self, change: impl FnOnce(&mut Vec<Ban>)) {
        change(Arc::make_mut(&mut self.bans.write().unwrap_or_else(PoisonError::into_inner)));
    }
}
