use super::{Desk, Values, done, one};
use crate::config;
use crate::control::{Account, Forwards, Put, Secrets};
use crate::exit::Failure;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::{StoreError, Write, unhex, valid_name};

impl Desk {
    /// What secrets must be made for.
    pub(super) fn realm(&self) -> Result<Values, Failure> {
        let auth = &self.settings().config.auth;
        let algorithms: Vec<&str> = auth.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        one(json!({"realm": auth.realm, "algorithms": algorithms}))
    }

    pub(super) fn list_users(&self) -> Result<Values, Failure> {
        let accounts = self.store().accounts();
        let others = accounts.of_other_realms().into_iter().map(|account| account.name);
        let names: BTreeSet<String> = accounts.names().into_iter().chain(others).collect();
        let desk = self.clone();
        Ok(Box::new(names.into_iter().filter_map(move |name| desk.described(&name))))
    }

    pub(super) fn show_user(&self, name: &str) -> Result<Values, Failure> {
        one(self.described(name).ok_or_else(|| StoreError::NoSuchUser(name.to_owned()))?)
    }

    fn described(&self, name: &str) -> Option<Value> {
        let accounts = self.store().accounts();
        let ours = self.settings().config.auth.realm.clone();
        let (realm, from) = match accounts.is_configured(name) {
            true => (ours.clone(), "configuration"),
            false => (accounts.stored(name)?.realm, "data folder"),
        };
        let mut value = json!({"user": name, "realm": realm, "from": from, "usable": realm == ours});
        if let Some(forwards) = accounts.forwards(name) {
            value["forward"] = json!(Forwards::of(&forwards));
        }
        if let Some(limits) = accounts.limits(name) {
            let destinations: Vec<String> = limits.destinations.iter().map(ToString::to_string).collect();
            value["limits"] = json!({
                "calls": limits.calls,
                "calls_per_hour": limits.calls_per_hour,
                "destinations": destinations,
            });
        }
        Some(value)
    }

    /// All of them are looked at before the first is written down.
    pub(super) async fn put_users(&self, accounts: Vec<Account>, put: Put) -> Result<Values, Failure> {
        let accounts: Vec<store::Account> =
            accounts.iter().map(|account| self.read(account)).collect::<Result<_, _>>()?;
        let known = self.store().accounts();
        for account in &accounts {
            self.refuse_configured(&account.name)?;
            match (put, known.stored(&account.name).is_some()) {
                (Put::Add, true) => return Err(StoreError::UserExists(account.name.clone()).into()),
                (Put::Secrets, false) => return Err(StoreError::NoSuchUser(account.name.clone()).into()),
                _ => {}
            }
        }
        let begun: Vec<_> = accounts
            .iter()
            .map(|account| {
                let there = known.stored(&account.name).is_some();
                let account = Box::new(account.clone());
                self.begin_to_write(if there { Write::ReplaceSecrets(account) } else { Write::AddAccount(account) })
            })
            .collect();
        for outcome in begun {
            self.written(outcome).await?;
        }
        if put != Put::Add {
            self.unbind(accounts.iter().map(|account| account.name.clone()).collect()).await?;
        }
        done()
    }

    pub(super) async fn remove_user(&self, name: String) -> Result<Values, Failure> {
        self.refuse_configured(&name)?;
        let removed = self.write(Write::RemoveAccount(name.clone())).await?;
        // Even if there was none: the time before may have come to this point and no further.
        self.unbind(vec![name.clone()]).await?;
        if removed { done() } else { Err(StoreError::NoSuchUser(name).into()) }
    }

    pub(super) async fn forward_user(&self, name: String, forwards: &Forwards) -> Result<Values, Failure> {
        self.refuse_configured(&name)?;
        let forwards = Box::new(config::read_forwards(&name, forwards)?);
        if !self.write(Write::PutForwards(name.clone(), forwards)).await? {
            return Err(StoreError::NoSuchUser(name).into());
        }
        done()
    }

    /// What was registered with another password is not theirs any more. Where nobody proves who they are, accounts have no say in that.
    async fn unbind(&self, names: Vec<String>) -> Result<(), Failure> {
        if self.settings().config.auth.required {
            self.write(Write::UnbindUsers(names)).await?;
        }
        Ok(())
    }

    fn refuse_configured(&self, name: &str) -> Result<(), Failure> {
        if !self.store().accounts().is_configured(name) {
            return Ok(());
        }
        let then = if self.live.is_some() { ", and send the exchange a SIGHUP" } else { "" };
        Err(Failure::negative(format!("user {name} is in the configuration file: change it there{then}")))
    }

    fn read(&self, account: &Account) -> Result<store::Account, Failure> {
        let Account { name, realm, secrets } = account;
        let config = &self.settings().config;
        if !valid_name(name) {
            return Err(StoreError::BadName(name.clone()).into());
        }
        if *realm != config.auth.realm {
            let ours = &config.auth.realm;
            return Err(Failure::negative(format!(
                "the secrets of user {name} are for realm {realm:?}, and auth.realm is {ours:?}"
            )));
        }
        let secrets =
            digests(secrets).ok_or_else(|| Failure::usage(format!("the secrets of user {name} are no digests")))?;
        Ok(store::Account::new(name, realm, secrets))
    }
}

/// What is not there is drawn, so that nobody knows it. Nothing at all is no secret.
fn digests(texts: &Secrets) -> Option<sip_auth::Secrets> {
    if *texts == Secrets::default() {
        return None;
    }
    let mut secrets = sip_auth::Secrets { md5: [0; 16], sha256: [0; 32], sha512_256: None };
    let mut chance = net::system_rng();
    let mut read = |text: &Option<String>, secret: &mut [u8]| match text {
        Some(text) => unhex(text, secret),
        None => {
            chance.fill(secret);
            true
        }
    };
    let mut good = read(&texts.ha1_md5, &mut secrets.md5) & read(&texts.ha1_sha256, &mut secrets.sha256);
    if texts.ha1_sha512_256.is_some() {
        good &= read(&texts.ha1_sha512_256, secrets.sha512_256.insert([0; 32]));
    }
    good.then_some(secrets)
}
