use super::{CallId, State};
use crate::{Body, Event, UserAgent};
use engine::Now;
use sip_message::{Builder, HeaderName};
use sip_transaction::{Packet, ServerTransactionId, TransactionLayer};

impl UserAgent {
    /// An INVITE inside a call (RFC 3261 section 14.2): the parent decides, unless another one is not over yet.
    pub(crate) fn handle_reinvite(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        call: CallId,
        packet: Packet,
    ) {
        let message = &packet.message;
        match self.calls.get_mut(&call).map(|call| &mut call.state) {
            Some(State::Established(session)) if session.offered.is_none() && session.unacked.is_none() => {
                session.offered = Some(id);
                self.by_invite.insert(id, call);
                self.event(Event::Offered { call, body: Body::of(message) });
            }
            Some(State::Established(_) | State::Incoming(_)) => {
                let retry_after_s = self.rng.below(11);
                let reply =
                    Builder::reply(message, 500, packet.flow.remote).header(HeaderName::RetryAfter, retry_after_s);
                self.respond(now, layer, id, 500, reply.reason("Another INVITE is not over yet"));
            }
            _ => self.refuse(now, layer, id, &packet, 481),
        }
    }
}
