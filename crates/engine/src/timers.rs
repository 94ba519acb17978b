use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The deadlines of one engine: one first-in-first-out queue for each length of timer.
///
/// SIP uses a dozen timer lengths for millions of timers (T1, 2*T1, T4, 64*T1 ...). Timers of one length come due in the
/// order they were set, so setting one and taking one are a push and a pop, and the next deadline is the least of a dozen
/// queue heads. A timer is not cancelled: its owner finds, when it comes due, that it means nothing any more.
#[derive(Debug)]
pub struct Timers<T> {
    queues: BTreeMap<Duration, VecDeque<(Instant, T)>>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers { queues: BTreeMap::new() }
    }
}

impl<T> Timers<T> {
    /// Sets a timer that comes due `after` from `now`. Lengths should come from a small set: each costs a queue.
    pub fn set(&mut self, now: Instant, after: Duration, timer: T) {
        let queue = self.queues.entry(after).or_default();
        let due = now + after;
        // A caller whose clock stepped back must not hide earlier timers behind later ones.
        let due = queue.back().map_or(due, |(last, _)| due.max(*last));
        queue.push_back((due, timer));
    }

    /// The next deadline, `None` when nothing is due at all.
    pub fn next(&self) -> Option<Instant> {
        self.queues.values().filter_map(|queue| queue.front()).map(|(due, _)| *due).min()
    }

    /// Takes the earliest timer that is due at `now`; among equals, the one of the shorter length.
    pub fn take_due(&mut self, now: Instant) -> Option<T> {
        let queue = self
            .queues
            .values_mut()
            .filter(|queue| queue.front().is_some_and(|(due, _)| *due <= now))
            .min_by_key(|queue| queue.front().map(|(due, _)| *due))?;
        let (_, timer) = queue.pop_front()?;
        if queue.is_empty() && queue.capacity() > 1024 {
            queue.shrink_to(64);
        }
        Some(timer)
    }

    /// Timers set and not yet taken, including those that mean nothing any more.
    pub fn len(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.queues.values().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;
    use crate::Now;
    use std::time::Duration;

    #[test]
    fn timers_come_due_in_order_of_time_across_lengths() {
        let start = Now::read_clocks().mono;
        let ms = Duration::from_millis;
        let mut timers = Timers::default();
        timers.set(start, ms(500), "a");
        timers.set(start, ms(100), "b");
        timers.set(start + ms(450), ms(100), "c");
        assert_eq!(timers.next(), Some(start + ms(100)));
        assert_eq!(timers.take_due(start + ms(99)), None);
        assert_eq!(timers.take_due(start + ms(600)), Some("b"));
        assert_eq!(timers.take_due(start + ms(600)), Some("a"));
        assert_eq!(timers.take_due(start + ms(600)), Some("c"));
        assert_eq!((timers.take_due(start + ms(600)), timers.next(), timers.len()), (None, None, 0));
    }
}
