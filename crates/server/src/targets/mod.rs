//! From a request to where it goes (RFC 3261 section 16.5): dial rules, bindings, what a user has forwarded.

mod aim;
mod bindings;
mod forwards;
mod search;

pub(crate) use aim::Aim;
pub(crate) use bindings::Phones;
pub use forwards::DIVERSIONS_MAX;
pub use search::SEARCHES_MAX;
pub(crate) use search::{Origin, Search};

use crate::identity::Caller;
use sip_transaction::Packet;

/// For whom a target is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// The request.
    pub(crate) packet: &'a Packet,
    /// Who sent it.
    pub(crate) caller: &'a Caller,
    /// In whose name it goes on: the caller's, or that of whoever has had it forwarded.
    pub(crate) payer: &'a Caller,
    /// Whether it goes there now, and uses up what rules allow, or may go there later.
    pub(crate) counts: bool,
}
