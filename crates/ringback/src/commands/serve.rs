//! `ringback serve`: the exchange, from its beginning to its end.

mod announce;
mod drain;
mod reload;
mod running;

use super::configured::Configured;
use crate::config::{Config, LogFormat};
use crate::console::Console;
use crate::control;
use crate::desk::{Desk, Live, Settings};
use crate::exchange::{self, Certificates, Exchange, Setup, World};
use crate::exit::{Failure, Outcome};
use crate::{http, secrets};
use announce::{Beginning, announce};
use clap::Args;
use engine::{Now, Rng};
use net::{DnsConfig, ListenError};
use reload::Parts;
use running::Running;
use sip_auth::Secrets;
use std::io;
use std::sync::Arc;
use store::{Account, DataFolder, Store, Write};
use tokio::signal::unix::{SignalKind, signal};

/// The accounts of an exchange that nobody has given any.
const FIRST_USERS: [&str; 3] = ["100", "101", "102"];

/// Runs the exchange; also without the word `serve`.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: ringback serve --data /var/lib/ringback",
    after_help = "Signals: SIGHUP reads the configuration and the certificates again; no call and no connection is touched, and what needs a \
                  restart is named. SIGINT and SIGTERM take no new calls, wait for those under way (serve.drain_s at most), and stop; \
                  the second one stops at once. Calls that are answered go on talking without us."
)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) configured: Configured,
    /// Makes no accounts in a new data folder: their passwords are printed, and what a service prints is kept in a log
    #[arg(long)]
    no_first_accounts: bool,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let (config, _) = arguments.configured.read()?;
    if config.log == LogFormat::Json {
        crate::logs::switch_to_json();
    }
    let mut rng = net::system_rng();
    let folder = DataFolder::create(&config.data)?;
    let _lock = folder.lock()?;
    let keys = server::Keys::from_secret(folder.key(&mut rng)?);
    let world = World::open(&folder, &config, &mut rng)?;
    let created = match arguments.no_first_accounts || !is_new(&world.store, &config) {
        true => Vec::new(),
        false => create_first_users(&world.store, &config.auth.realm, &mut rng)?,
    };
    let names = exchange::names(&config);
    let (certificates, warnings) = Certificates::load(&config, &folder, &names, Now::read_clocks().wall)?;
    warnings.iter().for_each(|warning| console.warn(warning));
    warn_of_what_is_stored(&world, console);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::usage(format!("cannot wait for signals: {error}")))?;
    let started = Parts::of(&config);
    let outcome = runtime.block_on(async {
        // Before anybody is told that we are ready: a signal from then on is not missed.
        let signals = Signals::new().map_err(|error| Failure::usage(format!("cannot wait for signals: {error}")))?;
        let (ports, left_out) = http::open(&config.listen)?;
        let drain = config.drain;
        let (listen, dns) =
            (exchange::listen_config(&config.listen), DnsConfig { servers: config.dns_servers.clone() });
        let settings = Settings { config, names, keys };
        let (server, doubts) = settings.server(&world.store.routes());
        let setup = Setup {
            listen,
            drivers: std::thread::available_parallelism().map_or(1, usize::from),
            server,
            world,
            dns,
            tls: Some(certificates.tls()),
            tap: crate::trace::tap(),
        };
        let exchange = Arc::new(Exchange::start(setup).map_err(|error| cannot_listen(&error))?);
        let control = control::Listener::open(&folder.control_socket());
        if let Err(error) = &control {
            console
                .warn(format!("commands will not reach the exchange: {}: {error}", folder.control_socket().display()));
        }
        let left_out = exchange.left_out().iter().map(ToString::to_string).chain(left_out);
        left_out.for_each(|error| console.warn(format!("{error}; it is left out")));
        doubts.iter().for_each(|doubt| console.warn(doubt));
        let http: Vec<_> = ports.iter().filter_map(http::Port::address).collect();
        let authority = certificates.authority();
        announce(
            &Beginning {
                config: &settings.config,
                exchange: &exchange,
                created: &created,
                authority: authority.as_deref(),
                http: &http,
            },
            console,
        );
        for port in ports {
            tokio::spawn(port.serve(pages(&exchange)));
        }
        let live = Live { orders: exchange.orders.clone(), addresses: exchange.addresses().into() };
        let desk = Desk::new(exchange.world.clone(), settings, Some(live));
        let configured = &arguments.configured;
        let running =
            Running { exchange, desk, certificates, started, configured, drain, draining: None, calls_left: 0 };
        running.tend(control.ok(), signals, console).await
    });
    let _ = std::fs::remove_file(folder.control_socket());
    outcome
}

/// What monitors see of the exchange.
fn pages(exchange: &Arc<Exchange>) -> axum::Router {
    let exchange = Arc::downgrade(exchange);
    http::router(move || match exchange.upgrade() {
        Some(exchange) => exchange.status(),
        None => http::Status { unready: vec!["The exchange has stopped.".to_owned()], ..http::Status::default() },
    })
}

/// Whether nobody has ever given the exchange an account.
fn is_new(store: &Store, config: &Config) -> bool {
    store.is_new() && store.accounts().stored_len() == 0 && config.users.is_empty()
}

/// Makes the accounts of a new data folder; what comes back are their names and passwords.
fn create_first_users(store: &Store, realm: &str, rng: &mut Rng) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut created = Vec::new();
    for name in FIRST_USERS {
        let password = secrets::password(rng);
        let account = Account::new(name, realm, Secrets::new(name, realm, &password));
        if store.change_and_wait(Write::AddAccount(Box::new(account))) != store::Outcome::Committed {
            return Err(Failure::usage(format!("the first accounts cannot be made: {}", store.health())));
        }
        created.push((name, password));
    }
    Ok(created)
}

fn warn_of_what_is_stored(world: &World, console: &Console) {
    for account in world.store.accounts().of_other_realms() {
        let name = &account.name;
        console.warn(format!(
            "user {name} cannot register: the password was set for realm {:?}; give a new one with `ringback user passwd {name}`",
            account.realm
        ));
    }
    match world.gate.as_ref().map_or(0, |gate| gate.bans(Now::read_clocks()).len()) {
        0 => {}
        1 => console.warn("one network is banned; `ringback ban ls` says why and for how long"),
        count => console.warn(format!("{count} networks are banned; `ringback ban ls` says why and for how long")),
    }
}

fn cannot_listen(error: &ListenError) -> Failure {
    let advice = match error {
        ListenError::Taken { wanted, .. } => {
            let mut free = wanted.address;
            free.set_port(free.port().wrapping_add(10).max(1024));
            format!("\nstop that program, or take another port: add --set listen.udp={free} --set listen.tcp={free}")
        }
        ListenError::Refused { .. } => {
            "\nchoose addresses of this machine with listen.udp and listen.tcp; ports below 1024 need the right to open them"
                .to_owned()
        }
        ListenError::NoCertificate { .. } | ListenError::Start(_) => String::new(),
    };
    Failure::usage(format!("{error}{advice}"))
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}
