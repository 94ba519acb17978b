use std::collections::BTreeMap;
use std::time::Instant;

/// Deadlines of any length in order of time: a registration's are as many as registrars have opinions, which
/// `engine::Timers` (a queue per length) is not made for. A timer is not cancelled; its owner finds that it means nothing any more.
#[derive(Debug)]
pub(crate) struct Deadlines<T> {
    set: u64,
    queue: BTreeMap<(Instant, u64), T>,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Deadlines { set: 0, queue: BTreeMap::new() }
    }
}

impl<T> Deadlines<T> {
    pub(crate) fn set(&mut self, at: Instant, timer: T) {
        self.set += 1;
        self.queue.insert((at, self.set), timer);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// The earliest timer due at `now` and the moment it was set for; among equals, the one set first.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        if self.next()? > now {
            return None;
        }
        self.queue.pop_first().map(|((at, _), timer)| (at, timer))
    }
}

#[cfg(test)]
mod tests {
    use super::Deadlines;
    use std::time::Duration;

    #[test]
    fn in_order_of_time_then_of_setting() {
        let start = engine::Now::read_clocks().mono;
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.next(), None);
        deadlines.set(at(20), 'c');
        deadlines.set(at(10), 'a');
        deadlines.set(at(10), 'b');
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.take_due(at(9)), None);
        assert_eq!(deadlines.take_due(at(20)), Some((at(10), 'a')));
        assert_eq!(deadlines.take_due(at(20)), Some((at(10), 'b')));
        assert_eq!(deadlines.take_due(at(20)), Some((at(20), 'c')));
        assert_eq!(deadlines.take_due(at(20)), None);
    }
}
