use crate::backend::{Backend, Group, Loaded, Query, Reader};
use crate::{Bindings, StoreError};
use calls::CallRecord;
use engine::Rng;
use std::time::SystemTime;

/// Keeps nothing: for a demonstration, and to measure what everything but the disk costs.
pub(crate) struct Nothing;

impl Backend for Nothing {
    fn load(&mut self, rng: &mut Rng) -> Result<Loaded, StoreError> {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        let bindings = Bindings::new(seed);
        Ok(Loaded { bindings, accounts: Vec::new(), routes: Vec::new(), bans: Vec::new(), peopled: false })
    }

    fn commit(&mut self, _group: &Group, _standing: &Bindings) -> Result<(), StoreError> {
        Ok(())
    }

    fn forget_records(&mut self, _before: SystemTime) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(Nothing))
    }
}

impl Reader for Nothing {
    fn records(&mut self, _query: &Query) -> Result<Vec<CallRecord>, StoreError> {
        Ok(Vec::new())
    }
}
