//! The transaction layer of SIP: one request, its responses, and the retransmissions that make them arrive
//! (RFC 3261 section 17, with RFC 6026, RFC 4320 and RFC 3581).
//!
//! What it does not do: it opens no socket and reads no clock; it knows no dialog, no registration and no route; it
//! retransmits no 2xx to an INVITE and acknowledges none (the UA core does both, RFC 3261 sections 13.2.2.4 and
//! 13.3.1.4), so that an ACK missing after a 2xx is the UA core's to notice: [`Event::AckMissing`] comes from timer H
//! alone. It does not add `received` and `rport` to a request; whoever builds the reply does.
//!
//! Four machines, one file and one table each: `invite_client`, `non_invite_client`, `invite_server`,
//! `non_invite_server`. Each is a pure function from a state and an event to a state and actions; [`TransactionLayer`]
//! finds the machine a packet belongs to and carries the actions out.

mod layer;
mod output;

mod flow;
mod transport_choice;

mod branch;
mod derived;
mod key;
mod store;
mod timer;

mod client;
mod invite_client;
mod non_invite_client;

mod invite_server;
mod non_invite_server;
mod server;

#[cfg(test)]
mod tables;

pub use branch::{Branch, ClientTransactionId};
pub use flow::{ConnectionId, Flow, Packet, reply_flow, stateless_reply_flow};
pub use key::RequestIdentity;
pub use layer::{Config, HELD_BYTES_MAX, TRANSACTIONS_MAX, TransactionLayer};
pub use output::{Event, Output};
pub use server::ServerTransactionId;
pub use transport_choice::prefers_stream;
