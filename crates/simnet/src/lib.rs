//! A whole network in virtual time, for tests: exchanges, phones and hand-written peers on links that lose, repeat and reorder.
//!
//! What it does not do: it opens no socket and waits for nothing. It drives the very `server` and `phone` values that the sockets
//! drive; minutes of protocol run in milliseconds, the same each time for the same seed.
//!
//! A test is a call-flow ladder, see [`check`]; what no ladder can say (a thousand calls over a lossy network) is said with a
//! [`World`]. Whether all of it holds together for a day, with ten thousand phones and all that goes wrong in one, is what a
//! [`Day`] finds out.
#![allow(clippy::unwrap_used, clippy::expect_used)] // all of it is test code: what cannot be is a panic that says so

mod scenario;

mod ladder;
mod setup;
mod trace;

mod clocks;
mod link;
mod streams;
mod wire;
mod world;

mod day;

mod exchange;
mod script;
mod store;
mod tables;
mod telephone;

pub use day::{Counts as DayCounts, Day, Hour, Settings, Verdict};
pub use exchange::{DOMAIN, Exchange, ExchangeConfig};
pub use link::Link;
pub use scenario::{check, check_with, run};
pub use store::{Counts, Pace, Store};
pub use telephone::Telephone;
pub use trace::{Entry, Fate};
pub use world::{Off, World};
