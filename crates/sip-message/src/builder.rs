use crate::edit::{Clean, ViaStamp};
use crate::{HeaderName, Message, reason_phrase};
use bytes::Bytes;
use std::fmt::Display;
use std::net::SocketAddr;

/// A message made from nothing, or a response made from its request.
///
/// Fields come out in the order they were given, Content-Length last. CR and LF in values become spaces, so that no value
/// can smuggle in a field.
#[must_use]
pub struct Builder {
    start: String,
    fields: String,
    /// Where a To tag goes into `fields`, when To has none.
    tag_at: Option<usize>,
    body: Vec<u8>,
}

impl Builder {
    /// A request without fields.
    pub fn request(method: &str, uri: impl Display) -> Builder {
        let mut start = String::with_capacity(64);
        Clean(&mut start).value(format_args!("{method} {uri} SIP/2.0"));
        Builder { start, fields: String::with_capacity(512), tag_at: None, body: Vec::new() }
    }

    /// A response to `request`, which came from `source`: Via (with `received` and `rport` as RFC 3261 section 18.2.1 and
    /// RFC 3581 have them), From, To, Call-ID and CSeq are copied (section 8.2.6.2), and Record-Route where a dialog may come of it
    /// (section 12.1.1). The Reason-Phrase is the usual one.
    pub fn reply(request: &Message, status: u16, source: SocketAddr) -> Builder {
        let mut start = String::with_capacity(48);
        Clean(&mut start).value(format_args!("SIP/2.0 {status} {}", reason_phrase(status)));
        let mut builder = Builder { start, fields: String::with_capacity(512), tag_at: None, body: Vec::new() };
        builder.copy_vias(request, source);
        if (101..300).contains(&status) {
            for value in request.fields(HeaderName::RecordRoute) {
                Clean(&mut builder.fields).copy("Record-Route", value);
            }
        }
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            let Some(value) = request.header(name) else { continue };
            Clean(&mut builder.fields).copy(name.as_str(), value);
            if name == HeaderName::To && request.to_tag().is_none() {
                builder.tag_at = Some(builder.fields.len() - 2);
            }
        }
        builder
    }

    fn copy_vias(&mut self, request: &Message, source: SocketAddr) {
        let stamp = ViaStamp::of(request, source);
        let mut text = Clean(&mut self.fields);
        for (nth, value) in request.fields(HeaderName::Via).enumerate() {
            let Some(stamp) = stamp.as_ref().filter(|_| nth == 0) else {
                text.copy("Via", value);
                continue;
            };
            let begin = request.offset_of(value);
            let end = stamp.end as usize - begin;
            let rport = stamp.rport_at.map_or(end, |at| at as usize - begin);
            text.text("Via: ");
            text.text(&value[..rport]);
            if stamp.rport_at.is_some() {
                text.value(format_args!("={}", source.port()));
            }
            text.text(&value[rport..end]);
            if stamp.received {
                text.value(format_args!(";received={}", source.ip()));
            }
            text.text(&value[end..]);
            text.0.push_str("\r\n");
        }
    }

    /// Another Reason-Phrase than the usual one of a response.
    pub fn reason(mut self, phrase: &str) -> Builder {
        self.start.truncate("SIP/2.0 200 ".len());
        Clean(&mut self.start).value(phrase);
        self
    }

    /// A field that we know.
    pub fn header(mut self, name: HeaderName, value: impl Display) -> Builder {
        Clean(&mut self.fields).field(name.as_str(), value);
        self
    }

    /// A field by its name.
    pub fn field(mut self, name: &str, value: impl Display) -> Builder {
        Clean(&mut self.fields).field(name, value);
        self
    }

    /// The tag that To gets, when the request's To has none. A 100 gets none (RFC 3261 section 8.2.6.2 lets it).
    pub fn to_tag(mut self, tag: &str) -> Builder {
        if let Some(at) = self.tag_at.take() {
            self.fields.insert_str(at, tag);
            self.fields.insert_str(at, ";tag=");
        }
        self
    }

    /// The body and its Content-Type.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Builder {
        self = self.header(HeaderName::ContentType, content_type);
        self.body = body.to_vec();
        self
    }

    /// The message's bytes.
    pub fn finish(self) -> Bytes {
        let mut bytes = self.start.into_bytes();
        bytes.reserve_exact(self.fields.len() + self.body.len() + 32);
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.fields.as_bytes());
        bytes.extend_from_slice(b"Content-Length: ");
        bytes.extend_from_slice(self.body.len().to_string().as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        Bytes::from(bytes)
    }
}
