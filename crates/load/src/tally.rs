use crate::histogram::Histogram;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Why a call or a registration failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The INVITE or the REGISTER was refused with this status.
    Refused(u16),
    /// No final response to the INVITE or the REGISTER within 64*T1.
    Unanswered,
    /// The ACK did not reach the callee within 64*T1.
    AckMissing,
    /// The BYE was refused with this status.
    ByeRefused(u16),
    /// No final response to the BYE within 64*T1.
    ByeUnanswered,
    /// Somebody else hung up.
    HungUp,
    /// Still in progress when the run's time was up.
    Unfinished,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(status) => write!(f, "{status}"),
            Failure::Unanswered => f.write_str("unanswered"),
            Failure::AckMissing => f.write_str("ack missing"),
            Failure::ByeRefused(status) => write!(f, "bye {status}"),
            Failure::ByeUnanswered => f.write_str("bye unanswered"),
            Failure::HungUp => f.write_str("hung up"),
            Failure::Unfinished => f.write_str("unfinished"),
        }
    }
}

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) begun: u64,
    pub(crate) ok: u64,
    pub(crate) failures: BTreeMap<Failure, u64>,
    pub(crate) retransmissions: u64,
    pub(crate) setup: Histogram,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// From the first begun to the last begun.
    pub(crate) begun_for: Duration,
    /// From the first begun to the end.
    pub(crate) lasted: Duration,
}

impl Tally {
    /// One ended.
    pub(crate) fn ended(&mut self, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => self.ok += 1,
            Err(failure) => *self.failures.entry(failure).or_default() += 1,
        }
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub(crate) fn in_progress(&self) -> u64 {
        self.begun - self.ok - self.failed()
    }
}
