//! What passing messages mean for a call.

use super::{Call, State, Step};
use crate::dialog::{Dialog, callee_tag};
use crate::reading::contact;
use crate::{DIALOGS_PER_CALL_MAX, End, Side};
use engine::{Mac, Now};
use sip_message::{Message, Method};
use sip_transaction::Packet;

impl Call {
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

    /// The caller's CANCEL. One that comes too late changes nothing: what was answered is not refused any more.
    pub(crate) fn handle_cancel(&mut self, branch: u64) {
        if self.branch == branch {
            self.given_up.get_or_insert(End::Cancelled);
        }
    }

    /// A final response other than 2xx goes back, to the INVITE whose top Via had this branch.
    pub(crate) fn handle_refusal(&self, status: u16, branch: u64) -> Step {
        match self.state {
            State::Trying | State::Ringing if branch == self.branch => {
                Step::Over(self.given_up.unwrap_or(End::Refused(status)))
            }
            State::Trying | State::Ringing | State::Answered => Step::Stays,
        }
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
