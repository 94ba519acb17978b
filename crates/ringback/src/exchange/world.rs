use super::{Gate, GateConfig};
use crate::config::Config;
use engine::{Now, Rng};
use net::{Backend, Later};
use server::{Answer, Ask, Event, Input, Server};
use sip_registrar::Outcome;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{DataFolder, Options, Store, StoreError, Write};

/// What the exchange's shards ask for is in memory, so that each is answered at once; what they change, when it is on the disk. A clone is
/// another handle to the same.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: Store,
    /// Without it, all sources are let in.
    pub(crate) gate: Option<Arc<Gate>>,
    auth_required: bool,
    keeps_records: bool,
    counts: Arc<Counts>,
}

/// What nobody writes down.
#[derive(Default)]
struct Counts {
    ended: AtomicU64,
    refused: Mutex<Option<Refused>>,
}

/// A call beyond a user's limits.
struct Refused {
    user: String,
    why: String,
    /// How many there were before it of which nobody was told.
    more: u64,
}

impl World {
    /// What is in a data folder, whose lock the caller holds.
    pub(crate) fn open(folder: &DataFolder, config: &Config, rng: &mut Rng) -> Result<World, StoreError> {
        let options = Options {
            realm: config.auth.realm.clone(),
            accounts: config.users.clone(),
            keep_records: Duration::from_secs(86_400 * u64::from(config.store.keep_records_days)),
        };
        let store = Store::open(folder, &config.store.url, options, rng)?;
        let gate = Gate::over(&store, Now::read_clocks(), &GateConfig::new(config), rng);
        let keeps_records = config.store.keep_records_days > 0;
        let world = World { keeps_records, ..World::of(store, Some(Arc::new(gate)), config.auth.required) };
        world.unbind_strangers();
        Ok(world)
    }

    /// Over a store, which is told of no calls.
    pub(crate) fn of(store: Store, gate: Option<Arc<Gate>>, auth_required: bool) -> World {
        World { store, gate, auth_required, keeps_records: false, counts: Arc::default() }
    }

    /// Lets go of what is bound to users whose account went while nobody ran.
    fn unbind_strangers(&self) {
        let mut strangers = BTreeSet::new();
        self.store.bindings().for_each(|aor, _| {
            if !self.may_be_registered(aor) && !strangers.contains(aor.user()) {
                strangers.insert(aor.user().to_owned());
            }
        });
        if !strangers.is_empty() {
            // A store that cannot write now says so by itself.
            let _ = self.store.change_and_wait(Write::UnbindUsers(strangers.into_iter().collect()));
        }
    }

    /// Takes these accounts in the place of the configured ones. Who is gone, or has another password, is not registered any more.
    pub(crate) fn configure_accounts(&self, configured: Vec<store::Account>) {
        let names = self.store.accounts().configure(configured);
        // Where nobody proves who they are, accounts have no say in who is registered.
        if self.auth_required && !names.is_empty() {
            self.store.change(Write::UnbindUsers(names), drop);
        }
    }

    /// Calls that have ended since the exchange began.
    pub(crate) fn calls_ended(&self) -> u64 {
        self.counts.ended.load(Relaxed)
    }

    /// Words on a call that was refused because its user had come to their limits, if that has happened since the last time.
    pub(crate) fn take_refused(&self) -> Option<String> {
        let Refused { user, why, more } = lock(&self.counts.refused).take()?;
        let rest = if more > 0 { format!(" (and {more} more calls, of this or other users)") } else { String::new() };
        Some(format!("a call of user {user} was refused: {why}{rest}"))
    }

    fn may_be_registered(&self, aor: &sip_registrar::AddressOfRecord) -> bool {
        !self.auth_required || self.store.accounts().contains(aor.user())
    }
}

impl Backend<Server> for World {
    fn handle_ask(&mut self, now: Now, ask: Ask, later: &Later<Input>) -> Option<Input> {
        self.answer(now, ask, later).map(Input::Answer)
    }

    fn handle_event(&mut self, now: Now, event: Event) {
        match event {
            Event::Offence { source, offence } => {
                if let Some(gate) = &self.gate {
                    gate.handle_offence(now, source, offence);
                }
            }
            Event::Known { source } => {
                if let Some(gate) = &self.gate {
                    gate.handle_known(now, source);
                }
            }
            Event::OverLimit { user, why } => {
                let mut refused = lock(&self.counts.refused);
                let more = refused.as_ref().map_or(0, |refused| refused.more + 1);
                *refused = Some(Refused { user, why, more });
            }
            Event::Ended(record) => {
                self.counts.ended.fetch_add(1, Relaxed);
                if self.keeps_records {
                    self.store.note(record);
                }
            }
            // net hands those to who has asked.
            Event::Report { .. } => {}
        }
    }
}

impl World {
    fn answer(&self, now: Now, ask: Ask, later: &Later<Input>) -> Option<Answer> {
        let accounts = self.store.accounts();
        Some(match ask {
            Ask::Credentials { ticket, user } => {
                Answer::Credentials { ticket, secrets: accounts.secrets(&user), limits: accounts.limits(&user) }
            }
            Ask::Bindings { ticket, aor } => {
                let user = aor.user();
                let (forwards, limits) = (accounts.forwards(user), accounts.limits(user));
                let account = accounts.contains(user).then_some(server::Account { forwards, limits });
                Answer::Bindings { ticket, snapshot: self.store.bindings().fetch(now, &aor), account }
            }
            Ask::Registrar(sip_registrar::Ask::Fetch { ticket, aor }) => {
                let snapshot = self.store.bindings().fetch(now, &aor);
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
