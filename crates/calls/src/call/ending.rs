//! How a call ends by time, or by us.

use super::{Call, State, Step};
use crate::dialog::{Dialog, Phase};
use crate::reading::{contact_uri, routes_back, routes_on, values};
use crate::story::{self, Ending, span};
use crate::{Bye, CallRecord, End, Side};
use engine::{Mac, Now};
use sip_message::{NameAddr, Uri};
use sip_transaction::ServerTransactionId;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

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

    /// What is left of it.
    pub(crate) fn into_record(self: Box<Self>, now: Now, end: End, sent_to: Option<SocketAddr>) -> CallRecord {
        let how = self.how(now, end, sent_to);
        let Call { id, call_id, from, to, caller, callee, flow, began, answered, status, .. } = *self;
        let uri =
            |field: &str| NameAddr::parse(field).map_or_else(|_| field.to_owned(), |address| address.uri.to_owned());
        CallRecord {
            id,
            from: uri(&from),
            to: uri(&to),
            call_id: call_id.into(),
            caller: caller.map(String::from),
            callee: callee.map(String::from),
            source: flow.remote,
            started: began,
            answered,
            ended: now.wall,
            end,
            status,
            how,
        }
    }

    /// How far it has come, in a sentence.
    pub(crate) fn how_far(&self, now: Now) -> String {
        let since = |at: SystemTime| span(now.wall.duration_since(at).unwrap_or_default().as_secs());
        let (caller, callee) = (self.name(Side::Caller), self.name(Side::Callee));
        match (self.state, self.answered, self.rang) {
            (State::Answered, Some(at), _) => format!("{caller} and {callee} have been talking for {}", since(at)),
            (_, _, Some(at)) => format!("{callee} has been ringing for {}", since(at)),
            _ => format!("{caller} has been waiting for {}, and nothing rings yet", since(self.began)),
        }
    }

    /// Why we refuse it.
    pub(crate) fn explain(&mut self, status: u16, why: &str) {
        self.why = (status, why.into());
    }

    /// How it ended, in a sentence. `sent_to`: where its INVITE went last.
    pub(crate) fn how(&self, now: Now, end: End, sent_to: Option<SocketAddr>) -> String {
        let since = |at: SystemTime| now.wall.duration_since(at).unwrap_or_default().as_secs();
        let dialog = self.dialogs.iter().find(|dialog| !dialog.is_early());
        let announced = || {
            let callee = dialog.and_then(|dialog| strange_address(&dialog.contact, dialog.flow.remote.ip()));
            callee.or_else(|| strange_address(&self.contact, self.flow.remote.ip()))
        };
        story::how(&Ending {
            end,
            caller: self.name(Side::Caller),
            callee: self.name(Side::Callee),
            waited_s: since(self.began),
            rang_s: self.rang.map(since),
            talked_s: self.answered.map(since),
            heard_status: self.heard_status,
            sent_to,
            acknowledged: dialog.is_some_and(|dialog| matches!(dialog.phase, Phase::Confirmed { .. })),
            announced: if end == End::NoAck { announced() } else { None },
            why: if end == End::Refused(self.why.0) { &self.why.1 } else { "" },
        })
    }

    /// A BYE to each end of each dialog that was answered.
    pub(crate) fn byes(&self, mac: &Mac) -> impl Iterator<Item = Bye> {
        let before = values(&self.routes).count();
        self.dialogs.iter().filter(|dialog| !dialog.is_early()).flat_map(move |dialog| {
            let between =
                sip_proxy::Dialog::between(&self.call_id, NameAddr::parse(&self.from), NameAddr::parse(&dialog.to));
            let (routes, flow) = routes_on(&dialog.routes, mac, &between, before);
            let to_callee = Bye {
                flow: flow.unwrap_or(dialog.flow),
                call_id: self.call_id.clone(),
                from: self.from.clone(),
                to: dialog.to.clone(),
                cseq: next(self.caller_cseq),
                target: dialog.target().into(),
                routes,
                reason: self.reason.clone(),
            };
            let to_caller = Bye {
                flow: self.flow,
                call_id: self.call_id.clone(),
                from: dialog.to.clone(),
                to: self.from.clone(),
                cseq: next(dialog.callee_cseq),
                target: self.target().into(),
                routes: routes_back(&self.routes),
                reason: self.reason.clone(),
            };
            [to_callee, to_caller]
        })
    }
}

/// Where packets come from, and what address a Contact names instead, where it names one.
fn strange_address(contact: &str, source: IpAddr) -> Option<(IpAddr, String)> {
    let announced = Uri::parse(contact_uri(contact)?).ok()?.host;
    let source = source.to_canonical();
    announced.ip().filter(|ip| ip.to_canonical() != source).map(|ip| (source, ip.to_string()))
}

/// The number of the next request (RFC 3261 section 8.1.1.5: below 2^31).
fn next(highest: u32) -> u32 {
    (highest + 1).min((1 << 31) - 1)
}
