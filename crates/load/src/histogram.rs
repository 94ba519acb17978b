use std::time::Duration;

/// Steps between one power of two and the next: a quantile is at most 1/64 too high.
const STEPS: usize = 64;

/// How often something took how long, in microseconds, to 1.6 per cent.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; bucket(u64::MAX) + 1], total: 0, longest: Duration::ZERO }
    }
}

/// Below `STEPS` microseconds each has its own bucket; above, each power of two has `STEPS`.
fn bucket(us: u64) -> usize {
    let magnitude = (us / STEPS as u64).checked_ilog2().map_or(0, |log| log as usize + 1);
    let shift = magnitude.saturating_sub(1);
    magnitude.min(1) * shift * STEPS + (us >> shift) as usize
}

/// The longest that falls into a bucket.
fn upper_us(bucket: usize) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    let mantissa = (bucket - shift * STEPS) as u64;
    (((u128::from(mantissa) + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
}

impl Histogram {
    /// Counts one.
    pub(crate) fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(us)] += 1;
        self.total += 1;
        self.longest = self.longest.max(took);
    }

    /// What this share (from 0 to 1) of all did not exceed; zero when there is none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper_us(bucket)).min(self.longest);
            }
        }
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, upper_us};
    use std::time::Duration;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        let last = bucket(u64::MAX);
        for b in 1..=last {
            let first_us = upper_us(b - 1) + 1;
            assert_eq!((bucket(first_us), bucket(upper_us(b))), (b, b));
            assert!(upper_us(b) - first_us <= first_us / 64, "{b}");
        }
        assert_eq!(upper_us(last), u64::MAX);
    }

    #[test]
    fn quantiles_are_right_to_a_64th() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        (1..=10_000).for_each(|us| histogram.record(Duration::from_micros(us)));
        for (share, us) in [(0.5, 5000.0), (0.9, 9000.0), (0.99, 9900.0), (0.0, 1.0)] {
            let found = histogram.quantile(share).as_micros() as f64;
            assert!((us..=us * 1.016).contains(&found), "{share}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), Duration::from_micros(10_000));
    }
}
