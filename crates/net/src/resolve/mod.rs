//! Locating servers (RFC 3263): from where a request or a response is to go to the flows that lead there, best first.

mod all;
mod locate;
mod memory;
mod preference;
mod resolver;
mod ways;
mod weight;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod loopback;

pub use locate::{SERVICES_MAX, TARGETS_MAX};
pub use memory::{REMEMBERED_MAX, REMEMBERED_TIME_MAX};
pub use resolver::{FLOWS_MAX, RESOLVE_TIME_MAX, RESOLVES_MAX, Resolver};
