use crate::Side;
use crate::reading::{contact, routes_on, session_s};
use engine::{Mac, Now};
use sip_message::{HeaderName, Message};
use sip_transaction::{Flow, Packet};
use std::time::{Duration, Instant};

/// Dialogs that one call may have, early ones included; those of further branches are not watched. As many as a proxy forks to.
pub const DIALOGS_PER_CALL_MAX: usize = 20;

/// What is known of one dialog of a call, besides what its call knows of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialog {
    /// The callee's tag.
    pub(crate) tag: Box<str>,
    /// The callee's end: To of the responses, tag included.
    pub(crate) to: Box<str>,
    /// Where the callee takes requests.
    pub(crate) target: Box<str>,
    /// The way from us to the callee, nearest first.
    pub(crate) routes: Vec<Box<str>>,
    /// The flow of that way.
    pub(crate) flow: Flow,
    /// The highest number of a request of the callee, 0 before the first.
    pub(crate) callee_cseq: u32,
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
    /// The dialog that a response to a call's INVITE makes; `before` is how many Record-Route values that INVITE came with.
    pub(crate) fn new(packet: &Packet, tag: &str, mac: &Mac, before: usize) -> Dialog {
        let response = &packet.message;
        let (routes, flow) = routes_on(response, mac, before);
        let to = response.to().map_or("", |to| to.uri);
        Dialog {
            tag: tag.into(),
            to: response.header(HeaderName::To).unwrap_or("").into(),
            target: contact(response).unwrap_or(to).into(),
            routes,
            flow: flow.unwrap_or(packet.flow),
            callee_cseq: 0,
            phase: Phase::Early,
        }
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

    /// The first 2xx; it says all that earlier responses may have left out (RFC 3261 section 13.2.2.4: the route set is computed anew).
    pub(crate) fn accept(&mut self, now: Now, packet: &Packet, mac: &Mac, before: usize) {
        let callee_cseq = self.callee_cseq;
        *self = Dialog { callee_cseq, ..Dialog::new(packet, &self.tag, mac, before) };
        self.phase = Phase::Accepted { session: session_end(now, &packet.message) };
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
        }
    }

    /// Bytes of text that it holds.
    pub(crate) fn held(&self) -> usize {
        let routes: usize = self.routes.iter().map(|route| route.len()).sum();
        self.tag.len() + self.to.len() + self.target.len() + routes
    }
}

fn session_end(now: Now, response: &Message) -> Option<Instant> {
    now.mono.checked_add(Duration::from_secs(session_s(response)?.into()))
}

/// The tag of the callee in a message, which belongs to a request of `sender`.
pub(crate) fn callee_tag(message: &Message, sender: Side) -> Option<&str> {
    match sender {
        Side::Caller => message.to_tag(),
        Side::Callee => message.from_tag(),
    }
}
