use std::ops::Add;
use std::time::{Duration, Instant, SystemTime};

/// The present moment, as the shell (or a test) tells it.
///
/// Timers use `mono`, which never jumps; nonces, stored expiries and records use `wall`, which other machines share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time.
    pub mono: Instant,
    /// Calendar time.
    pub wall: SystemTime,
}

impl Now {
    /// Reads both clocks once. For the shell, and for a test that needs some first moment to count from.
    #[allow(clippy::disallowed_methods)] // the one place where the machine's clocks enter
    pub fn read_clocks() -> Now {
        Now { mono: Instant::now(), wall: SystemTime::now() }
    }

    /// Whole seconds since 1970, 0 for a clock set before that.
    pub fn unix_s(&self) -> u64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }
}

impl Add<Duration> for Now {
    type Output = Now;
    fn add(self, later: Duration) -> Now {
        Now { mono: self.mono + later, wall: self.wall + later }
    }
}
