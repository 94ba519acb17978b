use crate::Failure;
use crate::generator::{Desk, Side};
use crate::identity::Identity;
use crate::retransmit::Chain;
use crate::wording::next_hop;
use bytes::Bytes;
use sip_message::{Message, Method};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The calls in progress, both ends of each.
pub(crate) struct Calls {
    calls: Vec<Call>,
    free: Vec<u32>,
    target: SocketAddr,
    hold: Duration,
}

#[derive(Default)]
struct Call {
    /// Which call in this place it is; what belongs to an earlier one is stale.
    turn: u32,
    caller: Caller,
    callee: Callee,
}

/// The calling end.
///
/// | state    | 1xx     | 2xx to INVITE        | other to INVITE | 2xx to BYE | timer        |
/// |----------|---------|----------------------|-----------------|------------|--------------|
/// | Inviting | ringing | ACK, Talking         | ACK, failed     |            | INVITE again |
/// | Talking  |         | ACK again            | ACK             |            | BYE, Leaving |
/// | Leaving  |         | ACK again            | ACK             | ended      | BYE again    |
#[derive(Default)]
enum Caller {
    #[default]
    Free,
    Inviting {
        invite: Bytes,
        since: Instant,
        /// A provisional response has come: the INVITE is not repeated any more (RFC 3261 section 17.1.1.2).
        ringing: bool,
    },
    Talking(Dialog),
    Leaving(Dialog),
}

/// What is left to be said in a call.
struct Dialog {
    ack: Bytes,
    bye: Bytes,
    to: SocketAddr,
}

/// The called end.
#[derive(Default)]
enum Callee {
    #[default]
    Free,
    /// The 200 is repeated until its ACK comes (RFC 3261 section 13.3.1.4).
    Accepted {
        ok: Bytes,
        to: SocketAddr,
    },
    Confirmed,
}

/// What is due of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallTimer {
    /// The INVITE unanswered.
    Invite(u8),
    /// The end of the call.
    Hold,
    /// The BYE unanswered.
    Bye(u8),
    /// The 200 without its ACK.
    Accepted(u8),
}

impl Calls {
    pub(crate) fn new(target: SocketAddr, hold: Duration) -> Calls {
        Calls { calls: Vec::new(), free: Vec::new(), target, hold }
    }

    /// How many are in progress.
    pub(crate) fn in_progress(&self) -> usize {
        self.calls.len() - self.free.len()
    }

