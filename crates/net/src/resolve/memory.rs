use sip_message::NextHop;
use sip_transaction::Flow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// For how long what was found is not even looked for. Short enough to make nothing of what DNS says wrong (neither the shortest time to
/// live nor the weights of servers), long enough to cost next to nothing where many messages go to one place.
pub const REMEMBERED_TIME_MAX: Duration = Duration::from_secs(1);
/// Places remembered in one driver; when there are more, all are forgotten.
pub const REMEMBERED_MAX: usize = 1024;

/// What was found a moment ago.
#[derive(Debug, Default)]
pub(super) struct Memory(HashMap<NextHop, (Instant, Vec<Flow>)>);

impl Memory {
    pub(super) fn get(&self, now: Instant, next_hop: &NextHop) -> Option<Vec<Flow>> {
        let (at, flows) = self.0.get(next_hop)?;
        (now.saturating_duration_since(*at) < REMEMBERED_TIME_MAX).then(|| flows.clone())
    }

    pub(super) fn put(&mut self, now: Instant, next_hop: &NextHop, flows: &[Flow]) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        self.0.insert(next_hop.clone(), (now, flows.to_vec()));
    }

    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(n: usize) -> NextHop {
        NextHop { secure: false, transport: None, host: format!("n{n}.test"), port: None }
    }

    #[test]
    fn what_was_found_is_remembered_for_a_moment() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        memory.put(start, &hop(1), &[]);
        let last = start + REMEMBERED_TIME_MAX - Duration::from_nanos(1);
        assert_eq!(memory.get(last, &hop(1)), Some(vec![]));
        assert_eq!(memory.get(last, &hop(2)), None);
        assert_eq!(memory.get(start + REMEMBERED_TIME_MAX, &hop(1)), None);
    }

    #[test]
    fn only_so_much_is_remembered() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        for n in 0..=REMEMBERED_MAX {
            assert!(memory.0.len() <= REMEMBERED_MAX);
            memory.put(start, &hop(n), &[]);
        }
        assert_eq!((memory.0.len(), memory.get(start, &hop(REMEMBERED_MAX))), (1, Some(vec![])));
    }
}
