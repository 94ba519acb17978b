use crate::Link;
use std::time::Duration;

/// What kind of day it is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What all chance comes from.
    pub seed: u64,
    /// How many phones there are.
    pub phones: usize,
    /// How long the day is.
    pub hours: u32,
    /// Shards of the exchange.
    pub shards: usize,
    /// Calls that each phone begins in 24 hours, on average.
    pub calls_per_phone: u32,
    /// How many of a hundred phones are on TCP.
    pub stream_percent: u64,
    /// How often the exchange is killed and started again.
    pub restarts: u32,
    /// How often its store fails for a while.
    pub failures: u32,
    /// How often, in a hundred days, a phone is switched off and on.
    pub phone_restarts_percent: u64,
    /// What the network does to datagrams.
    pub link: Link,
}

impl Default for Settings {
    fn default() -> Settings {
        let ms = Duration::from_millis;
        Settings {
            seed: 1,
            phones: 10_000,
            hours: 24,
            shards: 2,
            calls_per_phone: 5,
            stream_percent: 15,
            restarts: 6,
            failures: 4,
            phone_restarts_percent: 50,
            link: Link { delay: ms(10), jitter: ms(40), loss_percent: 2, twice_percent: 1 },
        }
    }
}

impl Settings {
    /// How long the day is.
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(3600 * u64::from(self.hours))
    }
}
