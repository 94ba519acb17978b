//! Which sources are let in: how much each may send, what counts against it, and who is banned.
//!
//! What it does not do: it knows no SIP, opens no socket and stores nothing.

mod offence;

pub use offence::Offence;
