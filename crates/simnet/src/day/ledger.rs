use super::person::Link;
use server::CallRecord;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What is known of the calls of the day, and of what might excuse their failing.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) calls: BTreeMap<Link, Story>,
    /// From when until when the exchange was down, the latest last.
    pub(super) outages: Vec<(Duration, Option<Duration>)>,
    /// From when until when its store could not write.
    pub(super) failures: Vec<(Duration, Option<Duration>)>,
    /// What the exchange has recorded of a caller's calls and nobody has looked at.
    pub(super) records: BTreeMap<usize, Vec<CallRecord>>,
    /// When somebody has registered lately, or failed to.
    registered: VecDeque<Duration>,
    /// When a call was begun, answered or ended lately.
    called: VecDeque<Duration>,
}

/// A call as its people saw it, until a while after both its ends are over.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) callee: usize,
    pub(super) began: Duration,
    /// Whether the callee could be expected to be found.
    pub(super) to_be_found: bool,
    /// Whether the callee's phone was in use when it was called.
    pub(super) in_use: bool,
    /// What the callee has refused it with.
    pub(super) refused: Option<u16>,
    pub(super) callee_answered: Option<Duration>,
    pub(super) caller_answered: Option<Duration>,
    /// When the caller had no more patience.
    pub(super) gave_up: Option<Duration>,
    pub(super) callee_hung_up: bool,
    /// The callee has answered and heard no ACK.
    pub(super) unheard: bool,
    /// What the caller's phone said in the end.
    pub(super) outcome: Option<Outcome>,
    /// When.
    pub(super) over: Option<Duration>,
    /// Ends that are not over.
    pub(super) open: u32,
}

/// How a call ended for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Failed(u16),
    GaveUp,
    HungUp,
    HungUpOn,
}

/// How long a REGISTER's transaction lives: 64*T1 after its answer, and what it takes to get there.
const REGISTER_LIFE: Duration = Duration::from_secs(35);

/// How long what belongs to a step of a call lives: 64*T1 after an answer that may take as long.
const CALL_LIFE: Duration = Duration::from_secs(70);

/// What belongs to a step of a call: a transaction on each side and what joins them.
const CALL_WEIGHT: usize = 3;

impl Ledger {
    pub(super) fn note_registration(&mut self, now: Duration) {
        self.registered.push_back(now);
        forget(&mut self.registered, now, REGISTER_LIFE);
    }

    pub(super) fn note_call(&mut self, now: Duration) {
        self.called.push_back(now);
        forget(&mut self.called, now, CALL_LIFE);
    }

    /// How much an exchange may hold because of what has happened lately and of the calls that ring.
    pub(super) fn held_max(&mut self, now: Duration) -> usize {
        forget(&mut self.registered, now, REGISTER_LIFE);
        forget(&mut self.called, now, CALL_LIFE);
        let ringing = self.calls.values().filter(|story| story.open > 0 && story.caller_answered.is_none()).count();
        // Phones that have left are still looked for, for as long as a binding lasts; requests are lost and come again.
        10 + self.registered.len() * 11 / 10 + CALL_WEIGHT * (self.called.len() + ringing)
    }

    /// Whether the exchange was down at some time between these.
    pub(super) fn was_down(&self, from: Duration, until: Duration) -> bool {
        overlaps(&self.outages, from, until)
    }

    /// Whether its store could not write at some time between these.
    pub(super) fn could_not_write(&self, from: Duration, until: Duration) -> bool {
        overlaps(&self.failures, from, until)
    }
}

fn forget(times: &mut VecDeque<Duration>, now: Duration, life: Duration) {
    while times.front().is_some_and(|at| *at + life < now) {
        times.pop_front();
    }
}

fn overlaps(spans: &[(Duration, Option<Duration>)], from: Duration, until: Duration) -> bool {
    spans.iter().any(|(begin, end)| *begin <= until && end.is_none_or(|end| end >= from))
}
