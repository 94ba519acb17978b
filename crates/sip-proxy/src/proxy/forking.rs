//! The branches of a request: which targets are tried when (RFC 3261 section 16.6), and when they are given up.

use super::{Ask, BINDING_LOST, Look, Shared, TIMER_C, Waiting};
use crate::best_response::Candidate;
use crate::context::{Branch, Context, Settled, Way};
use crate::forward::{Copy, forwarded_request, is_secure};
use crate::loops::Mark;
use crate::routes::first_route;
use crate::{Hop, RING_S_MAX, TARGETS_MAX, Target};
use engine::Now;
use sip_message::MESSAGE_BYTES_MAX;
use sip_transaction::{Flow, ServerTransactionId, TransactionLayer};
use std::fmt::Write;
use std::time::Duration;

impl Shared {
    /// Does what the state of a context calls for: settles losers, tries the next targets, or answers. Whether it is over.
    pub(super) fn proceed(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
    ) -> bool {
        cancel_losers(now, layer, context);
        if context.is_orphan(layer, id) {
            return true;
        }
        loop {
            while self.start_ready(now, layer, id, context) {}
            if context.working() {
                return false;
            }
            if context.advance() {
                if context.spare_breadth() > 0 {
                    continue;
                }
                return false; // what is being cancelled holds it
            }
            let Some(targets) = context.next_forward() else { break };
            forward(layer, id, context, targets);
        }
        if context.busy() {
            return false;
        }
        if context.answered.is_some() {
            // The 2xx to an INVITE may come again; anything else is over once it is answered.
            return !context.accepted;
        }
        self.answer(now, layer, id, context);
        true
    }

    /// Starts with the targets whose turn it is, as many as its breadth allows at once. Whether something has changed by it.
    fn start_ready(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
    ) -> bool {
        let Some(first) = context.ready() else { return false };
        let spare = context.spare_breadth();
        if spare == 0 {
            return false;
        }
        if self.loops(layer, id, context, first) {
            context.best.add(Candidate::new(482, None));
            context.drop_waiting();
            return true;
        }
        self.limit_ringing(now, id, context);
        let count = u16::try_from(context.ready_count()).map_or(spare, |ready| ready.min(spare));
        let (share, more) = (spare / count, spare % count);
        for n in 0..count {
            let Some(place) = context.ready() else { break };
            self.start_target(now, layer, id, context, place, share + u16::from(n < more));
        }
        true
    }

    /// Whether the request has been here before and nothing has changed since (RFC 5393 section 4.2.2). That is asked once, as soon as it
    /// goes to more than one place or to one that was not reached over a flow of ours.
    fn loops(&self, layer: &TransactionLayer, id: ServerTransactionId, context: &mut Context, first: usize) -> bool {
        if context.mark.is_some() || (context.targets.len() == 1 && context.targets[first].hop != Hop::Resolve) {
            return false;
        }
        let Some(packet) = layer.request_of(id) else { return false };
        let mark = Mark::of(&self.config.mac, packet, &context.preprocessed);
        context.mark.insert(mark).is_in(&packet.message)
    }

    /// Sets the timers that a target set asks for.
    fn limit_ringing(&mut self, now: Now, id: ServerTransactionId, context: &mut Context) {
        let turn = context.turn;
        let Some(plan) = &mut context.plan else { return };
        // Each length costs the timers a queue.
        let whole =
            |length: Duration| Duration::from_secs((length.as_millis().div_ceil(1000) as u64).clamp(1, RING_S_MAX));
        if let Some(length) = plan.no_answer_after.filter(|_| !plan.limited) {
            plan.limited = true;
            self.looks.set(now.mono, whole(length), (id, Look::NoAnswer));
        }
        if let Some(length) = plan.ring.filter(|_| plan.ring_turn != Some(turn)) {
            plan.ring_turn = Some(turn);
            self.looks.set(now.mono, whole(length), (id, Look::Ring(turn)));
        }
    }

    /// Tries a target with this share of the breadth: over its flow, or as soon as it is known where it is.
    pub(super) fn start_target(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
        place: usize,
        breadth: u16,
    ) {
        match context.targets[place].hop {
            Hop::Flow(flow) => {
                self.start_branch(now, layer, id, context, Some(place), breadth, flow, None, BINDING_LOST);
            }
            Hop::Resolve => {
                let Some(uri) = next_hop(layer, id, context, place) else { return context.over(place) };
                context.resolving(place, breadth);
                self.last_ticket += 1;
                self.resolving.insert(self.last_ticket, Waiting { id, place, asked: now.mono });
                self.asks.push_back(Ask::Resolve {
                    ticket: self.last_ticket,
                    id,
                    uri,
                    named_by: context.targets[place].named_by,
                    payer: context.targets[place].payer.clone(),
                });
            }
        }
    }

