use super::{CALLS_MAX, Call, CallId, FORKED_ANSWERS_MAX, Session, State};
use crate::config::{Body, Identity, Route};
use crate::outgoing::Way;
use crate::request::{Acked, Contact, From, Purpose, Request, TAG_LENGTH};
use crate::{Dialog, End, Event, Failure, UserAgent};
use engine::Now;
use sip_message::{HeaderName, Message, Method};
use sip_transaction::{Flow, Packet, TransactionLayer};

/// Whom to call, as whom, and which way.
#[derive(Debug, Clone)]
pub struct Dial {
    /// The callee: a SIP URI, which becomes Request-URI and To.
    pub uri: String,
    /// The caller.
    pub identity: Identity,
    /// The way.
    pub route: Route,
}

impl UserAgent {
    /// Begins a call: looks for the way, then says [`Event::Located`] and waits for [`UserAgent::invite`].
    /// `None` when there are too many calls.
    pub fn dial(&mut self, now: Now, layer: &mut TransactionLayer, dial: Dial) -> Option<CallId> {
        if self.calls.len() >= self.config.calls_max.min(CALLS_MAX) {
            return None;
        }
        let call = CallId(self.number());
        let mut request = Request::new(Purpose::Invite(call), Method::Invite, &dial.identity, &dial.uri, &mut self.rng);
        request.contact = Contact::User(dial.identity.contact_user.clone());
        request.fields.push((HeaderName::Allow, crate::incoming::ALLOW.to_owned()));
        request.fields.push((HeaderName::Accept, self.config.accept.to_owned()));
        let local_tag = self.rng.token(TAG_LENGTH);
        request.from = From::Identity(Box::new(dial.identity.clone()), local_tag.clone());
        self.by_tag.insert(local_tag.clone(), call);
        let way = self.way(&dial.route, &dial.uri);
        // The request's number is the next one: the call must know it before the way is known.
        let state = State::Locating { request: self.next_number() };
        self.calls.insert(call, Call { contact_user: dial.identity.contact_user, local_tag, state });
        self.place(now, layer, request, way);
        Some(call)
    }

    /// The way is known: the parent is asked for the offer.
    pub(crate) fn invite_located(&mut self, call: CallId, key: u64, flow: Flow) {
        let Some(State::Locating { .. }) = self.calls.get(&call).map(|call| &call.state) else { return };
        self.set_state(call, State::Located { request: key });
        self.event(Event::Located { call, flow });
    }

    /// Sends the INVITE with this body, after [`Event::Located`]. `false` when the call is gone.
    pub fn invite(&mut self, now: Now, layer: &mut TransactionLayer, call: CallId, body: Option<Body>) -> bool {
        let Some(State::Located { request: key }) = self.calls.get(&call).map(|call| &call.state) else { return false };
        let key = *key;
        let Some(request) = self.requests.get_mut(&key) else { return false };
        request.body = body;
        self.set_state(call, State::Inviting { request: key });
        self.attempt(now, layer, key);
        true
    }

    /// Whether the call's INVITE is out and still wanted.
    pub(crate) fn is_inviting(&self, call: CallId) -> bool {
        matches!(self.calls.get(&call), Some(Call { state: State::Inviting { .. }, .. }))
    }

    /// A provisional response. 100 only says that the next hop lives.
    pub(crate) fn invite_progresses(&mut self, call: CallId, response: &Message) {
        if response.status() > 100 && self.is_inviting(call) {
            self.event(Event::Progress { call, status: response.status(), body: Body::of(response) });
        }
    }

    /// A 2xx to an INVITE of ours: the first, one that is repeated, or one from another phone (RFC 3261 section 13.2.2.4).
    pub(crate) fn invite_succeeds(&mut self, now: Now, layer: &mut TransactionLayer, key: u64, packet: Packet) {
        let response = &packet.message;
        let Some(request) = self.requests.get_mut(&key) else { return };
        let Purpose::Invite(call) = request.purpose else { return };
        let tag = response.to_tag().map(str::to_owned);
        if let Some(acked) = request.acks.iter().find(|acked| acked.tag == tag) {
            if let Some((flow, bytes)) = &acked.sent {
                layer.send(*flow, bytes.clone());
            }
            return;
        }
        let Ok(mut dialog) = Dialog::from_response(response, &request.uri) else { return };
        if request.acks.len() >= FORKED_ANSWERS_MAX {
            return;
        }
        let first = request.acks.is_empty();
        request.acks.push(Acked { tag: tag.clone(), sent: None });
        let signatures = request.signatures.clone();
        let others = request.auth.anew();
        let auth = std::mem::replace(&mut request.auth, others);
        if first {
            self.forget_invite_later(now, key);
        }
        let mut ack = Request::inside(Purpose::Ack(key, tag), Method::Ack, &mut dialog, crate::auth::Auth::default());
        ack.signatures = signatures;
        let way = Way::preferring(&packet.flow, dialog.next_hop());
        self.place(now, layer, ack, way);
        let session = Session { dialog, flow: packet.flow, auth, unacked: None, offered: None };
        match self.calls.get(&call).map(|call| &call.state) {
            Some(State::Inviting { .. }) => {
                self.set_state(call, State::Established(session));
                self.event(Event::Answered { call, body: Body::of(response) });
            }
            // The answer crossed our CANCEL.
            Some(State::Cancelling) => {
                self.set_state(call, State::Leaving { session, end: End::Cancelled });
                self.send_bye(now, layer, call);
            }
            _ => self.send_bye_of_extra(now, layer, session),
        }
    }

    /// The ACK to the 2xx with this tag went out.
    pub(crate) fn ack_sent(&mut self, invite: u64, tag: Option<&str>, flow: Flow, bytes: bytes::Bytes) {
        let acks = self.requests.get_mut(&invite).map(|request| &mut request.acks);
        if let Some(acked) = acks.and_then(|acks| acks.iter_mut().find(|acked| acked.tag.as_deref() == tag)) {
            acked.sent = Some((flow, bytes));
        }
    }

    /// The INVITE came to nothing.
    pub(crate) fn invite_fails(&mut self, id: CallId, failure: Failure) {
        match self.calls.get(&id).map(|call| &call.state) {
            Some(State::Locating { .. } | State::Located { .. } | State::Inviting { .. }) => {
                self.remove_call(id);
                self.event(Event::Failed { call: id, failure });
            }
            Some(State::Cancelling) => {
                self.remove_call(id);
                self.event(Event::Ended { call: id, end: End::Cancelled });
            }
            // A refusal behind an answer (a forking proxy should keep it back).
            Some(State::Incoming(_) | State::Established(_) | State::Leaving { .. }) | None => {}
        }
    }

    pub(crate) fn set_state(&mut self, id: CallId, state: State) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = state;
        }
    }
}
