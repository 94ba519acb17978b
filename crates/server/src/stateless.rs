//! The stateless proxy (RFC 3261 section 16.11): what passes without a transaction, and leaves nothing behind.

use crate::admission::Admitted;
use crate::identity::edits;
use crate::purpose::Purpose;
use crate::targets::Origin;
use crate::{Ask, Output, Server};
use engine::Now;
use sip_message::{Method, NextHop, Scheme, Transport, Uri};
use sip_proxy::{Hop, NamedBy, Target, first_route};
use sip_transaction::{Flow, Packet};
use std::time::Instant;

/// Requests without a transaction whose next hop may be looked up at once in one shard; a further one is dropped, as the network might
/// have dropped it.
pub const STATELESS_RESOLVES_MAX: usize = 10_000;

/// What tells the tickets of these lookups from the proxy's.
const OWN: u64 = 1 << 63;

/// A request whose next hop is being looked up.
#[derive(Debug)]
pub(crate) struct Passing {
    packet: Packet,
    admitted: Box<Admitted>,
    target: Target,
    asked: Instant,
}

impl Server {
    /// Lets a request pass without a transaction.
    pub(crate) fn pass(&mut self, now: Now, packet: Packet, admitted: Box<Admitted>) {
        let preprocessed = &admitted.preprocessed;
        if let Some(calls) = self.calls.as_mut().filter(|_| preprocessed.in_known_dialog()) {
            // Of a call that began when requests had transactions.
            calls.handle_request(now, &packet);
        }
        match (preprocessed.onward.or(preprocessed.edge_flow), preprocessed.next_route.clone()) {
            (Some(flow), _) => {
                let target = Target::new(None, Hop::Flow(flow));
                self.proxy.forward_stateless(&mut self.layer, &packet, preprocessed, &target, flow);
            }
            (None, Some(route)) => {
                let target = Target { named_by: NamedBy::Request, ..Target::new(None, Hop::Resolve) };
                self.resolve_and_pass(Passing { packet, admitted, target, asked: now.mono }, &route);
            }
            (None, None) => {
                let caller = admitted.caller.clone();
                self.find_targets(now, Origin::Stateless { packet, admitted, expanded: 0 }, caller);
            }
        }
    }

    /// An ACK or a CANCEL takes the way of its INVITE, without proof of who sends it: only where anybody's INVITE might have gone.
    pub(crate) fn pass_along(&mut self, now: Now, packet: Packet) {
        let mut admitted = Box::new(self.look_at(&packet, None));
        admitted.preprocessed.edits = edits(&packet.message, &admitted.caller, true);
        let ours_to_answer = matches!(admitted.purpose, Purpose::Register(_) | Purpose::Exchange);
        if !ours_to_answer && self.proof_wanted(now, &packet, &admitted).is_none() {
            self.pass(now, packet, admitted);
        } else if packet.message.method() == Method::Cancel {
            let reply = self.reply(&packet, 481);
            self.reply_stateless(&packet, reply);
        }
    }

    /// The targets of a request without a transaction: it goes to the best of them alone.
    pub(crate) fn forward_stateless(
        &mut self,
        now: Now,
        (packet, admitted, expanded): (Packet, Box<Admitted>, usize),
        targets: Vec<Target>,
    ) {
        // The first of the best: the same one for each retransmission, as long as nothing else changes.
        let best = targets.into_iter().reduce(|best, other| if other.q > best.q { other } else { best });
        let Some(target) = best else {
            let reply = self.reply(&packet, 480);
            return self.reply_stateless(&packet, reply);
        };
        match target.hop {
            Hop::Flow(flow) => {
                self.proxy.forward_stateless(&mut self.layer, &packet, &admitted.preprocessed, &target, flow);
            }
            Hop::Resolve => {
                // What stands for a Path comes first (RFC 3327 section 5.2).
                let route = target.routes.as_deref().and_then(first_route);
                let uri = route.map(str::to_owned).or_else(|| target.uri.clone());
                let uri = uri.unwrap_or_else(|| packet.message.request_uri().to_owned());
                let user = Uri::parse(&uri).ok().and_then(|uri| self.user_of(&uri, &packet));
                match user {
                    Some(aor) => self.expand_stateless(now, (packet, admitted, expanded), aor),
                    None => self.resolve_and_pass(Passing { packet, admitted, target, asked: now.mono }, &uri),
                }
            }
        }
    }

    fn resolve_and_pass(&mut self, passing: Passing, uri: &str) {
        let named_by = passing.target.named_by;
        let secure = passing.packet.message.request_uri_parsed().is_ok_and(|uri| uri.scheme == Scheme::Sips);
        let next_hop = Uri::parse(uri).ok().and_then(|uri| {
            let mut next_hop = NextHop::of(&uri)?;
            if secure {
                // Not one hop without TLS (RFC 3261 section 26.2.2).
                next_hop = NextHop { secure, transport: next_hop.transport.map(Transport::secured), ..next_hop };
            }
            self.may_go_to(&uri, &next_hop, named_by).then_some(next_hop)
        });
        let Some(next_hop) = next_hop else {
            let reply = self.reply(&passing.packet, 404);
            return self.reply_stateless(&passing.packet, reply);
        };
        if self.passing.len() >= STATELESS_RESOLVES_MAX {
            return;
        }
        self.begin_to_wait(passing.asked);
        self.last_search += 1;
        let ticket = self.last_search | OWN;
        self.passing.insert(ticket, passing);
        self.outputs.push_back(Output::Ask(Ask::Resolve { ticket, next_hop, steady: true }));
    }

    /// Since when each waits for its next hop.
    pub(crate) fn passing_since(&self) -> impl Iterator<Item = (u64, Instant)> {
        self.passing.iter().map(|(ticket, passing)| (*ticket, passing.asked))
    }

    /// Takes the flows that were found for a request without a transaction; whether it was for one.
    pub(crate) fn handle_passing(&mut self, ticket: u64, flows: &[Flow]) -> bool {
        if ticket & OWN == 0 {
            return false;
        }
        let Some(Passing { packet, admitted, target, .. }) = self.passing.remove(&ticket) else { return true };
        let by_rule = target.named_by == NamedBy::Parent;
        let may = |flow: &&Flow| by_rule || !self.leads_to_trunk(flow);
        match flows.iter().find(may).copied() {
            Some(flow) => {
                self.proxy.forward_stateless(&mut self.layer, &packet, &admitted.preprocessed, &target, flow);
            }
            None => {
                let reply = self.reply(&packet, 404);
                self.reply_stateless(&packet, reply);
            }
        }
        true
    }
}
