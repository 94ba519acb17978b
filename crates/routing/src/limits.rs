use crate::AddressPattern;
use crate::address::number;
use sip_message::Uri;

/// What one user's calls may come to that leave the exchange, for whoever pays: the caller, or who has forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls at a time.
    pub calls: u32,
    /// Calls begun within an hour.
    pub calls_per_hour: u32,
    /// The numbers they may go to, before a trunk's own rewriting; empty: any.
    pub destinations: Vec<AddressPattern>,
}

impl Limits {
    /// Calls at a time that can be configured at most.
    pub const CALLS_MAX: u32 = 100_000;
    /// Calls within an hour that can be configured at most.
    pub const CALLS_PER_HOUR_MAX: u32 = 10_000_000;
}

impl Limits {
    /// Whether calls may go to a URI, as it was dialled.
    pub fn allow(&self, uri: &Uri<'_>) -> bool {
        let number = number(uri);
        self.destinations.is_empty() || self.destinations.iter().any(|pattern| pattern.matches(&number, uri))
    }
}

impl Default for Limits {
    /// More than a person makes, and less than a thief wants.
    fn default() -> Limits {
        Limits { calls: 10, calls_per_hour: 200, destinations: Vec::new() }
    }
}
