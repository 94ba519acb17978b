use crate::{Call, End, Id, Side, State};
use std::net::SocketAddr;
use std::time::SystemTime;

/// What is left of a call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Its name among those of this run of the exchange.
    pub id: Id,
    /// Its Call-ID.
    pub call_id: String,
    /// The caller's URI, as From has it.
    pub from: String,
    /// The URI of who was called, as To has it.
    pub to: String,
    /// The user of ours who has proved to be the caller, as `user@domain`.
    pub caller: Option<String>,
    /// The user of ours who was called, as `user@domain`.
    pub callee: Option<String>,
    /// Where its INVITE came from.
    pub source: SocketAddr,
    /// When its INVITE came.
    pub started: SystemTime,
    /// When its first 2xx came, if one did.
    pub answered: Option<SystemTime>,
    /// When it was over.
    pub ended: SystemTime,
    /// Why it was over.
    pub end: End,
    /// The final response that the caller got to the INVITE; 0 when there was none.
    pub status: u16,
    /// How it ended, in a sentence for people.
    pub how: String,
}

/// A call under way, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSummary {
    /// Its name.
    pub id: Id,
    /// Its Call-ID.
    pub call_id: String,
    /// The caller's URI, as From has it.
    pub from: String,
    /// The URI of who was called, as To has it.
    pub to: String,
    /// The user of ours who has proved to be the caller, as `user@domain`.
    pub caller: Option<String>,
    /// The user of ours who was called, as `user@domain`.
    pub callee: Option<String>,
    /// Where its INVITE came from.
    pub source: SocketAddr,
    /// How far it has come.
    pub state: State,
    /// When its INVITE came.
    pub started: SystemTime,
    /// When its first 2xx came.
    pub answered: Option<SystemTime>,
}

impl CallSummary {
    /// What there is to say of a call.
    pub fn of(call: &Call) -> CallSummary {
        CallSummary {
            id: call.id(),
            call_id: call.call_id().to_owned(),
            from: call.uri(Side::Caller).to_owned(),
            to: call.uri(Side::Callee).to_owned(),
            caller: call.user(Side::Caller).map(str::to_owned),
            callee: call.user(Side::Callee).map(str::to_owned),
            source: call.source(),
            state: call.state(),
            started: call.began(),
            answered: call.answered(),
        }
    }
}
