use crate::{Bye, CallRecord, Id};
use sip_transaction::ServerTransactionId;
use std::fmt;
use std::str::FromStr;

/// One of the two ends of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who sent the INVITE.
    Caller,
    /// Who it went to.
    Callee,
}

impl Side {
    /// The opposite end.
    pub fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }
}

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// This end sent a BYE.
    HungUp(Side),
    /// The caller gave up before anybody answered.
    Cancelled,
    /// The INVITE got this final response (300 to 699; 408 when nobody answered in time).
    Refused(u16),
    /// We have ended it.
    ByUs,
    /// It was answered, and given up because the ACK did not get through.
    NoAck,
    /// The session's refresh did not come in time (RFC 4028 section 8.3).
    Expired,
    /// It was not heard of for so long that nobody believes in it.
    Lost,
}

/// In words that [`End::from_str`] reads, too.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::HungUp(Side::Caller) => f.write_str("caller hung up"),
            End::HungUp(Side::Callee) => f.write_str("callee hung up"),
            End::Cancelled => f.write_str("cancelled"),
            End::Refused(status) => write!(f, "refused {status}"),
            End::ByUs => f.write_str("ended by us"),
            End::NoAck => f.write_str("no ack"),
            End::Expired => f.write_str("expired"),
            End::Lost => f.write_str("lost"),
        }
    }
}

impl FromStr for End {
    type Err = ();
    fn from_str(text: &str) -> Result<End, ()> {
        Ok(match text {
            "caller hung up" => End::HungUp(Side::Caller),
            "callee hung up" => End::HungUp(Side::Callee),
            "cancelled" => End::Cancelled,
            "ended by us" => End::ByUs,
            "no ack" => End::NoAck,
            "expired" => End::Expired,
            "lost" => End::Lost,
            _ => End::Refused(text.strip_prefix("refused ").and_then(|status| status.parse().ok()).ok_or(())?),
        })
    }
}

/// What its parent has to do or may want to know, in this order.
#[derive(Debug)]
pub enum Output {
    /// Send this with a Via of ours, in a client transaction, whose response is nobody's business but ours.
    Bye(Box<Bye>),
    /// Give an INVITE up as if its caller had cancelled it: its branches are cancelled, it gets a 487.
    GiveUp {
        /// Its transaction.
        invite: ServerTransactionId,
        /// The value of a Reason field (RFC 3326) for the CANCELs, or empty.
        reason: Box<str>,
    },
    /// A call that was charged for is over: what [`Calls::charge`](crate::Calls::charge) got for it.
    Uncharge(u32),
    /// Something happened to a call.
    Event(Event),
}

/// What happened to a call.
#[derive(Debug)]
pub enum Event {
    /// A call was begun.
    Started(Id),
    /// It was answered: its first 2xx has come.
    Answered(Id),
    /// It is over, and forgotten but for this.
    Ended(Box<CallRecord>),
}
