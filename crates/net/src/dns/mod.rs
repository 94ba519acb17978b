//! What DNS, the hosts file and the system know about names. What is made of it is in `resolve`.

mod names;
mod records;
mod silence;
#[cfg(test)]
pub(crate) mod zone;

pub(crate) use names::Names;
pub use names::{DNS_CACHE_MAX, DnsConfig, LOOKUP_TIME_MAX, NOTHING_S_MAX, NOTHING_S_MIN, SYSTEM_LOOKUPS_MAX};
pub(crate) use records::{Naptr, Records, Srv};
pub use silence::{SILENCE_S_MAX, SILENT_NAMES_MAX};
