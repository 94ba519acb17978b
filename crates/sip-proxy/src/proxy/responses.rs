//! What comes back (RFC 3261 section 16.7).

use super::{Proxy, Shared, TIMER_C};
use crate::best_response::Candidate;
use crate::context::{Context, Settled};
use crate::forward::forwarded_response;
use engine::Now;
use sip_message::Message;
use sip_transaction::{ClientTransactionId, Packet, ServerTransactionId, TransactionLayer};

impl Proxy {
    /// A response to a forwarded request (RFC 3261 section 16.7).
    pub fn handle_response(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        client: ClientTransactionId,
        packet: Packet,
    ) {
        let Some(id) = self.shared.forwarded.get(&client).copied() else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        let Some(index) = context.branch(client) else { return };
        let status = packet.message.status();
        match status {
            0..=199 => {
                let branch = &mut context.branches[index];
                branch.heard = true;
                if status <= 100 {
                    return; // it only says that the next hop is there (item 2)
                }
                branch.expires = now.mono + TIMER_C;
                if !branch.abandoned
                    && context.answered.is_none()
                    && let Some(bytes) = forwarded_response(&packet.message, &[])
                {
                    layer.respond(now, id, status, bytes);
                }
                return;
            }
            200..=299 => {
                context.end_branch(index);
                match forwarded_response(&packet.message, &[]) {
                    // Without the caller's Via it is no answer to anybody, and must not end the ringing elsewhere.
                    None => context.best.add(Candidate::new(502, None)),
                    Some(bytes) => {
                        context.settle(Settled::Accepted);
                        if context.answered.is_none() || context.accepted {
                            context.accepted |= context.invite;
                            context.answered.get_or_insert(now.mono);
                            layer.respond(now, id, status, bytes);
                        }
                    }
                }
            }
            _ => self.shared.handle_refusal(now, layer, id, context, index, packet.message),
        }
        self.proceed(now, layer, id);
    }
}

impl Shared {
    /// A branch has ended with a 3xx to 6xx.
    fn handle_refusal(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
        index: usize,
        message: Message,
    ) {
        let status = message.status();
        if matches!(status, 430 | 503) && self.try_next(now, layer, id, context, index, Some(&message)) {
            return;
        }
        let (abandoned, place) = (context.branches[index].abandoned, context.branches[index].place);
        context.end_branch(index);
        match status {
            600.. if context.settled.is_none() => {
                if status == 600 && context.plan.as_ref().is_some_and(|plan| !plan.on_busy.is_empty()) {
                    // Busy everywhere is what the forward is for; nobody else is tried.
                    context.drop_waiting();
                    context.abandon();
                } else {
                    context.settle(Settled::Declined(status));
                }
            }
            600.. => {}
            _ if abandoned => return,
            300..=399 if context.recurse && context.settled.is_none() => {
                let request_uri = layer.request_of(id).map(|packet| packet.message.request_uri());
                let Some(left) = super::recursion::recurse(context, place, &message, request_uri) else { return };
                return context.best.add(Candidate::new(status, Some(left)));
            }
            _ => {}
        }
        context.best.add(Candidate::new(status, Some(message)));
    }

    /// Sends the best response that has come (RFC 3261 section 16.7 items 6 to 9).
    pub(super) fn answer(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
    ) {
        let Some(packet) = layer.request_of(id) else { return };
        let (best, challenges) = context.best.take();
        let best = best.unwrap_or(Candidate::new(480, None));
        // A 503 speaks of one next hop, not of us, unless it is our own.
        let (status, message) = match best.own.is_none() && best.status == 503 {
            true => (500, None),
            false => (best.status, best.message),
        };
        let forwarded = message.and_then(|message| forwarded_response(&message, &challenges));
        let bytes = forwarded.or(best.own).unwrap_or_else(|| layer.reply(packet, status).finish());
        // A CANCEL shows that the caller has heard of us.
        if context.preprocessed.proved || context.settled.is_some() || !context.branches.is_empty() {
            layer.respond(now, id, status, bytes);
        } else {
            layer.refuse(now, id, status, bytes);
        }
    }
}
