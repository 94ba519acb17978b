use super::{CallId, Session, State};
use crate::outgoing::Way;
use crate::request::{Purpose, Request};
use crate::{End, Event, UserAgent};
use engine::Now;
use sip_message::Method;
use sip_transaction::TransactionLayer;

impl UserAgent {
    /// Ends a call, whatever it is at: CANCEL before an answer to ours, 603 to one that rings here, BYE otherwise
    /// (RFC 3261 section 15). `false` when there is nothing left to end.
    ///
    /// [`Event::Ended`] comes when the peer knows, or could not be told.
    pub fn hangup(&mut self, now: Now, layer: &mut TransactionLayer, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        match &call.state {
            State::Locating { request } | State::Located { request } => {
                let request = *request;
                self.forget_request(request);
                self.remove_call(id);
                self.event(Event::Ended { call: id, end: End::Cancelled });
            }
            State::Inviting { request } => {
                let request = *request;
                call.state = State::Cancelling;
                self.cancel(now, layer, request);
            }
            State::Incoming(_) => return self.reject(now, layer, id, 603, None),
            State::Established(_) => self.leave(now, layer, id, End::HungUp),
            State::Cancelling | State::Leaving { .. } => return false,
        }
        true
    }

    /// Says BYE; as the callee, only when the ACK to our 2xx has come or will not come any more (section 15).
    pub(crate) fn leave(&mut self, now: Now, layer: &mut TransactionLayer, id: CallId, end: End) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match std::mem::replace(&mut call.state, State::Cancelling) {
            State::Established(session) => {
                let waits = session.unacked.is_some();
                let offered = session.offered;
                call.state = State::Leaving { session, end };
                if let Some(server) = offered {
                    self.refuse_offer(now, layer, id, server, 487);
                }
                if !waits {
                    self.send_bye(now, layer, id);
                }
            }
            other => call.state = other,
        }
    }

    /// Sends the BYE of a call that we are leaving.
    pub(crate) fn send_bye(&mut self, now: Now, layer: &mut TransactionLayer, id: CallId) {
        let Some(session) = self.calls.get_mut(&id).and_then(|call| call.session_mut()) else { return };
        let auth = std::mem::take(&mut session.auth);
        let mut request = Request::inside(Purpose::Bye(id), Method::Bye, &mut session.dialog, auth);
        let way = Way::preferring(&session.flow, session.dialog.next_hop());
        request.sign(&mut self.rng);
        self.place(now, layer, request, way);
    }

    /// Ends the dialog of one answer too many, of which nobody has heard.
    pub(crate) fn send_bye_of_extra(&mut self, now: Now, layer: &mut TransactionLayer, mut session: Session) {
        let request = Request::inside(Purpose::ByeOfExtra, Method::Bye, &mut session.dialog, session.auth);
        let way = Way::preferring(&session.flow, session.dialog.next_hop());
        self.place(now, layer, request, way);
    }

    /// The BYE was answered, or never will be: either way the call is over (section 15.1.1).
    pub(crate) fn bye_is_done(&mut self, id: CallId) {
        if let Some(State::Leaving { end, .. }) = self.calls.get(&id).map(|call| &call.state) {
            let end = end.clone();
            self.remove_call(id);
            self.event(Event::Ended { call: id, end });
        }
    }
}
