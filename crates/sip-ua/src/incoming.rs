//! The UAS core: what each request is checked for before its method is looked at (RFC 3261 section 8.2), and where it goes then.

use crate::agent::Timer;
use crate::call::{CALLS_MAX, Call, Incoming, RINGING_S_MAX, State};
use crate::{Body, CallId, Dialog, End, Event, Party, UserAgent};
use engine::Now;
use sip_message::{Builder, HeaderName, Message, Method, Scheme};
use sip_transaction::{Packet, ServerTransactionId, TransactionLayer};
use std::time::Duration;

/// What we understand, for Allow.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE";

/// The Content-Type that a MESSAGE may have.
const TEXT: &str = "text/plain";

/// A request that is not even looked at further: the status, and the field that says what would have been right.
struct Refused {
    status: u16,
    field: Option<(HeaderName, String)>,
}

impl UserAgent {
    pub(crate) fn handle_request(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        packet: Packet,
    ) {
        if let Err(refused) = self.examine(&packet.message) {
            let reply = self.reply(&packet, refused.status);
            let reply = match &refused.field {
                Some((name, value)) => reply.header(*name, value),
                None => reply,
            };
            return self.respond(now, layer, id, refused.status, reply);
        }
        let call = self.call_of(&packet.message);
        if packet.message.to_tag().is_some() {
            let Some(call) = call else { return self.refuse(now, layer, id, &packet, 481) };
            if !self.is_in_order(call, &packet.message) {
                return self.refuse(now, layer, id, &packet, 500);
            }
        }
        match (packet.message.method(), call) {
            (Method::Invite, Some(call)) => self.handle_reinvite(now, layer, id, call, packet),
            (Method::Invite, None) => self.handle_invite(now, layer, id, packet),
            (Method::Bye, Some(call)) => self.handle_bye(now, layer, id, call, packet),
            (Method::Bye, None) => self.refuse(now, layer, id, &packet, 481),
            (Method::Message, _) => self.handle_message(now, layer, id, packet),
            // RFC 3261 section 11.2: with the status that an INVITE would get.
            _ => {
                let status = if call.is_none() && self.is_busy() { 486 } else { 200 };
                let reply = self
                    .reply(&packet, status)
                    .header(HeaderName::Allow, ALLOW)
                    .header(HeaderName::Accept, self.config.accept);
                let reply = reply.header(HeaderName::AcceptEncoding, "identity").header(HeaderName::Supported, "");
                self.respond(now, layer, id, status, reply);
            }
        }
    }

    /// Section 8.2.1 to 8.2.3.
    fn examine(&self, request: &Message) -> Result<(), Refused> {
        let refused = |status, name, value: &str| Err(Refused { status, field: Some((name, value.to_owned())) });
        match request.method() {
            Method::Invite | Method::Bye | Method::Options | Method::Message => {}
            // Section 21.5.2: not even known by name.
            Method::Other => return refused(501, HeaderName::Allow, ALLOW),
            _ => return refused(405, HeaderName::Allow, ALLOW),
        }
        if !matches!(request.request_uri_parsed().map(|uri| uri.scheme), Ok(Scheme::Sip | Scheme::Sips)) {
            return Err(Refused { status: 416, field: None });
        }
        let required: Vec<&str> = request.values(HeaderName::Require).filter(|option| !option.is_empty()).collect();
        if !required.is_empty() {
            return refused(420, HeaderName::Unsupported, &required.join(", "));
        }
        let Some(body) = Body::of(request) else { return Ok(()) };
        if request.values(HeaderName::ContentEncoding).any(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return refused(415, HeaderName::AcceptEncoding, "identity");
        }
        match request.method() {
            Method::Invite if !body.is(self.config.accept) => refused(415, HeaderName::Accept, self.config.accept),
            Method::Message if !body.is(TEXT) => refused(415, HeaderName::Accept, TEXT),
            _ => Ok(()),
        }
    }

