use std::time::{Duration, Instant};

/// How often the rate is looked at.
const WINDOW: Duration = Duration::from_millis(20);

/// Messages in a window from which on it pays to let them gather: 400 a second. It must be well over one for each pause of
/// [`GATHER_MAX`], or peers that wait for each answer would look like load.
const GATHER_FROM: u32 = 8;

/// Messages that are enough for one turn: more would save little and wait longer.
const GATHER_FOR: u32 = 32;

/// The longest time from the start of one turn to the start of the next, while gathering. Also the most that gathering delays a
/// message.
const GATHER_MAX: Duration = Duration::from_millis(4);

/// How long not to gather after it has turned out to slow the peers down instead.
const GATHER_NOT: Duration = Duration::from_millis(200);

/// Decides when the driver had better sleep for a moment, so that messages come in batches: being woken for each costs three times the
/// work itself. An idle exchange reacts at once.
#[derive(Debug)]
pub(super) struct Pace {
    window_start: Instant,
    in_window: u32,
    /// The time from one turn to the next; `None` while there is no load to gather.
    gather: Option<Duration>,
    not_before: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Pace {
        Pace { window_start: now, in_window: 0, gather: None, not_before: now }
    }

    /// A turn that began at `start` brought `messages`.
    pub(super) fn handle_turn(&mut self, start: Instant, messages: usize) {
        self.in_window = self.in_window.saturating_add(messages as u32);
        let length = start.saturating_duration_since(self.window_start);
        if length < WINDOW {
            return;
        }
        let busy = u128::from(self.in_window) * WINDOW.as_micros() >= u128::from(GATHER_FROM) * length.as_micros();
        if self.gather.is_some() && !busy {
            // Either the load is gone, or these were peers that wait for each answer before they ask again: no batch ever gathers.
            self.not_before = start + GATHER_NOT;
        }
        let gather = (length * GATHER_FOR / self.in_window.max(1)).min(GATHER_MAX);
        self.gather = (busy && start >= self.not_before).then_some(gather);
        self.window_start = start;
        self.in_window = 0;
    }

    /// How long to sleep at `now` before the turn after the one that began at `start`; zero: not at all.
    pub(super) fn pause(&self, start: Instant, now: Instant) -> Duration {
        self.gather.map_or(Duration::ZERO, |gather| (start + gather).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::{GATHER_MAX, GATHER_NOT, Pace, WINDOW};
    use std::time::{Duration, Instant};

    const MS: Duration = Duration::from_millis(1);

    /// Runs turns with `messages` each, `apart` from each other, for `length`; how many of them were followed by a pause.
    fn run(pace: &mut Pace, now: &mut Instant, messages: usize, apart: Duration, length: Duration) -> (u32, u32) {
        let (mut turns, mut pauses) = (0, 0);
        let end = *now + length;
        while *now < end {
            pace.handle_turn(*now, messages);
            let pause = pace.pause(*now, *now);
            turns += 1;
            pauses += u32::from(!pause.is_zero());
            *now += apart;
        }
        (turns, pauses)
    }

    #[test]
    fn an_idle_exchange_never_pauses() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(run(&mut pace, &mut now, 1, 4 * MS, 1000 * MS).1, 0); // 250 a second
    }

    #[test]
    fn a_busy_one_pauses_after_the_first_window_and_stops_when_the_load_is_gone() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(run(&mut pace, &mut now, 1, MS / 4, WINDOW).1, 0);
        let (turns, pauses) = run(&mut pace, &mut now, 4, GATHER_MAX, 100 * MS);
        assert_eq!(turns, pauses);
        run(&mut pace, &mut now, 1, 10 * MS, 3 * WINDOW);
        assert_eq!(run(&mut pace, &mut now, 1, 10 * MS, 1000 * MS).1, 0);
    }

    #[test]
    fn the_time_a_turn_took_counts() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        run(&mut pace, &mut now, 4, 2 * MS, 60 * MS); // 2,000 a second
        assert_eq!(pace.pause(now, now + GATHER_MAX / 4), GATHER_MAX * 3 / 4);
        assert_eq!(pace.pause(now, now + GATHER_MAX * 2), Duration::ZERO);
    }

    #[test]
    fn the_more_comes_the_shorter_it_waits() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        run(&mut pace, &mut now, 64, MS, 60 * MS); // 64,000 a second: 32 in half a millisecond
        assert_eq!(pace.pause(now, now), MS / 2);
    }

    #[test]
    fn peers_that_wait_for_each_answer_are_soon_left_in_peace() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let start = now;
        let (mut turns, mut paused) = (0, 0);
        while now < start + 10 * GATHER_NOT {
            pace.handle_turn(now, 1);
            let pause = pace.pause(now, now);
            turns += 1;
            paused += u32::from(!pause.is_zero());
            now += pause.max(MS / 20);
        }
        assert!(paused * 20 < turns, "{paused} of {turns}");
    }
}