    /// Calls `uri`.
    pub(crate) fn begin(&mut self, now: Instant, desk: &mut Desk, uri: &str) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.calls.push(Call::default());
            self.calls.len() as u32 - 1
        });
        let call = &mut self.calls[index as usize];
        let identity = Identity::Call { index, turn: call.turn };
        let invite = desk.wording.invite(identity, uri);
        desk.send(Side::Callers, self.target, invite.clone());
        call.caller = Caller::Inviting { invite, since: now, ringing: false };
        desk.set_call_timer(now, Chain::Invite.wait(0), index, call.turn, CallTimer::Invite(0));
    }

    /// Ends all that are in progress.
    pub(crate) fn cut(&mut self, desk: &mut Desk) {
        for index in 0..self.calls.len() as u32 {
            if !matches!(self.calls[index as usize].caller, Caller::Free) {
                self.end(desk, index, Err(Failure::Unfinished));
            }
        }
    }

    /// A response to the calling end.
    pub(crate) fn handle_response(&mut self, now: Instant, desk: &mut Desk, index: u32, turn: u32, response: &Message) {
        let identity = Identity::Call { index, turn };
        let (method, status) = (response.method(), response.status());
        if method == Method::Invite && status >= 300 {
            let ack = desk.wording.ack_refusal(identity, response);
            desk.send(Side::Callers, self.target, ack);
        }
        let call = self.calls.get_mut(index as usize).filter(|call| call.turn == turn);
        let Some(call) = call else {
            // A straggler of a call that is over; a 2xx to it must still be kept from being repeated.
            if method == Method::Invite && (200..300).contains(&status) {
                let ack = desk.wording.ack(identity, response);
                desk.send(Side::Callers, next_hop(response, self.target), ack);
            }
            return;
        };
        match (&mut call.caller, method, status) {
            (Caller::Inviting { ringing, .. }, Method::Invite, 100..=199) => *ringing = true,
            (Caller::Inviting { since, .. }, Method::Invite, 200..=299) => {
                desk.tally.setup.record(now.saturating_duration_since(*since));
                let (ack, bye) = (desk.wording.ack(identity, response), desk.wording.bye(identity, response));
                let to = next_hop(response, self.target);
                desk.send(Side::Callers, to, ack.clone());
                call.caller = Caller::Talking(Dialog { ack, bye, to });
                desk.set_call_timer(now, Some(self.hold), index, turn, CallTimer::Hold);
            }
            (Caller::Inviting { .. }, Method::Invite, _) => self.end(desk, index, Err(Failure::Refused(status))),
            (Caller::Talking(dialog) | Caller::Leaving(dialog), Method::Invite, 200..=299) => {
                desk.send(Side::Callers, dialog.to, dialog.ack.clone());
            }
            (Caller::Leaving(_), Method::Bye, 200..=299) => self.end(desk, index, Ok(())),
            (Caller::Leaving(_), Method::Bye, 300..) => self.end(desk, index, Err(Failure::ByeRefused(status))),
            // Repeated or out of order: nothing is owed to it.
            _ => {}
        }
    }

    /// A request of a call of ours, from `from`.
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        (side, from): (Side, SocketAddr),
        (index, turn): (u32, u32),
        request: &Message,
    ) {
        let call = self.calls.get_mut(index as usize).filter(|call| call.turn == turn);
        let Some(call) = call else { return desk.no_such_call(side, from, request) };
        match (side, request.method()) {
            (Side::Callees, Method::Invite) => match &call.callee {
                Callee::Free => {
                    let (ringing, ok) = (desk.answers.ringing(request), desk.answers.accepted(request));
                    desk.send(side, from, ringing);
                    desk.send(side, from, ok.clone());
                    call.callee = Callee::Accepted { ok, to: from };
                    desk.set_call_timer(now, Chain::Other.wait(0), index, turn, CallTimer::Accepted(0));
                }
                Callee::Accepted { ok, to } => desk.send(side, *to, ok.clone()),
                Callee::Confirmed => {}
            },
            (Side::Callees, Method::Ack) => call.callee = Callee::Confirmed,
            (_, Method::Ack) => {}
            (_, Method::Bye) => {
                desk.reply(side, from, request, "200 OK");
                match side {
                    Side::Callees => call.callee = Callee::Confirmed,
                    Side::Callers => self.end(desk, index, Err(Failure::HungUp)),
                }
            }
            _ => desk.reply(side, from, request, "200 OK"),
        }
    }

    /// A timer of a call's has come due.
    pub(crate) fn handle_timer(&mut self, now: Instant, desk: &mut Desk, index: u32, turn: u32, timer: CallTimer) {
        let call = self.calls.get_mut(index as usize).filter(|call| call.turn == turn);
        let Some(Call { caller, callee, .. }) = call else { return };
        let (chain, link, gone) = match timer {
            CallTimer::Invite(link) => (Chain::Invite, link, Failure::Unanswered),
            CallTimer::Accepted(link) => (Chain::Other, link, Failure::AckMissing),
            CallTimer::Bye(link) => (Chain::Other, link, Failure::ByeUnanswered),
            CallTimer::Hold => {
                if let Caller::Talking(dialog) = std::mem::take(caller) {
                    desk.send(Side::Callers, dialog.to, dialog.bye.clone());
                    *caller = Caller::Leaving(dialog);
                    desk.set_call_timer(now, Chain::Other.wait(0), index, turn, CallTimer::Bye(0));
                }
                return;
            }
        };
        // The message that still waits for its answer, unless that has come meanwhile; an INVITE that rings is not repeated.
        let (again, side, next) = match (timer, caller, callee) {
            (CallTimer::Invite(_), Caller::Inviting { invite, ringing, .. }, _) => {
                ((!*ringing).then(|| (self.target, invite.clone())), Side::Callers, CallTimer::Invite(link + 1))
            }
            (CallTimer::Bye(_), Caller::Leaving(dialog), _) => {
                (Some((dialog.to, dialog.bye.clone())), Side::Callers, CallTimer::Bye(link + 1))
            }
            (CallTimer::Accepted(_), _, Callee::Accepted { ok, to }) => {
                (Some((*to, ok.clone())), Side::Callees, CallTimer::Accepted(link + 1))
            }
            _ => return,
        };
        if chain.ends_with(link) {
            return self.end(desk, index, Err(gone));
        }
        if let Some((to, bytes)) = again {
            desk.tally.retransmissions += 1;
            desk.send(side, to, bytes);
        }
        desk.set_call_timer(now, chain.wait(link + 1), index, turn, next);
    }

    fn end(&mut self, desk: &mut Desk, index: u32, outcome: Result<(), Failure>) {
        let call = &mut self.calls[index as usize];
        *call = Call { turn: call.turn.wrapping_add(1), ..Call::default() };
        self.free.push(index);
        desk.tally.ended(outcome);
    }
}
