use crate::best_response::Candidate;
use crate::context::{Branch, Context};
use crate::forward::{forwarded_request, forwarded_response};
use crate::preprocess::Preprocessed;
use crate::{Hop, TARGETS_MAX, Target, TargetSet};
use engine::{Mac, Now, Rng, Table, TableKey, Timers};
use sip_message::{MESSAGE_BYTES_MAX, Method, Transport};
use sip_transaction::{ClientTransactionId, Flow, Packet, ServerTransactionId, TransactionLayer, prefers_stream};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Requests that may be on their way through one proxy at once, answered ones whose 2xx may come again included; the next
/// one gets 503.
pub const CONTEXTS_MAX: usize = 1 << 20;

/// How long a 2xx may be repeated (64*T1), and how often contexts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(32);

/// What stands for a flow that is gone: of a binding, its user is not there now; of a dialog, as RFC 5626 section 5.3 has it; a next
/// hop that was looked up is unreachable (RFC 3261 section 16.9).
const BINDING_LOST: u16 = 480;
const DIALOG_FLOW_LOST: u16 = 430;
const UNREACHABLE: u16 = 503;

/// Timer C (RFC 3261 section 16.6 item 11): how long an INVITE may ring; it must be longer than three minutes.
const TIMER_C: Duration = Duration::from_secs(181);

/// How a proxy is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// The protection space whose credentials are meant for this proxy.
    pub realm: String,
    /// Whether later requests of a dialog shall come through this proxy.
    pub record_route: bool,
    /// The key that signs our Record-Route; the same in all shards.
    pub mac: Mac,
    /// Branches that may be on their way at once, here and further on, for a request that does not say (Max-Breadth, RFC 5393 section 5.3).
    pub max_breadth: u16,
}

/// What Max-Breadth should be unless there is a reason (RFC 5393 section 5.3.3).
pub const MAX_BREADTH: u16 = 60;

/// A fact that the proxy needs from its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The target set of a request (RFC 3261 section 16.5); answer with [`Proxy::handle_targets`].
    Targets {
        /// Its transaction.
        id: ServerTransactionId,
    },
    /// The flows to the next hop of a URI, best first (RFC 3263); answer with [`Proxy::handle_resolved`], or, when the URI is one of ours,
    /// with [`Proxy::handle_expanded`].
    Resolve {
        /// To be handed back with the answer.
        ticket: u64,
        /// The URI.
        uri: String,
    },
}

/// What waits for the address of its next hop.
#[derive(Debug)]
struct Waiting {
    id: ServerTransactionId,
    /// The Request-URI that the target gets.
    uri: Option<String>,
}

/// The transaction-stateful proxy. It acts on the transaction layer that its parent owns and lends to each call.
#[derive(Debug)]
pub struct Proxy {
    config: Config,
    contexts_max: usize,
    /// Boxed, so that a growing table moves pointers: a copy of half a megabyte a thousand calls would stall the others.
    contexts: Table<ServerTransactionId, Box<Context>>,
    /// Which request a client transaction was made for.
    forwarded: Table<ClientTransactionId, ServerTransactionId>,
    resolving: Table<u64, Waiting>,
    last_ticket: u64,
    /// When to look at a context again: timer C, and whether it may be forgotten.
    looks: Timers<ServerTransactionId>,
    asks: VecDeque<Ask>,
}

impl Proxy {
    /// A proxy with nothing under way.
    pub fn new(config: Config, rng: Rng) -> Proxy {
        Proxy::with_max(config, rng, CONTEXTS_MAX)
    }

    fn with_max(config: Config, mut rng: Rng, contexts_max: usize) -> Proxy {
        let key = TableKey::new(&mut rng);
        Proxy {
            config,
            contexts_max,
            contexts: Table::with_hasher(key),
            forwarded: Table::with_hasher(key),
            resolving: Table::with_hasher(key),
            last_ticket: 0,
            looks: Timers::default(),
            asks: VecDeque::new(),
        }
    }

