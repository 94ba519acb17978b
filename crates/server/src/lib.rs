//! A whole SIP exchange as one value: registrar, location queries, authentication and proxy over one transaction layer.
//!
//! What it does not do: it opens no socket, reads no clock and stores nothing. Packets and answers go in; packets and
//! [`Ask`]s come out. Whoever drives it (sockets in `net`, a made-up network in `simnet`) needs to know nothing of SIP.
//! Several of them, one a core, make one exchange: [`owner`] says which one a message belongs to.

mod server;

mod abuse;
mod admission;
mod aliases;
mod identity;
mod own_answers;
mod patience;
mod purpose;

mod call_states;
mod next_hops;
mod orders;
mod stateless;
mod targets;
mod tolls;

mod config;
mod domains;
mod handle;
mod owner;

pub use admission::{CREDENTIALS_PENDING_BYTES_MAX, CREDENTIALS_PENDING_MAX};
pub use aliases::ALIASES_MAX;
pub use calls::{
    Call, CallRecord, CallSummary, Calls, End, Id as CallId, RING_BYTES_MAX, Side, State as CallState, Step, Story,
};
pub use config::{Config, Keys, Mode};
pub use domains::Domains;
pub use guard::Offence;
pub use handle::{Account, Answer, Ask, Event, Input, Order, Output, Report};
pub use next_hops::TRUNK_ADDRESSES_MAX;
pub use own_answers::MIN_SE_S;
pub use owner::owner;
pub use patience::ASK_TIME_MAX;
pub use server::Server;
pub use sip_auth::{Algorithm, Secrets};
pub use sip_registrar::AddressOfRecord;
pub use stateless::STATELESS_RESOLVES_MAX;
pub use targets::{DIVERSIONS_MAX, SEARCHES_MAX};
