use crate::Target;
use crate::best_response::BestResponse;
use crate::preprocess::Preprocessed;
use sip_transaction::{ClientTransactionId, Flow, ServerTransactionId, TransactionLayer};
use smallvec::SmallVec;
use std::time::Instant;

/// The response context of RFC 3261 section 16.7: one forwarded request and the state of its branches.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) invite: bool,
    pub(crate) preprocessed: Preprocessed,
    pub(crate) branches: SmallVec<[Branch; 1]>,
    /// Targets not yet tried, the most preferred last.
    pub(crate) waiting: Vec<Target>,
    /// Targets whose next hop is being looked up.
    pub(crate) resolving: u16,
    pub(crate) best: BestResponse,
    /// When a final response went back.
    pub(crate) answered: Option<Instant>,
    /// A 2xx to an INVITE went back: each further one goes back, too.
    pub(crate) accepted: bool,
    /// The caller has given up, or a 6xx or 2xx has settled it: no further target is tried.
    pub(crate) settled: bool,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) id: ClientTransactionId,
    /// No final response yet.
    pub(crate) pending: bool,
    /// When timer C fires.
    pub(crate) expires: Instant,
    /// The status that a failure to send stands for.
    pub(crate) lost: u16,
    /// Flows to try when this one cannot be sent over, and the target they lead to.
    pub(crate) alternatives: Option<Box<(Vec<Flow>, Option<String>)>>,
}

impl Context {
    pub(crate) fn new(invite: bool, preprocessed: Preprocessed) -> Context {
        Context {
            invite,
            preprocessed,
            branches: SmallVec::new(),
            waiting: Vec::new(),
            resolving: 0,
            best: BestResponse::default(),
            answered: None,
            accepted: false,
            settled: false,
        }
    }

    /// Whether nobody waits for an answer any more: the transaction of the request `id` has come to its end without one, as one other
    /// than an INVITE's does after 64*T1.
    pub(crate) fn is_orphan(&self, layer: &TransactionLayer, id: ServerTransactionId) -> bool {
        self.answered.is_none() && layer.request_of(id).is_none()
    }

    /// Whether some branch may still bring a final response.
    pub(crate) fn busy(&self) -> bool {
        self.resolving > 0 || self.branches.iter().any(|branch| branch.pending)
    }

    pub(crate) fn branch(&mut self, id: ClientTransactionId) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.id == id)
    }

    /// The most preferred targets that were not tried yet, all of one preference.
    pub(crate) fn next_group(&mut self) -> Vec<Target> {
        let Some(q) = self.waiting.last().map(|target| target.q) else { return Vec::new() };
        let first = self.waiting.iter().position(|target| target.q == q).unwrap_or(0);
        self.waiting.split_off(first)
    }
}