    /// A call from outside.
    fn handle_invite(&mut self, now: Now, layer: &mut TransactionLayer, id: ServerTransactionId, packet: Packet) {
        let request = &packet.message;
        if self.is_merged(request) {
            return self.refuse(now, layer, id, &packet, 482);
        }
        if self.is_busy() {
            return self.refuse(now, layer, id, &packet, 486);
        }
        let local_tag = self.rng.token(crate::request::TAG_LENGTH);
        let dialog = match Dialog::from_request(request, &local_tag) {
            Ok(dialog) => dialog,
            Err(bad) => {
                let reply = self.reply(&packet, 400).reason(bad.0);
                return self.respond(now, layer, id, 400, reply);
            }
        };
        let call = self.new_call_id();
        let contact_user = request.request_uri_parsed().ok().and_then(|uri| uri.user).unwrap_or_default().to_owned();
        let state = State::Incoming(Incoming { server: id, dialog, flow: packet.flow, provisional: None });
        self.by_tag.insert(local_tag.clone(), call);
        self.by_invite.insert(id, call);
        self.calls.insert(call, Call { contact_user, local_tag, state });
        let (rings_s, status) = match request.expires() {
            Some(expires_s) if u64::from(expires_s) < RINGING_S_MAX => (u64::from(expires_s), 487),
            _ => (RINGING_S_MAX, 480),
        };
        self.deadlines.set(now.mono + Duration::from_secs(rings_s), Timer::InviteExpires(call, id, status));
        self.event(Event::Incoming {
            call,
            from: Party::of(request),
            uri: request.request_uri().to_owned(),
            flow: packet.flow,
            body: Body::of(request),
        });
    }

    /// The peer hangs up (section 15.1.2).
    fn handle_bye(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        call: CallId,
        packet: Packet,
    ) {
        let reply = self.reply(&packet, 200);
        self.respond(now, layer, id, 200, reply);
        let end = match self.calls.get(&call).map(|call| &call.state) {
            // A caller may say BYE in an early dialog, too; the INVITE is still owed an answer.
            Some(State::Incoming(_)) => return self.end_unanswered(now, layer, call, 487, End::PeerCancelled),
            Some(State::Established(session)) => {
                if let Some(server) = session.offered {
                    self.refuse_offer(now, layer, call, server, 487);
                }
                End::PeerHungUp
            }
            // Both at once.
            Some(State::Leaving { end, .. }) => end.clone(),
            Some(State::Locating { .. } | State::Located { .. } | State::Inviting { .. } | State::Cancelling)
            | None => return,
        };
        self.remove_call(call);
        self.event(Event::Ended { call, end });
    }

    /// RFC 3428 section 7.
    fn handle_message(&mut self, now: Now, layer: &mut TransactionLayer, id: ServerTransactionId, packet: Packet) {
        let reply = self.reply(&packet, 200);
        self.respond(now, layer, id, 200, reply);
        if let Some(body) = Body::of(&packet.message) {
            self.event(Event::Message { from: Party::of(&packet.message), body });
        }
    }

    /// Section 12.2.2: whether it is not older than what the peer has sent already.
    fn is_in_order(&mut self, call: CallId, request: &Message) -> bool {
        let Ok(cseq) = request.cseq() else { return false };
        self.calls.get_mut(&call).and_then(|call| call.dialog_mut()).is_none_or(|dialog| dialog.take_cseq(cseq.number))
    }

    /// Section 8.2.2.2: the same INVITE by another way.
    fn is_merged(&self, request: &Message) -> bool {
        let Ok(cseq) = request.cseq() else { return false };
        self.calls.values().filter_map(Call::dialog).any(|dialog| {
            dialog.remote_cseq == Some(cseq.number)
                && dialog.call_id == request.call_id()
                && dialog.remote_tag.as_deref() == request.from_tag()
        })
    }

    fn is_busy(&self) -> bool {
        self.calls.len() >= self.config.calls_max.min(CALLS_MAX)
    }

    /// A reply with a tag of its own.
    fn reply(&mut self, packet: &Packet, status: u16) -> Builder {
        Builder::reply(&packet.message, status, packet.flow.remote).to_tag(&self.rng.token(crate::request::TAG_LENGTH))
    }

    pub(crate) fn refuse(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        packet: &Packet,
        status: u16,
    ) {
        let reply = self.reply(packet, status);
        self.respond(now, layer, id, status, reply);
    }
}
