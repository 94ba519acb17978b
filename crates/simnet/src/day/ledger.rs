use super::person::Link;
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
    /// When somebody has registered, begun a call or ended one lately.
    recent: VecDeque<Duration>,
}

/// A call, until both its ends are over.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) callee: usize,
    pub(super) began: Duration,
    /// Whether the callee could be expected to be found.
    pub(super) to_be_found: bool,
    /// Whether the callee's phone was in use when it was called.
    pub(super) in_use: bool,
    /// It rang there.
    pub(super) rang: bool,
    pub(super) refused: Option<u16>,
    pub(super) callee_answered: bool,
    pub(super) caller_answered: bool,
    /// Ends that are not over.
    pub(super) open: u32,
}

/// How long a transaction may live after it has been of use: 64*T1 twice (a proxy's and its neighbour's), and what it takes to get there.
const LIFE: Duration = Duration::from_secs(72);

impl Ledger {
    pub(super) fn note_activity(&mut self, now: Duration) {
        while self.recent.front().is_some_and(|at| *at + LIFE < now) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    /// How much has happened lately.
    pub(super) fn recent(&mut self, now: Duration) -> usize {
        self.note_activity(now);
        self.recent.len()
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

fn overlaps(spans: &[(Duration, Option<Duration>)], from: Duration, until: Duration) -> bool {
    spans.iter().any(|(begin, end)| *begin <= until && end.is_none_or(|end| end >= from))
}
