//! The calls under way are watched, so that they can be listed, counted and ended. The proxy below does not know.

use crate::Server;
use crate::admission::Admitted;
use crate::identity::Caller;
use crate::purpose::Purpose;
use calls::{Calls, End, Id, Output, Users};
use engine::Now;
use sip_message::Method;
use sip_transaction::{Packet, ServerTransactionId};

impl Server {
    /// The calls under way, as far as this shard knows; `None` where they do not stay with us.
    pub fn calls(&self) -> Option<&Calls> {
        self.calls.as_ref()
    }

    /// Ends a call of this shard, with a value of Reason for both its ends (RFC 3326), or none. Whether there is such a call.
    pub fn hang_up(&mut self, now: Now, id: Id, reason: &str) -> bool {
        let known = self.calls.as_mut().is_some_and(|calls| calls.hang_up(now, id, reason));
        self.settle(now);
        known
    }

    /// A request was let in.
    pub(crate) fn watch_request(&mut self, now: Now, id: ServerTransactionId, packet: &Packet, admitted: &Admitted) {
        let watches = self.config.watches();
        let Some(calls) = &mut self.calls else { return };
        let request = &packet.message;
        // Inside a dialog only what brings our token: anybody else could end what is not theirs in our books.
        if !admitted.preprocessed.in_known_dialog() && request.to_tag().is_some() {
            return;
        }
        if request.method() != Method::Invite {
            return calls.handle_request(now, packet);
        }
        // Nothing is kept for a stranger before there is somebody whom they have reached.
        if request.to_tag().is_some() || watches && admitted.caller != Caller::Unproved {
            calls.handle_invite(now, id, packet, users(admitted));
        }
    }

    /// A request is forwarded to somebody.
    pub(crate) fn watch_forwarded(&mut self, now: Now, id: ServerTransactionId, admitted: &Admitted) {
        let wanted = self.config.watches() && admitted.caller == Caller::Unproved;
        let Some(calls) = self.calls.as_mut().filter(|_| wanted) else { return };
        let begins = |packet: &&Packet| packet.message.method() == Method::Invite && packet.message.to_tag().is_none();
        if let Some(packet) = self.layer.request_of(id).filter(begins) {
            calls.handle_invite(now, id, packet, users(admitted));
        }
    }

    /// Does what ending calls takes. Whether there was anything to do.
    pub(crate) fn tend_calls(&mut self, now: Now) -> bool {
        let Some(output) = self.calls.as_mut().and_then(Calls::poll_output) else { return false };
        match output {
            Output::Bye(bye) => {
                let branch = self.layer.mint_branch();
                let via = format!("SIP/2.0/{} {};branch={}", bye.flow.transport, bye.flow.local, branch.as_str());
                self.layer.send_request(now, &branch, bye.flow, Method::Bye, bye.with_via(via));
            }
            Output::GiveUp { invite, reason } => {
                let reason = Some(&*reason).filter(|reason| !reason.is_empty());
                self.proxy.handle_cancel(now, &mut self.layer, invite, reason);
            }
            Output::Uncharge(seat) => self.config.tally.give_back(routing::Seat(seat)),
            // Whoever is asked for a proof, or for other terms (RFC 4028 section 6), calls again a moment later.
            Output::Event(calls::Event::Ended(record)) if matches!(record.end, End::Refused(401 | 407 | 422)) => {}
            Output::Event(calls::Event::Ended(record)) => {
                self.outputs.push_back(crate::Output::Event(crate::Event::Ended(record)));
            }
            // Nobody asks.
            Output::Event(calls::Event::Started(_) | calls::Event::Answered(_)) => {}
        }
        true
    }
}

fn users(admitted: &Admitted) -> Users<'_> {
    Users {
        caller: if let Caller::User(user, _) = &admitted.caller { Some(user.as_str()) } else { None },
        callee: if let Purpose::User(user) = &admitted.purpose { Some(user.as_str()) } else { None },
        known: admitted.caller != Caller::Unproved,
    }
}
