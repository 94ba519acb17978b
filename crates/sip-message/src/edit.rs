use crate::message::{Slot, Span, Start};
use crate::text::{find_unquoted, push_address, push_number};
use crate::{HeaderName, Message};
use bytes::Bytes;
use smallvec::SmallVec;
use std::fmt::{Display, Write};
use std::net::SocketAddr;

/// Changes to a message on its way: the old bytes with a few splices, written once when it is finished.
///
/// Whatever is not named by a change stays as it came, byte for byte. Changes to one place come out in the order they
/// were asked for. CR and LF in inserted text become spaces, so that no value can smuggle in a field.
pub struct Edit<'m> {
    message: &'m Message,
    splices: SmallVec<[Splice; 12]>,
    /// All inserted text, one after another.
    text: String,
}

/// The old bytes `old` give way to `text`.
struct Splice {
    old: Span,
    text: (u32, u32),
}

impl<'m> Edit<'m> {
    /// No changes yet.
    pub fn new(message: &'m Message) -> Edit<'m> {
        Edit { message, splices: SmallVec::new(), text: String::with_capacity(512) }
    }

    /// Another Request-URI. Nothing happens to a response.
    pub fn request_uri(mut self, uri: impl Display) -> Edit<'m> {
        if let Start::Request { uri: old, .. } = self.message.start {
            self.splice(old, |text| text.value(uri));
        }
        self
    }

    /// A new field in front of the first one of its name, or, where there is none, before all others.
    pub fn prepend(mut self, name: HeaderName, value: impl Display) -> Edit<'m> {
        let first = self.slots(name).next().or(self.message.slots.first());
        let at = first.map_or(self.message.head_end, |slot| slot.line);
        self.splice((at, at), |text| text.field(name.as_str(), value));
        self
    }

    /// A new field behind all others.
    pub fn append(mut self, name: HeaderName, value: impl Display) -> Edit<'m> {
        let at = self.message.head_end;
        self.splice((at, at), |text| text.field(name.as_str(), value));
        self
    }

    /// The one field of this name: its value changed where there is one, appended otherwise; further ones go.
    pub fn set(mut self, name: HeaderName, value: impl Display) -> Edit<'m> {
        let mut slots = self.slots(name);
        let Some(first) = slots.next().map(|slot| slot.value) else { return self.append(name, value) };
        let others: SmallVec<[Span; 4]> = slots.map(|slot| self.line_of(slot)).collect();
        self.splice(first, |text| text.value(value));
        for line in others {
            self.splice(line, |_| {});
        }
        self
    }

    /// No field of this name.
    pub fn remove(self, name: HeaderName) -> Edit<'m> {
        self.remove_where(name, |_| true)
    }

    /// Without the fields of this name whose value is `unwanted`.
    pub fn remove_where(mut self, name: HeaderName, unwanted: impl Fn(&str) -> bool) -> Edit<'m> {
        let slots = self.slots(name).filter(|slot| unwanted(self.message.text(slot.value)));
        let lines: SmallVec<[Span; 4]> = slots.map(|slot| self.line_of(slot)).collect();
        for line in lines {
            self.splice(line, |_| {});
        }
        self
    }

    /// Without the first `count` values of a list such as Via or Route.
    pub fn remove_first_values(mut self, name: HeaderName, count: usize) -> Edit<'m> {
        let mut left = count;
        let fields: SmallVec<[Slot; 4]> = self.slots(name).copied().collect();
        for slot in fields {
            if left == 0 {
                break;
            }
            let value = self.message.text(slot.value);
            let mut keep_from = 0;
            while left > 0 {
                left -= 1;
                match find_unquoted(&value[keep_from..], b',') {
                    Some(comma) => keep_from += comma + 1,
                    None => {
                        keep_from = value.len();
                        break;
                    }
                }
            }
            if keep_from == value.len() {
                let line = self.line_of(&slot);
                self.splice(line, |_| {});
            } else {
                let spaces =
                    value[keep_from..].len() - value[keep_from..].trim_start_matches([' ', '\t', '\r', '\n']).len();
                self.splice((slot.value.0, slot.value.0 + (keep_from + spaces) as u16), |_| {});
            }
        }
        self
    }

    /// The last value of a list such as Route goes, wherever it stands.
    pub fn remove_last_value(mut self, name: HeaderName) -> Edit<'m> {
        let Some(slot) = self.slots(name).last().copied() else { return self };
        let value = self.message.text(slot.value);
        let last = crate::message::split_commas(value).last().unwrap_or(value);
        match value[..self.message.offset_of(last) - slot.value.0 as usize].rfind(',') {
            Some(comma) => self.splice((slot.value.0 + comma as u16, slot.value.1), |_| {}),
            None => {
                let line = self.line_of(&slot);
                self.splice(line, |_| {});
            }
        }
        self
    }

    /// The topmost Via with what the server transport adds to it: `received` when the packet came from another address than
    /// sent-by says, or rport asks; rport's value when it asks (RFC 3261 section 18.2.1, RFC 3581 section 4).
    pub fn stamp_via(mut self, source: SocketAddr) -> Edit<'m> {
        let Some(stamp) = ViaStamp::of(self.message, source) else { return self };
        if let Some(at) = stamp.rport_at {
            self.splice((at, at), |text| {
                text.0.push('=');
                push_number(text.0, source.port().into());
            });
        }
        if stamp.received {
            self.splice((stamp.end, stamp.end), |text| {
                text.0.push_str(";received=");
                push_address(text.0, source.ip());
            });
        }
        self
    }

    /// The changed message.
    pub fn finish(mut self) -> Bytes {
        // Stable: changes to one place keep their order. An insertion goes before a removal that begins there.
        self.splices.sort_by_key(|splice| (splice.old.0, splice.old.1 > splice.old.0));
        let old = &self.message.bytes()[..self.message.body.1 as usize];
        let mut new = Vec::with_capacity(old.len() + self.text.len());
        let mut at = 0;
        for splice in &self.splices {
            let (begin, end) = (splice.old.0 as usize, splice.old.1 as usize);
            new.extend_from_slice(&old[at.min(begin)..begin]);
            new.extend_from_slice(&self.text.as_bytes()[splice.text.0 as usize..splice.text.1 as usize]);
            at = at.max(end);
        }
        new.extend_from_slice(&old[at..]);
        Bytes::from(new)
    }

    fn slots(&self, name: HeaderName) -> impl Iterator<Item = &'m Slot> + use<'m> {
        self.message.slots_of(name)
    }

    /// From the beginning of a field's name to the beginning of what follows the field.
    fn line_of(&self, slot: &Slot) -> Span {
        let next = self.message.slots.iter().map(|other| other.line).find(|line| *line > slot.line);
        (slot.line, next.unwrap_or(self.message.head_end))
    }

    fn splice(&mut self, old: Span, write: impl FnOnce(&mut Clean<'_>)) {
        let begin = self.text.len() as u32;
        write(&mut Clean(&mut self.text));
        self.splices.push(Splice { old, text: (begin, self.text.len() as u32) });
    }
}

