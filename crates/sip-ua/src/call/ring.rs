use super::{CallId, State};
use crate::agent::Timer;
use crate::{Body, UserAgent, request};
use engine::Now;
use sip_transaction::TransactionLayer;
use std::time::Duration;

/// How often a provisional response is repeated, so that no proxy on the way gives up (RFC 3261 section 13.3.1.1).
const REPEAT: Duration = Duration::from_secs(60);

impl UserAgent {
    /// Tells the caller that the phone rings (180), or any other provisional status from 101 to 199, with early media when there is a body.
    /// `false` when the call does not await an answer.
    pub fn ring(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: CallId,
        status: u16,
        body: Option<Body>,
    ) -> bool {
        let Some(call) = self.calls.get(&id) else { return false };
        let State::Incoming(incoming) = &call.state else { return false };
        let (server, first) = (incoming.server, incoming.provisional.is_none());
        let Some(packet) = layer.request_of(server).filter(|_| (101..200).contains(&status)) else { return false };
        let contact = request::contact(&call.contact_user, &incoming.flow, false);
        let mut reply = self.invite_reply(&packet.message, status, packet.flow.remote, &call.local_tag, &contact);
        if let Some(body) = body {
            reply = reply.body(&body.content_type, &body.bytes);
        }
        let bytes = reply.finish();
        layer.respond(now, server, status, bytes.clone());
        if let Some(State::Incoming(incoming)) = self.calls.get_mut(&id).map(|call| &mut call.state) {
            incoming.provisional = Some((status, bytes));
        }
        if first {
            self.deadlines.set(now.mono + REPEAT, Timer::RepeatRinging(id));
        }
        true
    }

    /// A minute has passed without an answer.
    pub(crate) fn repeat_ringing(&mut self, now: Now, layer: &mut TransactionLayer, id: CallId) {
        let Some(State::Incoming(incoming)) = self.calls.get(&id).map(|call| &call.state) else { return };
        let Some((status, bytes)) = &incoming.provisional else { return };
        layer.respond(now, incoming.server, *status, bytes.clone());
        self.deadlines.set(now.mono + REPEAT, Timer::RepeatRinging(id));
    }
}
