use crate::best_response::BestResponse;
use crate::loops::Mark;
use crate::preprocess::Preprocessed;
use crate::{TARGETS_MAX, Target, TargetSet};
use sip_message::Uri;
use sip_transaction::{ClientTransactionId, Flow, ServerTransactionId, TransactionLayer};
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// The response context of RFC 3261 section 16.7: one forwarded request and the state of its branches.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) invite: bool,
    pub(crate) preprocessed: Preprocessed,
    pub(crate) branches: SmallVec<[Branch; 1]>,
    /// The target set: every target there has been, since none may be in it twice (section 16.5). Empty again once it is settled.
    pub(crate) targets: Vec<Target>,
    /// What has become of each target.
    pub(crate) places: SmallVec<[Place; 1]>,
    /// Targets of this turn and earlier ones are tried now.
    pub(crate) turn: u16,
    /// How many targets there may be.
    pub(crate) targets_max: usize,
    /// The branches that may be on their way at once, here and further on (Incoming Max-Breadth, RFC 5393 section 5.3.2).
    pub(crate) breadth: u16,
    /// Whether Contacts of a 3xx become targets.
    pub(crate) recurse: bool,
    /// What is to be done when nobody is there, if anything.
    pub(crate) plan: Option<Box<Plan>>,
    /// What tells that the request has been here before, once somebody asked.
    pub(crate) mark: Option<Mark>,
    pub(crate) best: BestResponse,
    /// When a final response went back.
    pub(crate) answered: Option<Instant>,
    /// A 2xx to an INVITE went back: each further one goes back, too.
    pub(crate) accepted: bool,
    /// No further target is tried.
    pub(crate) settled: Option<Settled>,
}

/// Why no further target is tried.
#[derive(Debug)]
pub(crate) enum Settled {
    /// A 2xx went back.
    Accepted,
    /// Somebody speaks for all: a 6xx.
    Declined(u16),
    /// The caller has given up, and may have said why.
    Cancelled(Option<Box<str>>),
}

/// Where one target stands.
#[derive(Debug)]
pub(crate) struct Place {
    /// Targets of equal turn are tried at once, lower ones first.
    turn: u16,
    /// Its share of the context's breadth, as long as it is tried.
    breadth: u16,
    state: PlaceState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlaceState {
    Waiting,
    /// Its next hop is being looked up.
    Resolving,
    /// It has a branch.
    Tried,
    Over,
}

/// What a [`TargetSet`] has for when nobody is there.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) on_busy: Vec<Target>,
    pub(crate) on_no_answer: Vec<Target>,
    pub(crate) no_answer_after: Option<Duration>,
    pub(crate) ring: Option<Duration>,
    /// The turn whose ringing is limited already.
    pub(crate) ring_turn: Option<u16>,
    /// The time for an answer is limited already.
    pub(crate) limited: bool,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) id: ClientTransactionId,
    /// Of its target; none when the way is that of a dialog.
    pub(crate) place: Option<u16>,
    /// No final response yet.
    pub(crate) pending: bool,
    /// Some response has come.
    pub(crate) heard: bool,
    /// A CANCEL was asked for.
    pub(crate) cancelled: bool,
    /// Others are tried in its place: what it answers is no news, unless it is a 2xx or a 6xx.
    pub(crate) abandoned: bool,
    /// When timer C fires.
    pub(crate) expires: Instant,
    /// The status that a failure to send stands for.
    pub(crate) lost: u16,
    /// How the next hop was reached and can be reached else, when it was looked up.
    pub(crate) way: Option<Box<Way>>,
}

/// The flows to a next hop (RFC 3263).
#[derive(Debug)]
pub(crate) struct Way {
    /// The one in use.
    pub(crate) flow: Flow,
    /// Those not yet tried, best first.
    pub(crate) others: Vec<Flow>,
}

impl Context {
    pub(crate) fn new(invite: bool, preprocessed: Preprocessed, breadth: u16) -> Context {
        Context {
            invite,
            preprocessed,
            branches: SmallVec::new(),
            targets: Vec::new(),
            places: SmallVec::new(),
            turn: 0,
            targets_max: TARGETS_MAX,
            breadth,
            recurse: false,
            plan: None,
            mark: None,
            best: BestResponse::default(),
            answered: None,
            accepted: false,
            settled: None,
        }
    }

