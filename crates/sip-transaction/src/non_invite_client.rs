//! The non-INVITE client transaction (RFC 3261 section 17.1.2.2, figure 6).
//!
//! | state      | 1xx            | 200-699       | E            | F            | transport error | K   |
//! |------------|----------------|---------------|--------------|--------------|-----------------|-----|
//! | Trying     | Proceeding, up | Completed, up | send, double | end, tell TU | end, tell TU    |     |
//! | Proceeding | up             | Completed, up | send, at T2  | end, tell TU | end, tell TU    |     |
//! | Completed  |                |               |              |              |                 | end |

use crate::client::Action::{self, *};
use crate::timer::Timer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Trying,
    Proceeding,
    Completed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Provisional,
    Final,
    TimerE,
    TimerF,
    TimerK,
    TransportError,
}

/// What the TU's request does: the machine's first state and actions.
pub(crate) const START: (State, &[Action]) = (State::Trying, &[Send, Start(Timer::F), Start(Timer::E)]);

/// The next state, `None` when the machine has terminated, and what to do on the way.
pub(crate) fn step(state: State, event: Event) -> (Option<State>, &'static [Action]) {
    use Event::*;
    use State::*;
    match (state, event) {
        (Trying | Proceeding, Provisional) => (Some(Proceeding), &[Deliver]),
        (Trying | Proceeding, Final) => (Some(Completed), &[Deliver, Release, Start(Timer::K)]),
        (Trying, TimerE) => (Some(Trying), &[Send, Double(Timer::E)]),
        (Proceeding, TimerE) => (Some(Proceeding), &[Send, AtT2(Timer::E)]),
        (Trying | Proceeding, TimerF) => (None, &[ReportTimeout]),
        (Trying | Proceeding, TransportError) => (None, &[ReportSendFailed]),

        (Completed, TimerK) => (None, &[]),

        // Retransmitted responses, timers of an earlier or a later state.
        (Trying | Proceeding, TimerK) | (Completed, Provisional | Final | TimerE | TimerF | TransportError) => {
            (Some(state), &[])
        }
    }
}
