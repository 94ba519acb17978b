//! Questions that nobody answers: what waits for them is given up, and its sender told to try again.

use crate::Server;
use engine::Now;
use std::time::{Duration, Instant};

/// How long a question to the world may go unanswered. Then what waits for the answer ends, with 503 where nothing better is known, and the
/// answer is ignored should it come after all. Shorter than 64*T1, after which nobody waits for us any more.
pub const ASK_TIME_MAX: Duration = Duration::from_secs(25);

/// How often it is looked for: so much later may something be given up.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Server {
    /// Something has been asked.
    pub(crate) fn begin_to_wait(&mut self, now: Instant) {
        self.looks_for_overdue_at.get_or_insert(now + LOOK_EVERY);
    }

    /// When to look for what is overdue, `None` when nobody waits.
    pub(crate) fn poll_overdue(&self) -> Option<Instant> {
        self.looks_for_overdue_at.filter(|_| !self.waits_for_nothing())
    }

    /// Gives up what has waited for too long.
    pub(crate) fn give_up_overdue(&mut self, now: Now) {
        if self.looks_for_overdue_at.is_none_or(|at| now.mono < at) {
            return;
        }
        self.looks_for_overdue_at = None;
        for ticket in overdue(now, self.pending_since()) {
            self.give_up_pending(ticket);
        }
        for ticket in overdue(now, self.searches_since()) {
            self.give_up_search(now, ticket);
        }
        for ticket in overdue(now, self.passing_since()).into_iter().chain(self.proxy.overdue(now, ASK_TIME_MAX)) {
            self.handle_resolved(now, ticket, Vec::new());
        }
        self.registrar.give_up(now, ASK_TIME_MAX);
        if !self.waits_for_nothing() {
            self.begin_to_wait(now.mono);
        }
    }

    fn waits_for_nothing(&self) -> bool {
        self.pending.is_empty()
            && self.searches.is_empty()
            && self.passing.is_empty()
            && self.proxy.asks_nothing()
            && self.registrar.is_empty()
    }
}

/// Those that have waited for too long, in an order that does not depend on any table's.
fn overdue(now: Now, waiting: impl Iterator<Item = (u64, Instant)>) -> Vec<u64> {
    let overdue = waiting.filter(|(_, since)| *since + ASK_TIME_MAX <= now.mono);
    let mut tickets: Vec<(Instant, u64)> = overdue.map(|(ticket, since)| (since, ticket)).collect();
    tickets.sort_unstable();
    tickets.into_iter().map(|(_, ticket)| ticket).collect()
}
