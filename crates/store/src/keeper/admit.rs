use crate::backend::{Group, Row};
use crate::bindings::{Admitted, part_of};
use crate::{ACCOUNTS_MAX, BANS_MAX, Outcome, ROUTE_BYTES_MAX, ROUTES_MAX, Tables, Write};
use sip_registrar::Change;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// What the writes of a group are about: nothing twice, so that each is decided from what is visible.
#[derive(Default)]
pub(super) struct Keys {
    taken: HashSet<u64, BuildHasherDefault<AsItIs>>,
    /// Bindings that the group adds.
    added: isize,
    accounts_added: usize,
    routes_added: usize,
    bans_added: usize,
}

/// What is to become of a write.
pub(super) enum Admission {
    /// It is in the group.
    Taken,
    /// It cannot be done, or there is nothing to do.
    Answered(Outcome),
    /// What it is about is in the group already.
    NotYet(Write),
}

impl Keys {
    pub(super) fn clear(&mut self) {
        self.taken.clear();
        (self.added, self.accounts_added, self.routes_added, self.bans_added) = (0, 0, 0, 0);
    }

    pub(super) fn admit(&mut self, write: Write, tables: &Tables, group: &mut Group) -> Admission {
        match write {
            Write::Bindings(change) => self.admit_change(change, tables, group),
            Write::UnbindUsers(names) => self.admit_unbinding(names, tables, group),
            other => self.admit_row(other, tables, group),
        }
    }

    fn admit_change(&mut self, change: Change, tables: &Tables, group: &mut Group) -> Admission {
        let hash = tables.bindings.hash(&change.aor);
        if !self.taken.insert(hash) {
            return Admission::NotYet(Write::Bindings(change));
        }
        match tables.bindings.admit(hash, &change, &mut self.added, &mut group.log) {
            Ok(refresh) => {
                group.changes.push(Admitted { hash, change, refresh });
                Admission::Taken
            }
            Err(outcome) => Admission::Answered(outcome),
        }
    }

    /// Theirs may be many, so it begins a group.
    fn admit_unbinding(&mut self, names: Vec<String>, tables: &Tables, group: &mut Group) -> Admission {
        if !self.taken.is_empty() {
            return Admission::NotYet(Write::UnbindUsers(names));
        }
        for aor in tables.bindings.of_users(&names) {
            let hash = tables.bindings.hash(&aor);
            let version = tables.bindings.read(part_of(hash)).standing_at(hash, &aor).0;
            let change = Change { aor, version, bindings: Arc::from([]) };
            // Swept meanwhile, if it is not taken.
            let _ = self.admit_change(change, tables, group);
        }
        if group.changes.is_empty() { Admission::Answered(Outcome::Committed) } else { Admission::Taken }
    }

    fn admit_row(&mut self, write: Write, tables: &Tables, group: &mut Group) -> Admission {
        if let Some(key) = tables.key_of(&write)
            && !self.taken.insert(key)
        {
            return Admission::NotYet(write);
        }
        match self.row_of(write, tables) {
            Ok(row) => {
                group.rows.push(row);
                Admission::Taken
            }
            Err(outcome) => Admission::Answered(outcome),
        }
    }

    fn row_of(&mut self, write: Write, tables: &Tables) -> Result<Row, Outcome> {
        let known = |name: &str| tables.accounts.stored(name).ok_or(Outcome::Stale);
        Ok(match write {
            Write::AddAccount(account) => {
                if tables.accounts.stored(&account.name).is_some() {
                    return Err(Outcome::Stale);
                }
                if tables.accounts.stored_len() + self.accounts_added >= ACCOUNTS_MAX {
                    return Err(Outcome::Full);
                }
                self.accounts_added += 1;
                Row::Account(*account)
            }
            Write::ReplaceSecrets(new) => {
                let old = known(&new.name)?;
                Row::Account(crate::Account { realm: new.realm, secrets: new.secrets, ..old })
            }
            Write::PutForwards(name, forwards) => Row::Account(crate::Account { forwards: *forwards, ..known(&name)? }),
            Write::PutLimits(name, limits) => {
                Row::Account(crate::Account { limits: limits.map(|limits| *limits), ..known(&name)? })
            }
            Write::RemoveAccount(name) => Row::NoAccount(known(&name)?.name),
            Write::PutRoute(route) => {
                let routes = tables.routes();
                if !routes.iter().any(|other| other.name == route.name) {
                    if routes.len() + self.routes_added >= ROUTES_MAX {
                        return Err(Outcome::Full);
                    }
                    self.routes_added += 1;
                }
                if route.toml.len() > ROUTE_BYTES_MAX {
                    return Err(Outcome::Full);
                }
                Row::Route(*route)
            }
            Write::RemoveRoute(name) if tables.routes().iter().any(|route| route.name == name) => Row::NoRoute(name),
            Write::Record(record) => Row::Record(*record),
            Write::Nothing => Row::Nothing,
            Write::Ban(ban) => {
                if !tables.has_ban(&ban.network) {
                    if tables.bans_len() + self.bans_added >= BANS_MAX {
                        return Err(Outcome::Full);
                    }
                    self.bans_added += 1;
                }
                Row::Ban(*ban)
            }
            Write::Unban(network) if tables.has_ban(&network) => Row::NoBan(network),
            Write::RemoveRoute(_) | Write::Unban(_) => return Err(Outcome::Stale),
            Write::Bindings(_) | Write::UnbindUsers(_) => unreachable!("they are no rows"),
        })
    }
}

/// Keys are keyed hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
