//! Which sources are let in: how much each may send, what counts against it, and who is banned.
//!
//! What it does not do: it knows no SIP, opens no socket and stores nothing. Whoever has it asks it about each packet, tells it what
//! turned out about the senders, and writes its bans down. All it holds is bounded, whoever fills it: a source is 64 bits (an IPv4
//! address, or the /64 of an IPv6 one), and what is known of one costs less than 64 bytes.

mod config;
mod guard;

mod bans;
mod known;
mod offence;
mod sources;

mod bucket;
mod source;

#[cfg(test)]
mod tests;

pub use bans::{BANS_MAX, Ban, NotBanned, WHY_BYTES_MAX};
pub use bucket::Bucket;
pub use config::Config;
pub use guard::{BANS_AT_ONCE_MAX, Guard, KNOWN_FOR, KNOWN_PATIENCE, Verdict};
pub use known::KNOWN_MAX;
pub use offence::Offence;
pub use source::{BAN_BITS_MIN_V4, BAN_BITS_MIN_V6, Source};
pub use sources::{OFFENDERS_MAX, SOURCES_MAX};
