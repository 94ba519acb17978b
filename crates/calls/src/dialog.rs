use crate::Side;
use crate::reading::{contact_text, contact_uri, route_text, session_s};
use engine::Now;
use sip_message::{HeaderName, Message, NameAddr};
use sip_transaction::Flow;
use std::time::{Duration, Instant};

/// Dialogs that one call may have, early ones included; those of further branches are not watched. As many as a proxy forks to.
pub const DIALOGS_PER_CALL_MAX: usize = 20;

/// What is known of one dialog of a call, besides what its call knows of the caller. Most calls are never ended by us, so fields are kept
/// as they stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialog {
    /// The callee's end: To of the responses, tag included.
    pub(crate) to: Box<str>,
    /// Contact of the callee. Nothing before there is an answer, which says it again (RFC 3261 section 13.2.2.4).
    pub(crate) contact: Box<str>,
    /// The Record-Route of the answer.
    pub(crate) routes: Box<str>,
    /// The flow that its first response came over.
    pub(crate) flow: Flow,
    /// The highest number of a request of the callee, 0 before the first.
    pub(crate) callee_cseq: u32,
    /// How often the answer has come again in its present phase.
    pub(crate) repeats: u8,
    pub(crate) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A provisional response has made it.
    Early,
    /// A 2xx has come; the caller's ACK has not.
    Accepted { session: Option<Instant> },
    /// The ACK has passed. With it, or before, goes when the session is over unless it is refreshed.
    Confirmed { session: Option<Instant> },
}

impl Dialog {
    /// The dialog that a response to a call's INVITE makes, which came over `flow` and has this To.
    pub(crate) fn new(to: &str, flow: Flow) -> Dialog {
        let (contact, routes) = ("".into(), "".into());
        Dialog { to: to.into(), contact, routes, flow, callee_cseq: 0, repeats: 0, phase: Phase::Early }
    }

    /// The callee's tag.
    pub(crate) fn tag(&self) -> Option<&str> {
        NameAddr::parse(&self.to).ok()?.tag()
    }

    /// Where the callee takes requests.
    pub(crate) fn target(&self) -> &str {
        contact_uri(&self.contact).unwrap_or_else(|| NameAddr::parse(&self.to).map_or("", |to| to.uri))
    }

    pub(crate) fn is_early(&self) -> bool {
        self.phase == Phase::Early
    }

    /// When the session is over, unless it is refreshed before.
    pub(crate) fn session(&self) -> Option<Instant> {
        match self.phase {
            Phase::Early => None,
            Phase::Accepted { session } | Phase::Confirmed { session } => session,
        }
    }

    /// The first 2xx. `false` when it has more text than there is room for.
    pub(crate) fn accept(&mut self, now: Now, answer: &Message, room: usize) -> bool {
        let contact = contact_text(answer);
        let routes = route_text(answer);
        if contact.len() + routes.len() > room {
            return false;
        }
        let to = answer.header(HeaderName::To).unwrap_or("");
        if *self.to != *to {
            self.to = to.into();
        }
        (self.contact, self.routes) = (contact.into(), routes);
        self.phase = Phase::Accepted { session: session_end(now, answer) };
        true
    }

    /// A 2xx to a re-INVITE or an UPDATE: the session has as long again as it says, without limit when it says nothing
    /// (RFC 4028 section 8.2).
    pub(crate) fn refresh_session(&mut self, now: Now, response: &Message) {
        let new = session_end(now, response);
        match &mut self.phase {
            Phase::Early => {}
            Phase::Accepted { session } | Phase::Confirmed { session } => *session = new,
        }
    }

    /// The caller's ACK passes.
    pub(crate) fn acknowledge(&mut self) {
        if let Phase::Accepted { session } = self.phase {
            self.phase = Phase::Confirmed { session };
            self.repeats = 0;
        }
    }

    /// Bytes of text that it holds.
    pub(crate) fn held(&self) -> usize {
        self.to.len() + self.contact.len() + self.routes.len()
    }
}

fn session_end(now: Now, response: &Message) -> Option<Instant> {
    now.mono.checked_add(Duration::from_secs(session_s(response)?.into()))
}

/// The callee's end in a message, which belongs to a request of `sender`.
pub(crate) fn callee_end(message: &Message, sender: Side) -> Option<&str> {
    message.header(match sender {
        Side::Caller => HeaderName::To,
        Side::Callee => HeaderName::From,
    })
}