    /// Sends the request to a target over `flow`; `others` are for when that fails, `lost` is what it stands for when none is left. One that
    /// would be too large with what we add could be neither acknowledged nor cancelled, and is as good as a 513.
    #[allow(clippy::too_many_arguments)] // all that a branch is made of
    pub(super) fn start_branch(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
        place: Option<usize>,
        breadth: u16,
        flow: Flow,
        others: Option<Vec<Flow>>,
        lost: u16,
    ) {
        let branch = layer.mint_branch();
        let Some(packet) = layer.request_of(id) else { return };
        let method = packet.message.method();
        let target = place.and_then(|place| context.targets.get(place));
        let mark = context.mark.as_ref().map_or("", Mark::as_str);
        let copy = Copy { target, flow, breadth, mark };
        let bytes = forwarded_request(packet, &context.preprocessed, branch.as_str(), &copy, &self.config);
        if bytes.len() > MESSAGE_BYTES_MAX {
            context.best.add(Candidate::new(513, None));
            if let Some(place) = place {
                context.over(place);
            }
            return;
        }
        if let Some(place) = place {
            context.tried(place, breadth);
        }
        context.branches.push(Branch {
            id: branch.id(),
            place: place.and_then(|place| u16::try_from(place).ok()),
            pending: true,
            heard: false,
            cancelled: false,
            abandoned: false,
            expires: now.mono + TIMER_C,
            lost,
            way: others.map(|others| Box::new(Way { flow, others })),
        });
        self.forwarded.insert(branch.id(), id);
        layer.send_request(now, &branch, flow, method, bytes);
    }
}

/// Those of `turn` who ring have rung for long enough.
pub(super) fn stop_ringing(context: &mut Context, turn: u16) {
    if context.turn == turn {
        context.abandon();
        context.best.add(Candidate::new(480, None));
    }
}

/// Nobody has answered for as long as the target set allows: who is to be tried then takes their place, unless that has happened already.
pub(super) fn stop_waiting(layer: &TransactionLayer, id: ServerTransactionId, context: &mut Context) {
    let targets = context.plan.as_mut().map(|plan| std::mem::take(&mut plan.on_no_answer)).unwrap_or_default();
    if !targets.is_empty() {
        context.drop_waiting();
        context.abandon();
        context.best.add(Candidate::new(480, None));
        forward(layer, id, context, targets);
    }
}

/// These targets come after all others, except where they were tried before.
fn forward(layer: &TransactionLayer, id: ServerTransactionId, context: &mut Context, targets: Vec<Target>) {
    context.targets_max = context.targets.len() + TARGETS_MAX;
    let request_uri = layer.request_of(id).map(|packet| packet.message.request_uri());
    let turn = context.last_turn();
    context.add_targets(targets, turn, request_uri);
}

/// Has those cancelled that ring for nothing, and says why (RFC 3261 section 16.7 item 10, RFC 3326).
fn cancel_losers(now: Now, layer: &mut TransactionLayer, context: &mut Context) {
    let settled = context.settled.as_ref();
    for branch in context.branches.iter_mut().filter(|branch| branch.pending && !branch.cancelled) {
        if settled.is_none() && !branch.abandoned {
            continue;
        }
        branch.cancelled = true;
        match settled {
            Some(Settled::Accepted) => {
                layer.cancel_client(now, branch.id, Some("SIP;cause=200;text=\"Call completed elsewhere\""));
            }
            Some(Settled::Declined(status)) => {
                let mut reason = String::new();
                let _ = write!(reason, "SIP;cause={status}"); // writing to a String cannot fail
                layer.cancel_client(now, branch.id, Some(&reason));
            }
            Some(Settled::Cancelled(reason)) => layer.cancel_client(now, branch.id, reason.as_deref()),
            None => layer.cancel_client(now, branch.id, None),
        }
    }
}

/// The URI whose next hop a target is reached by (RFC 3261 section 16.6 item 7): the first Route, else the Request-URI; where that one
/// promises TLS, so must the way.
fn next_hop(layer: &TransactionLayer, id: ServerTransactionId, context: &Context, place: usize) -> Option<String> {
    let request = &layer.request_of(id)?.message;
    let target = context.targets.get(place)?;
    let unchanged = context.preprocessed.changed_uri().unwrap_or(request.request_uri());
    let asked = target.uri.as_deref().unwrap_or(unchanged);
    let route = match &target.routes {
        Some(routes) => first_route(routes),
        None => context.preprocessed.next_route.as_deref(),
    };
    let uri = route.unwrap_or(asked);
    let plain = uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:"));
    Some(if plain && is_secure(asked) { format!("sips:{}", &uri[4..]) } else { uri.to_owned() })
}
