use super::configured::Configured;
use crate::config::{Config, LogFormat};
use crate::console::Console;
use crate::control;
use crate::desk::Desk;
use crate::exchange::{self, Certificates, Exchange, Gate, GateConfig, Setup};
use crate::exit::{Exit, Failure, Outcome};
use crate::http;
use crate::secrets;
use clap::Args;
use engine::{Now, Rng};
use net::{DnsConfig, ListenError, LocalAddress, Tls};
use serde_json::json;
use server::Domains;
use sip_auth::Secrets;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Account, Accounts, DataFolder, Store, UsersFile};
use tokio::signal::unix::{SignalKind, signal};

/// The accounts of an exchange that nobody has given any.
const FIRST_USERS: [&str; 3] = ["100", "101", "102"];

/// Accounts that the banner names.
const NAMES_SHOWN: usize = 8;

/// How often changed accounts are looked for and ended bindings swept.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Runs the exchange; also without the word `serve`.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: ringback serve --data /var/lib/ringback",
    after_help = "Signals: SIGHUP reads the configuration again and takes over its accounts (what else has changed needs a restart, \
                  and is named); SIGINT and SIGTERM stop at once: calls that are answered go on talking, those that still ring are lost."
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
    let file = folder.users_file();
    let created = if arguments.no_first_accounts || file.exists() || !config.users.is_empty() {
        Vec::new()
    } else {
        create_first_users(&file, &config.auth.realm, &mut rng)?
    };
    let names = if config.domains.is_empty() { exchange::machine_names() } else { config.domains.clone() };
    let (certificates, warnings) = Certificates::load(&config, &folder, &names, Now::read_clocks().wall)?;
    warnings.iter().for_each(|warning| console.warn(warning));
    let accounts = Accounts::load(&config.auth.realm, config.users.clone(), Some(file))?;
    let options = store::Options {
        realm: config.auth.realm.clone(),
        accounts: config.users.clone(),
        keep_records: Duration::from_secs(86_400 * u64::from(config.store.keep_records_days)),
    };
    let store = Store::open(&folder, &config.store.url, options, &mut rng)?;
    for account in accounts.of_other_realms() {
        let name = &account.name;
        console.warn(format!(
            "user {name} cannot register: the password was set for realm {:?}; give a new one with `ringback user passwd {name}`",
            account.realm
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::usage(format!("cannot wait for signals: {error}")))?;
    runtime.block_on(async {
        // Before anybody is told that we are ready: a signal from then on is not missed.
        let signals = Signals::new().map_err(|error| Failure::usage(format!("cannot wait for signals: {error}")))?;
        let now = Now::read_clocks();
        let gate = Gate::over(&store, now, &GateConfig::new(&config), &mut rng);
        match gate.bans(now).len() {
            0 => {}
            1 => console.warn("one network is banned; `ringback ban ls` says why and for how long"),
            count => console.warn(format!("{count} networks are banned; `ringback ban ls` says why and for how long")),
        }
        let setup = Setup { gate: Some(Arc::new(gate)), ..setup(&config, &names, keys, (accounts, store), certificates.tls()) };
        let exchange = Arc::new(Exchange::start(setup).map_err(|error| cannot_listen(&error))?);
        let (ports, without) = http::open(&config.listen)?;
        let control = control::Listener::open(&folder.control_socket());
        if let Err(error) = &control {
            console.warn(format!("`ringback reg` will not work: {}: {error}", folder.control_socket().display()));
        }
        for error in exchange.left_out() {
            console.warn(format!("{error}; it is left out"));
        }
        without.iter().for_each(|why| console.warn(format!("{why}; it is left out")));
        announce(console, &config, &exchange, &ports, &created, certificates.authority().as_deref());
        for port in ports {
            tokio::spawn(port.serve(pages(&exchange)));
        }
        let desk = Desk { world: exchange.world.clone(), orders: Some(exchange.orders.clone()) };
        let running = Running { exchange, desk, certificates, config: &config, configured: &arguments.configured };
        let outcome = running.tend(control.ok(), signals, console).await;
        let _ = std::fs::remove_file(folder.control_socket());
        outcome
    })
}

/// What monitors see of the exchange.
fn pages(exchange: &Arc<Exchange>) -> axum::Router {
    let exchange = Arc::downgrade(exchange);
    http::router(move || match exchange.upgrade() {
        Some(exchange) => exchange.status(),
        None => http::Status { unready: vec!["The exchange has stopped.".to_owned()], ..http::Status::default() },
    })
}

fn setup(config: &Config, names: &[String], keys: server::Keys, (accounts, store): (Accounts, Store), tls: Tls) -> Setup {
    Setup {
        listen: exchange::listen_config(&config.listen),
        drivers: std::thread::available_parallelism().map_or(1, usize::from),
        server: server_config(config, names, keys),
        accounts,
        store,
        dns: DnsConfig { servers: config.dns_servers.clone() },
        tls: Some(tls),
        gate: None,
        tap: crate::trace::tap(),
    }
}

fn server_config(config: &Config, names: &[String], keys: server::Keys) -> server::Config {
    let domains = Domains::new(names, Vec::new()).expect("each is a host, which the configuration has checked");
    server::Config {
        auth_required: config.auth.required,
        realm: config.auth.realm.clone(),
        algorithms: config.auth.algorithms.clone(),
        registrar: sip_registrar::Config {
            min_expires_s: config.registrar.min_expires_s,
            max_expires_s: config.registrar.max_expires_s,
            default_expires_s: config.registrar.default_expires_s,
            service_route: config.registrar.service_route.clone(),
            flow_timer_s: config.registrar.flow_timer_s,
            ..sip_registrar::Config::default()
        },
        record_route: config.proxy.record_route,
        mode: config.proxy.mode,
        recurse: config.proxy.recurse,
        max_breadth: config.proxy.max_breadth,
        limits: config.limits.clone(),
        ..server::Config::new(domains, keys).with_rules(config.rules.clone(), Now::read_clocks())
    }
}

/// Makes the accounts of a new data folder; what comes back are their names and passwords.
fn create_first_users(file: &UsersFile, realm: &str, rng: &mut Rng) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut created = Vec::new();
    for name in FIRST_USERS {
        let password = secrets::password(rng);
        let secrets = Secrets::new(name, realm, &password);
        file.add(Account::new(name, realm, secrets))?;
        created.push((name, password));
    }
    Ok(created)
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

/// Says that the exchange is ready, where it is, and what to do with it.
fn announce(
    console: &Console,
    config: &Config,
    exchange: &Exchange,
    ports: &[http::Port],
    created: &[(&str, String)],
    authority: Option<&Path>,
) {
    for (user, password) in created {
        let event = json!({"event": "account", "user": user, "password": password});
        if console.quiet && !console.json {
            // Nobody could ever learn them otherwise.
            console.tell(format!("{user} {password}"), || event);
        } else {
            console.event(&event);
        }
    }
    console.say(in_words(console, config, exchange, created, authority));
    let text = |local: &LocalAddress| format!("{}:{}", local.transport.as_str().to_lowercase(), local.address);
    let mut listen: Vec<String> = exchange.addresses().iter().map(text).collect();
    listen.extend(ports.iter().filter_map(http::Port::address).map(|address| format!("http:{address}")));
    console.event(&json!({"event": "ready", "listen": listen}));
    if !console.json {
        console.say(format!("ready: {}", listen.join(" ")));
    }
}

fn in_words(
    console: &Console,
    config: &Config,
    exchange: &Exchange,
    created: &[(&str, String)],
    authority: Option<&Path>,
) -> String {
    let addresses = exchange.addresses();
    let places = places(addresses);
    let mut words = format!("{}\n\n", console.bold(concat!("Ringback ", env!("CARGO_PKG_VERSION"))));
    let mut row = |title: &str, text: String| {
        let _ = writeln!(words, "  {title:<10} {text}");
    };
    for (index, place) in places.iter().enumerate() {
        row(if index == 0 { "reach it" } else { "" }, format!("at {place}, over {}", transports(addresses, place)));
    }
    if let Some(authority) = authority {
        row("TLS", format!("for phones that are told to trust {}", authority.display()));
    }
    if !config.domains.is_empty() {
        row("domains", config.domains.join(", "));
    }
    for (index, (user, password)) in created.iter().enumerate() {
        row(if index == 0 { "accounts" } else { "" }, format!("{user}   password {}", console.bold(password)));
    }
    let place = places.first().map_or("127.0.0.1", String::as_str);
    if let [(first, password), (second, second_password), ..] = created {
        row("", "(shown this once; `ringback user passwd NAME` makes a new one)".to_owned());
        row(
            "try next",
            format!("tell a phone: server {place}, user {first}, and its password; another one: user {second}"),
        );
        row("or here", format!("ringback answer --as {second}:{second_password}@{place} --play echo"));
        row(
            "",
            format!("ringback call {second} --as {first}:{password}@{place} --play tone --duration 3    (beside it)"),
        );
        row("", "ringback demo".to_owned());
        return words;
    }
    let data = config.data.display();
    let names = exchange.world.account_names();
    if names.is_empty() {
        row("accounts", format!("none; add one with `ringback user add NAME --data {data}`"));
    } else {
        let more = if names.len() > NAMES_SHOWN { ", .." } else { "" };
        let first: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
        row("accounts", format!("{}: {}{more}", names.len(), first.join(", ")));
        row("", format!("a new password: `ringback user passwd NAME --data {data}`"));
    }
    words
}

/// What others can call us by, best first: each address that we are reached at, with its port unless that is SIP's own.
fn places(addresses: &[LocalAddress]) -> Vec<String> {
    let mut places = Vec::new();
    for local in addresses {
        let ips = match local.address.ip() {
            ip if !ip.is_unspecified() => vec![ip],
            any => exchange::lan_addresses().into_iter().filter(|ip| ip.is_ipv4() == any.is_ipv4()).collect(),
        };
        for ip in ips {
            let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
            let place = if local.address.port() == 5060 { host } else { format!("{host}:{}", local.address.port()) };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    if places.is_empty() {
        places.push("127.0.0.1".to_owned());
    }
    places
}

fn transports(addresses: &[LocalAddress], place: &str) -> String {
    let here = |local: &&LocalAddress| places(&[**local]).iter().any(|other| other == place);
    let names: Vec<&str> = addresses.iter().filter(here).map(|local| local.transport.as_str()).collect();
    names.join(" and ")
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

/// Takes over what has changed in the configuration and can be taken over while calls go on: its accounts. What is wrong with it is said,
/// and then nothing changes.
fn reload(exchange: &Exchange, running: &Config, configured: &Configured, console: &Console) {
    let outcome = configured.read().and_then(|(config, _)| {
        let restart_for = differences(running, &config);
        if let Some(gate) = &exchange.world.gate {
            gate.configure(&GateConfig::new(&config));
        }
        // The secrets of another realm would fit no challenge of this exchange.
        if config.auth.realm == running.auth.realm {
            exchange.world.configure_accounts(config.users)?;
        }
        Ok(restart_for)
    });
    match outcome {
        Ok(restart_for) => {
            let rest = match restart_for.is_empty() {
                true => String::new(),
                false => format!("; what has changed in {} needs a restart", restart_for.join(", ")),
            };
            console.say(format!("reloaded: accounts, guard{rest}"));
            console.event(&json!({"event": "reloaded", "restart_for": restart_for}));
        }
        Err(failure) => {
            console.warn(format!("not reloaded, everything stays as it is: {}", failure.text));
            console.event(&json!({"event": "reload_failed", "reason": failure.text}));
        }
    }
}

/// The parts of two configurations, accounts apart, that are not the same.
fn differences(running: &Config, config: &Config) -> Vec<&'static str> {
    let parts = |config: &Config| {
        [
            ("data", format!("{:?}", config.data)),
            ("domains", format!("{:?}", config.domains)),
            ("listen", format!("{:?}", config.listen)),
            ("auth", format!("{:?}", config.auth)),
            ("registrar", format!("{:?}", config.registrar)),
            ("proxy", format!("{:?}", config.proxy)),
            ("tls", format!("{:?}", config.tls)),
            ("dns", format!("{:?}", config.dns_servers)),
            ("trunk and route", format!("{:?}", config.rules)),
        ]
    };
    parts(running).iter().zip(parts(config)).filter(|(one, other)| **one != *other).map(|(_, (name, _))| name).collect()
}

/// An exchange that runs, and what it runs by.
struct Running<'a> {
    exchange: Arc<Exchange>,
    desk: Desk,
    certificates: Certificates,
    config: &'a Config,
    configured: &'a Configured,
}

impl Running<'_> {
    /// Looks after the exchange until somebody ends it.
    async fn tend(mut self, control: Option<control::Listener>, mut signals: Signals, console: &Console) -> Outcome {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let mut damaged = false;
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                _ = signals.hangup.recv() => reload(&self.exchange, self.config, self.configured, console),
                () = control::serve_one(control.as_ref(), &self.desk) => continue,
                _ = housekeeping.tick() => {}
            }
            if let Err(error) = self.exchange.world.refresh_accounts() {
                // Once, not once a second.
                if !damaged {
                    console.warn(format!("accounts stay as they are: {error}"));
                }
                damaged = true;
            } else {
                damaged = false;
            }
            self.refresh_certificates(console);
            if let Some(why) = self.certificates.take_distrust() {
                console.warn(format!("a server was not believed: {why}; tls.ca names CAs to believe"));
            }
            let now = Now::read_clocks();
            self.exchange.world.bindings().sweep(now);
            if let Some(line) = self.exchange.world.gate.as_ref().and_then(|gate| gate.tend(now)) {
                console.warn(line);
            }
            if !self.exchange.is_whole() {
                let what = "a part of the exchange has failed (see above); it must be started again";
                return Err(Failure::negative(what));
            }
        }
        console.say("stopped");
        // Pages hold on to it only while they are made. (Dropped, it stops, too.)
        if let Some(exchange) = Arc::into_inner(self.exchange) {
            exchange.stop();
        }
        Ok(Exit::Done)
    }

    fn refresh_certificates(&mut self, console: &Console) {
        match self.certificates.refresh(Now::read_clocks().wall) {
            None => {}
            Some(Ok(warnings)) => {
                warnings.iter().for_each(|warning| console.warn(warning));
                console.say("the certificate was read again");
                console.event(&json!({"event": "certificate"}));
            }
            Some(Err(failure)) => console.warn(format!("the certificate stays as it is: {}", failure.text)),
        }
    }
}
