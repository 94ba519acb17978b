use engine::Network;
use std::net::IpAddr;
use std::time::Duration;

/// What a guard lets in, and what it does about the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Without it everybody may do everything.
    pub enabled: bool,
    /// Networks that may do everything.
    pub allow: Vec<Network>,
    /// Messages a second from each source that has not proved who it is; 0: as many as it likes.
    pub stranger_per_s: u32,
    /// Messages that such a source may send at once, after a silence.
    pub stranger_burst: u32,
    /// Wrong passwords within `window` that earn a ban; other offences count as [`crate::Offence::weight`] says.
    pub failures_max: u32,
    /// How long offences are added up, from the first one.
    pub window: Duration,
    /// How long the first ban of a source lasts; each one after that lasts twice as long.
    pub ban: Duration,
    /// How long a ban lasts at most. Also how long an ended one is remembered, for the length of the next.
    pub ban_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            allow: Vec::new(),
            stranger_per_s: 50,
            stranger_burst: 100,
            failures_max: 20,
            window: Duration::from_secs(600),
            ban: Duration::from_secs(600),
            ban_max: Duration::from_secs(86_400),
        }
    }
}

impl Config {
    /// Whether `address` may do everything.
    pub fn allows(&self, address: IpAddr) -> bool {
        !self.enabled || self.allow.iter().any(|network| network.contains(address))
    }
}
