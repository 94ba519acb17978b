use std::time::{Duration, Instant};

/// How often the queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a queue into a driver must have been at least half full, whenever it was looked at, for the driver to be overloaded.
pub const OVERLOADED_AFTER: Duration = Duration::from_millis(100);

/// How long no queue must have been that for it to be over.
pub const OVERLOAD_ENDS_AFTER: Duration = Duration::from_millis(500);

/// Decides whether a driver is overloaded: more comes than it works off, for longer than a burst lasts.
#[derive(Debug)]
pub(super) struct Overload {
    looked_at: Instant,
    /// Since when each look has found it behind.
    behind_since: Option<Instant>,
    /// When it was last behind, while it is overloaded.
    overloaded_until: Option<Instant>,
}

impl Overload {
    pub(super) fn new(now: Instant) -> Overload {
        Overload { looked_at: now, behind_since: None, overloaded_until: None }
    }

    /// Takes a look if it is time for one; tells whether the driver is overloaded where that has changed.
    pub(super) fn look(&mut self, now: Instant, is_behind: impl FnOnce() -> bool) -> Option<bool> {
        if now.saturating_duration_since(self.looked_at) < LOOK_EVERY {
            return None;
        }
        self.looked_at = now;
        let was = self.overloaded_until.is_some();
        if is_behind() {
            let since = *self.behind_since.get_or_insert(now);
            if was || now.saturating_duration_since(since) >= OVERLOADED_AFTER {
                self.overloaded_until = Some(now);
            }
        } else {
            self.behind_since = None;
            self.overloaded_until = self.overloaded_until.filter(|at| now < *at + OVERLOAD_ENDS_AFTER);
        }
        let is = self.overloaded_until.is_some();
        (is != was).then_some(is)
    }

    /// When to look again, even if nothing comes: it is to end by itself.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.overloaded_until.map(|at| (at + OVERLOAD_ENDS_AFTER).max(self.looked_at + LOOK_EVERY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each millisecond, being behind as `behind` says of each; when it changed to what.
    fn changes(behind: impl Fn(u64) -> bool, length: u64) -> Vec<(u64, bool)> {
        let start = Instant::now();
        let mut overload = Overload::new(start);
        let look = |ms| Some((ms, overload.look(start + Duration::from_millis(ms), || behind(ms))?));
        (1..length).filter_map(look).collect()
    }

    #[test]
    fn it_begins_when_it_lasts_and_ends_when_it_is_over_for_long() {
        assert_eq!(changes(|ms| (200..400).contains(&ms), 2000), [(300, true), (880, false)]);
    }

    #[test]
    fn a_burst_is_no_overload() {
        assert_eq!(changes(|ms| ms % 200 < 90, 2000), []);
    }

    #[test]
    fn a_moment_of_rest_is_no_end() {
        assert_eq!(changes(|ms| ms < 1000 && ms % 300 < 150, 3000), [(120, true), (1480, false)]);
    }

    #[test]
    fn it_is_looked_at_again_although_nothing_comes() {
        let start = Instant::now();
        let mut overload = Overload::new(start);
        assert_eq!(overload.ends_at(), None);
        for ms in [20, 120] {
            overload.look(start + Duration::from_millis(ms), || true);
        }
        let at = overload.ends_at().expect("an end");
        assert_eq!(overload.look(at, || false), Some(false));
        assert_eq!(overload.ends_at(), None);
    }
}
