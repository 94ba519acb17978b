//! Opening the ports: each is first tried without `SO_REUSEPORT`, so that one in use is an error that says by what.

mod holder;
mod open;

pub use holder::Holder;
pub use open::{ListenConfig, ListenError, LocalAddress};
pub(crate) use open::{Listening, Sockets, open};
