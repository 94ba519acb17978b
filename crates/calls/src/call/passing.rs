//! What passing messages mean for a call.

use super::{Call, State, Step};
use crate::dialog::{Dialog, Phase, callee_end};
use crate::reading::{contact_text, contact_uri};
use crate::{DIALOGS_PER_CALL_MAX, End, Side};
use engine::Now;
use sip_message::{HeaderName, Message, Method, NameAddr};
use sip_transaction::Packet;
use std::time::Duration;

/// Repetitions of a 2xx that mean that its ACK does not get through: one may be lost, or late.
const REPEATS_UNHEARD: u8 = 4;

/// What an ACK may take at least before anybody says that it has not come.
const ACK_WAIT_MIN: Duration = Duration::from_secs(16);

/// By when who gets no ACK has said BYE: 64*T1 after the 2xx, and what it takes to repeat that. Whoever stays longer has heard an ACK in the end.
const ACK_WAIT_MAX: Duration = Duration::from_secs(40);

impl Call {
    /// A response but 100 to a request of `sender`. A dialog that would need more than `room` bytes is not watched.
    pub(crate) fn handle_response(&mut self, now: Now, sender: Side, packet: &Packet, room: usize) -> Step {
        let response = &packet.message;
        let status = response.status();
        let success = (200..300).contains(&status);
        let Ok(cseq) = response.cseq() else { return Step::Stays };
        let begins = cseq.method == Method::Invite && sender == Side::Caller && cseq.number == self.invite_cseq;
        if begins {
            self.heard_status = self.heard_status.max(status);
        }
        if status >= 300 {
            return Step::Stays;
        }
        self.heard = now.mono;
        if begins && !success && self.state == State::Trying {
            self.state = State::Ringing;
            self.rang = Some(now.wall);
        }
        let found = self.dialog_of(response, sender);
        let found = found.or_else(|| if begins { self.add_dialog(packet, room) } else { None });
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
        if !dialog.is_early() {
            dialog.repeats = dialog.repeats.saturating_add(1);
        } else if !dialog.accept(now, response, room) {
            return if self.state == State::Answered { Step::Stays } else { Step::Over(End::Lost) };
        }
        match self.state {
            State::Answered => Step::Stays,
            State::Trying | State::Ringing => {
                self.state = State::Answered;
                self.answered = Some(now.wall);
                self.status = status;
                Step::Answered
            }
        }
    }

    /// The dialog that a response begins, which must have a tag.
    fn add_dialog(&mut self, packet: &Packet, room: usize) -> Option<usize> {
        let response = &packet.message;
        response.to_tag()?;
        let dialog = Dialog::new(response.header(HeaderName::To)?, packet.flow);
        if self.dialogs.len() >= DIALOGS_PER_CALL_MAX || dialog.held() > room {
            return None;
        }
        self.dialogs.push(dialog);
        Some(self.dialogs.len() - 1)
    }

    /// A request of `sender` inside one of its dialogs.
    pub(crate) fn handle_request(&mut self, now: Now, sender: Side, request: &Message, room: usize) -> Step {
        let Some(index) = self.dialog_of(request, sender) else { return Step::Stays };
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
            Method::Bye => return self.handle_bye(now, sender, index),
            _ => {}
        }
        Step::Stays
    }

    /// The dialog of a message, by the callee's end as it stood before, or else by its tag.
    fn dialog_of(&self, message: &Message, sender: Side) -> Option<usize> {
        let end = callee_end(message, sender)?;
        let same = self.dialogs.iter().position(|dialog| *dialog.to == *end);
        same.or_else(|| {
            let tag = NameAddr::parse(end).ok()?.tag()?;
            self.dialogs.iter().position(|dialog| dialog.tag() == Some(tag))
        })
    }

    /// The sender of a BYE may take the dialog for over at once (RFC 3261 section 15.1.1).
    fn handle_bye(&mut self, now: Now, sender: Side, index: usize) -> Step {
        let over = self.dialogs.iter().enumerate().all(|(at, dialog)| at == index || dialog.is_early());
        match self.state {
            State::Answered if over => {
                let unheard = sender == Side::Callee && self.is_unheard(now, index);
                Step::Over(if unheard { End::NoAck } else { End::HungUp(sender) })
            }
            State::Answered => {
                self.dialogs.remove(index);
                Step::Stays
            }
            State::Trying | State::Ringing => {
                self.dialogs.remove(index);
                self.given_up.get_or_insert(End::HungUp(sender));
                Step::Stays
            }
        }
    }

    /// Whether an ACK should have come long ago, or has passed and was not heard: the callee says its answer again and again, until
    /// it gives up (RFC 3261 section 13.3.1.4).
    fn is_unheard(&self, now: Now, index: usize) -> bool {
        let Some(dialog) = self.dialogs.get(index) else { return false };
        let age = self.answered.and_then(|answered| now.wall.duration_since(answered).ok()).unwrap_or_default();
        match dialog.phase {
            Phase::Early => false,
            Phase::Accepted { .. } => dialog.repeats >= REPEATS_UNHEARD || age >= ACK_WAIT_MIN,
            Phase::Confirmed { .. } => dialog.repeats >= REPEATS_UNHEARD && age <= ACK_WAIT_MAX,
        }
    }

    /// The caller's CANCEL. One that comes too late changes nothing: what was answered is not refused any more.
    pub(crate) fn handle_cancel(&mut self, cancel: &Message) {
        if self.is_of_invite(cancel) {
            self.given_up.get_or_insert(End::Cancelled);
        }
    }

    /// A final response other than 2xx goes back, perhaps to the INVITE.
    pub(crate) fn handle_refusal(&mut self, refusal: &Message) -> Step {
        match self.state {
            State::Trying | State::Ringing if self.is_of_invite(refusal) => {
                self.status = refusal.status();
                Step::Over(self.given_up.unwrap_or(End::Refused(self.status)))
            }
            State::Trying | State::Ringing | State::Answered => Step::Stays,
        }
    }

    /// A target refresh (RFC 3261 section 12.2): the Contact of an end that sends a re-INVITE or an UPDATE, or accepts one.
    fn refresh_target(&mut self, side: Side, index: usize, message: &Message, room: usize) {
        let contact = contact_text(message);
        if contact.len() > room || contact_uri(contact).is_none() {
            return;
        }
        let held = match side {
            Side::Caller => &mut self.contact,
            Side::Callee => &mut self.dialogs[index].contact,
        };
        if **held != *contact {
            *held = contact.into();
        }
    }
}
