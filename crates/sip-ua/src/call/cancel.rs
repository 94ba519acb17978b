use super::{CallId, State};
use crate::{End, Event, UserAgent};
use engine::Now;
use sip_message::Builder;
use sip_transaction::{Packet, ServerTransactionId, TransactionLayer};

impl UserAgent {
    /// Takes back an INVITE of ours (RFC 3261 section 9.1). The layer waits for a provisional response where it must, and calls
    /// it a timeout when the INVITE gets no final response after all.
    pub(crate) fn cancel(&mut self, now: Now, layer: &mut TransactionLayer, request: u64) {
        if let Some(sent) = self.requests.get(&request).and_then(|request| request.sent) {
            layer.cancel_client(now, sent.transaction, None);
        }
    }

    /// A CANCEL: of an INVITE that we have not answered, it takes that back; of any other, it comes too late
    /// (RFC 3261 section 9.2).
    pub(crate) fn handle_cancel(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        cancels: Option<ServerTransactionId>,
        packet: Packet,
    ) {
        let status = if cancels.is_some() { 200 } else { 481 };
        let call = cancels.and_then(|server| self.by_invite.get(&server)).copied();
        // The To tag of the INVITE's responses, where there is one.
        let tag = call.and_then(|call| self.calls.get(&call)).map(|call| call.local_tag.clone());
        let tag = tag.unwrap_or_else(|| self.rng.token(crate::request::TAG_LENGTH));
        let reply = Builder::reply(&packet.message, status, packet.flow.remote).to_tag(&tag);
        self.respond(now, layer, id, status, reply);
        let (Some(server), Some(call)) = (cancels, call) else { return };
        match self.calls.get(&call).map(|call| &call.state) {
            Some(State::Incoming(_)) => self.end_unanswered(now, layer, call, 487, End::PeerCancelled),
            _ => self.refuse_offer(now, layer, call, server, 487),
        }
    }

    /// Nobody has answered in the time that the INVITE gave (RFC 3261 section 13.3.1), or that we give.
    pub(crate) fn invite_expires(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        call: CallId,
        server: ServerTransactionId,
        status: u16,
    ) {
        // Answered, it rings no more; an offer inside a call does not expire.
        if let Some(State::Incoming(incoming)) = self.calls.get(&call).map(|call| &call.state)
            && incoming.server == server
        {
            self.end_unanswered(now, layer, call, status, End::Expired);
        }
    }

    /// Refuses the INVITE of a call that rings here; the call is over.
    pub(crate) fn end_unanswered(&mut self, now: Now, layer: &mut TransactionLayer, id: CallId, status: u16, end: End) {
        self.refuse_incoming(now, layer, id, status, None);
        self.remove_call(id);
        self.event(Event::Ended { call: id, end });
    }
}
