//! A hand-written user agent: it sends what the ladder says and nothing else, but knows how each message is put together.

mod compose;
mod draft;

use crate::trace::what;
use bytes::Bytes;
use engine::Rng;
use sip_auth::{Credentials, NonceUse};
use sip_message::{HeaderName, Message, Method};
use sip_transaction::Flow;
use std::net::SocketAddr;

/// When a script signs the requests it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    /// At once: it was challenged for this very call before the ladder begins.
    Before,
    /// When the ladder has shown the challenge.
    WhenAsked,
    /// Never.
    Never,
}

pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) user: String,
    /// The domain that its own name is in.
    pub(crate) domain: String,
    pub(crate) at: SocketAddr,
    pub(crate) password: String,
    pub(crate) signing: Signing,
    /// Parameters of its Contact in a REGISTER.
    pub(crate) contact_params: String,
    sent: Vec<Sent>,
    received: Vec<(Flow, Message)>,
    /// Requests that got their final response from us: Call-ID, CSeq.
    answered: Vec<(String, String)>,
    dialog: Option<Dialog>,
    /// The request outside a dialog that was sent last.
    attempt: Option<Attempt>,
    registration: Option<Attempt>,
    numbers: u32,
    rng: Rng,
}

/// A message sent, to be sent again.
struct Sent {
    what: String,
    bytes: Bytes,
}

/// A request outside a dialog, which may have to be tried again with credentials.
struct Attempt {
    words: String,
    call_id: String,
    cseq: u32,
    challenge: Option<(Message, NonceUse)>,
}

struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
}

impl Script {
    pub(crate) fn new(name: &str, user: &str, domain: &str, signing: Signing, at: SocketAddr, rng: Rng) -> Script {
        Script {
            name: name.to_owned(),
            user: user.to_owned(),
            domain: domain.to_owned(),
            at,
            password: password_of(user),
            signing,
            contact_params: String::new(),
            sent: Vec::new(),
            received: Vec::new(),
            answered: Vec::new(),
            dialog: None,
            attempt: None,
            registration: None,
            numbers: 0,
            rng,
        }
    }

    /// Takes note of what came.
    pub(crate) fn receive(&mut self, flow: Flow, bytes: Bytes) {
        let Ok(message) = Message::parse(bytes) else { return };
        if message.method() == Method::Invite {
            self.note_dialog(&message);
        }
        if matches!(message.status(), 401 | 407) {
            let attempts = [&mut self.attempt, &mut self.registration];
            for attempt in attempts.into_iter().flatten().filter(|attempt| attempt.call_id == message.call_id()) {
                attempt.challenge = Some((message.clone(), NonceUse::default()));
            }
        }
        self.received.push((flow, message));
    }

    fn note_dialog(&mut self, message: &Message) {
        let text = |name| message.header(name).unwrap_or("").to_owned();
        let target = message.contacts().ok().and_then(|contacts| match contacts {
            sip_message::Contacts::List(list) => list.first().map(|contact| contact.uri.to_owned()),
            sip_message::Contacts::Star => None,
        });
        let mut routes: Vec<String> = message.values(HeaderName::RecordRoute).map(str::to_owned).collect();
        let call_id = message.call_id().to_owned();
        if message.is_request() && message.to_tag().is_none() {
            let local = format!("{};tag={}", text(HeaderName::To), self.name);
            let (remote, target) = (text(HeaderName::From), target.unwrap_or_default());
            self.dialog = Some(Dialog { call_id, local, remote, target, routes, cseq: 100 });
        } else if (101..300).contains(&message.status()) && message.to_tag().is_some() {
            routes.reverse();
            let cseq = message.cseq().map_or(0, |cseq| cseq.number);
            let (local, remote) = (text(HeaderName::From), text(HeaderName::To));
            // An answer inside the dialog changes no route.
            if self.dialog.as_ref().is_none_or(|dialog| (&dialog.call_id, &dialog.remote) != (&call_id, &remote)) {
                self.dialog = Some(Dialog { call_id, local, remote, target: target.unwrap_or_default(), routes, cseq });
            } else if let (Some(dialog), Some(target)) = (&mut self.dialog, target) {
                dialog.target = target;
            }
        }
    }

    /// The Routes of the dialog.
    pub(crate) fn routes(&self) -> &[String] {
        self.dialog.as_ref().map_or(&[], |dialog| &dialog.routes)
    }

    /// The topmost value of a field of the last request.
    pub(crate) fn last_value(&self, name: HeaderName) -> String {
        let request = self.received.iter().rev().map(|(_, message)| message).find(|message| message.is_request());
        request.and_then(|request| request.values(name).next()).unwrap_or("").to_owned()
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(&*self.user, &*self.password)
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    fn remember(&mut self, bytes: &Bytes) {
        self.sent.push(Sent { what: what(bytes), bytes: bytes.clone() });
    }
}

/// The password of an account here.
pub(crate) fn password_of(user: &str) -> String {
    format!("{user}'s secret")
}