    /// Takes the first target set.
    pub(crate) fn set_targets(&mut self, set: TargetSet) {
        self.recurse = set.recurse;
        if !set.on_busy.is_empty() || !set.on_no_answer.is_empty() || set.ring.is_some() {
            let TargetSet { on_busy, on_no_answer, no_answer_after, ring, .. } = set;
            let no_answer_after = no_answer_after.filter(|_| !on_no_answer.is_empty());
            self.plan =
                Some(Box::new(Plan { on_busy, on_no_answer, no_answer_after, ring, ring_turn: None, limited: false }));
        }
        self.add_targets(set.targets, 0, None);
    }

    /// Adds targets by their preference, the most preferred ones in `turn`; what would come after it comes after them. None is added that
    /// is there already, or is `request_uri`. Whether any was.
    pub(crate) fn add_targets(&mut self, mut targets: Vec<Target>, turn: u16, request_uri: Option<&str>) -> bool {
        targets.sort_by_key(|target| std::cmp::Reverse(target.q)); // stable: the order among equals stays
        let room = self.targets_max.saturating_sub(self.targets.len());
        let known = self.targets.len();
        if known == 0 && targets.len() == 1 && room > 0 {
            self.targets = targets;
        } else {
            for target in targets {
                let resolved_before = request_uri.is_some_and(|uri| is_at(&target, uri));
                if self.targets.len() < known + room
                    && !resolved_before
                    && !self.targets.iter().any(|other| is_same(other, &target))
                {
                    self.targets.push(target);
                }
            }
        }
        let (mut last, mut preference) = (turn, None);
        for target in &self.targets[known..] {
            if preference.replace(target.q).is_some_and(|before| before != target.q) {
                last += 1;
            }
            self.places.push(Place { turn: last, breadth: 0, state: PlaceState::Waiting });
        }
        if last > turn {
            let later = self.places[..known].iter_mut().filter(|place| place.turn > turn);
            later.for_each(|place| place.turn += last - turn);
        }
        self.targets.len() > known
    }

    /// The targets to try when nobody is there, by the best answer so far: each list once.
    pub(crate) fn next_forward(&mut self) -> Option<Vec<Target>> {
        if self.settled.is_some() {
            return None;
        }
        let status = self.best.status().unwrap_or(480);
        let plan = self.plan.as_mut()?;
        let list = match status {
            486 | 600 => &mut plan.on_busy,
            408 | 480 => &mut plan.on_no_answer,
            _ => return None,
        };
        Some(std::mem::take(list)).filter(|list| !list.is_empty())
    }

    /// The turn after all others.
    pub(crate) fn last_turn(&self) -> u16 {
        self.places.iter().map(|place| place.turn + 1).max().unwrap_or(0)
    }

    /// The first target whose turn it is.
    pub(crate) fn ready(&self) -> Option<usize> {
        self.places.iter().position(|place| place.state == PlaceState::Waiting && place.turn <= self.turn)
    }

    /// How many targets have their turn now.
    pub(crate) fn ready_count(&self) -> usize {
        self.places.iter().filter(|place| place.state == PlaceState::Waiting && place.turn <= self.turn).count()
    }

    /// What of the breadth may be used now (RFC 5393 section 5.3.3). What is cancelled holds its share until it has ended, so where others may
    /// soon be tried in its place, half is left for them.
    pub(crate) fn spare_breadth(&self) -> u16 {
        let spare = self.breadth.saturating_sub(self.places.iter().map(|place| place.breadth).sum());
        let others_come =
            |plan: &Plan| plan.ring.is_some() || plan.no_answer_after.is_some() && !plan.on_no_answer.is_empty();
        if self.plan.as_deref().is_some_and(others_come) { spare.div_ceil(2) } else { spare }
    }

    /// The turn of the next targets that wait comes. Whether there are any.
    pub(crate) fn advance(&mut self) -> bool {
        let waiting = self.places.iter().filter(|place| place.state == PlaceState::Waiting);
        match waiting.map(|place| place.turn).min() {
            Some(turn) => {
                self.turn = self.turn.max(turn);
                true
            }
            None => false,
        }
    }

    /// The next hop of a target is being looked up.
    pub(crate) fn resolving(&mut self, place: usize, breadth: u16) {
        self.places[place].state = PlaceState::Resolving;
        self.places[place].breadth = breadth;
    }

