//! The INVITE server transaction (RFC 3261 section 17.2.1, with figure 7 of RFC 6026).
//!
//! | state      | INVITE | ACK       | TU: 1xx    | TU: 2xx  | TU: 300-699 | 200 ms     | G            | H            | I   | L   |
//! |------------|--------|-----------|------------|----------|-------------|------------|--------------|--------------|-----|-----|
//! | Quiet      |        |           | Proceeding | Accepted | Completed   | Proceeding, 100 |         |              |     |     |
//! | Proceeding | repeat |           | send       | Accepted | Completed   |            |              |              |     |     |
//! | Completed  | repeat | Confirmed |            |          |             |            | repeat, double | end, tell TU |   |     |
//! | Confirmed  |        |           |            |          |             |            |              |              | end |     |
//! | Accepted   |        | to TU     |            | send     |             |            |              |              |     | end |
//!
//! Quiet is the RFC's Proceeding before anything was sent. A failure to send is not an event: the machine has to stay
//! where it is (RFC 6026 section 7.1).

use crate::server::Action::{self, *};
use crate::timer::Timer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Quiet,
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Request,
    Ack,
    TuProvisional,
    TuSuccess,
    TuFailure,
    TimerTrying,
    TimerG,
    TimerH,
    TimerI,
    TimerL,
}

/// What a new INVITE does: the machine's first state and actions.
pub(crate) const START: (State, &[Action]) = (State::Quiet, &[DeliverRequest, Start(Timer::Trying)]);

/// The next state, `None` when the machine has terminated, and what to do on the way.
pub(crate) fn step(state: State, event: Event) -> (Option<State>, &'static [Action]) {
    use Event::*;
    use State::*;
    match (state, event) {
        (Quiet, TimerTrying) => (Some(Proceeding), &[SendTrying]),
        (Quiet | Proceeding, TuProvisional) => (Some(Proceeding), &[SendProvisional]),
        (Quiet | Proceeding, TuSuccess) => (Some(Accepted), &[SendOnce, Start(Timer::L)]),
        (Quiet | Proceeding, TuFailure) => (Some(Completed), &[SendFinal, Start(Timer::H), Start(Timer::G)]),
        (Proceeding, Request) => (Some(Proceeding), &[Repeat]),

        (Completed, Request) => (Some(Completed), &[Repeat]),
        (Completed, Ack) => (Some(Confirmed), &[Release, Start(Timer::I)]),
        (Completed, TimerG) => (Some(Completed), &[Repeat, Double(Timer::G)]),
        (Completed, TimerH) => (None, &[ReportAckMissing]),

        (Confirmed, TimerI) => (None, &[]),

        (Accepted, Ack) => (Some(Accepted), &[DeliverAck]),
        (Accepted, TuSuccess) => (Some(Accepted), &[SendOnce]),
        (Accepted, TimerL) => (None, &[]),

        // Absorbed retransmissions, timers of an earlier or a later state, and what the TU said too late.
        (Quiet, Request | Ack | TimerG | TimerH | TimerI | TimerL)
        | (Proceeding, Ack | TimerTrying | TimerG | TimerH | TimerI | TimerL)
        | (Completed, TuProvisional | TuSuccess | TuFailure | TimerTrying | TimerI | TimerL)
        | (Confirmed, Request | Ack | TuProvisional | TuSuccess | TuFailure | TimerTrying | TimerG | TimerH | TimerL)
        | (Accepted, Request | TuProvisional | TuFailure | TimerTrying | TimerG | TimerH | TimerI) => {
            (Some(state), &[])
        }
    }
}
