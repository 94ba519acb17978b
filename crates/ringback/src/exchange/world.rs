use super::Gate;
use engine::Now;
use net::{Backend, Later};
use server::{Answer, Ask, Event, Input, Server};
use sip_registrar::Outcome;
use std::sync::Arc;
use store::{Account, Accounts, Bindings, StoreError};

/// What the exchange's shards ask for is in memory, so that each is answered at once. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct World {
    pub(super) accounts: Accounts,
    pub(crate) bindings: Bindings,
    pub(super) auth_required: bool,
    pub(crate) gate: Option<Arc<Gate>>,
}

impl World {
    /// The names of all accounts, sorted.
    pub(crate) fn account_names(&self) -> Vec<String> {
        self.accounts.names()
    }

    /// Whether the configuration has an account of this name.
    pub(crate) fn is_configured(&self, name: &str) -> bool {
        self.accounts.is_configured(name)
    }

    /// Reads changed accounts. Who is gone, or has another password, is not registered any more.
    pub(crate) fn refresh_accounts(&self) -> Result<(), StoreError> {
        self.drop_bindings(&self.accounts.refresh()?);
        Ok(())
    }

    /// Takes these accounts in the place of the configured ones, with the same consequences.
    pub(crate) fn configure_accounts(&self, configured: Vec<Account>) -> Result<(), StoreError> {
        self.drop_bindings(&self.accounts.configure(configured)?);
        Ok(())
    }

    fn drop_bindings(&self, names: &[String]) {
        // Where nobody proves who they are, accounts have no say in who is registered.
        if self.auth_required && !names.is_empty() {
            self.bindings.drop_users(names);
        }
    }

    fn may_be_registered(&self, aor: &sip_registrar::AddressOfRecord) -> bool {
        !self.auth_required || self.accounts.contains(aor.user())
    }
}

impl Backend<Server> for World {
    fn handle_ask(&mut self, now: Now, ask: Ask, _later: &Later<Input>) -> Option<Input> {
        Some(Input::Answer(self.answer(now, ask)))
    }

    fn handle_event(&mut self, now: Now, event: Event) {
        let Some(gate) = &self.gate else { return };
        match event {
            Event::Offence { source, offence } => gate.handle_offence(now, source, offence),
            Event::Known { source } => gate.handle_known(now, source),
            Event::Ended(_) | Event::Report { .. } => {}
        }
    }
}

impl World {
    fn answer(&self, now: Now, ask: Ask) -> Answer {
        match ask {
            Ask::Credentials { ticket, user } => Answer::Credentials { ticket, secrets: self.accounts.secrets(&user) },
            Ask::Bindings { ticket, aor } => {
                let (snapshot, forwards) = (self.bindings.fetch(now, &aor), self.accounts.forwards(aor.user()));
                Answer::Bindings { ticket, snapshot, forwards }
            }
            // It was let in a moment before the account went.
            Ask::Registrar(sip_registrar::Ask::Commit { ticket, change }) if !self.may_be_registered(&change.aor) => {
                let outcome = Outcome::Failed;
                Answer::Registrar(sip_registrar::Answer::Committed { ticket, outcome })
            }
            Ask::Registrar(ask) => Answer::Registrar(self.bindings.answer(now, ask)),
            // net looks names up itself.
            Ask::Resolve { ticket, .. } => Answer::Resolved { ticket, flows: Vec::new() },
        }
    }
}