    /// A target has a branch.
    pub(crate) fn tried(&mut self, place: usize, breadth: u16) {
        self.places[place].state = PlaceState::Tried;
        self.places[place].breadth = breadth;
    }

    /// Nothing more will come of a target.
    pub(crate) fn over(&mut self, place: usize) {
        self.places[place].state = PlaceState::Over;
        self.places[place].breadth = 0;
    }

    /// The share of a target whose next hop is still waited for.
    pub(crate) fn awaited(&self, place: usize) -> Option<u16> {
        self.places.get(place).filter(|place| place.state == PlaceState::Resolving).map(|place| place.breadth)
    }

    /// The share of a target, and its turn.
    pub(crate) fn share(&self, place: usize) -> (u16, u16) {
        self.places.get(place).map_or((self.breadth, self.turn), |place| (place.breadth, place.turn))
    }

    /// No target that waits, for its turn or its address, is tried any more.
    pub(crate) fn drop_waiting(&mut self) {
        for place in &mut self.places {
            if matches!(place.state, PlaceState::Waiting | PlaceState::Resolving) {
                place.state = PlaceState::Over;
                place.breadth = 0;
            }
        }
    }

    /// What rings is to be cancelled and its answer is no news; targets up to the present turn are not tried any more.
    pub(crate) fn abandon(&mut self) {
        for place in &mut self.places {
            if matches!(place.state, PlaceState::Waiting | PlaceState::Resolving) && place.turn <= self.turn {
                place.state = PlaceState::Over;
                place.breadth = 0;
            }
        }
        self.branches.iter_mut().filter(|branch| branch.pending).for_each(|branch| branch.abandoned = true);
    }

    /// A branch has its final response, or will never have one.
    pub(crate) fn end_branch(&mut self, index: usize) {
        self.branches[index].pending = false;
        if let Some(place) = self.branches[index].place.filter(|_| self.settled.is_none()) {
            self.over(place.into());
        }
    }

    /// Settles it for good; the first reason stays.
    pub(crate) fn settle(&mut self, why: Settled) {
        if self.settled.is_none() {
            self.settled = Some(why);
            self.targets = Vec::new();
            self.places.clear();
            self.plan = None;
        }
    }

    /// Whether nobody waits for an answer any more: the transaction of the request `id` has come to its end without one, as one other
    /// than an INVITE's does after 64*T1.
    pub(crate) fn is_orphan(&self, layer: &TransactionLayer, id: ServerTransactionId) -> bool {
        self.answered.is_none() && layer.request_of(id).is_none()
    }

    /// Whether something is under way that the next turn waits for.
    pub(crate) fn working(&self) -> bool {
        self.branches.iter().any(|branch| branch.pending && !branch.abandoned)
            || self.places.iter().any(|place| place.state == PlaceState::Resolving)
    }

    /// Whether some branch may still bring a final response.
    pub(crate) fn busy(&self) -> bool {
        self.branches.iter().any(|branch| branch.pending)
            || self.places.iter().any(|place| place.state == PlaceState::Resolving)
    }

    pub(crate) fn branch(&self, id: ClientTransactionId) -> Option<usize> {
        self.branches.iter().position(|branch| branch.id == id)
    }
}

/// Whether a target was there before: the same way to the same URI, or a URI to be looked up that equals one which was tried, however that
/// was reached (RFC 3261 section 19.1.4). Two phones may well have registered one URI over two flows.
fn is_same(known: &Target, new: &Target) -> bool {
    match new.hop {
        crate::Hop::Flow(_) => known.hop == new.hop && known.uri == new.uri && known.routes == new.routes,
        crate::Hop::Resolve => {
            (new.routes.is_none() || new.routes == known.routes)
                && match (&known.uri, &new.uri) {
                    (Some(known), Some(new)) => equal(known, new),
                    (known, new) => known == new,
                }
        }
    }
}

/// Whether a target would be looked up by just this URI.
fn is_at(target: &Target, uri: &str) -> bool {
    target.hop == crate::Hop::Resolve
        && target.routes.is_none()
        && target.uri.as_deref().is_none_or(|target| equal(target, uri))
}

fn equal(a: &str, b: &str) -> bool {
    match (Uri::parse(a), Uri::parse(b)) {
        (Ok(a), Ok(b)) => a.equivalent(&b),
        _ => a == b,
    }
}
