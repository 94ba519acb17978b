use std::time::Instant;

/// Arrivals evenly spaced, however late we look.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: f64,
    origin: Instant,
    taken: u64,
}

impl Pace {
    /// `rate` a second, the first one at once.
    pub(crate) fn new(rate: f64, now: Instant) -> Pace {
        Pace { rate, origin: now, taken: 0 }
    }

    /// Whether another one is due; if so it is taken.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let due = (now.saturating_duration_since(self.origin).as_secs_f64() * self.rate) as u64 + 1;
        let another = self.taken < due;
        self.taken += u64::from(another);
        another
    }

    /// Forgets those that were due and could not be begun: they are not made up for in a burst.
    pub(crate) fn excuse(&mut self, now: Instant) {
        *self = Pace::new(self.rate, now);
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use engine::Now;
    use std::time::Duration;

    #[test]
    fn the_rate_holds_on_the_whole_and_nothing_excused_comes_back() {
        let start = Now::read_clocks().mono;
        let mut pace = Pace::new(2500.0, start);
        let count = |pace: &mut Pace, at| std::iter::from_fn(|| pace.take(at).then_some(())).count();
        assert_eq!(count(&mut pace, start), 1);
        assert_eq!(count(&mut pace, start + Duration::from_millis(1)), 2);
        assert_eq!(count(&mut pace, start + Duration::from_millis(2)), 3);
        assert_eq!(count(&mut pace, start + Duration::from_secs(1)), 2501 - 6);
        let later = start + Duration::from_secs(9);
        pace.excuse(later);
        assert_eq!(count(&mut pace, later), 1);
    }
}
