use super::State;
use crate::{Body, Event, UserAgent};
use engine::Now;
use sip_transaction::{Packet, TransactionLayer};

impl UserAgent {
    /// An ACK to a 2xx of ours: it is not sent again, and what waited for the ACK goes on. Any other means nothing.
    pub(crate) fn handle_ack(&mut self, now: Now, layer: &mut TransactionLayer, packet: Packet) {
        let message = &packet.message;
        let Some(id) = self.call_of(message) else { return };
        let Ok(cseq) = message.cseq() else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(session) = call.session_mut() else { return };
        if session.unacked.take_if(|unacked| unacked.cseq == cseq.number).is_none() {
            return;
        }
        match call.state {
            State::Leaving { .. } => self.send_bye(now, layer, id),
            _ => self.event(Event::Acknowledged { call: id, body: Body::of(message) }),
        }
    }
}