/// What the server transport has to add to a request's topmost Via, and where.
pub(crate) struct ViaStamp {
    /// Behind the name of an rport without a value.
    pub(crate) rport_at: Option<u16>,
    /// Whether `received` is called for.
    pub(crate) received: bool,
    /// Behind the Via's value.
    pub(crate) end: u16,
}

impl ViaStamp {
    pub(crate) fn of(request: &Message, source: SocketAddr) -> Option<ViaStamp> {
        let value = request.values(HeaderName::Via).next()?;
        let via = crate::Via::parse(value).ok()?;
        let (mut rport_at, mut has_received) = (None, false);
        for (name, value) in via.params.iter() {
            if rport_at.is_none() && name.eq_ignore_ascii_case("rport") && value.is_none_or(str::is_empty) {
                rport_at = Some((request.offset_of(name) + name.len()) as u16);
            }
            has_received |= name.eq_ignore_ascii_case("received");
        }
        let received =
            !(has_received && via.received().is_some()) && (rport_at.is_some() || via.host.ip() != Some(source.ip()));
        Some(ViaStamp { rport_at, received, end: (request.offset_of(value) + value.len()) as u16 })
    }
}

/// Text in which a line break becomes a space, and in values of ours a NUL too.
pub(crate) struct Clean<'a>(pub(crate) &'a mut String);

impl Clean<'_> {
    pub(crate) fn value(&mut self, value: impl Display) {
        let _ = write!(self, "{value}"); // writing to a String cannot fail
    }

    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        self.text(name);
        self.0.push_str(": ");
        self.value(value);
        self.0.push_str("\r\n");
    }

    /// A field whose value is text already: most of a reply, so it does without the formatting machinery.
    pub(crate) fn copy(&mut self, message: &Message, name: &str, value: &str) {
        self.0.push_str(name);
        self.0.push_str(": ");
        self.copy_text(message, value);
        self.0.push_str("\r\n");
    }

    /// A field of ours whose value is text already.
    pub(crate) fn own_field(&mut self, name: &str, value: &str) {
        self.0.push_str(name);
        self.0.push_str(": ");
        self.own(value);
        self.0.push_str("\r\n");
    }

    /// Text of ours.
    pub(crate) fn own(&mut self, text: &str) {
        let _ = self.write_str(text); // writing to a String cannot fail
    }

    /// A piece of a message.
    pub(crate) fn copy_text(&mut self, message: &Message, text: &str) {
        if message.unfolded { self.0.push_str(text) } else { self.text(text) }
    }

    /// What stood in a message before: a NUL in it is a quoted-pair's, and stays.
    pub(crate) fn text(&mut self, text: &str) {
        if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
            self.0.push_str(text);
        } else {
            self.0.push_str(&text.replace(['\r', '\n'], " "));
        }
    }
}

impl Write for Clean<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if memchr::memchr3(b'\r', b'\n', 0, text.as_bytes()).is_none() {
            self.0.push_str(text);
        } else {
            self.0.push_str(&text.replace(['\r', '\n', '\0'], " "));
        }
        Ok(())
    }
}
