use crate::dialog::{Dialog, Phase, callee_tag};
use crate::reading::{contact, routes_back};
use crate::{Bye, DIALOGS_PER_CALL_MAX, End, Id, Side};
use engine::{Mac, Now};
use sip_message::{HeaderName, Message, Method, NameAddr, unquote};
use sip_transaction::{Flow, Packet, ServerTransactionId};
use smallvec::SmallVec;
use std::time::{Duration, Instant, SystemTime};

/// The users of ours at the ends of a call, by their names, as far as there are any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Users<'a> {
    /// Who has proved to be the caller.
    pub caller: Option<&'a str>,
    /// Who was called.
    pub callee: Option<&'a str>,
}

/// How far a call has come.
///
/// | | Trying | Ringing | Answered |
/// |---|---|---|---|
/// | 101 to 199 | Ringing | Ringing | Answered |
/// | 2xx to the INVITE | Answered | Answered | Answered, with one dialog more |
/// | its refusal goes back | over: `Refused`, or why it was given up | the same | Answered |
/// | CANCEL | given up: `Cancelled` | the same | Answered: it is too late |
/// | BYE of the caller in an early dialog | given up: `HungUp` | the same | Answered |
/// | BYE | | | over with the last dialog: `HungUp` |
/// | `hang_up` | given up: `ByUs` | the same | BYEs, over: `ByUs`; before the ACK, as soon as that comes |
/// | no refresh | | | over with the last dialog: `Expired` |
/// | silence | over: `Lost` | over: `Lost` | over: `Lost` |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has said anything yet.
    Trying,
    /// Somebody's phone rings.
    Ringing,
    /// Somebody has answered.
    Answered,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    id: Id,
    call_id: Box<str>,
    /// From of the INVITE, tag included.
    from: Box<str>,
    /// To of the INVITE.
    to: Box<str>,
    caller: Option<Box<str>>,
    callee: Option<Box<str>>,
    /// Where the caller takes requests.
    target: Box<str>,
    /// The way from us to the caller, nearest first.
    routes: Vec<Box<str>>,
    /// The flow that the INVITE came over.
    flow: Flow,
    invite: ServerTransactionId,
    /// Names the top Via's branch of the INVITE: a spiral's later passes have others.
    branch: u64,
    invite_cseq: u32,
    /// The highest number of a request of the caller, of all dialogs.
    caller_cseq: u32,
    began: SystemTime,
    answered: Option<SystemTime>,
    /// When something was last heard of it.
    heard: Instant,
    state: State,
    dialogs: SmallVec<[Dialog; 1]>,
    /// Why it will be over when it is refused, since somebody has given it up; by us, also when it is answered.
    given_up: Option<End>,
    /// What to say when we end it.
    reason: Box<str>,
}

/// How long a 2xx may wait for its ACK (64*T1, RFC 3261 section 13.3.1.4).
const ACK_WAIT: Duration = Duration::from_secs(32);

/// What a message meant for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that anybody would want to know.
    Stays,
    /// It is answered now.
    Answered,
    /// BYEs are due: it was to end before it could.
    EndIt,
    /// It is over.
    Over(End),
}

impl Call {
    /// The call that an INVITE begins. `branch` names its top Via's branch.
    pub(crate) fn new(
        now: Now,
        id: Id,
        invite: ServerTransactionId,
        packet: &Packet,
        users: Users<'_>,
        branch: u64,
    ) -> Call {
        let request = &packet.message;
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let from = request.from().map_or("", |from| from.uri);
        Call {
            id,
            call_id: request.call_id().into(),
            from: request.header(HeaderName::From).unwrap_or("").into(),
            to: request.header(HeaderName::To).unwrap_or("").into(),
            caller: users.caller.map(Box::from),
            callee: users.callee.map(Box::from),
            target: contact(request).unwrap_or(from).into(),
            routes: routes_back(request),
            flow: packet.flow,
            invite,
            branch,
            invite_cseq: cseq,
            caller_cseq: cseq,
            began: now.wall,
            answered: None,
            heard: now.mono,
            state: State::Trying,
            dialogs: SmallVec::new(),
            given_up: None,
            reason: "".into(),
        }
    }

    /// Its name for people.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Its Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The URI of an end: what From and To say.
    pub fn uri(&self, side: Side) -> &str {
        self.address(side).map_or("", |address| address.uri)
    }

    /// The display name of an end, without quotes; empty when it has none.
    pub fn display_name(&self, side: Side) -> String {
        let display = self.address(side).and_then(|address| address.display);
        display.map(unquote).unwrap_or_default().into_owned()
    }

    /// The user of ours at an end.
    pub fn user(&self, side: Side) -> Option<&str> {
        match side {
            Side::Caller => self.caller.as_deref(),
            Side::Callee => self.callee.as_deref(),
        }
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        self.state
    }

    /// When its INVITE came.
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// When its first 2xx came.
    pub fn answered(&self) -> Option<SystemTime> {
        self.answered
    }

    /// Its dialogs, early ones included.
    pub fn dialogs(&self) -> usize {
        self.dialogs.len()
    }

    /// Where requests to an end go from here: the caller's flow, or the callee's in the first dialog, once there is one.
    pub fn flow(&self, side: Side) -> Option<Flow> {
        match side {
            Side::Caller => Some(self.flow),
            Side::Callee => self.dialogs.first().map(|dialog| dialog.flow),
        }
    }

