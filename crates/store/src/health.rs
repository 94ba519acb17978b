use std::fmt;
use std::time::{Duration, SystemTime};

/// A group that takes longer to be written makes the store [`Health::Slow`]: what comes then fails at once.
pub const SLOW_AFTER: Duration = Duration::from_secs(2);

/// Whether changes are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They are.
    Well,
    /// They are not; it is tried again all the time.
    Failing {
        /// Since when.
        since: SystemTime,
        /// What the last attempt said.
        why: String,
    },
    /// For [`SLOW_AFTER`] now the disk has not said whether it has written something.
    Slow {
        /// Since when.
        since: SystemTime,
    },
}

impl Health {
    /// Whether changes are written down.
    pub fn is_well(&self) -> bool {
        *self == Health::Well
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Health::Well => f.write_str("changes are written down"),
            Health::Failing { why, .. } => write!(f, "changes cannot be written down: {why}"),
            Health::Slow { .. } => {
                write!(f, "the disk has not answered for more than {} s", SLOW_AFTER.as_secs())
            }
        }
    }
}
