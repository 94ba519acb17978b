use crate::dialog::Dialog;
use crate::reading::{contact_text, contact_uri, route_text};
use crate::{End, Id, Side};
use engine::Now;
use sip_message::{HeaderName, Message, NameAddr, Via, split_commas, unquote};
use sip_transaction::{Flow, Packet, ServerTransactionId};
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

mod ending;
mod passing;

/// The users of ours at the ends of a call, by their names, as far as there are any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Users<'a> {
    /// Who has proved to be the caller.
    pub caller: Option<&'a str>,
    /// Who was called.
    pub callee: Option<&'a str>,
    /// Whether anybody vouches for the caller. The call of somebody who may be anybody leaves a record only when it has reached a phone.
    pub known: bool,
}

/// How often one call may count for its payers; one INVITE more of it is refused.
pub const CHARGES_PER_CALL_MAX: usize = 64;

/// That a call counts for somebody, in the books of our parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Charge {
    /// Whom it counts for.
    payer: u64,
    /// For which INVITE: one dialog's Call-ID and tags may serve for any number of them.
    invite: ServerTransactionId,
    /// What is to be given back when the call is over.
    seat: u32,
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
    known: bool,
    /// Contact of the caller, as it stood last.
    contact: Box<str>,
    /// The Record-Route that the INVITE came with.
    routes: Box<str>,
    /// The Via that the INVITE came with: of a spiral, later passes have others.
    via: Box<str>,
    /// The flow that the INVITE came over.
    flow: Flow,
    invite: ServerTransactionId,
    invite_cseq: u32,
    /// The highest number of a request of the caller, of all dialogs.
    caller_cseq: u32,
    began: SystemTime,
    answered: Option<SystemTime>,
    /// When a phone began to ring.
    rang: Option<SystemTime>,
    /// The highest status but 100 that a response to the INVITE came with.
    heard_status: u16,
    /// The status that the caller got last.
    status: u16,
    /// What we refuse it with, and why, for people.
    why: (u16, Box<str>),
    /// Who is charged for it.
    charges: SmallVec<[Charge; 1]>,
    /// When something was last heard of it.
    heard: Instant,
    state: State,
    dialogs: SmallVec<[Dialog; 1]>,
    /// Why it will be over when it is refused, since somebody has given it up; by us, also when it is answered.
    given_up: Option<End>,
    /// What to say when we end it.
    reason: Box<str>,
}

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
    /// The call that an INVITE begins.
    pub(crate) fn new(now: Now, id: Id, invite: ServerTransactionId, packet: &Packet, users: Users<'_>) -> Call {
        let request = &packet.message;
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        Call {
            id,
            call_id: request.call_id().into(),
            from: request.header(HeaderName::From).unwrap_or("").into(),
            to: request.header(HeaderName::To).unwrap_or("").into(),
            caller: users.caller.map(Box::from),
            callee: users.callee.map(Box::from),
            known: users.known,
            contact: contact_text(request).into(),
            routes: route_text(request),
            via: request.header(HeaderName::Via).unwrap_or("").into(),
            flow: packet.flow,
            invite,
            invite_cseq: cseq,
            caller_cseq: cseq,
            began: now.wall,
            answered: None,
            rang: None,
            heard_status: 0,
            status: 0,
            why: (0, "".into()),
            charges: SmallVec::new(),
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

    /// How people would call an end: the user's name, or what the URI says.
    pub(crate) fn name(&self, side: Side) -> &str {
        if let Some(user) = self.user(side) {
            return user.split('@').next().unwrap_or(user);
        }
        let uri = self.uri(side);
        let named = uri.split_once(':').map_or(uri, |(_, named)| named);
        let host_at = named.find('@').map_or(0, |at| at + 1);
        match side {
            Side::Callee if host_at > 0 => &named[..host_at - 1],
            _ => {
                let end = named[host_at..].find([';', '?']).map_or(named.len(), |end| host_at + end);
                &named[..end]
            }
        }
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

    /// Where its INVITE came from.
    pub fn source(&self) -> SocketAddr {
        self.flow.remote
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

    /// Has it count for somebody, unless it does for this INVITE. `full`: it counts too often already.
    pub(crate) fn charge<E>(
        &mut self,
        invite: ServerTransactionId,
        payer: u64,
        charge: impl FnOnce() -> Result<u32, E>,
        full: E,
    ) -> Result<(), E> {
        if self.charges.iter().any(|charge| charge.payer == payer && charge.invite == invite) {
            return Ok(());
        }
        if self.charges.len() >= CHARGES_PER_CALL_MAX {
            return Err(full);
        }
        charge().map(|seat| self.charges.push(Charge { payer, invite, seat }))
    }

    pub(crate) fn charges(&self) -> impl Iterator<Item = u32> {
        self.charges.iter().map(|charge| charge.seat)
    }

    /// Whether its end is anybody's business.
    pub(crate) fn leaves_record(&self) -> bool {
        self.known || self.heard_status > 0
    }

    /// Which end sent the request that a message is or answers, if it is of this call at all. Most messages have From and To as others
    /// before them, to the letter.
    pub(crate) fn sender(&self, message: &Message) -> Option<Side> {
        let (from, to) = (message.header(HeaderName::From), message.header(HeaderName::To));
        if *self.call_id != *message.call_id() {
            None
        } else if from == Some(&self.from) {
            Some(Side::Caller)
        } else if to == Some(&self.from) {
            Some(Side::Callee)
        } else {
            let tag = self.address(Side::Caller).and_then(|address| address.tag()).unwrap_or("");
            if message.from_tag().unwrap_or("") == tag {
                Some(Side::Caller)
            } else {
                (message.to_tag().unwrap_or("") == tag).then_some(Side::Callee)
            }
        }
    }

    /// Whether the top Via of a message has the branch of the INVITE.
    pub(crate) fn is_of_invite(&self, message: &Message) -> bool {
        let top = split_commas(&self.via).next().and_then(|top| Via::parse(top).ok());
        let branch = |via: Option<Via<'_>>| via.and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        branch(top) == branch(message.top_via().ok())
    }

    /// Where the caller takes requests.
    pub(crate) fn target(&self) -> &str {
        contact_uri(&self.contact).unwrap_or_else(|| self.uri(Side::Caller))
    }

    /// Bytes of text that it holds.
    pub(crate) fn held(&self) -> usize {
        let texts =
            [&self.call_id, &self.from, &self.to, &self.contact, &self.routes, &self.via, &self.reason, &self.why.1];
        let users = [&self.caller, &self.callee].into_iter().flatten();
        let all = texts.into_iter().chain(users);
        all.map(|text| text.len()).sum::<usize>() + self.dialogs.iter().map(Dialog::held).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Dialog};

    /// What a call costs besides its texts: with them, their allocations and its places in the tables about 1.3 kB, which [`CALLS_MAX`](crate::CALLS_MAX) is chosen by.
    #[test]
    fn a_call_is_small() {
        assert!(std::mem::size_of::<Call>() <= 640, "{}", std::mem::size_of::<Call>());
        assert!(std::mem::size_of::<Dialog>() <= 216, "{}", std::mem::size_of::<Dialog>());
    }
}
