//! What is played where nothing came: the last pitch cycle again, fading out within 60 ms.
//!
//! The plan of G.711 appendix I, without its overlap-add: a cycle length is sought by correlation, repeated unchanged for 10 ms,
//! then weaker and weaker.

const HISTORY: usize = 400;
const WINDOW: usize = 160;
/// 200 Hz down to 66 Hz; a higher voice repeats several of its cycles.
const LAGS: std::ops::RangeInclusive<usize> = 40..=120;
const FULL_SAMPLES: usize = 80;
const FADED_SAMPLES: usize = 480;

#[derive(Debug)]
pub(crate) struct Concealer {
    /// The last samples that really came, a ring.
    history: [i16; HISTORY],
    at: usize,
    /// The cycle being repeated and how many samples have been made up since the last real one.
    cycle: [i16; *LAGS.end()],
    lag: usize,
    missing: usize,
}

impl Concealer {
    pub(crate) fn new() -> Self {
        Concealer { history: [0; HISTORY], at: 0, cycle: [0; *LAGS.end()], lag: *LAGS.start(), missing: 0 }
    }

    /// A sample that came.
    pub(crate) fn good(&mut self, sample: i16) {
        self.history[self.at] = sample;
        self.at = (self.at + 1) % HISTORY;
        self.missing = 0;
    }

    /// A sample for one that did not.
    pub(crate) fn made_up(&mut self) -> i16 {
        if self.missing >= FADED_SAMPLES {
            return 0;
        }
        if self.missing == 0 {
            self.find_cycle();
        }
        let sample = self.cycle[self.missing % self.lag];
        let fading = self.missing.saturating_sub(FULL_SAMPLES);
        self.missing += 1;
        let left = FADED_SAMPLES - FULL_SAMPLES - fading;
        (i32::from(sample) * left as i32 / (FADED_SAMPLES - FULL_SAMPLES) as i32) as i16
    }

    fn find_cycle(&mut self) {
        let mut line = self.history;
        line.rotate_left(self.at);
        let recent = &line[HISTORY - WINDOW..];
        let likeness = |lag: &usize| {
            let before = &line[HISTORY - WINDOW - lag..HISTORY - lag];
            let (mut product, mut energy) = (0i64, 1i64);
            for (a, b) in recent.iter().zip(before) {
                product += i64::from(*a) * i64::from(*b);
                energy += i64::from(*b) * i64::from(*b);
            }
            product as f64 / (energy as f64).sqrt()
        };
        let best = LAGS
            .map(|lag| (lag, likeness(&lag)))
            .fold((*LAGS.start(), f64::MIN), |best, next| if next.1 > best.1 { next } else { best });
        self.lag = best.0;
        self.cycle[..self.lag].copy_from_slice(&line[HISTORY - self.lag..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_a_tone_goes_on_as_that_tone_and_fades() {
        let mut concealer = Concealer::new();
        let tone = |n: usize| (8000.0 * (n as f64 * 440.0 / 8000.0 * std::f64::consts::TAU).sin()) as i16;
        (0..800).for_each(|n| concealer.good(tone(n)));
        let made: Vec<i16> = (0..600).map(|_| concealer.made_up()).collect();
        for (n, sample) in made.iter().enumerate().take(FULL_SAMPLES) {
            assert!((i32::from(*sample) - i32::from(tone(800 + n))).abs() < 800, "sample {n}");
        }
        assert!(crate::compare::goertzel(&made[..200], 440.0) > 0.9);
        assert!(made[FADED_SAMPLES..].iter().all(|s| *s == 0));
        concealer.good(5);
        assert_ne!(concealer.made_up(), 0);
    }

    #[test]
    fn before_anything_came_there_is_silence() {
        let mut concealer = Concealer::new();
        assert!((0..1000).all(|_| concealer.made_up() == 0));
    }
}