    fn address(&self, side: Side) -> Option<NameAddr<'_>> {
        let text = match side {
            Side::Caller => &self.from,
            Side::Callee => &self.to,
        };
        NameAddr::parse(text).ok()
    }

    pub(crate) fn caller_tag(&self) -> &str {
        self.address(Side::Caller).and_then(|address| address.tag()).unwrap_or("")
    }

    /// Bytes of text that it holds.
    pub(crate) fn held(&self) -> usize {
        let texts = [&self.call_id, &self.from, &self.to, &self.target, &self.reason];
        let users = [&self.caller, &self.callee].into_iter().flatten();
        let all = texts.into_iter().chain(users).chain(&self.routes);
        all.map(|text| text.len()).sum::<usize>() + self.dialogs.iter().map(Dialog::held).sum::<usize>()
    }

    /// A 101 to 2xx to a request of `sender`. A dialog that would need more than `room` bytes is not watched.
    pub(crate) fn handle_response(&mut self, now: Now, sender: Side, packet: &Packet, mac: &Mac, room: usize) -> Step {
        let response = &packet.message;
        let success = response.status() >= 200;
        let Ok(cseq) = response.cseq() else { return Step::Stays };
        let begins = cseq.method == Method::Invite && sender == Side::Caller && cseq.number == self.invite_cseq;
        self.heard = now.mono;
        if begins && !success && self.state == State::Trying {
            self.state = State::Ringing;
        }
        let before = self.routes.len();
        let tag = callee_tag(response, sender);
        let mut found = tag.and_then(|tag| self.dialog_of(tag));
        if let (None, Some(tag), true) = (found, tag, begins) {
            let dialog = Dialog::new(packet, tag, mac, before);
            if self.dialogs.len() < DIALOGS_PER_CALL_MAX && dialog.held() <= room {
                found = Some(self.dialogs.len());
                self.dialogs.push(dialog);
            }
        }
        let Some((index, dialog)) = found.and_then(|index| Some((index, self.dialogs.get_mut(index)?))) else {
            // Answered where we cannot follow.
            let lost = begins && success && self.state != State::Answered;
            return if lost { Step::Over(End::Lost) } else { Step::Stays };
        };
        if !success {
            return Step::Stays;
        }
        if !begins {
            dialog.refresh_session(now, response);
            self.refresh_target(sender.other(), index, response, room);
            return Step::Stays;
        }
        if dialog.is_early() {
            dialog.accept(now, packet, mac, before);
        }
        match self.state {
            State::Answered => Step::Stays,
            State::Trying | State::Ringing => {
                self.state = State::Answered;
                self.answered = Some(now.wall);
                Step::Answered
            }
        }
    }

    /// A request of `sender` inside one of its dialogs.
    pub(crate) fn handle_request(&mut self, now: Now, sender: Side, request: &Message, room: usize) -> Step {
        let Some(index) = callee_tag(request, sender).and_then(|tag| self.dialog_of(tag)) else {
            return Step::Stays;
        };
        self.heard = now.mono;
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let highest = match sender {
            Side::Caller => &mut self.caller_cseq,
            Side::Callee => &mut self.dialogs[index].callee_cseq,
        };
        *highest = number.max(*highest);
        match request.method() {
            Method::Invite | Method::Update => self.refresh_target(sender, index, request, room),
            Method::Ack if sender == Side::Caller => {
                self.dialogs[index].acknowledge();
                if self.given_up == Some(End::ByUs) {
                    return Step::EndIt;
                }
            }
            Method::Bye => return self.handle_bye(sender, index),
            _ => {}
        }
        Step::Stays
    }

    fn dialog_of(&self, tag: &str) -> Option<usize> {
        self.dialogs.iter().position(|dialog| *dialog.tag == *tag)
    }

    /// The sender of a BYE may take the dialog for over at once (RFC 3261 section 15.1.1).
    fn handle_bye(&mut self, sender: Side, index: usize) -> Step {
        self.dialogs.remove(index);
        match self.state {
            State::Answered if self.dialogs.iter().all(Dialog::is_early) => Step::Over(End::HungUp(sender)),
            State::Answered => Step::Stays,
            State::Trying | State::Ringing => {
                self.given_up.get_or_insert(End::HungUp(sender));
                Step::Stays
            }
        }
    }

    /// The caller's CANCEL.
    pub(crate) fn handle_cancel(&mut self, branch: u64) {
        if self.state != State::Answered && self.branch == branch {
            self.given_up.get_or_insert(End::Cancelled);
        }
    }

    /// A final response other than 2xx goes back to the caller.
    pub(crate) fn handle_refusal(&self, refusal: &Message, branch: u64) -> Step {
        let is_its = refusal.cseq().is_ok_and(|cseq| cseq.number == self.invite_cseq) && branch == self.branch;
        match self.state {
            State::Trying | State::Ringing if is_its => {
                Step::Over(self.given_up.unwrap_or(End::Refused(refusal.status())))
            }
            State::Trying | State::Ringing | State::Answered => Step::Stays,
        }
    }

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

    /// A target refresh (RFC 3261 section 12.2): the Contact of an end that sends a re-INVITE or an UPDATE, or accepts one.
    fn refresh_target(&mut self, side: Side, index: usize, message: &Message, room: usize) {
        let Some(contact) = contact(message).filter(|contact| contact.len() <= room) else { return };
        let target = match side {
            Side::Caller => &mut self.target,
            Side::Callee => &mut self.dialogs[index].target,
        };
        if **target != *contact {
            *target = contact.into();
        }
    }
}

impl Side {
    /// The opposite end.
    pub fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }
}

/// The number of the next request (RFC 3261 section 8.1.1.5: below 2^31).
fn next(highest: u32) -> u32 {
    (highest + 1).min((1 << 31) - 1)
}
