//! `ringback deploy`: what makes a service of it, printed, to look at and then to put in its place.

mod compose;
mod systemd;

use super::configured::Configured;
use crate::config::Config;
use crate::exit::{Exit, Failure, Outcome};
use clap::{Args, Subcommand};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a service's data is when nobody says.
const DATA: &str = "/var/lib/ringback";
/// What a service gets beyond the time for its calls until it is killed: to send what is under way and to keep it.
const STOP_GRACE: Duration = Duration::from_secs(15);
/// File descriptors: one for each connection.
const DESCRIPTORS: u32 = 65_536;
/// Ports below this are for those with the right to them (ip_unprivileged_port_start as Linux has it by itself).
const UNPRIVILEGED_PORT_MIN: u16 = 1024;

/// Prints what makes a service of the exchange: locked in as far as it can be.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: ringback deploy systemd --config /etc/ringback.toml > /etc/systemd/system/ringback.service"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// A unit for systemd
    #[command(
        before_help = "Example: ringback deploy systemd --config /etc/ringback.toml > /etc/systemd/system/ringback.service",
        after_help = "Without --user systemd makes up a user while the service runs, and owns its data folder, which is then in /var/lib."
    )]
    Systemd(Service),
    /// A compose file for Docker, Podman and their like
    #[command(before_help = "Example: ringback deploy compose --config ringback.toml > compose.yaml")]
    Compose(Service),
}

#[derive(Debug, Args)]
struct Service {
    /// Runs it as this user; with compose, as this number
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    configured: Configured,
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> &mut Configured {
        match &mut self.verb {
            Verb::Systemd(service) | Verb::Compose(service) => &mut service.configured,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let (Verb::Systemd(service) | Verb::Compose(service)) = &arguments.verb;
    let plan = Plan::new(service)?;
    let text = match &arguments.verb {
        Verb::Systemd(_) => systemd::unit(&plan)?,
        Verb::Compose(_) => compose::file(&plan)?,
    };
    // A reader who has gone away is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

/// What a service has to be like.
#[derive(Debug)]
struct Plan {
    program: PathBuf,
    user: Option<String>,
    config: Option<PathBuf>,
    /// `None`: nobody has said where.
    data: Option<PathBuf>,
    set: Vec<String>,
    /// Whether it listens on a port that takes the right to open it.
    privileged: bool,
    /// Where its health can be asked for.
    http: Option<SocketAddr>,
    /// How long it may take to stop.
    stop: Duration,
    /// Files that the configuration names.
    files: Vec<PathBuf>,
}

impl Plan {
    fn new(service: &Service) -> Result<Plan, Failure> {
        let (config, _) = service.configured.read()?;
        let program = std::env::current_exe().map_err(|error| Failure::usage(format!("where am I? {error}")))?;
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
        };
        let said = service.configured.said();
        let tls = [
            config.tls.files.as_ref().map(|(certificate, _)| certificate),
            config.tls.files.as_ref().map(|(_, key)| key),
        ];
        let files = tls.into_iter().chain([config.tls.ca.as_ref(), config.tls.client_ca.as_ref()]).flatten();
        Ok(Plan {
            program,
            user: service.user.clone(),
            config: said.config.map(absolute).transpose()?,
            // What is said in the file or the environment counts, too; only the default is for who tries it out.
            data: (config.data != Path::new("ringback-data")).then(|| absolute(&config.data)).transpose()?,
            set: said.set.to_vec(),
            privileged: addresses(&config).any(|address| (1..UNPRIVILEGED_PORT_MIN).contains(&address.port())),
            http: config.listen.http.first().copied().map(from_here),
            stop: config.drain + STOP_GRACE,
            files: files.map(|file| absolute(file)).collect::<Result<_, _>>()?,
        })
    }
}

fn addresses(config: &Config) -> impl Iterator<Item = &SocketAddr> {
    let listen = &config.listen;
    [&listen.udp, &listen.tcp, &listen.tls, &listen.ws, &listen.wss, &listen.http].into_iter().flatten()
}

/// How an address that is listened on is reached from this machine.
fn from_here(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
