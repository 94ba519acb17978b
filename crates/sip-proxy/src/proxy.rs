use crate::context::{Context, Settled};
use crate::forward::{Copy, forwarded_request};
use crate::preprocess::Preprocessed;
use crate::{Hop, NamedBy, Payer, Target};
use engine::{Mac, Now, Rng, Table, TableKey, Timers};
use failover::Avoided;
use sip_message::{HeaderName, Message, Method};
use sip_transaction::{ClientTransactionId, Packet, ServerTransactionId, TransactionLayer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use failover::AVOIDED_MAX;

mod failover;
mod forking;
mod recursion;
mod responses;
mod targets;

/// Requests that may be on their way through one proxy at once, answered ones whose 2xx may come again included; the next
/// one gets 503.
pub const CONTEXTS_MAX: usize = 1 << 20;

/// How long a 2xx may be repeated (64*T1), and how often contexts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(32);

/// What stands for a flow that is gone: of a binding, its user is not there now; one that a token of ours names, as RFC 5626 section 5.3
/// has it; a next hop that was looked up is unreachable (RFC 3261 section 16.9).
const BINDING_LOST: u16 = 480;
const FLOW_LOST: u16 = 430;
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
    /// The flows to the next hop of a URI, best first (RFC 3263); answer with [`Proxy::handle_resolved`], or, when the URI is one of ours,
    /// with [`Proxy::handle_expanded`].
    Resolve {
        /// To be handed back with the answer.
        ticket: u64,
        /// The transaction of the request that waits for it.
        id: ServerTransactionId,
        /// The URI.
        uri: String,
        /// Who says that the request may go there.
        named_by: NamedBy,
        /// Who answers for it.
        payer: Option<Arc<Payer>>,
    },
}

/// What waits for the address of its next hop: a request, and the place of its target.
#[derive(Debug)]
struct Waiting {
    id: ServerTransactionId,
    place: usize,
    asked: Instant,
}

/// Why to look at a context again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Timer C may have fired, or it may be over.
    Routine,
    /// Nobody has answered for as long as the target set allows.
    NoAnswer,
    /// The same for the targets of this turn.
    Ring(u16),
}

/// The transaction-stateful proxy. It acts on the transaction layer that its parent owns and lends to each call.
#[derive(Debug)]
pub struct Proxy {
    contexts_max: usize,
    /// Boxed, so that a growing table moves pointers: a copy of half a megabyte a thousand calls would stall the others.
    contexts: Table<ServerTransactionId, Box<Context>>,
    shared: Shared,
}

/// What all contexts share.
#[derive(Debug)]
struct Shared {
    config: Config,
    /// Which request a client transaction was made for.
    forwarded: Table<ClientTransactionId, ServerTransactionId>,
    resolving: Table<u64, Waiting>,
    last_ticket: u64,
    looks: Timers<(ServerTransactionId, Look)>,
    asks: VecDeque<Ask>,
    avoided: Avoided,
}

impl Proxy {
    /// A proxy with nothing under way.
    pub fn new(config: Config, rng: Rng) -> Proxy {
        Proxy::with_max(config, rng, CONTEXTS_MAX)
    }

    fn with_max(config: Config, mut rng: Rng, contexts_max: usize) -> Proxy {
        let key = TableKey::new(&mut rng);
        let shared = Shared {
            config,
            forwarded: Table::with_hasher(key),
            resolving: Table::with_hasher(key),
            last_ticket: 0,
            looks: Timers::default(),
            asks: VecDeque::new(),
            avoided: Avoided::new(key),
        };
        Proxy { contexts_max, contexts: Table::with_hasher(key), shared }
    }

    /// Forwards new requests so from now on, with the same key.
    pub fn configure(&mut self, record_route: bool, max_breadth: u16) {
        (self.shared.config.record_route, self.shared.config.max_breadth) = (record_route, max_breadth);
    }

