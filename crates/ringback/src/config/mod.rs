//! The configuration: [`ConfigFile`] is what was typed, [`Config`] what is true.

mod file;
mod guard;
pub(crate) mod keys;
mod limits;
mod listen;
mod problem;
mod read;
mod route;
mod stored;
mod table;
mod trunk;
mod user;
mod value;
mod zone;

#[cfg(test)]
mod doors_tests;
#[cfg(test)]
mod route_tests;
#[cfg(test)]
mod tests;

pub(crate) use file::ConfigFile;
pub(crate) use problem::Problem;
pub(crate) use stored::{read_forwards, read_route, route_name};
pub(crate) use value::{Kind, Origin, Value};

use routing::{Limits, Network, Rules};
use server::Mode;
use sip_auth::Algorithm;
use sip_message::Transport;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use store::Account;

/// Seconds that a registration may last at most, whatever is configured (30 days).
pub(crate) const EXPIRES_S_MAX: u32 = 2_592_000;

/// Branches that one request may have at a time at most, whatever is configured.
pub(crate) const MAX_BREADTH_MAX: u16 = 1_000;

/// Seconds that calls under way are waited for at most, whatever is configured (a day).
pub(crate) const DRAIN_S_MAX: u32 = 86_400;

/// Days for which records of calls are kept at most, whatever is configured (a hundred years).
pub(crate) const KEEP_RECORDS_DAYS_MAX: u32 = 36_500;

/// How the exchange is to run. A value that exists is valid.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    /// Empty: this machine's own names and addresses.
    pub(crate) domains: Vec<String>,
    pub(crate) listen: Listen,
    pub(crate) auth: Auth,
    pub(crate) registrar: Registrar,
    pub(crate) proxy: Proxy,
    pub(crate) tls: Tls,
    /// Resolvers to ask; empty: the system's.
    pub(crate) dns_servers: Vec<SocketAddr>,
    pub(crate) users: Vec<Account>,
    pub(crate) store: Store,
    pub(crate) guard: Guard,
    /// What the calls of a user may come to who has no limits of their own.
    pub(crate) limits: Limits,
    /// How long calls under way are waited for before we stop.
    pub(crate) drain: Duration,
    pub(crate) log: LogFormat,
    /// The dial rules, with the trunks and the time zone that they speak of.
    pub(crate) rules: Rules,
}

#[derive(Debug, Default)]
pub(crate) struct Listen {
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) tls: Vec<SocketAddr>,
    pub(crate) ws: Vec<SocketAddr>,
    pub(crate) wss: Vec<SocketAddr>,
    /// Where metrics and health are.
    pub(crate) http: Vec<SocketAddr>,
    /// Whether nobody chose those: what cannot be had of them is left out.
    pub(crate) http_optional: bool,
    /// Whether somebody chose the addresses of UDP and TCP: one that this machine does not have is then an error.
    pub(crate) chosen: bool,
    /// The transports with TLS whose addresses nobody chose: what cannot be had of theirs is left out.
    pub(crate) optional: Vec<Transport>,
}

/// What is remembered, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) url: String,
    /// Days for which records of calls are kept; 0: there are none.
    pub(crate) keep_records_days: u32,
}

/// Which sources are let in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) enabled: bool,
    pub(crate) allow: Vec<Network>,
    pub(crate) stranger_per_s: u32,
    pub(crate) strangers_per_s: u32,
    pub(crate) failures: u32,
    pub(crate) window: Duration,
    pub(crate) ban: Duration,
    pub(crate) ban_max: Duration,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// How requests are forwarded.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// What becomes of requests that no rule decides about.
    pub(crate) mode: Mode,
    pub(crate) record_route: bool,
    /// Whether we follow a 3xx ourselves.
    pub(crate) recurse: bool,
    pub(crate) max_breadth: u16,
}

/// What TLS needs.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// The files with our certificate's chain and its key; `None`: our own local CA makes them.
    pub(crate) files: Option<(PathBuf, PathBuf)>,
    /// The CAs whose client certificates we believe.
    pub(crate) client_ca: Option<PathBuf>,
    /// The CAs that we believe of servers which we connect to, besides the system's.
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) struct Auth {
    pub(crate) required: bool,
    pub(crate) realm: String,
    pub(crate) algorithms: Vec<Algorithm>,
}

#[derive(Debug)]
pub(crate) struct Registrar {
    pub(crate) min_expires_s: u32,
    pub(crate) max_expires_s: u32,
    pub(crate) default_expires_s: u32,
    /// The value of Service-Route (RFC 3608).
    pub(crate) service_route: Option<String>,
    /// That of Flow-Timer (RFC 5626).
    pub(crate) flow_timer_s: Option<u32>,
}

impl Config {
    /// Makes sense of what was typed, or says everything that is wrong with it.
    pub(crate) fn read(mut file: ConfigFile, chance: &mut engine::Rng) -> Result<(Config, ConfigFile), Vec<Problem>> {
        let mut problems = file.take_problems();
        let config = read::config(&file, &mut problems, chance);
        problems.sort_by_key(|problem| problem.span.start);
        if problems.is_empty() { Ok((config, file)) } else { Err(problems) }
    }
}
