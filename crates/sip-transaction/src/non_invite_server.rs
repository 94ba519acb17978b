//! The non-INVITE server transaction (RFC 3261 section 17.2.2, figure 8, with RFC 4320 section 4).
//!
//! | state      | request | TU: 100, stream | TU: 100, UDP | TU: 101-199 | TU: 408  | TU: other final | late 100        | J   | expiry |
//! |------------|---------|-----------------|--------------|-------------|----------|-----------------|-----------------|-----|--------|
//! | Trying     |         | Proceeding      |              |             | Silenced | Completed       | Proceeding, 100 |     |        |
//! | Proceeding | repeat  | send            | send         |             | Silenced | Completed       | (start expiry)  |     | end    |
//! | Completed  | repeat  |                 |              |             |          |                 |                 | end |        |
//! | Silenced   |         |                 |              |             |          |                 |                 | end |        |
//!
//! RFC 4320 lets a 100 go out over UDP only once the client's timer E has reached T2; that is when the machine sends
//! one by itself, so an earlier one of the TU's is simply dropped. Silenced is Completed without a response: the TU had
//! a 408, which must not be sent. Expiry ends what the TU never answered, when the client has long given up.

use crate::server::Action::{self, *};
use crate::timer::Timer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Trying,
    Proceeding,
    Completed,
    Silenced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Request,
    TuTryingReliable,
    TuTryingUnreliable,
    TuProvisional,
    TuTimeout,
    TuFinal,
    TimerLateTrying,
    TimerJ,
    TimerExpiry,
}

/// What a new request does: the machine's first state and actions.
pub(crate) const START: (State, &[Action]) = (State::Trying, &[DeliverRequest, Start(Timer::LateTrying)]);

/// The next state, `None` when the machine has terminated, and what to do on the way.
pub(crate) fn step(state: State, event: Event) -> (Option<State>, &'static [Action]) {
    use Event::*;
    use State::*;
    match (state, event) {
        (Trying, TuTryingReliable) => (Some(Proceeding), &[SendProvisional]),
        (Trying, TimerLateTrying) => (Some(Proceeding), &[SendTrying, Start(Timer::Expiry)]),
        (Proceeding, TuTryingReliable | TuTryingUnreliable) => (Some(Proceeding), &[SendProvisional]),
        (Proceeding, TimerLateTrying) => (Some(Proceeding), &[Start(Timer::Expiry)]),
        (Proceeding, Request) => (Some(Proceeding), &[Repeat]),
        (Proceeding, TimerExpiry) => (None, &[]),
        (Trying | Proceeding, TuFinal) => (Some(Completed), &[SendFinal, Start(Timer::J)]),
        (Trying | Proceeding, TuTimeout) => (Some(Silenced), &[Release, Start(Timer::J)]),

        (Completed, Request) => (Some(Completed), &[Repeat]),
        (Completed | Silenced, TimerJ) => (None, &[]),

        // Absorbed retransmissions, forbidden responses, timers of an earlier or a later state.
        (Trying, Request | TuTryingUnreliable | TuProvisional | TimerJ | TimerExpiry)
        | (Proceeding, TuProvisional | TimerJ)
        | (
            Completed,
            TuTryingReliable | TuTryingUnreliable | TuProvisional | TuTimeout | TuFinal | TimerLateTrying | TimerExpiry,
        )
        | (
            Silenced,
            Request | TuTryingReliable | TuTryingUnreliable | TuProvisional | TuTimeout | TuFinal | TimerLateTrying
            | TimerExpiry,
        ) => (Some(state), &[]),
    }
}
