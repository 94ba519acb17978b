//! Calls, one verb per file. A call is in one of these states, and each verb's file says what it does in which:
//!
//! | state | means | left by |
//! |---|---|---|
//! | Locating | outgoing: where the INVITE goes is being looked up | located, hangup, failure |
//! | Located | outgoing: the parent is making the offer | `invite`, hangup |
//! | Inviting | the INVITE is out | 2xx, failure, hangup |
//! | Cancelling | the INVITE is out, and we gave up | 2xx (answered with ACK and BYE), failure |
//! | Incoming | an INVITE awaits our answer | `answer`, `reject`, CANCEL, BYE, hangup, its Expires |
//! | Established | a 2xx was sent or received | hangup, BYE, no ACK |
//! | Leaving | we hung up: BYE is out, or waits for the ACK to our 2xx | the BYE's response, BYE |

mod ack;
mod answer;
mod cancel;
mod dial;
mod hangup;
mod modify;
mod reject;
mod ring;

pub use dial::Dial;

use crate::auth::Auth;
use crate::{Dialog, End, UserAgent};
use bytes::Bytes;
use sip_message::{Builder, HeaderName, Message};
use sip_transaction::{Flow, ServerTransactionId};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Calls that one user agent may have at once; an INVITE beyond them earns a 486, a dial is refused.
pub const CALLS_MAX: usize = 2_000;

/// Seconds that a call may ring here; the caller then gets a 480. Callers' proxies give up before (timer C is three minutes).
pub const RINGING_S_MAX: u64 = 300;

/// Answers to one INVITE (from different phones, each with its To tag) that are acknowledged; later ones are ignored, and their
/// senders give up after 64*T1.
pub const FORKED_ANSWERS_MAX: usize = 16;

/// A call, by our number (not the Call-ID of its messages).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    /// The user part of our Contact.
    pub(crate) contact_user: String,
    /// The tag of our end, whatever becomes of the call.
    pub(crate) local_tag: String,
    pub(crate) state: State,
}

/// See the table at the top of this file. A request is named by its number.
#[derive(Debug)]
pub(crate) enum State {
    Locating { request: u64 },
    Located { request: u64 },
    Inviting { request: u64 },
    Cancelling,
    Incoming(Incoming),
    Established(Session),
    Leaving { session: Session, end: End },
}

/// An INVITE that awaits our answer.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) server: ServerTransactionId,
    pub(crate) dialog: Dialog,
    pub(crate) flow: Flow,
    /// Our latest provisional response.
    pub(crate) provisional: Option<(u16, Bytes)>,
}

/// An answered call.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) dialog: Dialog,
    /// The way the INVITE came or its 2xx.
    pub(crate) flow: Flow,
    pub(crate) auth: Auth,
    /// Our 2xx that awaits its ACK.
    pub(crate) unacked: Option<Unacked>,
    /// The peer's INVITE inside the call that awaits our parent's answer.
    pub(crate) offered: Option<ServerTransactionId>,
}

/// A 2xx of ours, sent again until its ACK comes (RFC 3261 section 13.3.1.4).
#[derive(Debug)]
pub(crate) struct Unacked {
    pub(crate) server: ServerTransactionId,
    pub(crate) cseq: u32,
    pub(crate) bytes: Bytes,
    pub(crate) interval: Duration,
    pub(crate) until: Instant,
}

impl Call {
    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Established(session) | State::Leaving { session, .. } => Some(session),
            State::Locating { .. }
            | State::Located { .. }
            | State::Inviting { .. }
            | State::Cancelling
            | State::Incoming(_) => None,
        }
    }

    pub(crate) fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.state {
            State::Established(session) | State::Leaving { session, .. } => Some(session),
            State::Locating { .. }
            | State::Located { .. }
            | State::Inviting { .. }
            | State::Cancelling
            | State::Incoming(_) => None,
        }
    }

    /// The dialog, once there is one.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        match &self.state {
            State::Incoming(incoming) => Some(&incoming.dialog),
            _ => self.session().map(|session| &session.dialog),
        }
    }

    /// The dialog, to be changed.
    pub(crate) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match &mut self.state {
            State::Incoming(incoming) => Some(&mut incoming.dialog),
            State::Established(session) | State::Leaving { session, .. } => Some(&mut session.dialog),
            State::Locating { .. } | State::Located { .. } | State::Inviting { .. } | State::Cancelling => None,
        }
    }
}

impl UserAgent {
    /// Removes a call with all that leads to it.
    pub(crate) fn remove_call(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.by_tag.remove(&call.local_tag);
        if let State::Incoming(incoming) = &call.state {
            self.by_invite.remove(&incoming.server);
        }
        Some(call)
    }

    /// The call whose dialog `message`, a request, is inside of: its To tag is ours, Call-ID and From tag are the peer's.
    pub(crate) fn call_of(&mut self, message: &Message) -> Option<CallId> {
        let id = *self.by_tag.get(message.to_tag()?)?;
        let dialog = self.calls.get_mut(&id)?.dialog_mut()?;
        (dialog.call_id == message.call_id() && dialog.remote_tag.as_deref() == message.from_tag()).then_some(id)
    }

    /// A response with what each of ours to an INVITE has: our tag, and where we are.
    pub(crate) fn invite_reply(
        &self,
        request: &Message,
        status: u16,
        source: SocketAddr,
        tag: &str,
        contact: &str,
    ) -> Builder {
        let reply = Builder::reply(request, status, source).to_tag(tag).header(HeaderName::Contact, contact);
        if status < 200 {
            reply
        } else {
            reply.header(HeaderName::Allow, crate::incoming::ALLOW).header(HeaderName::Accept, self.config.accept)
        }
    }
}
