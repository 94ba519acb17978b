use super::Exchange;
use crate::http::{Numbers, Status};
use engine::Now;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What whoever looks after an exchange has seen last.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Whether it takes no new calls.
    pub(crate) draining: AtomicBool,
    /// How many calls were under way.
    pub(crate) calls: AtomicU64,
}

impl Exchange {
    /// How it is at this moment, for monitors.
    pub(crate) fn status(&self) -> Status {
        let mut status = Status::default();
        if !self.is_whole() {
            status.failed.push("A part of the exchange has failed: it must be started again.".to_owned());
        }
        let draining = self.seen.draining.load(Relaxed);
        if draining {
            status.unready.push("It is about to stop, and takes no new calls.".to_owned());
        }
        let (world, store) = (&self.world, &self.world.store);
        let health = store.health();
        if !health.is_well() {
            status.unready.push(format!("Nobody can register: {health}."));
        }
        status.numbers = Numbers {
            totals: self.serving.totals(),
            accounts: store.accounts().len() as u64,
            bindings: store.bindings().len() as u64,
            calls: Some(self.seen.calls.load(Relaxed)),
            calls_ended: Some(world.calls_ended()),
            draining,
            gate: world.gate.as_ref().map(|gate| gate.totals(Now::read_clocks())),
            store: store.counters(),
            store_failing: !health.is_well(),
        };
        status
    }
}
