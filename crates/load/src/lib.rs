//! The load generator: many calls or registrations from one thread, and how they went.
//!
//! It is no phone and no test of one: it plays both ends of the simplest call (INVITE, 180, 200, ACK, BYE, 200) or a phone that
//! registers again and again, as fast as it is told to, answers whatever reaches it, and measures. It keeps to the RFC where a
//! server could tell the difference: timers, retransmissions, the route set, ACKs to every final response.
//!
//! Everything happens on a grid of [`TICK`]: what is due in a tick leaves in one batch, what has come is read in batches. Waking up
//! for each datagram would cost this side, and the server's, more than the work itself and distort what is measured. So times are
//! true to one tick, and the least setup time through a server is two of them.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // above the purity line: it opens sockets and reads the clock

mod config;
mod report;
mod run;

mod calls;
mod generator;
mod phones;

mod answers;
mod histogram;
mod identity;
mod pace;
mod retransmit;
mod tally;
mod wording;

#[cfg(test)]
mod tests;

pub use config::{
    Account, CONCURRENT_MAX, CONTACTS_PER_USER, LoadConfig, PHONES_PER_USER_MAX, RATE_MAX, Scenario, USERS_MAX,
};
pub use report::{LoadError, Progress, Report};
pub use run::{TICK, run};
pub use tally::Failure;
