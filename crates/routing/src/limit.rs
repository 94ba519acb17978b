use crate::Rule;
use engine::Now;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a rule may fire: a bucket that holds `burst` tokens and gets `per_minute` of them a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    per_minute: u32,
    burst: u32,
}

impl Limit {
    /// The most that a minute may have.
    pub const PER_MINUTE_MAX: u32 = 1_000_000;

    /// `per_minute` and `burst` from 1 to [`Limit::PER_MINUTE_MAX`]; without `burst` it is what ten seconds bring, one at least.
    pub fn new(per_minute: u32, burst: Option<u32>) -> Limit {
        let clamped = |number: u32| number.clamp(1, Limit::PER_MINUTE_MAX);
        let per_minute = clamped(per_minute);
        Limit { per_minute, burst: clamped(burst.unwrap_or(per_minute.div_ceil(6))) }
    }

    /// Tokens that come in each minute.
    pub fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Tokens that there are at most.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    fn interval_us(self) -> u64 {
        60_000_000 / u64::from(self.per_minute)
    }
}

/// How full the buckets of all rules are: one number for each, however much comes. A clone counts in the same buckets, so that what is
/// configured is what all shards let through together.
#[derive(Debug, Clone)]
pub struct Limiter {
    start: Instant,
    /// For each rule, in microseconds from `start`, when its bucket will be full again.
    full_at_us: Arc<[AtomicU64]>,
}

impl Limiter {
    pub(crate) fn new(rules: &[Rule], now: Now) -> Limiter {
        Limiter { start: now.mono, full_at_us: rules.iter().map(|_| AtomicU64::new(0)).collect() }
    }

    /// Takes a token for a rule that fires. Without one it says how long it takes until there is one.
    pub fn take(&self, now: Now, rule: &Rule) -> Result<(), Duration> {
        let bucket = rule.number.checked_sub(1).and_then(|index| self.full_at_us.get(index));
        let (Some(limit), Some(bucket)) = (rule.limit, bucket) else { return Ok(()) };
        let now_us = u64::try_from(now.mono.saturating_duration_since(self.start).as_micros()).unwrap_or(u64::MAX / 2);
        let interval_us = limit.interval_us();
        let latest_us = now_us + interval_us * u64::from(limit.burst - 1);
        let taken = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at_us| {
            (full_at_us <= latest_us).then(|| full_at_us.max(now_us) + interval_us)
        });
        taken.map(|_| ()).map_err(|full_at_us| Duration::from_micros(full_at_us - latest_us))
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;
    use crate::{Action, Rule, Rules, Trunks, Zone};
    use engine::Now;
    use std::time::Duration;

    #[test]
    fn a_rule_fires_no_more_often_than_it_may() {
        let limited = Rule { limit: Some(Limit::new(6, Some(2))), ..Rule::new(Action::User) };
        let rules = Rules::new(vec![Rule::new(Action::User), limited], Trunks::default(), Zone::utc(), "home");
        let now = Now::read_clocks();
        let limiter = rules.limiter(now);
        let other_shard = limiter.clone();
        let [free, limited] = rules.as_slice() else { panic!() };
        let after = |ms| limiter.take(now + Duration::from_millis(ms), limited);
        assert_eq!((after(0), other_shard.take(now, limited)), (Ok(()), Ok(())));
        assert_eq!(after(0), Err(Duration::from_secs(10)));
        assert_eq!(after(9_000), Err(Duration::from_secs(1)), "what was refused takes nothing");
        assert_eq!((after(10_000), after(10_000)), (Ok(()), Err(Duration::from_secs(10))));
        // A long rest fills the bucket, and no more than that.
        let passed = (0..10).filter(|_| after(3_600_000).is_ok()).count();
        assert_eq!(passed, 2);
        assert!((0..1000).all(|_| limiter.take(now, free).is_ok()));
    }

    #[test]
    fn limits_are_within_bounds() {
        let bounds = |limit: Limit| (limit.per_minute(), limit.burst());
        assert_eq!(bounds(Limit::new(30, None)), (30, 5));
        assert_eq!(bounds(Limit::new(1, None)), (1, 1));
        assert_eq!(bounds(Limit::new(0, Some(0))), (1, 1));
        assert_eq!(bounds(Limit::new(u32::MAX, Some(u32::MAX))), (Limit::PER_MINUTE_MAX, Limit::PER_MINUTE_MAX));
    }
}
