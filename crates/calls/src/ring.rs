use crate::story::{self, Step, Story};
use crate::{CallRecord, Id};
use engine::Now;
use sip_message::{Message, Method, without_secrets};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::SystemTime;

/// Bytes of messages that one shard remembers, to tell how calls went; the oldest go first. They are taken when they are needed.
pub const RING_BYTES_MAX: usize = 8 << 20;

/// Steps of one story: of a longer one the first are told.
pub const STEPS_MAX: usize = 1000;

/// Messages that are looked back at for where an INVITE went that nobody has answered: many calls may end like that at once.
const LOOKED_BACK_MAX: usize = 500;

/// What a message costs besides its bytes.
const ENTRY_BYTES: usize = size_of::<Entry>();

/// What passed lately.
///
/// Messages lie in one buffer, behind each other; the next takes the place of the oldest. To remember one takes a copy of its bytes and
/// nothing else: they are read when somebody wants a story.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes_max: usize,
    buffer: Vec<u8>,
    /// Where the next one goes.
    at: usize,
    entries: VecDeque<Entry>,
    /// Calls that have ended while what is in the buffer passed.
    ended: VecDeque<Ended>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    when: SystemTime,
    /// The other end.
    remote: SocketAddr,
    sent: bool,
    begin: u32,
    length: u32,
}

#[derive(Debug)]
struct Ended {
    when: SystemTime,
    id: Id,
    call_id: Box<str>,
    how: Box<str>,
}

/// How we are called in a story.
const EXCHANGE: &str = "exchange";

impl Ring {
    /// With room for so many bytes; 0 remembers nothing.
    pub(crate) fn new(bytes_max: usize) -> Ring {
        let bytes_max = bytes_max.min(u32::MAX as usize);
        Ring { bytes_max, buffer: Vec::new(), at: 0, entries: VecDeque::new(), ended: VecDeque::new() }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.bytes_max == 0
    }

    /// A message has passed.
    pub(crate) fn push(&mut self, now: Now, remote: SocketAddr, sent: bool, message: &[u8]) {
        // What an entry takes is counted as bytes of its message.
        let length = message.len();
        let room = length + ENTRY_BYTES;
        if room > self.bytes_max {
            return;
        }
        if self.at + room > self.bytes_max {
            // What is behind here is of the lap before.
            while self.entries.front().is_some_and(|oldest| oldest.begin as usize >= self.at) {
                self.entries.pop_front();
            }
            self.at = 0;
        }
        let (begin, end) = (self.at, self.at + room);
        while self.entries.front().is_some_and(|oldest| (begin..end).contains(&(oldest.begin as usize))) {
            self.entries.pop_front();
        }
        if self.buffer.len() < begin + length {
            self.buffer.resize(begin + length, 0);
        }
        self.buffer[begin..begin + length].copy_from_slice(message);
        self.at = end;
        let (begin, length) = (begin as u32, length as u32);
        self.entries.push_back(Entry { when: now.wall, remote, sent, begin, length });
    }

    /// A call is over.
    pub(crate) fn end(&mut self, record: &CallRecord) {
        if self.is_off() {
            return;
        }
        let oldest = self.entries.front().map(|entry| entry.when);
        // A call whose last message is forgotten has no story any more; and each of the others has a message here.
        while self.ended.front().is_some_and(|ended| oldest.is_none_or(|oldest| ended.when < oldest))
            || self.ended.len() > self.entries.len()
        {
            self.ended.pop_front();
        }
        let (when, id) = (record.ended, record.id);
        let (call_id, how) = (record.call_id.as_str().into(), record.how.as_str().into());
        self.ended.push_back(Ended { when, id, call_id, how });
    }

    /// Where the last INVITE of a call went that nothing came back for.
    pub(crate) fn unanswered(&self, call_id: &str) -> Option<SocketAddr> {
        // The last one was sent half a second ago, or over a connection.
        let latest = self.entries.iter().rev().take(LOOKED_BACK_MAX);
        let is_sent =
            |entry: &Entry, message: &Message| entry.sent && message.is_request() && message.method() == Method::Invite;
        let mut messages = self.messages_among(latest, call_id);
        messages.find(|(entry, message)| is_sent(entry, message)).map(|(entry, _)| entry.remote)
    }

    /// What became of a call that has ended: its name, its Call-ID, how it ended. `call` is one of the first two.
    pub(crate) fn ended(&self, call: &str) -> Option<(Id, &str, &str)> {
        let id = call.parse::<Id>().ok();
        let found = self.ended.iter().rev().find(|ended| Some(ended.id) == id || *ended.call_id == *call)?;
        Some((found.id, &found.call_id, &found.how))
    }

    /// The story of a Call-ID, as far as it is remembered; its `id` and `how` are left to who knows.
    pub(crate) fn story(&self, call_id: &str) -> Story {
        let mut parties: Vec<(Option<SocketAddr>, String)> = Vec::new();
        let mut ladder = Vec::new();
        let mut seen: Vec<Entry> = Vec::new();
        for (entry, message) in self.messages_of(call_id).take(STEPS_MAX) {
            let remote = party(&mut parties, Some(entry.remote), || story::name_of(&message, entry.sent, entry.remote));
            let exchange = party(&mut parties, None, || EXCHANGE.to_owned());
            let (from, to) = if entry.sent { (exchange, remote) } else { (remote, exchange) };
            let same = |other: &Entry| {
                (other.remote, other.sent) == (entry.remote, entry.sent) && self.bytes(other) == self.bytes(&entry)
            };
            let repeated = seen.iter().any(same);
            let (label, message) = (story::label(&message), without_secrets(message.bytes()));
            ladder.push(Step { at: entry.when, from, to, label, repeated, message });
            seen.push(entry);
        }
        let parties = parties.into_iter().map(|(_, name)| name).collect();
        Story { id: None, call_id: call_id.to_owned(), parties, ladder, how: String::new() }
    }

    fn bytes(&self, entry: &Entry) -> &[u8] {
        let (begin, length) = (entry.begin as usize, entry.length as usize);
        self.buffer.get(begin..begin + length).unwrap_or(&[])
    }

    fn messages_of(&self, call_id: &str) -> impl Iterator<Item = (Entry, Message)> {
        self.messages_among(self.entries.iter(), call_id)
    }

    fn messages_among<'a>(
        &'a self,
        entries: impl Iterator<Item = &'a Entry>,
        call_id: &str,
    ) -> impl Iterator<Item = (Entry, Message)> {
        let finder = memchr::memmem::Finder::new(call_id.as_bytes()).into_owned();
        let call_id = call_id.to_owned();
        entries.filter_map(move |entry| {
            let bytes = self.bytes(entry);
            finder.find(bytes)?;
            let message = Message::parse(bytes::Bytes::copy_from_slice(bytes)).ok()?;
            (message.call_id() == call_id).then_some((*entry, message))
        })
    }
}

/// The name of who is at an address, which is made up when they first appear.
fn party(
    parties: &mut Vec<(Option<SocketAddr>, String)>,
    address: Option<SocketAddr>,
    name: impl FnOnce() -> String,
) -> String {
    if let Some((_, name)) = parties.iter().find(|(known, _)| *known == address) {
        return name.clone();
    }
    let name = name();
    parties.push((address, name.clone()));
    name
}
