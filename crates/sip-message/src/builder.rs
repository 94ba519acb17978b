use crate::edit::{Clean, ViaStamp};
use crate::text::{push_address, push_number};
use crate::{HeaderName, Message, Method, reason_phrase};
use bytes::Bytes;
use std::fmt::Display;
use std::net::SocketAddr;

/// A message made from nothing, or a response made from its request.
///
/// Fields come out in the order they were given, Content-Length last. CR and LF in values become spaces, so that no value
/// can smuggle in a field.
#[must_use]
pub struct Builder {
    /// The start line and the fields.
    text: String,
    /// Where the fields begin.
    fields_at: usize,
    /// Where a To tag goes, when To has none.
    tag_at: Option<usize>,
    body: Vec<u8>,
}

/// Bytes of a start line and fields for which room is made at once.
const TEXT_USUAL: usize = 768;

/// Where a Reason-Phrase begins.
const STATUS_LINE_PHRASE: usize = "SIP/2.0 200 ".len();

impl Builder {
    /// A request without fields.
    pub fn request(method: &str, uri: impl Display) -> Builder {
        let mut text = String::with_capacity(TEXT_USUAL);
        Clean(&mut text).value(format_args!("{method} {uri} SIP/2.0"));
        Builder::of_start_line(text)
    }

    fn of_start_line(mut text: String) -> Builder {
        text.push_str("\r\n");
        Builder { fields_at: text.len(), text, tag_at: None, body: Vec::new() }
    }

    /// A response to `request`, which came from `source`: Via (with `received` and `rport` as RFC 3261 section 18.2.1 and
    /// RFC 3581 have them), From, To, Call-ID and CSeq are copied (section 8.2.6.2), and Record-Route where a dialog may come of it
    /// (section 12.1.1), which a REGISTER makes none (section 10.3); a 100 gives Timestamp back (section 8.2.6.1). The Reason-Phrase is the
    /// usual one.
    pub fn reply(request: &Message, status: u16, source: SocketAddr) -> Builder {
        let mut text = String::with_capacity(TEXT_USUAL);
        text.push_str("SIP/2.0 ");
        push_number(&mut text, status.into());
        text.push(' ');
        text.push_str(reason_phrase(status));
        let mut builder = Builder::of_start_line(text);
        builder.copy_vias(request, source);
        if (101..300).contains(&status) && request.method() != Method::Register {
            for value in request.fields(HeaderName::RecordRoute) {
                Clean(&mut builder.text).copy(request, "Record-Route", value);
            }
        }
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            let Some(value) = request.header(name) else { continue };
            Clean(&mut builder.text).copy(request, name.as_str(), value);
            if name == HeaderName::To && request.to_tag().is_none() {
                builder.tag_at = Some(builder.text.len() - 2);
            }
        }
        if let Some(sent_at) = request.header(HeaderName::Timestamp).filter(|_| status == 100) {
            Clean(&mut builder.text).copy(request, "Timestamp", sent_at);
        }
        builder
    }

    fn copy_vias(&mut self, request: &Message, source: SocketAddr) {
        let stamp = ViaStamp::of(request, source);
        let mut text = Clean(&mut self.text);
        for (nth, value) in request.fields(HeaderName::Via).enumerate() {
            let Some(stamp) = stamp.as_ref().filter(|_| nth == 0) else {
                text.copy(request, "Via", value);
                continue;
            };
            let begin = request.offset_of(value);
            let end = stamp.end as usize - begin;
            let rport = stamp.rport_at.map_or(end, |at| at as usize - begin);
            text.0.push_str("Via: ");
            text.copy_text(request, &value[..rport]);
            if stamp.rport_at.is_some() {
                text.0.push('=');
                push_number(text.0, source.port().into());
            }
            text.copy_text(request, &value[rport..end]);
            if stamp.received {
                text.0.push_str(";received=");
                push_address(text.0, source.ip());
            }
            text.copy_text(request, &value[end..]);
            text.0.push_str("\r\n");
        }
    }

    /// Another Reason-Phrase than the usual one of a response.
    pub fn reason(mut self, phrase: &str) -> Builder {
        if self.text.get(STATUS_LINE_PHRASE..self.fields_at - 2) == Some(phrase) {
            return self;
        }
        let mut start = String::with_capacity(64);
        start.push_str(self.text.get(..STATUS_LINE_PHRASE).unwrap_or("")); // the caller's own
        Clean(&mut start).own(phrase);
        start.push_str("\r\n");
        self.text.replace_range(..self.fields_at, &start);
        self.tag_at = self.tag_at.map(|at| at + start.len() - self.fields_at);
        self.fields_at = start.len();
        self
    }

    /// A field that we know.
    pub fn header(mut self, name: HeaderName, value: impl Display) -> Builder {
        Clean(&mut self.text).field(name.as_str(), value);
        self
    }

    /// The same for a value that is text already, without the formatting machinery.
    pub fn header_text(mut self, name: HeaderName, value: &str) -> Builder {
        Clean(&mut self.text).own_field(name.as_str(), value);
        self
    }

    /// A field by its name.
    pub fn field(mut self, name: &str, value: impl Display) -> Builder {
        Clean(&mut self.text).field(name, value);
        self
    }

    /// The tag that To gets, when the request's To has none. A 100 gets none (RFC 3261 section 8.2.6.2 lets it).
    pub fn to_tag(mut self, tag: &str) -> Builder {
        if let Some(at) = self.tag_at.take() {
            self.text.insert_str(at, tag);
            self.text.insert_str(at, ";tag=");
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
    pub fn finish(mut self) -> Bytes {
        self.text.push_str("Content-Length: ");
        push_number(&mut self.text, self.body.len() as u64);
        self.text.push_str("\r\n\r\n");
        // A response is kept for half a minute: no byte more than it has.
        let mut bytes = Vec::with_capacity(self.text.len() + self.body.len());
        bytes.extend_from_slice(self.text.as_bytes());
        bytes.extend_from_slice(&self.body);
        Bytes::from(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Builder;
    use crate::{HeaderName, Message};
    use bytes::Bytes;

    /// RFC 3261 sections 10.3 and 12.1.1.
    #[test]
    fn record_route_is_copied_where_a_dialog_may_come_of_it_and_never_for_a_register() {
        for (method, status, copied) in [
            ("INVITE", 100, false),
            ("INVITE", 180, true),
            ("INVITE", 200, true),
            ("INVITE", 404, false),
            ("SUBSCRIBE", 200, true),
            ("REGISTER", 200, false),
        ] {
            let request = format!(
                "{method} sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nRecord-Route: <sip:p;lr>\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\r\n"
            );
            let request = Message::parse(Bytes::from(request)).unwrap();
            let reply = Builder::reply(&request, status, ([192, 0, 2, 1], 5060).into()).finish();
            let reply = Message::parse(reply).unwrap();
            assert_eq!(reply.header(HeaderName::RecordRoute).is_some(), copied, "{status} to {method}");
        }
    }

    /// Section 8.2.6.1.
    #[test]
    fn a_100_gives_the_timestamp_back() {
        let request = "INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTimestamp: 54.1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
        let request = Message::parse(Bytes::from(request)).unwrap();
        for (status, given) in [(100, Some("54.1")), (180, None), (200, None)] {
            let reply = Builder::reply(&request, status, ([192, 0, 2, 1], 5060).into()).finish();
            assert_eq!(Message::parse(reply).unwrap().header(HeaderName::Timestamp), given, "{status}");
        }
    }
}
