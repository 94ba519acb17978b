//! The calls that pass through a proxy, as seen by somebody who only watches: who talks to whom, since when, and how to end it.
//!
//! What it does not do: it forwards nothing, answers nothing and never changes what passes; the proxy below does not know it. It
//! reads no body. It has a dialog's state (RFC 3261 section 12) for both its ends, as far as the messages between them show it, so
//! that it can count calls, list them, and say goodbye to each end in the name of the other.
//!
//! A call is what one INVITE without a To tag begins, with all the dialogs that come of it. Dialogs of SUBSCRIBE and REFER are not
//! calls.

mod calls;

mod bye;
mod call;
mod dialog;
mod id;
mod output;
mod reading;
mod record;
mod ring;
mod story;

pub use bye::Bye;
pub use call::{CHARGES_PER_CALL_MAX, Call, State, Users};
pub use calls::{CALL_SILENCE_MAX, CALLS_MAX, Calls, Config, HELD_BYTES_MAX, LOOK_EVERY, RINGING_SILENCE_MAX};
pub use dialog::DIALOGS_PER_CALL_MAX;
pub use id::Id;
pub use output::{End, Event, Output, Side};
pub use record::{CallRecord, CallSummary};
pub use ring::{RING_BYTES_MAX, STEPS_MAX};
pub use story::{Ending, Step, Story, how, span};
