//! What becomes of calls, in words for people.

use crate::{End, Side};
use sip_message::{HeaderName, Message, push_number, reason_phrase};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

/// A call as it went, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The name of the call, as it is listed; `None` when only its messages are left.
    pub id: Option<crate::Id>,
    /// Its Call-ID.
    pub call_id: String,
    /// Who takes part, in the order in which they first appear.
    pub parties: Vec<String>,
    /// What passed, in its order.
    pub ladder: Vec<Step>,
    /// How it ended, or how far it has come, in a sentence.
    pub how: String,
}

/// One message of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it passed.
    pub at: SystemTime,
    /// Who sent it: one of the parties.
    pub from: String,
    /// Who it was sent to: one of the parties.
    pub to: String,
    /// What it was: `INVITE sdp`, `200 (INVITE)`.
    pub label: String,
    /// Whether it had passed before.
    pub repeated: bool,
    /// The message, without secrets.
    pub message: String,
}

/// What stands at a message's arrow.
pub(crate) fn label(message: &Message) -> String {
    let mut label = match message.is_request() {
        true => message.method_text().to_owned(),
        false => format!("{} ({})", message.status(), message.cseq().map_or("", |cseq| cseq.method_text)),
    };
    if !message.body().is_empty() {
        let kind = message.header(HeaderName::ContentType).unwrap_or("body");
        let kind = kind.split([';', ' ']).next().unwrap_or(kind);
        label.push(' ');
        label.push_str(kind.rsplit('/').next().unwrap_or(kind));
    }
    label
}

/// How the other end of a message is called: by the user that it names, and where it is.
pub(crate) fn name_of(message: &Message, sent: bool, remote: SocketAddr) -> String {
    let address = if message.is_request() == sent { message.to() } else { message.from() };
    let uri = address.ok().and_then(|address| address.uri_parsed().ok());
    match uri.and_then(|uri| uri.user) {
        Some(user) => format!("{user} ({remote})"),
        None => remote.to_string(),
    }
}

/// What the sentence about the end of a call is made of.
#[derive(Debug, Clone)]
pub struct Ending<'a> {
    /// Why it is over.
    pub end: End,
    /// How the caller is called.
    pub caller: &'a str,
    /// How who was called is called.
    pub callee: &'a str,
    /// Seconds since the INVITE.
    pub waited_s: u64,
    /// Seconds since the first phone rang, if one has.
    pub rang_s: Option<u64>,
    /// Seconds since the answer, if there was one.
    pub talked_s: Option<u64>,
    /// The highest status but 100 that came from where the INVITE went; 0 when nothing came.
    pub heard_status: u16,
    /// Where the INVITE was sent last, if that is known.
    pub sent_to: Option<SocketAddr>,
    /// Whether the ACK has passed.
    pub acknowledged: bool,
    /// An end that has announced an address which its packets do not come from: where they come from, and what it has announced.
    pub announced: Option<(IpAddr, String)>,
    /// What we have refused it for.
    pub why: &'a str,
}

/// How a call ended, in one sentence without a full stop.
pub fn how(ending: &Ending<'_>) -> String {
    let Ending { caller, callee, .. } = ending;
    let name = |side: Side| if side == Side::Caller { caller } else { callee };
    match (ending.end, ending.talked_s) {
        (End::HungUp(side), Some(talked_s)) => {
            // Most calls: without the formatting machinery.
            let name = name(side);
            let mut words = String::with_capacity(name.len() + 32);
            words.push_str(name);
            words.push_str(" hung up after ");
            push_span(&mut words, talked_s);
            words
        }
        (End::HungUp(_) | End::Cancelled, _) => given_up(ending),
        (End::Refused(status), _) => refused(ending, status),
        (End::ByUs, Some(talked_s)) => format!("the operator ended it after {}", span(talked_s)),
        (End::ByUs, None) => "the operator ended it before it was answered".to_owned(),
        (End::NoAck, _) => unheard(ending),
        (End::Expired, _) => format!(
            "neither {caller} nor {callee} has refreshed the session in time: a phone is gone, or its connection"
        ),
        (End::Lost, Some(talked_s)) => format!("nothing more was heard of it, {} after the answer", span(talked_s)),
        (End::Lost, None) => format!("nothing more was heard of it for {}", span(ending.waited_s)),
    }
}

fn given_up(ending: &Ending<'_>) -> String {
    match ending.rang_s {
        Some(rang_s) => format!("{} gave up after ringing for {}", ending.caller, span(rang_s)),
        None => format!("{} gave up after {}, before any phone rang", ending.caller, span(ending.waited_s)),
    }
}

fn refused(ending: &Ending<'_>, status: u16) -> String {
    let Ending { caller, callee, why, .. } = ending;
    if !why.is_empty() {
        return (*why).to_owned();
    }
    let theirs = ending.heard_status > 0;
    match status {
        486 | 600 => format!("{callee} is busy"),
        603 => format!("{callee} declined"),
        607 | 608 => format!("{callee} wants no such calls"),
        480 if !theirs => format!("nobody is registered as {callee}"),
        480 if ending.rang_s.is_some() => format!("{callee} did not answer"),
        480 => format!("{callee} takes no calls at the moment"),
        404 | 604 if theirs => format!("there is no {callee} where the call went"),
        404 => format!("there is no {callee}"),
        408 | 487 => match (ending.rang_s, ending.sent_to) {
            (Some(rang_s), _) => format!("{callee} did not answer within {}", span(rang_s)),
            (None, Some(address)) => {
                format!("{callee}'s phone at {address} did not answer within {}", span(ending.waited_s))
            }
            (None, None) => format!("{callee}'s phone did not answer within {}", span(ending.waited_s)),
        },
        403 if !theirs => format!("{caller} may not call {callee}"),
        484 => format!("{callee} is not a complete number"),
        482 | 483 | 440 => "the call went round in a circle".to_owned(),
        415 | 488 | 606 => format!("{callee}'s phone cannot take such a call ({status} {})", phrase(status)),
        300..400 => format!("{callee} is elsewhere, and {caller} was told where"),
        _ if theirs => format!("{callee} refused the call ({status} {})", phrase(status)),
        503 => "the exchange took no more calls (503 Service Unavailable)".to_owned(),
        _ => format!("the exchange refused the call ({status} {})", phrase(status)),
    }
}

fn unheard(ending: &Ending<'_>) -> String {
    let callee = ending.callee;
    let mut words =
        if ending.acknowledged { format!("ACK never reached {callee}") } else { "ACK never arrived".to_owned() };
    let _ = match &ending.announced {
        Some((source, announced)) => {
            write!(words, ": {source} announced an address we cannot reach ({announced})")
        }
        None if ending.acknowledged => write!(words, ", who answered again and again and then hung up"),
        None => write!(words, ": {} did not hear the answer, or its ACK went elsewhere", ending.caller),
    };
    words
}

fn phrase(status: u16) -> &'static str {
    reason_phrase(status)
}

/// A length of time as people say it.
pub fn span(seconds: u64) -> String {
    let mut words = String::new();
    push_span(&mut words, seconds);
    words
}

fn push_span(words: &mut String, seconds: u64) {
    let (one, other) = match seconds {
        0..120 => ((seconds, " s"), None),
        120..7200 => ((seconds / 60, " min"), Some((seconds % 60, " s"))),
        _ => ((seconds / 3600, " h"), Some((seconds / 60 % 60, " min"))),
    };
    push_number(words, one.0);
    words.push_str(one.1);
    if let Some((number, unit)) = other.filter(|(number, _)| *number > 0) {
        words.push(' ');
        push_number(words, number);
        words.push_str(unit);
    }
}
