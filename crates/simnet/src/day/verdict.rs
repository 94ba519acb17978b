use bytes::Bytes;
use std::fmt;

/// Broken rules that are told in words; all are counted.
pub(super) const BROKEN_TOLD_MAX: usize = 50;

/// What happened in a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Counts {
    pub sent: u64,
    pub lost: u64,
    pub registrations: u64,
    pub registrations_failed: u64,
    pub dialled: u64,
    pub answered: u64,
    pub refused: u64,
    pub busy: u64,
    pub given_up: u64,
    pub failed_excused: u64,
    pub one_sided: u64,
    pub records: u64,
    pub phones_restarted: u64,
    pub restarts: u64,
    pub groups: u64,
    pub committed: u64,
    pub not_written: u64,
    pub rules_broken: u64,
}

/// How it stands at an hour's end.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Hour {
    pub hour: u32,
    pub registered: usize,
    pub calls: usize,
    pub held: usize,
    pub held_max: usize,
    pub watched: usize,
    pub bindings: usize,
    pub counts: Counts,
}

/// What came of a day.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The seed that makes the same day again.
    pub seed: u64,
    /// What happened.
    pub counts: Counts,
    /// The rules that did not hold, in words; empty when all did.
    pub broken: Vec<String>,
    /// The messages of the phones that were followed.
    pub followed: Vec<(String, Bytes)>,
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hour { hour, registered, calls, held, held_max, watched, bindings, counts } = self;
        write!(
            f,
            "{hour:>3} h: {registered} registered, {bindings} bindings, {calls} calls ({watched} watched), {held} things held \
             (explained: {held_max}), {} messages, {} calls begun, {} broken",
            counts.sent, counts.dialled, counts.rules_broken
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for broken in &self.broken {
            writeln!(f, "BROKEN {broken}")?;
        }
        writeln!(f, "seed {}: {:?}", self.seed, self.counts)?;
        match self.counts.rules_broken {
            0 => write!(f, "every rule held"),
            broken => write!(f, "rules were broken {broken} times"),
        }
    }
}