    /// The next fact that is needed.
    pub fn poll_output(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.looks.next()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Requests that have a context.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether no request has a context.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    /// Forwards the request of a server transaction, which has passed [`validate`](crate::validate) and whose Route fields were
    /// [preprocessed](crate::preprocess).
    pub fn handle_request(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        preprocessed: Preprocessed,
    ) {
        let Some(packet) = layer.request_of(id) else { return };
        let invite = packet.message.method() == Method::Invite;
        if self.contexts.len() >= self.contexts_max {
            let reply = layer.reply(packet, 503).finish();
            return layer.refuse(now, id, 503, reply);
        }
        if packet.message.max_forwards() == Ok(Some(0)) {
            // An OPTIONS or REGISTER that was let pass in case it ended here (RFC 3261 section 16.3 item 3).
            let reply = layer.reply(packet, 483).finish();
            return layer.refuse(now, id, 483, reply);
        }
        let (onward, next_route) = (preprocessed.onward.or(preprocessed.edge_flow), preprocessed.next_route.clone());
        self.contexts.insert(id, Box::new(Context::new(invite, preprocessed)));
        self.looks.set(now.mono, LOOK_EVERY, id);
        match (onward, next_route) {
            (Some(flow), _) => {
                if !self.start_branch(now, layer, id, None, vec![flow], DIALOG_FLOW_LOST) {
                    self.proceed(now, layer, id);
                }
            }
            (None, Some(route)) => self.resolve(id, None, route),
            (None, None) => self.asks.push_back(Ask::Targets { id }),
        }
    }

    /// Forwards an ACK to a 2xx, which belongs to no transaction. Only one that brings a token of ours goes on: for any other,
    /// nobody has shown that the far end waits for it.
    pub fn handle_ack(&mut self, layer: &mut TransactionLayer, packet: &Packet, preprocessed: &Preprocessed) {
        let Some(flow) = preprocessed.onward else { return };
        let branch = layer.mint_branch();
        layer.send(flow, forwarded_request(packet, preprocessed, None, &branch, flow, &self.config));
    }

    /// The answer to [`Ask::Targets`]: where the request goes; to nowhere means 480.
    pub fn handle_targets(&mut self, now: Now, layer: &mut TransactionLayer, id: ServerTransactionId, set: TargetSet) {
        let Some(context) = self.contexts.get_mut(&id) else { return };
        let mut targets = set.targets;
        targets.truncate(TARGETS_MAX);
        targets.sort_by_key(|target| target.q); // stable: the order among equals stays
        context.waiting = targets;
        self.proceed(now, layer, id);
    }

    /// The answer to [`Ask::Resolve`]: flows to try in this order, none when there is no such place.
    pub fn handle_resolved(&mut self, now: Now, layer: &mut TransactionLayer, ticket: u64, flows: Vec<Flow>) {
        let Some(Waiting { id, uri }) = self.resolving.remove(&ticket) else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        context.resolving -= 1;
        if flows.is_empty() {
            context.best.add(Candidate { status: 404, message: None });
        }
        if !context.settled && !flows.is_empty() {
            let length = layer.request_of(id).map_or(0, |packet| packet.message.bytes().len());
            self.start_branch(now, layer, id, uri, stream_first(flows, length), UNREACHABLE);
        }
        self.proceed(now, layer, id);
    }

    /// The other answer to [`Ask::Resolve`]: the URI is one of ours, and these targets stand in its place, in the order of their q.
    pub fn handle_expanded(&mut self, now: Now, layer: &mut TransactionLayer, ticket: u64, targets: Vec<Target>) {
        let Some(Waiting { id, .. }) = self.resolving.remove(&ticket) else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        context.resolving -= 1;
        context.waiting.extend(targets);
        context.waiting.truncate(TARGETS_MAX);
        context.waiting.sort_by_key(|target| target.q);
        self.proceed(now, layer, id);
    }

    /// A response to a forwarded request (RFC 3261 section 16.7).
    pub fn handle_response(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        client: ClientTransactionId,
        packet: Packet,
    ) {
        let Some(id) = self.forwarded.get(&client).copied() else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        let status = packet.message.status();
        let Some(branch) = context.branch(client) else { return };
        match status {
            0..=100 => {} // it only says that the next hop is there (item 2)
            101..=199 => {
                branch.expires = now.mono + TIMER_C;
                if context.answered.is_none()
                    && let Some(bytes) = forwarded_response(&packet.message, &[])
                {
                    layer.respond(now, id, status, bytes);
                }
            }
            200..=299 => {
                branch.pending = false;
                match forwarded_response(&packet.message, &[]) {
                    // Without the caller's Via it is no answer to anybody, and must not end the ringing elsewhere.
                    None => context.best.add(Candidate { status: 502, message: None }),
                    Some(bytes) => {
                        context.settled = true;
                        if context.answered.is_none() || context.accepted {
                            context.accepted |= context.invite;
                            context.answered.get_or_insert(now.mono);
                            layer.respond(now, id, status, bytes);
                        }
                    }
                }
                self.proceed(now, layer, id);
            }
            _ => {
                branch.pending = false;
                context.settled |= status >= 600;
                context.best.add(Candidate { status, message: Some(packet.message) });
                self.proceed(now, layer, id);
            }
        }
    }

    /// Nobody has answered a forwarded request: as good as a 408 (RFC 3261 section 16.8).
    pub fn handle_client_timeout(&mut self, now: Now, layer: &mut TransactionLayer, client: ClientTransactionId) {
        self.fail_branch(now, layer, client, 408);
    }

    /// A forwarded request could not be sent: the next flow to the same target is tried, else it is as good as a 503
    /// (RFC 3261 section 16.9).
    pub fn handle_send_failed(&mut self, now: Now, layer: &mut TransactionLayer, client: ClientTransactionId) {
        let Some(id) = self.forwarded.get(&client).copied() else { return };
        // Once the caller has given up, no flow is worth a try.
        let context = self.contexts.get_mut(&id).filter(|context| !context.settled);
        let alternatives = context.and_then(|context| context.branch(client)?.alternatives.take());
        match alternatives {
            Some(more) => {
                self.remove_branch(id, client);
                let (flows, uri) = *more;
                if !self.start_branch(now, layer, id, uri, flows, UNREACHABLE) {
                    self.proceed(now, layer, id);
                }
            }
            None => {
                let context = self.contexts.get_mut(&id);
                let lost = context.and_then(|context| Some(context.branch(client)?.lost)).unwrap_or(UNREACHABLE);
                self.fail_branch(now, layer, client, lost);
            }
        }
    }

    /// The caller gives up: every branch that still rings is cancelled (RFC 3261 section 16.10). The CANCEL itself is the
    /// parent's to answer; its Reason, if it has one, is told to those that rang (RFC 3326).
    pub fn handle_cancel(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        reason: Option<&str>,
    ) {
        let _ = reason;
        let Some(context) = self.contexts.get_mut(&id) else { return };
        context.settled = true;
        context.best.add(Candidate { status: 487, message: None });
        self.proceed(now, layer, id);
    }

    /// Looks after timer C and forgets what is over.
    pub fn handle_timeout(&mut self, now: Now, layer: &mut TransactionLayer) {
        while let Some(id) = self.looks.take_due(now.mono) {
            let Some(context) = self.contexts.get_mut(&id) else { continue };
            let over = context.answered.is_some_and(|at| at + LOOK_EVERY <= now.mono) && !context.busy();
            if over || context.is_orphan(layer, id) {
                self.forget(id);
                continue;
            }
            self.looks.set(now.mono, LOOK_EVERY, id);
            let late = context.branches.iter_mut().filter(|branch| branch.pending && branch.expires <= now.mono);
            let late: Vec<ClientTransactionId> = late.map(|branch| branch.id).collect();
            for client in late {
                // Section 16.8: what has rung is cancelled; its 487, or the silence after it, then ends the branch.
                layer.cancel_client(now, client, None);
            }
        }
    }

    /// Does what the state of a context calls for: settles losers, tries the next targets, or answers.
    fn proceed(&mut self, now: Now, layer: &mut TransactionLayer, id: ServerTransactionId) {
        loop {
            let Some(context) = self.contexts.get_mut(&id) else { return };
            if context.settled {
                context.waiting.clear();
                for branch in &context.branches {
                    layer.cancel_client(now, branch.id, None);
                }
            }
            if context.is_orphan(layer, id) {
                return self.forget(id);
            }
            if context.busy() {
                return;
            }
            let group = context.next_group();
            if group.is_empty() {
                break;
            }
            for target in group {
                match target.hop {
                    Hop::Flow(flow) => {
                        self.start_branch(now, layer, id, target.uri, vec![flow], BINDING_LOST);
                    }
                    Hop::Resolve => {
                        let unchanged = || layer.request_of(id).map(|packet| packet.message.request_uri().to_owned());
                        let Some(uri) = target.uri.clone().or_else(unchanged) else { continue };
                        self.resolve(id, target.uri, uri);
                    }
                }
            }
        }
        let Some(context) = self.contexts.get(&id) else { return };
        // The 2xx to an INVITE may come again; anything else is over once it is answered.
        if context.answered.is_none() {
            self.answer(now, layer, id);
            self.forget(id);
        } else if !context.accepted {
            self.forget(id);
        }
    }

    /// Sends the best response that has come (RFC 3261 section 16.7 items 6 to 9).
    fn answer(&mut self, now: Now, layer: &mut TransactionLayer, id: ServerTransactionId) {
        let Some(context) = self.contexts.get_mut(&id) else { return };
        let Some(packet) = layer.request_of(id) else { return };
        let (best, challenges) = context.best.take();
        let best = best.unwrap_or(Candidate { status: 480, message: None });
        // A 503 speaks of one next hop, not of us.
        let (status, message) = if best.status == 503 { (500, None) } else { (best.status, best.message) };
        let forwarded = message.and_then(|message| forwarded_response(&message, &challenges));
        let bytes = forwarded.unwrap_or_else(|| layer.reply(packet, status).finish());
        // A CANCEL shows that the caller has heard of us.
        if context.preprocessed.proved || context.settled || !context.branches.is_empty() {
            layer.respond(now, id, status, bytes);
        } else {
            layer.refuse(now, id, status, bytes);
        }
    }

    /// Sends the request to a target over the first of `flows`; the others are for when that fails. Whether it is on its way now: one
    /// that would be too large with what we add could be neither acknowledged nor cancelled, and is as good as a 513.
    fn start_branch(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        uri: Option<String>,
        mut flows: Vec<Flow>,
        lost: u16,
    ) -> bool {
        let Some(context) = self.contexts.get_mut(&id) else { return false };
        let branch = layer.mint_branch();
        let Some(packet) = layer.request_of(id).filter(|_| !flows.is_empty()) else { return false };
        let flow = flows.remove(0);
        let method = packet.message.method();
        let bytes = forwarded_request(packet, &context.preprocessed, uri.as_deref(), &branch, flow, &self.config);
        if bytes.len() > MESSAGE_BYTES_MAX {
            context.best.add(Candidate { status: 513, message: None });
            return false;
        }
        let alternatives = (!flows.is_empty()).then(|| Box::new((flows, uri)));
        context.branches.push(Branch {
            id: branch.id(),
            pending: true,
            expires: now.mono + TIMER_C,
            lost,
            alternatives,
        });
        self.forwarded.insert(branch.id(), id);
        layer.send_request(now, &branch, flow, method, bytes);
        true
    }

    fn resolve(&mut self, id: ServerTransactionId, target: Option<String>, uri: String) {
        let Some(context) = self.contexts.get_mut(&id) else { return };
        context.resolving += 1;
        self.last_ticket += 1;
        self.resolving.insert(self.last_ticket, Waiting { id, uri: target });
        self.asks.push_back(Ask::Resolve { ticket: self.last_ticket, uri });
    }

    fn fail_branch(&mut self, now: Now, layer: &mut TransactionLayer, client: ClientTransactionId, status: u16) {
        let Some(id) = self.forwarded.get(&client).copied() else { return };
        let Some(context) = self.contexts.get_mut(&id) else { return };
        let Some(branch) = context.branch(client) else { return };
        branch.pending = false;
        context.best.add(Candidate { status, message: None });
        self.proceed(now, layer, id);
    }

    fn remove_branch(&mut self, id: ServerTransactionId, client: ClientTransactionId) {
        self.forwarded.remove(&client);
        if let Some(context) = self.contexts.get_mut(&id) {
            context.branches.retain(|branch| branch.id != client);
        }
    }

    fn forget(&mut self, id: ServerTransactionId) {
        let Some(context) = self.contexts.remove(&id) else { return };
        for branch in context.branches {
            self.forwarded.remove(&branch.id);
        }
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

#[cfg(test)]
mod tests;
