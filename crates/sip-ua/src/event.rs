use crate::{Body, CallId, RegistrationId, RequestId, Ticket};
use sip_message::NextHop;
use sip_message::{HeaderName, Message, NameAddr, unquote};
use sip_transaction::Flow;

/// What the user agent wants done or known. What it sends goes straight into the transaction layer it was lent.
#[derive(Debug)]
pub enum Output {
    /// Look up where this leads and say so with [`UserAgent::resolved`](crate::UserAgent::resolved).
    Resolve {
        /// To be handed back with the answer.
        ticket: Ticket,
        /// What to look up.
        next_hop: NextHop,
    },
    /// Send a double CR LF this way, outside of any transaction, so that NATs and the registrar keep it open (RFC 5626 section 4.4.1).
    KeepAlive {
        /// The flow of a registration.
        flow: Flow,
    },
    /// Something happened.
    Event(Event),
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// An outgoing call knows its way: the INVITE awaits its body ([`UserAgent::invite`](crate::UserAgent::invite)).
    Located {
        /// Which call.
        call: CallId,
        /// The way; its local address is one that the peer can answer to.
        flow: Flow,
    },
    /// A provisional response other than 100 to our INVITE.
    Progress {
        /// Which call.
        call: CallId,
        /// 180, 183, ..
        status: u16,
        /// Its body: early media.
        body: Option<Body>,
    },
    /// Our INVITE got its 2xx; the ACK is on its way.
    Answered {
        /// Which call.
        call: CallId,
        /// Its body: the answer to our offer.
        body: Option<Body>,
    },
    /// An outgoing call came to nothing, and is over.
    Failed {
        /// Which call.
        call: CallId,
        /// Why.
        failure: Failure,
    },
    /// Somebody calls: to be answered with `ring`, `answer` or `reject`.
    Incoming {
        /// The call, by the number we give it.
        call: CallId,
        /// Who says to be calling.
        from: Party,
        /// The Request-URI.
        uri: String,
        /// The way it came.
        flow: Flow,
        /// The offer, `None` when ours is wanted in the answer.
        body: Option<Body>,
    },
    /// The caller has acknowledged our 2xx.
    Acknowledged {
        /// Which call.
        call: CallId,
        /// The body of the ACK: the answer, when our 2xx held the offer.
        body: Option<Body>,
    },
    /// The peer sends an INVITE inside the call: to be answered with `answer` or `reject`.
    Offered {
        /// Which call.
        call: CallId,
        /// The new offer, `None` when ours is wanted in the answer.
        body: Option<Body>,
    },
    /// A call is over.
    Ended {
        /// Which call.
        call: CallId,
        /// Who ended it, and why.
        end: End,
    },
    /// A registration is in force (again).
    Registered {
        /// Which one.
        registration: RegistrationId,
        /// How long the registrar keeps it. It is refreshed before.
        expires_s: u32,
    },
    /// A registration was not accepted.
    RegistrationFailed {
        /// Which one.
        registration: RegistrationId,
        /// Why.
        failure: Failure,
        /// When it is tried again, in seconds; `None` when trying again would not help.
        retry_s: Option<u64>,
    },
    /// A registration is gone because we wanted it to be; with an error, the registrar keeps it until it expires.
    Unregistered {
        /// Which one.
        registration: RegistrationId,
        /// Whether the registrar agreed.
        outcome: Result<(), Failure>,
    },
    /// The final response to a request outside of calls, of any status, or why there is none.
    Replied {
        /// Which request.
        request: RequestId,
        /// What came of it.
        outcome: Result<Message, Failure>,
    },
    /// Somebody sent a MESSAGE (RFC 3428), which we have accepted.
    Message {
        /// Who says to have sent it.
        from: Party,
        /// What it says.
        body: Body,
    },
}

/// Why a request did not do what it was meant to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Somebody answered, and said no.
    Refused {
        /// The status, 300 to 699.
        status: u16,
        /// The words beside it.
        reason: String,
    },
    /// Nobody answered in time (RFC 3261 section 8.1.3.1: as if it were a 408).
    NoAnswer,
    /// It could not be sent (as if it were a 503).
    Unreachable,
    /// The name leads nowhere, or is no SIP URI.
    NotFound,
}

impl Failure {
    /// The failure that a final response other than 2xx is.
    pub(crate) fn of(response: &Message) -> Failure {
        Failure::Refused { status: response.status(), reason: response.reason().to_owned() }
    }

    /// The status received, or the one that the failure counts as.
    pub fn status(&self) -> u16 {
        match self {
            Failure::Refused { status, .. } => *status,
            Failure::NoAnswer => 408,
            Failure::Unreachable => 503,
            Failure::NotFound => 404,
        }
    }

    /// Words for a person.
    pub fn reason(&self) -> &str {
        match self {
            Failure::Refused { reason, .. } => reason,
            Failure::NoAnswer => "nobody answered",
            Failure::Unreachable => "could not be reached",
            Failure::NotFound => "the address leads nowhere",
        }
    }

    /// Whether somebody answered at all.
    pub fn was_answered(&self) -> bool {
        matches!(self, Failure::Refused { .. })
    }
}

/// Who ended a call, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// We hung up, and the peer knows (or could not be told).
    HungUp,
    /// The peer hung up.
    PeerHungUp,
    /// We gave up before anybody answered.
    Cancelled,
    /// The caller gave up before we answered.
    PeerCancelled,
    /// We said no to an incoming call, with this status.
    Rejected(u16),
    /// We answered, and the caller never acknowledged (RFC 3261 section 13.3.1.4).
    NeverAcknowledged,
    /// Nobody answered the caller within the time that the INVITE gave (its Expires), or within [`RINGING_S_MAX`](crate::RINGING_S_MAX).
    Expired,
}

/// Whom a From names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The URI, as written.
    pub uri: String,
    /// The name for people, unquoted.
    pub display: Option<String>,
}

impl Party {
    /// The party in the From of `message`.
    pub fn of(message: &Message) -> Party {
        let text = message.header(HeaderName::From).unwrap_or_default();
        match NameAddr::parse(text) {
            Ok(from) => {
                Party { uri: from.uri.to_owned(), display: from.display.map(|display| unquote(display).into_owned()) }
            }
            Err(_) => Party { uri: text.to_owned(), display: None },
        }
    }
}
