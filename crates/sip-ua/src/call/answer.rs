use super::{CallId, Incoming, Session, State, Unacked};
use crate::agent::Timer;
use crate::auth::Auth;
use crate::{Body, End, UserAgent, request};
use engine::Now;
use sip_transaction::{Flow, ServerTransactionId, TransactionLayer};

impl UserAgent {
    /// Accepts an incoming call, or the peer's offer inside a call: 200 with this body, sent again until the ACK comes
    /// (RFC 3261 section 13.3.1.4). `false` when nothing awaits an answer.
    pub fn answer(&mut self, now: Now, layer: &mut TransactionLayer, id: CallId, body: Option<Body>) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        match std::mem::replace(&mut call.state, State::Cancelling) {
            State::Incoming(Incoming { server, dialog, flow, .. }) => {
                call.state =
                    State::Established(Session { dialog, flow, auth: Auth::default(), unacked: None, offered: None });
                self.accept(now, layer, id, server, flow, body)
            }
            State::Established(mut session) => {
                let offered = session.offered.take();
                let flow = session.flow;
                if let Some(packet) = offered.and_then(|server| layer.request_of(server)) {
                    session.dialog.refresh_target(&packet.message);
                }
                call.state = State::Established(session);
                offered.is_some_and(|server| self.accept(now, layer, id, server, flow, body))
            }
            other => {
                call.state = other;
                false
            }
        }
    }

    fn accept(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: CallId,
        server: ServerTransactionId,
        flow: Flow,
        body: Option<Body>,
    ) -> bool {
        self.by_invite.remove(&server);
        let Some(call) = self.calls.get(&id) else { return false };
        let Some(packet) = layer.request_of(server) else { return false };
        let Ok(cseq) = packet.message.cseq().map(|cseq| cseq.number) else { return false };
        let contact = request::contact(&call.contact_user, &flow, false);
        let mut reply = self.invite_reply(&packet.message, 200, packet.flow.remote, &call.local_tag, &contact);
        if let Some(body) = body {
            reply = reply.body(&body.content_type, &body.bytes);
        }
        let bytes = reply.header(sip_message::HeaderName::Server, &self.config.product).finish();
        layer.respond(now, server, 200, bytes.clone());
        let (t1, until) = (self.config.t1, now.mono + self.config.t1 * 64);
        if let Some(session) = self.calls.get_mut(&id).and_then(|call| call.session_mut()) {
            session.unacked = Some(Unacked { server, cseq, bytes, interval: t1, until });
        }
        self.deadlines.set(now.mono + t1, Timer::Repeat2xx(id, server));
        true
    }

    /// The 2xx goes out again, at T1 and at intervals that double up to T2, over reliable transports too; after 64*T1 the
    /// caller is given up (section 13.3.1.4).
    pub(crate) fn repeat_2xx(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: CallId,
        server: ServerTransactionId,
    ) {
        let t2 = self.config.t2;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(session) = call.session_mut() else { return };
        let Some(unacked) = session.unacked.as_mut().filter(|unacked| unacked.server == server) else { return };
        if now.mono < unacked.until {
            layer.respond(now, server, 200, unacked.bytes.clone());
            unacked.interval = (unacked.interval * 2).min(t2);
            let next = (now.mono + unacked.interval).min(unacked.until);
            return self.deadlines.set(next, Timer::Repeat2xx(id, server));
        }
        session.unacked = None;
        match call.state {
            State::Established(_) => self.leave(now, layer, id, End::NeverAcknowledged),
            _ => self.send_bye(now, layer, id),
        }
    }
}
