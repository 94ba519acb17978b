use engine::Now;
use std::time::Instant;

/// How much may pass: so many a second, and so many at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Time that one takes; 0: they are not limited.
    each_ns: u64,
    /// Time that as many take as may come at once.
    burst_ns: u64,
}

impl Rate {
    pub(crate) fn new(per_s: u32, burst: u32) -> Rate {
        let each_ns = 1_000_000_000_u64.checked_div(u64::from(per_s)).unwrap_or(0);
        Rate { each_ns, burst_ns: each_ns * u64::from(burst.max(1)) }
    }

    pub(crate) fn is_unlimited(self) -> bool {
        self.each_ns == 0
    }

    /// Takes one out of a bucket that will be full at `full_at_ns`, if there is one in it.
    pub(crate) fn take(self, full_at_ns: &mut u64, now_ns: u64) -> bool {
        let full_at = (*full_at_ns).max(now_ns) + self.each_ns;
        let passes = full_at - now_ns <= self.burst_ns;
        if passes {
            *full_at_ns = full_at;
        }
        passes
    }
}

/// Nanoseconds since the guard's beginning: more than 500 years fit.
pub(crate) fn nanoseconds(since: Instant, now: Now) -> u64 {
    now.mono.saturating_duration_since(since).as_nanos() as u64
}

/// One token bucket, for what all sources do together.
#[derive(Debug)]
pub struct Bucket {
    since: Instant,
    rate: Rate,
    full_at_ns: u64,
}

impl Bucket {
    /// A full one, for `per_s` a second (0: without a limit) and `burst` at once.
    pub fn new(now: Now, per_s: u32, burst: u32) -> Bucket {
        Bucket { since: now.mono, rate: Rate::new(per_s, burst), full_at_ns: 0 }
    }

    /// Whether it has no limit.
    pub fn is_unlimited(&self) -> bool {
        self.rate.is_unlimited()
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Now) -> bool {
        self.rate.is_unlimited() || self.rate.take(&mut self.full_at_ns, nanoseconds(self.since, now))
    }

    /// From now on it is for so many.
    pub fn configure(&mut self, per_s: u32, burst: u32) {
        self.rate = Rate::new(per_s, burst);
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use engine::Now;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let start = Now::read_clocks();
        let mut bucket = Bucket::new(start, 50, 100);
        let mut taken = |after_ms: u64, tries: u32| {
            (0..tries).filter(|_| bucket.take(start + Duration::from_millis(after_ms))).count()
        };
        assert_eq!(taken(0, 1000), 100);
        assert_eq!(taken(19, 10), 0);
        assert_eq!(taken(20, 10), 1);
        assert_eq!((1..=100).map(|i| taken(20 + i * 10, 10)).sum::<usize>(), 50);
        assert_eq!(taken(600_000, 1000), 100);
    }

    #[test]
    fn no_limit_is_no_limit() {
        let start = Now::read_clocks();
        let mut bucket = Bucket::new(start, 0, 0);
        assert!((0..10_000).all(|_| bucket.take(start)));
        bucket.configure(1000, 10);
        assert_eq!((0..10_000).filter(|_| bucket.take(start)).count(), 10);
    }
}
