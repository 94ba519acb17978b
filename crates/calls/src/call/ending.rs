//! How a call ends by time, or by us.

use super::{Call, State, Step};
use crate::dialog::{Dialog, Phase};
use crate::{Bye, End};
use engine::Now;
use sip_transaction::ServerTransactionId;
use std::time::Duration;

/// How long a 2xx may wait for its ACK (64*T1, RFC 3261 section 13.3.1.4).
const ACK_WAIT: Duration = Duration::from_secs(32);

impl Call {
    /// Time has passed since the last look: `silence` says how long a call in a state may not be heard of.
    pub(crate) fn look(&mut self, now: Now, silence: impl Fn(State) -> Duration) -> Step {
        let over = |dialog: &Dialog| dialog.session().is_some_and(|end| end <= now.mono);
        match self.state {
            _ if self.heard + silence(self.state) <= now.mono => Step::Over(End::Lost),
            State::Trying | State::Ringing => Step::Stays,
            State::Answered => {
                // Who has not answered by now will not (RFC 3261 section 13.2.2.4).
                self.dialogs.retain(|dialog| !over(dialog) && !dialog.is_early());
                match self.given_up {
                    _ if self.dialogs.is_empty() => Step::Over(End::Expired),
                    Some(End::ByUs) if self.heard + ACK_WAIT <= now.mono => Step::EndIt,
                    _ => Step::Stays,
                }
            }
        }
    }

    /// We want it to end, and say why in the words of RFC 3326. The INVITE to give up, when there is one.
    pub(crate) fn give_up(&mut self, reason: &str) -> (Option<ServerTransactionId>, Step) {
        self.reason = reason.into();
        let waits = |dialog: &Dialog| matches!(dialog.phase, Phase::Accepted { .. });
        match self.state {
            State::Trying | State::Ringing if self.given_up.is_some() => (None, Step::Stays),
            State::Trying | State::Ringing => {
                self.given_up = Some(End::ByUs);
                (Some(self.invite), Step::Stays)
            }
            // A callee may not send a BYE before it has the ACK (RFC 3261 section 15).
            State::Answered if self.dialogs.iter().any(waits) => {
                self.given_up = Some(End::ByUs);
                (None, Step::Stays)
            }
            State::Answered => (None, Step::EndIt),
        }
    }

    /// A BYE to each end of each dialog that was answered.
    pub(crate) fn byes(&self) -> impl Iterator<Item = Bye> {
        self.dialogs.iter().filter(|dialog| !dialog.is_early()).flat_map(|dialog| {
            let to_callee = Bye {
                flow: dialog.flow,
                call_id: self.call_id.clone(),
                from: self.from.clone(),
                to: dialog.to.clone(),
                cseq: next(self.caller_cseq),
                target: dialog.target.clone(),
                routes: dialog.routes.clone(),
                reason: self.reason.clone(),
            };
            let to_caller = Bye {
                flow: self.flow,
                call_id: self.call_id.clone(),
                from: dialog.to.clone(),
                to: self.from.clone(),
                cseq: next(dialog.callee_cseq),
                target: self.target.clone(),
                routes: self.routes.clone(),
                reason: self.reason.clone(),
            };
            [to_callee, to_caller]
        })
    }
}

/// The number of the next request (RFC 3261 section 8.1.1.5: below 2^31).
fn next(highest: u32) -> u32 {
    (highest + 1).min((1 << 31) - 1)
}
