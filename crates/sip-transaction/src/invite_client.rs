//! The INVITE client transaction (RFC 3261 section 17.1.1.2, with figure 5 of RFC 6026, and CANCEL by section 9.1).
//!
//! | state      | 1xx            | 2xx      | 300-699           | cancel        | A            | B, transport | D    | M    | cancelled |
//! |------------|----------------|----------|-------------------|---------------|--------------|--------------|------|------|-----------|
//! | Calling    | Proceeding, up | Accepted | Completed, ACK    | Cancelling    | send, double | end, tell TU |      |      |           |
//! | Cancelling | Cancelled, CANCEL | Accepted | Completed, ACK |               | send, double | end, tell TU |      |      |           |
//! | Proceeding | up             | Accepted | Completed, ACK    | Cancelled, CANCEL |          |              |      |      |           |
//! | Cancelled  | up             | Accepted | Completed, ACK    |               |              |              |      |      | end, tell TU |
//! | Completed  |                |          | ACK again         |               |              | (transport) end, tell TU | end | |      |
//! | Accepted   |                | up       |                   |               |              |              |      | end  |           |
//!
//! Cancelling and Cancelled are the RFC's Calling and Proceeding once the TU has asked for a CANCEL: a CANCEL waits for
//! a provisional response, and an INVITE that was cancelled ends after 64*T1 whatever the other side does.

use crate::client::Action::{self, *};
use crate::timer::Timer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Calling,
    Cancelling,
    Proceeding,
    Cancelled,
    Completed,
    Accepted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Provisional,
    Success,
    Failure,
    Cancel,
    TimerA,
    TimerB,
    TimerD,
    TimerM,
    TimerCancelled,
    TransportError,
}

/// What the TU's request does: the machine's first state and actions.
pub(crate) const START: (State, &[Action]) = (State::Calling, &[Send, Start(Timer::B), Start(Timer::A)]);

/// The next state, `None` when the machine has terminated, and what to do on the way.
pub(crate) fn step(state: State, event: Event) -> (Option<State>, &'static [Action]) {
    use Event::*;
    use State::*;
    match (state, event) {
        (Calling, Provisional) => (Some(Proceeding), &[Deliver]),
        (Calling, Cancel) => (Some(Cancelling), &[]),
        (Cancelling, Provisional) => (Some(Cancelled), &[Deliver, SendCancel, Start(Timer::Cancelled)]),
        (Calling | Cancelling, TimerA) => (Some(state), &[Send, Double(Timer::A)]),
        (Calling | Cancelling, TimerB) => (None, &[ReportTimeout]),
        (Calling | Cancelling, TransportError) => (None, &[ReportSendFailed]),

        (Proceeding | Cancelled, Provisional) => (Some(state), &[Deliver]),
        (Proceeding, Cancel) => (Some(Cancelled), &[SendCancel, Start(Timer::Cancelled)]),
        (Cancelled, TimerCancelled) => (None, &[ReportTimeout]),

        (Calling | Cancelling | Proceeding | Cancelled, Success) => {
            (Some(Accepted), &[Deliver, Release, Start(Timer::M)])
        }
        (Calling | Cancelling | Proceeding | Cancelled, Failure) => {
            (Some(Completed), &[Acknowledge, Deliver, Start(Timer::D)])
        }

        (Completed, Failure) => (Some(Completed), &[Send]),
        (Completed, TransportError) => (None, &[ReportSendFailed]),
        (Completed, TimerD) => (None, &[]),

        (Accepted, Success) => (Some(Accepted), &[Deliver]),
        (Accepted, TimerM) => (None, &[]),

        // A timer of an earlier or a later state, and what the other side has no business to send.
        (Calling, TimerD | TimerM | TimerCancelled)
        | (Cancelling, Cancel | TimerD | TimerM | TimerCancelled)
        | (Proceeding, TimerA | TimerB | TimerD | TimerM | TimerCancelled | TransportError)
        | (Cancelled, Cancel | TimerA | TimerB | TimerD | TimerM | TransportError)
        | (Completed, Provisional | Success | Cancel | TimerA | TimerB | TimerM | TimerCancelled)
        | (Accepted, Provisional | Failure | Cancel | TimerA | TimerB | TimerD | TimerCancelled | TransportError) => {
            (Some(state), &[])
        }
    }
}
