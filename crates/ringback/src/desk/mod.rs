//! What operators want of the exchange ([`Command`]), done. Behind the control socket while it runs, and by the command itself, on the
//! same data, when it does not.

mod bans;
mod calls;
mod registrations;
mod routes;
mod settings;
mod users;

pub(crate) use settings::Settings;

use crate::control::Command;
use crate::exchange::{World, listening_at};
use crate::exit::Failure;
use net::{LocalAddress, Orders};
use serde_json::Value;
use server::{Order, Report};
use std::sync::{Arc, PoisonError, RwLock};
use store::{Outcome, Store, Write};
use tokio::sync::oneshot;

/// What a command gives, made as it is taken.
pub(crate) type Values = Box<dyn Iterator<Item = Value> + Send>;

/// Who does it. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct Desk {
    world: World,
    settings: Arc<RwLock<Arc<Settings>>>,
    /// `None` where no exchange runs.
    live: Option<Live>,
    /// One command after the other changes accounts and routes, so that what it has looked at is still so.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The exchange that runs.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) orders: Orders,
    pub(crate) addresses: Arc<[LocalAddress]>,
}

impl Desk {
    pub(crate) fn new(world: World, settings: Settings, live: Option<Live>) -> Desk {
        Desk { world, settings: Arc::new(RwLock::new(Arc::new(settings))), live, turn: Arc::default() }
    }

    /// Does it, and says what it gives or why not.
    pub(crate) async fn answer(&self, command: Command) -> Result<Values, Failure> {
        let _turn = self.turn.lock().await;
        match command {
            Command::RegLs {} => Ok(self.bindings()),
            Command::RegRm { aor, contact } => self.remove_bindings(aor, contact).await,
            Command::Realm {} => self.realm(),
            Command::UserLs {} => self.list_users(),
            Command::UserShow { name } => self.show_user(&name),
            Command::UserPut { accounts, put } => self.put_users(accounts, put).await,
            Command::UserRm { name } => self.remove_user(name).await,
            Command::UserForward { name, forwards } => self.forward_user(name, &forwards).await,
            Command::CallsLs {} => self.list_calls().await,
            Command::CallsShow { call } => self.show_call(call).await,
            Command::CallsHangup { id } => self.hang_up(id).await,
            Command::CallsHistory { since, until, user, limit } => self.history(since, until, user, limit).await,
            Command::BanLs {} => self.list_bans(),
            Command::BanAdd { source, for_s, why } => self.ban(&source, for_s, &why).await,
            Command::BanRm { source } => self.unban(&source).await,
            Command::RouteLs {} => Ok(self.list_routes()),
            Command::RouteAdd { name, toml } => self.add_route(name, toml).await,
            Command::RouteRm { name } => self.remove_route(name).await,
        }
    }

    /// What the exchange goes by.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on with other settings. What comes back is what somebody should look at.
    pub(crate) async fn configure(&self, settings: Settings) -> Vec<String> {
        let _turn = self.turn.lock().await;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.tell_shards().await
    }

    /// Tells the shards what to go by; what comes back is what somebody should look at.
    async fn tell_shards(&self) -> Vec<String> {
        let Some(live) = &self.live else { return Vec::new() };
        let (config, doubts) = self.settings().server(&self.store().routes());
        let config = listening_at(&config, &live.addresses);
        live.orders.give_all(|| Order::Configure(Box::new(config.clone()))).await;
        doubts
    }

    /// Lets no new calls begin.
    pub(crate) async fn drain(&self) {
        if let Some(live) = &self.live {
            live.orders.give_all(|| Order::Drain(true)).await;
        }
    }

    /// How many calls are under way, of those that are watched.
    pub(crate) async fn count_calls(&self) -> usize {
        let Some(live) = &self.live else { return 0 };
        let reports = live.orders.ask_all(|ticket| Order::Count { ticket }).await;
        let counts = reports.into_iter().map(|report| if let Report::Counted(count) = report { count } else { 0 });
        counts.sum()
    }

    fn store(&self) -> &Store {
        &self.world.store
    }

    fn orders(&self) -> Result<&Orders, Failure> {
        let live = self.live.as_ref().ok_or_else(|| Failure::negative("no exchange runs on this data"))?;
        Ok(&live.orders)
    }

    /// Has something written down; when this comes back with `true` it is. `false`: it does not fit what is there.
    async fn write(&self, write: Write) -> Result<bool, Failure> {
        self.written(self.begin_to_write(write)).await
    }

    /// The same in two steps, for several that are written down together.
    fn begin_to_write(&self, write: Write) -> oneshot::Receiver<Outcome> {
        let (tell, hear) = oneshot::channel();
        self.store().change(write, |outcome| {
            let _ = tell.send(outcome);
        });
        hear
    }

    async fn written(&self, outcome: oneshot::Receiver<Outcome>) -> Result<bool, Failure> {
        match outcome.await {
            Ok(Outcome::Committed) => Ok(true),
            Ok(Outcome::Stale) => Ok(false),
            Ok(Outcome::Full) => Err(Failure::negative("not all of it is done: there is no room for more of these")),
            Ok(Outcome::Failed) | Err(_) => Err(Failure::negative(format!("not done: {}", self.store().health()))),
        }
    }
}

/// One value.
fn one(value: Value) -> Result<Values, Failure> {
    Ok(Box::new(std::iter::once(value)))
}

/// No value: it is done.
fn done() -> Result<Values, Failure> {
    Ok(Box::new(std::iter::empty()))
}
