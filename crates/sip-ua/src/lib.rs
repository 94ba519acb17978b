//! User agents: registrations and calls (RFC 3261 sections 8 to 15).
//!
//! This crate never sees SDP: bodies are opaque, and its parent says which body a request or an answer carries. It opens no
//! socket, resolves no name (it asks: [`Output::Resolve`]) and owns no transaction layer: the parent owns one by value, lends
//! it to every call, and hands in the events of those transactions that are the user agent's.
//!
//! Read [`UserAgent`] first, then `call/` (one verb per file), then [`Dialog`] and `registration.rs`.

mod agent;
mod auth;
mod call;
mod config;
mod deadlines;
mod dialog;
mod event;
mod incoming;
mod keep_alive;
mod next_hop;
mod options;
mod outgoing;
mod registration;
mod request;

pub use agent::UserAgent;
pub use call::{CALLS_MAX, CallId, Dial, FORKED_ANSWERS_MAX, RINGING_S_MAX};
pub use config::{Body, Config, Identity, Route};
pub use dialog::Dialog;
pub use event::{End, Event, Failure, Output, Party};
pub use options::Plain;
pub use registration::{Account, RegistrationId};
pub use request::{RequestId, Ticket};
