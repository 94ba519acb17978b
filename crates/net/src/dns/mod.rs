//! What DNS, the hosts file and the system know about names. What is made of it is in `resolve`.

mod names;
mod records;
mod servers;
mod silence;
#[cfg(test)]
pub(crate) mod zone;

pub(crate) use names::Names;
pub use names::{LOOKUP_TIME_MAX, SYSTEM_LOOKUPS_MAX};
pub(crate) use records::{Naptr, Records, Srv};
pub use servers::{DNS_CACHE_MAX, DnsConfig, NOTHING_S_MAX, NOTHING_S_MIN};
pub use silence::{SILENCE_S_MAX, SILENT_NAMES_MAX};
