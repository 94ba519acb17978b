use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Answers of DNS kept at once in one driver, each for as long as it says.
pub const DNS_CACHE_MAX: u64 = 4096;
/// Seconds for which at least it is kept that there is no such record: also when the zone does not say for how long.
pub const NOTHING_S_MIN: u64 = 5;
/// Seconds for which at most it is kept that there is no such record, so that a new one is found soon.
pub const NOTHING_S_MAX: u64 = 300;

/// Where names are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// The name servers, best first. Empty: those of `/etc/resolv.conf`, and when there are none, only what the system finds in its own
    /// way.
    pub servers: Vec<SocketAddr>,
}

/// The name servers, with a cache of what they said.
#[derive(Debug)]
pub(super) struct Servers {
    /// The file that says which they are, when the configuration does not.
    file: Option<PathBuf>,
    patience: Duration,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// `None`: there is nobody to ask.
    resolver: Option<TokioResolver>,
    /// When the file had been written last.
    written: Option<SystemTime>,
}

impl Servers {
    /// Those that the configuration names. A question may take them as long as `patience`.
    pub(super) fn new(config: &DnsConfig, patience: Duration) -> Servers {
        if config.servers.is_empty() {
            return Servers::in_file("/etc/resolv.conf".into(), patience);
        }
        let resolver = resolver(config.servers.iter().map(name_server).collect(), ResolverOpts::default(), patience);
        Servers { file: None, patience, current: Mutex::new(Current { resolver, written: None }) }
    }

    fn in_file(file: PathBuf, patience: Duration) -> Servers {
        let current = Mutex::new(Current { resolver: None, written: None });
        let servers = Servers { file: Some(file), patience, current };
        servers.renew();
        servers
    }

    #[cfg(test)]
    pub(super) fn none() -> Servers {
        let current = Mutex::new(Current { resolver: None, written: None });
        Servers { file: None, patience: Duration::ZERO, current }
    }

    pub(super) fn get(&self) -> Option<TokioResolver> {
        self.current().resolver.clone()
    }

    /// Reads the file again if it has changed since: the network may be another than at the start. Whether that was so.
    pub(super) fn renew(&self) -> bool {
        let Some(file) = &self.file else { return false };
        let written = fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
        let mut current = self.current();
        if written == current.written {
            return false;
        }
        let parsed = fs::read(file).ok().and_then(|text| parse_resolv_conf(text).ok());
        let resolver = parsed.and_then(|(servers, options)| resolver(servers.into_parts().2, options, self.patience));
        *current = Current { resolver, written };
        true
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn resolver(servers: Vec<NameServerConfig>, mut options: ResolverOpts, patience: Duration) -> Option<TokioResolver> {
    // Two rounds, so that with more than two servers of which the first two are down another is asked.
    options.timeout = patience / 2;
    options.attempts = 1;
    options.cache_size = DNS_CACHE_MAX;
    options.negative_min_ttl = Some(Duration::from_secs(NOTHING_S_MIN));
    options.negative_max_ttl = Some(Duration::from_secs(NOTHING_S_MAX));
    options.use_hosts_file = ResolveHosts::Never; // we look there ourselves, before anything else
    let servers = ResolverConfig::from_parts(None, Vec::new(), servers);
    TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default()).with_options(options).build().ok()
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections.iter_mut().for_each(|connection| connection.port = address.port());
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_servers_are_those_of_the_file_as_it_is_now() {
        let file = std::env::temp_dir().join(format!("ringback-resolv-{}", std::process::id()));
        let _ = fs::remove_file(&file);
        let servers = Servers::in_file(file.clone(), Duration::from_secs(1));
        assert!(servers.get().is_none() && !servers.renew(), "there is no file");
        fs::write(&file, "nameserver 127.0.0.1\n").unwrap();
        assert!(servers.renew() && servers.get().is_some());
        assert!(!servers.renew(), "nothing has changed");
        fs::remove_file(&file).unwrap();
        assert!(servers.renew() && servers.get().is_none());
    }
}
