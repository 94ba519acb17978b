//! Where requests go: the answers to what the proxy asks.

use super::{Proxy, UNREACHABLE, Waiting};
use crate::best_response::Candidate;
use crate::{Target, TargetSet};
use bytes::Bytes;
use engine::Now;
use sip_message::Transport;
use sip_transaction::{Flow, ServerTransactionId, TransactionLayer, prefers_stream};
use std::time::Duration;

impl Proxy {
    /// The target set of a request (RFC 3261 section 16.5): where it goes; to nowhere means 480.
    pub fn handle_targets(&mut self, now: Now, layer: &mut TransactionLayer, id: ServerTransactionId, set: TargetSet) {
        let Some(context) = self.contexts.get_mut(&id) else { return };
        if context.settled.is_none() {
            context.set_targets(set);
        }
        self.proceed(now, layer, id);
    }

    /// The answer to [`Ask::Resolve`](super::Ask::Resolve): flows to try in this order, none when there is no such place.
    pub fn handle_resolved(&mut self, now: Now, layer: &mut TransactionLayer, ticket: u64, mut flows: Vec<Flow>) {
        let Some(Waiting { id, place, .. }) = self.shared.resolving.remove(&ticket) else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        let Some(breadth) = context.awaited(place) else { return };
        if flows.is_empty() {
            if !self.shared.try_fallback(now, layer, id, context, place, breadth) {
                context.best.add(Candidate::new(404, None));
                context.over(place);
            }
        } else {
            self.shared.avoided.sort_last(now, &mut flows);
            let length = layer.request_of(id).map_or(0, |packet| packet.message.bytes().len());
            let mut flows = stream_first(flows, length);
            let first = flows.remove(0);
            self.shared.start_branch(now, layer, id, context, Some(place), breadth, first, Some(flows), UNREACHABLE);
        }
        self.proceed(now, layer, id);
    }

    /// What has been asked for so long without an answer, in the order in which it was asked.
    pub fn overdue(&self, now: Now, patience: Duration) -> Vec<u64> {
        let waiting = self.shared.resolving.iter().filter(|(_, waiting)| waiting.asked + patience <= now.mono);
        let mut tickets: Vec<u64> = waiting.map(|(ticket, _)| *ticket).collect();
        tickets.sort_unstable();
        tickets
    }

    /// Whether nothing is being asked.
    pub fn asks_nothing(&self) -> bool {
        self.shared.resolving.is_empty()
    }

    /// A third answer to [`Ask::Resolve`](super::Ask::Resolve): the request may not go there, and `reply` is what its sender is told
    /// should nobody else say more. What stands in for the target when it cannot be reached may not be gone to either.
    pub fn handle_forbidden(&mut self, now: Now, layer: &mut TransactionLayer, ticket: u64, status: u16, reply: Bytes) {
        let Some(Waiting { id, place, .. }) = self.shared.resolving.remove(&ticket) else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        if context.awaited(place).is_some() {
            context.best.add(Candidate { status, message: None, own: Some(reply) });
            context.over(place);
            self.proceed(now, layer, id);
        }
    }

    /// The other answer to [`Ask::Resolve`](super::Ask::Resolve): the URI is one of ours, and these targets stand in its place, in the
    /// order of their q, changed as it was to be; none means 480. A lookup of what was looked up before is left out.
    pub fn handle_expanded(&mut self, now: Now, layer: &mut TransactionLayer, ticket: u64, mut targets: Vec<Target>) {
        let Some(Waiting { id, place, .. }) = self.shared.resolving.remove(&ticket) else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        if context.awaited(place).is_none() {
            return;
        }
        for target in &mut targets {
            target.edits.insert_many(0, context.targets[place].edits.iter().cloned());
        }
        let (_, turn) = context.share(place);
        context.over(place);
        let request_uri = layer.request_of(id).map(|packet| packet.message.request_uri());
        if !context.add_targets(targets, turn, request_uri) {
            context.best.add(Candidate::new(480, None));
        }
        self.proceed(now, layer, id);
    }
}

/// What forwarding adds to a request, at most about: a Via and two Record-Routes, with IPv6 addresses.
const ADDED_BYTES: usize = 400;

/// RFC 3261 section 18.1.1: a request too large for a datagram goes over TCP; should that fail, the datagram is tried after all.
fn stream_first(flows: Vec<Flow>, request_bytes: usize) -> Vec<Flow> {
    if !prefers_stream(request_bytes + ADDED_BYTES) {
        return flows;
    }
    let datagrams = flows.iter().filter(|flow| flow.transport == Transport::Udp);
    let streams: Vec<Flow> =
        datagrams.map(|flow| Flow { transport: Transport::Tcp, connection: None, ..*flow }).collect();
    streams.into_iter().chain(flows).collect()
}
