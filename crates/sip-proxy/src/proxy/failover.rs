//! What fails: other flows to the same next hop are tried (RFC 3263 section 4.3), and the one that failed is avoided for a while.

use super::{Proxy, Shared};
use crate::best_response::Candidate;
use crate::context::Context;
use crate::{Hop, NamedBy, Target};
use engine::{Now, Table, TableKey};
use sip_message::{HeaderName, Message, RetryAfter, Transport};
use sip_transaction::{ClientTransactionId, Flow, ServerTransactionId, TransactionLayer};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Next hops that are remembered as bad; when there are more at once, further ones are simply tried again.
pub const AVOIDED_MAX: usize = 4096;

/// How long a next hop is avoided after it failed, unless it says so itself.
const AVOIDED_FOR: Duration = Duration::from_secs(30);

/// The longest Retry-After of a 503 that is believed (seconds).
const RETRY_AFTER_S_MAX: u64 = 600;

/// Next hops that have failed, and until when they come last.
#[derive(Debug)]
pub(super) struct Avoided {
    until: Table<(Transport, SocketAddr), Instant>,
}

impl Avoided {
    pub(super) fn new(key: TableKey) -> Avoided {
        Avoided { until: Table::with_hasher(key) }
    }

    fn add(&mut self, now: Now, flow: &Flow, length: Duration) {
        if self.until.len() >= AVOIDED_MAX {
            self.until.retain(|_, until| *until > now.mono);
        }
        if self.until.len() < AVOIDED_MAX {
            self.until.insert((flow.transport, flow.remote), now.mono + length);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.until.len()
    }

    #[cfg(test)]
    pub(super) fn fill(&mut self, now: Now, count: usize) {
        let flow = |n: usize| Flow {
            transport: Transport::Tcp,
            local: ([10, 0, 0, 1], 5060).into(),
            remote: ([10, 1, 1, 1], n as u16).into(),
            connection: None,
        };
        (0..count).for_each(|n| self.add(now, &flow(n), AVOIDED_FOR));
    }

    /// Puts the flows last that lead to what has failed a moment ago; else their order stays.
    pub(super) fn sort_last(&self, now: Now, flows: &mut [Flow]) {
        if self.until.is_empty() {
            return;
        }
        let failed =
            |flow: &Flow| self.until.get(&(flow.transport, flow.remote)).is_some_and(|until| *until > now.mono);
        flows.sort_by_key(failed);
    }
}

impl Proxy {
    /// Nobody has answered a forwarded request: the next flow to the same target is tried, unless somebody had shown to be there; else it is
    /// as good as a 408 (RFC 3261 section 16.8).
    pub fn handle_client_timeout(&mut self, now: Now, layer: &mut TransactionLayer, client: ClientTransactionId) {
        self.handle_silence(now, layer, client, false);
    }

    /// A forwarded request could not be sent: the next flow to the same target is tried, else it is as good as a 503
    /// (RFC 3261 section 16.9).
    pub fn handle_send_failed(&mut self, now: Now, layer: &mut TransactionLayer, client: ClientTransactionId) {
        self.handle_silence(now, layer, client, true);
    }

    fn handle_silence(&mut self, now: Now, layer: &mut TransactionLayer, client: ClientTransactionId, unsent: bool) {
        let Some(id) = self.shared.forwarded.get(&client).copied() else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        // What could not be sent may have been the ACK to an answer that is here.
        let Some(index) = context.branch(client).filter(|index| context.branches[*index].pending) else { return };
        if unsent && self.shared.look_again(context, index) {
            return self.proceed(now, layer, id);
        }
        let branch = &context.branches[index];
        let (abandoned, status) = (branch.abandoned, if unsent { branch.lost } else { 408 });
        let gone = unsent || !(branch.heard || branch.cancelled);
        if !(gone && self.shared.try_next(now, layer, id, context, index, None)) {
            context.end_branch(index);
            if !abandoned {
                context.best.add(Candidate::new(status, None));
            }
        }
        self.proceed(now, layer, id);
    }
}

impl Shared {
    /// Tries the next flow in the place of a branch that has failed, with `response` or without any. Whether there was one.
    pub(super) fn try_next(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
        index: usize,
        response: Option<&Message>,
    ) -> bool {
        let branch = &mut context.branches[index];
        let mut next = None;
        if let Some(way) = &mut branch.way {
            let asked = response.and_then(|response| response.header(HeaderName::RetryAfter));
            let asked = asked.and_then(|text| RetryAfter::parse(text).ok());
            let length =
                asked.map_or(AVOIDED_FOR, |asked| Duration::from_secs(u64::from(asked.after_s).min(RETRY_AFTER_S_MAX)));
            self.avoided.add(now, &way.flow, length);
            let (flow, mut others) = (way.flow, std::mem::take(&mut way.others));
            if response.is_some() {
                others.retain(|other| other.remote != flow.remote); // it has answered for all its transports
            }
            if !others.is_empty() {
                next = Some((others.remove(0), others));
            }
        }
        // Once the caller has given up, or others are tried, no flow is worth a try.
        if context.settled.is_some() || branch.abandoned || layer.request_of(id).is_none() {
            return false;
        }
        let (client, place, lost) = (branch.id, branch.place.map(usize::from), branch.lost);
        let (breadth, _) = place.map_or((context.breadth, 0), |place| context.share(place));
        let started = match (next, place) {
            (Some((flow, others)), _) => {
                self.start_branch(now, layer, id, context, place, breadth, flow, Some(others), lost);
                true
            }
            (None, Some(place)) => self.try_fallback(now, layer, id, context, place, breadth),
            (None, None) => false,
        };
        if started {
            self.forwarded.remove(&client);
            context.branches.remove(index);
        }
        started
    }

    /// The connection that a dialog was promised is gone, but its phone may have opened another: the parent is asked where it is now.
    /// Whether that makes sense.
    fn look_again(&mut self, context: &mut Context, index: usize) -> bool {
        let onward = context.preprocessed.onward.filter(|_| context.preprocessed.next_route.is_none());
        let again = onward.is_some_and(|flow| flow.connection.is_some())
            && context.branches[index].place.is_none()
            && context.settled.is_none();
        if again {
            self.forwarded.remove(&context.branches.remove(index).id);
            let phone = Target { named_by: NamedBy::Dialog, ..Target::new(None, Hop::Resolve) };
            context.set_targets(vec![phone].into());
        }
        again
    }

    /// Puts what its target has for this case in the place of one that cannot be reached. Whether there was something.
    pub(super) fn try_fallback(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        context: &mut Context,
        place: usize,
        breadth: u16,
    ) -> bool {
        let Some(target) = context.targets.get_mut(place).filter(|target| !target.fallbacks.is_empty()) else {
            return false;
        };
        let mut fallbacks = std::mem::take(&mut target.fallbacks);
        *target = fallbacks.remove(0);
        target.fallbacks = fallbacks;
        self.start_target(now, layer, id, context, place, breadth);
        true
    }
}
