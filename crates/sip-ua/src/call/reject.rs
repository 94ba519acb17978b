use super::{CallId, State};
use crate::{End, UserAgent};
use engine::Now;
use sip_message::Builder;
use sip_transaction::{ServerTransactionId, TransactionLayer};

impl UserAgent {
    /// Refuses an incoming call, or the peer's offer inside a call, with a status of 300 to 699 and perhaps words of one's own.
    /// `false` when nothing awaits an answer, or when the status refuses nothing.
    pub fn reject(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: CallId,
        status: u16,
        reason: Option<&str>,
    ) -> bool {
        if !(300..700).contains(&status) {
            return false;
        }
        match self.calls.get(&id).map(|call| &call.state) {
            Some(State::Incoming(_)) => {
                self.refuse_incoming(now, layer, id, status, reason);
                self.remove_call(id);
                self.event(crate::Event::Ended { call: id, end: End::Rejected(status) });
                true
            }
            Some(State::Established(session)) => match session.offered {
                Some(server) => {
                    self.refuse_offer(now, layer, id, server, status);
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    /// The final response to the INVITE of a call that rings here.
    pub(crate) fn refuse_incoming(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: CallId,
        status: u16,
        reason: Option<&str>,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let State::Incoming(incoming) = &call.state else { return };
        let server = incoming.server;
        let Some(packet) = layer.request_of(server) else { return };
        let mut reply = Builder::reply(&packet.message, status, packet.flow.remote).to_tag(&call.local_tag);
        if let Some(reason) = reason {
            reply = reply.reason(reason);
        }
        self.respond(now, layer, server, status, reply);
    }

    /// The final response to an INVITE inside a call.
    pub(crate) fn refuse_offer(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: CallId,
        server: ServerTransactionId,
        status: u16,
    ) {
        self.by_invite.remove(&server);
        if let Some(session) = self.calls.get_mut(&id).and_then(|call| call.session_mut()) {
            session.offered = None;
        }
        let Some(packet) = layer.request_of(server) else { return };
        let reply = Builder::reply(&packet.message, status, packet.flow.remote);
        self.respond(now, layer, server, status, reply);
    }
}
