use super::Gate;
use engine::Now;
use net::{Backend, Later};
use server::{Answer, Ask, Event, Input, Server};
use sip_registrar::Outcome;
use std::sync::Arc;
use store::{Account, Accounts, Bindings, Store, StoreError, Write};

/// What the exchange's shards ask for is in memory, so that each is answered at once; what they change, when it is on the disk. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct World {
    pub(super) accounts: Accounts,
    pub(crate) store: Store,
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

    /// What is bound to whom.
    pub(crate) fn bindings(&self) -> &Bindings {
        self.store.bindings()
    }

    fn drop_bindings(&self, names: &[String]) {
        // Where nobody proves who they are, accounts have no say in who is registered.
        if self.auth_required && !names.is_empty() {
            self.store.change(Write::UnbindUsers(names.to_vec()), drop);
        }
    }

    fn may_be_registered(&self, aor: &sip_registrar::AddressOfRecord) -> bool {
        !self.auth_required || self.accounts.contains(aor.user())
    }
}

impl Backend<Server> for World {
    fn handle_ask(&mut self, now: Now, ask: Ask, later: &Later<Input>) -> Option<Input> {
        self.answer(now, ask, later).map(Input::Answer)
    }

    fn handle_event(&mut self, now: Now, event: Event) {
        let Some(gate) = &self.gate else { return };
        match event {
            Event::Offence { source, offence } => gate.handle_offence(now, source, offence),
            Event::Known { source } => gate.handle_known(now, source),
            Event::OverLimit { .. } | Event::Ended(_) | Event::Report { .. } => {}
        }
    }
}

impl World {
    fn answer(&self, now: Now, ask: Ask, later: &Later<Input>) -> Option<Answer> {
        Some(match ask {
            Ask::Credentials { ticket, user } => Answer::Credentials {
                ticket,
                secrets: self.accounts.secrets(&user),
                limits: self.accounts.limits(&user),
            },
            Ask::Bindings { ticket, aor } => {
                let user = aor.user();
                let (forwards, limits) = (self.accounts.forwards(user), self.accounts.limits(user));
                let account = self.accounts.contains(user).then_some(server::Account { forwards, limits });
                Answer::Bindings { ticket, snapshot: self.bindings().fetch(now, &aor), account }
            }
            Ask::Registrar(sip_registrar::Ask::Fetch { ticket, aor }) => {
                let snapshot = self.bindings().fetch(now, &aor);
                Answer::Registrar(sip_registrar::Answer::Fetched { ticket, snapshot })
            }
            // It was let in a moment before the account went.
            Ask::Registrar(sip_registrar::Ask::Commit { ticket, change }) if !self.may_be_registered(&change.aor) => {
                committed(ticket, Outcome::Failed)
            }
            Ask::Registrar(sip_registrar::Ask::Commit { ticket, change }) => {
                let later = later.clone();
                let reply = move |outcome| later.give(Input::Answer(committed(ticket, outcome)));
                self.store.change(Write::Bindings(change), reply);
                return None;
            }
            // net looks names up itself.
            Ask::Resolve { ticket, .. } => Answer::Resolved { ticket, flows: Vec::new() },
        })
    }
}

fn committed(ticket: u64, outcome: Outcome) -> Answer {
    Answer::Registrar(sip_registrar::Answer::Committed { ticket, outcome })
}
