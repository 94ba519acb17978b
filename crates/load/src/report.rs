use crate::tally::Tally;
use crate::{LoadConfig, Scenario};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

/// How a run went. Serialised, it is the JSON line of `ringback load --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was done.
    #[serde(serialize_with = "scenario_name")]
    pub scenario: Scenario,
    /// What was asked for, a second.
    pub rate: f64,
    /// What was begun, a second.
    pub rate_achieved: f64,
    /// Calls or registrations that were begun, each of which is either ok or failed.
    pub total: u64,
    /// Those that went as they should, to the end.
    pub ok: u64,
    /// Those that did not.
    pub failed: u64,
    /// Why they failed, and how many each.
    pub failures: BTreeMap<String, u64>,
    /// Requests, and 200s to INVITEs, that we had to send again.
    pub retransmissions: u64,
    /// From INVITE to 200, or from the first REGISTER to its 200, in milliseconds, true to a tick: half took no longer.
    pub setup_ms_p50: f64,
    /// Nine of ten took no longer.
    pub setup_ms_p90: f64,
    /// 99 of 100 took no longer.
    pub setup_ms_p99: f64,
    /// None took longer.
    pub setup_ms_max: f64,
    /// From the first begun to the last ended; registering the callees beforehand does not count.
    pub seconds: f64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received; 0 means that nobody is there.
    pub received: u64,
    /// Processor time that the generator itself used: close to `seconds`, it was the generator that was measured.
    pub load_cpu_seconds: f64,
    /// By how much the latest tick came late, in milliseconds.
    pub tick_late_ms_max: f64,
}

// serde hands a reference to whatever is serialised.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn scenario_name<S: Serializer>(scenario: &Scenario, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(scenario.as_str())
}

/// What the shell alone knows of a run.
pub(crate) struct Effort {
    pub(crate) cpu: Duration,
    pub(crate) tick_late_max: Duration,
}

impl Report {
    pub(crate) fn new(config: &LoadConfig, tally: &Tally, effort: &Effort) -> Report {
        let setup_ms = |share| tally.setup.quantile(share).as_micros() as f64 / 1000.0;
        let begun_for = tally.begun_for.as_secs_f64() + 1.0 / config.rate;
        Report {
            scenario: config.scenario,
            rate: config.rate,
            rate_achieved: if tally.begun == 0 { 0.0 } else { tally.begun as f64 / begun_for },
            total: tally.begun,
            ok: tally.ok,
            failed: tally.failed(),
            failures: tally.failures.iter().map(|(failure, count)| (failure.to_string(), *count)).collect(),
            retransmissions: tally.retransmissions,
            setup_ms_p50: setup_ms(0.5),
            setup_ms_p90: setup_ms(0.9),
            setup_ms_p99: setup_ms(0.99),
            setup_ms_max: setup_ms(1.0),
            seconds: tally.lasted.as_secs_f64(),
            sent: tally.sent,
            received: tally.received,
            load_cpu_seconds: effort.cpu.as_secs_f64(),
            tick_late_ms_max: effort.tick_late_max.as_secs_f64() * 1000.0,
        }
    }
}

/// How a run is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Since the first was begun; zero while callees are registered.
    pub elapsed: Duration,
    /// Begun so far.
    pub begun: u64,
    /// Still going.
    pub in_progress: u64,
    /// Ended well.
    pub ok: u64,
    /// Failed.
    pub failed: u64,
    /// Sent again.
    pub retransmissions: u64,
}

/// Why there was no run.
#[derive(Debug)]
pub enum LoadError {
    /// What was asked for cannot be done.
    Config(&'static str),
    /// The system refuses a socket.
    Socket(io::Error),
    /// A callee could not be registered: the registrar said no.
    RegisterRefused {
        /// The callee's address-of-record.
        aor: String,
        /// The final status.
        status: u16,
    },
    /// A callee could not be registered: the registrar said nothing.
    RegisterUnanswered {
        /// The callee's address-of-record.
        aor: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Config(what) => f.write_str(what),
            LoadError::Socket(error) => write!(f, "socket: {error}"),
            LoadError::RegisterRefused { aor, status } => write!(f, "registering {aor} was refused: {status}"),
            LoadError::RegisterUnanswered { aor } => write!(f, "registering {aor} was not answered"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::Socket(error) => Some(error),
            _ => None,
        }
    }
}
