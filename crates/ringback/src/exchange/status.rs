use super::Exchange;
use crate::http::{Numbers, Status};
use engine::Now;

impl Exchange {
    /// How it is at this moment, for monitors.
    pub(crate) fn status(&self) -> Status {
        let mut status = Status::default();
        if !self.is_whole() {
            status.failed.push("A part of the exchange has failed: it must be started again.".to_owned());
        }
        let health = self.world.store.health();
        if !health.is_well() {
            status.unready.push(format!("Nobody can register: {health}."));
        }
        status.numbers = Numbers {
            totals: self.serving.totals(),
            accounts: self.world.account_names().len() as u64,
            bindings: self.world.bindings().len() as u64,
            gate: self.world.gate.as_ref().map(|gate| gate.totals(Now::read_clocks())),
            store: self.world.store.counters(),
            store_failing: !health.is_well(),
            ..Numbers::default()
        };
        status
    }
}
