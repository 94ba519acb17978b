//! What every engine is given from outside: the time, chance, keyed hashing, the queue of its own deadlines, networks of addresses.
//!
//! Nothing here knows SIP, RTP or a socket. It exists so that no engine ever asks the operating system for anything
//! (the purity line of ARCHITECTURE.md): a test hands in a made-up [`Now`] and a seeded [`Rng`] and gets the same run each time.

mod keyed;
mod network;
mod now;
mod rng;
mod timers;

pub use keyed::{Mac, Table, TableKey};
pub use network::{Network, NotANetwork};
pub use now::Now;
pub use rng::Rng;
pub use timers::Timers;