    /// The next fact that is needed.
    pub fn poll_output(&mut self) -> Option<Ask> {
        self.shared.asks.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.shared.looks.next()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Whether the request of this transaction was given to the proxy, and is not over.
    pub fn has(&self, id: ServerTransactionId) -> bool {
        self.contexts.contains_key(&id)
    }

    /// Whether the sender of this request had proved who they are.
    pub fn is_proved(&self, id: ServerTransactionId) -> bool {
        self.contexts.get(&id).is_some_and(|context| context.preprocessed.proved)
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
    /// [preprocessed](crate::preprocess). Where no Route leads it on, it waits for [`handle_targets`](Self::handle_targets).
    pub fn handle_request(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        preprocessed: Preprocessed,
    ) {
        let Some(packet) = layer.request_of(id) else { return };
        let request = &packet.message;
        let breadth = self.config().incoming_breadth(request);
        let refusal = if self.contexts.len() >= self.contexts_max {
            Some(503)
        } else if request.max_forwards() == Ok(Some(0)) {
            // An OPTIONS or REGISTER that was let pass in case it ended here (RFC 3261 section 16.3 item 3).
            Some(483)
        } else if breadth == 0 {
            Some(440)
        } else {
            None
        };
        if let Some(status) = refusal {
            let reply = layer.reply(packet, status).finish();
            return layer.refuse(now, id, status, reply);
        }
        let (invite, known_flow) = (request.method() == Method::Invite, preprocessed.onward.or(preprocessed.edge_flow));
        let context = self.contexts.entry(id).or_insert(Box::new(Context::new(invite, preprocessed, breadth)));
        self.shared.looks.set(now.mono, LOOK_EVERY, (id, Look::Routine));
        match known_flow {
            Some(flow) => {
                self.shared.start_branch(now, layer, id, context, None, breadth, flow, None, FLOW_LOST);
            }
            None if context.preprocessed.next_route.is_some() => {
                let route = Target { named_by: NamedBy::Request, ..Target::new(None, Hop::Resolve) };
                context.set_targets(vec![route].into());
            }
            None => return,
        }
        self.proceed(now, layer, id);
    }

    /// Forwards an ACK to a 2xx, which belongs to no transaction. Only one that brings a token of ours goes on: for any other,
    /// nobody has shown that the far end waits for it.
    pub fn handle_ack(&mut self, layer: &mut TransactionLayer, packet: &Packet, preprocessed: &Preprocessed) {
        let Some(flow) = preprocessed.onward else { return };
        if packet.message.max_forwards() == Ok(Some(0)) {
            return;
        }
        let branch = layer.mint_branch();
        let copy = Copy { target: None, flow, breadth: self.config().incoming_breadth(&packet.message), mark: "" };
        layer.send(flow, forwarded_request(packet, preprocessed, branch.as_str(), &copy, self.config()));
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
        let Some(context) = self.contexts.get_mut(&id) else { return };
        context.settle(Settled::Cancelled(reason.map(Box::from)));
        context.best.add(crate::best_response::Candidate::new(487, None));
        self.proceed(now, layer, id);
    }

    /// Looks after timer C, has those give up who rang for long enough, and forgets what is over.
    pub fn handle_timeout(&mut self, now: Now, layer: &mut TransactionLayer) {
        while let Some((id, look)) = self.shared.looks.take_due(now.mono) {
            let Some(context) = self.contexts.get_mut(&id) else { continue };
            if look != Look::Routine {
                if context.settled.is_none() {
                    match look {
                        Look::Ring(turn) => forking::stop_ringing(context, turn),
                        Look::NoAnswer | Look::Routine => forking::stop_waiting(layer, id, context),
                    }
                    self.proceed(now, layer, id);
                }
                continue;
            }
            let over = context.answered.is_some_and(|at| at + LOOK_EVERY <= now.mono) && !context.busy();
            if over || context.is_orphan(layer, id) {
                self.forget(id);
                continue;
            }
            self.shared.looks.set(now.mono, LOOK_EVERY, (id, Look::Routine));
            let late = |branch: &&mut crate::context::Branch| branch.pending && branch.expires <= now.mono;
            for branch in context.branches.iter_mut().filter(late) {
                // Section 16.8: what has rung is cancelled; its 487, or the silence after it, then ends the branch.
                branch.cancelled = true;
                layer.cancel_client(now, branch.id, None);
            }
        }
    }

    /// Does what the state of a context calls for.
    fn proceed(&mut self, now: Now, layer: &mut TransactionLayer, id: ServerTransactionId) {
        let Some(context) = self.contexts.get_mut(&id) else { return };
        if self.shared.proceed(now, layer, id, context) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: ServerTransactionId) {
        let Some(context) = self.contexts.remove(&id) else { return };
        for branch in context.branches {
            self.shared.forwarded.remove(&branch.id);
        }
    }
}

impl Config {
    /// How many branches a request may have on their way at once (RFC 5393 section 5.3.3); none when it has had them all.
    pub(crate) fn incoming_breadth(&self, request: &Message) -> u16 {
        let asked = request.header(HeaderName::MaxBreadth).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        // What is too large a number is more than we allow.
        asked.map_or(self.max_breadth, |text| text.parse().unwrap_or(u16::MAX).min(self.max_breadth))
    }
}

#[cfg(test)]
mod tests;
