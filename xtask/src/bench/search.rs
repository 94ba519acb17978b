//! The highest rate that a server bears: upwards in steps until it fails, then between the last two.

use anyhow::Result;

use super::{Bench, Rival, Work};

/// Borne means: no more failures than this ..
const FAILED_SHARE_MAX: f64 = 0.001;
/// .. and no slower than this.
const SETUP_MS_P99_MAX: f64 = 20.0;
/// .. and the load really offered this share of the rate.
const OFFERED_SHARE_MIN: f64 = 0.97;
/// Beyond this share of its core the load may be what gives out.
const LOAD_SHARE_MAX: f64 = 0.85;
/// Runs at one rate: two undisturbed failures end it, so does the first success.
const PROBES_MAX: u32 = 4;
const FIRST_RATE: u32 = 1500;
/// Nobody bears more than the load can offer: 250,000 registrations a second and more, and 60,000 calls.
const LAST_RATE: u32 = 300_000;
const STEP: f64 = 1.5;
/// The search ends when the two rates are this close.
const PRECISION: f64 = 1.06;

impl Bench {
    /// The highest rate borne, to a few per cent; 0 when even a tenth of the first is too much.
    pub(super) fn highest_rate(&self, rival: Rival, work: Work) -> Result<u32> {
        let mut good = 0;
        let mut next = FIRST_RATE;
        while next <= LAST_RATE && self.bears(rival, work, next)? {
            good = next;
            next = (f64::from(next) * STEP) as u32;
        }
        let mut bad = next;
        while bad > FIRST_RATE / 10 && f64::from(bad) > f64::from(good) * PRECISION {
            let middle = good.midpoint(bad);
            if self.bears(rival, work, middle)? { good = middle } else { bad = middle }
        }
        Ok(good)
    }

    /// One failure may be the machine's: only the second counts, and one in a disturbed run hardly at all.
    fn bears(&self, rival: Rival, work: Work, rate: u32) -> Result<bool> {
        let mut failures = 0;
        for _ in 0..PROBES_MAX {
            let server = self.start(rival, work, rate)?;
            let run = self.load(&server, work, rate, self.plan.probe)?;
            if run.failed_share() <= FAILED_SHARE_MAX
                && run.setup_ms_p99 <= SETUP_MS_P99_MAX
                && run.rate_achieved >= OFFERED_SHARE_MIN * f64::from(rate)
            {
                return Ok(true);
            }
            if run.load_share > LOAD_SHARE_MAX {
                println!("at {rate}/s the load itself is busy: {:.0} % of its core", run.load_share * 100.0);
            }
            failures += u32::from(!run.disturbed);
            if failures == 2 {
                return Ok(false);
            }
        }
        println!("at {rate}/s other programs disturbed {} again and again", rival.name());
        Ok(false)
    }
}
