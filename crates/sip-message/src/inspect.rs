use crate::{AuthValue, BadValue, Contacts, HeaderName, Message, NameAddr, Scheme, Uri, Via};
use bytes::Bytes;

/// What [`inspect`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is a well-formed SIP message in all that we know how to read.
    pub valid: bool,
    /// "request", "response", or "" when not even that could be told.
    pub kind: &'static str,
    /// The method of a request.
    pub method: Option<String>,
    /// The status code of a response.
    pub status: Option<u16>,
    /// What is wrong.
    pub error: Option<String>,
    /// Where, in bytes from the beginning.
    pub offset: Option<usize>,
    /// The status that a server owes to such a request: 400 or 505 for one that is malformed, 416 or 420 for one that asks for what
    /// we do not know; `None` for a good message and for one that must be dropped.
    pub response: Option<u16>,
}

/// The option tags of Require that some part of a Ringback knows.
const KNOWN_OPTIONS: [&str; 6] = ["100rel", "timer", "replaces", "path", "outbound", "gruu"];

/// Reads every field of a message that we know how to read, and says whether all of them are what their grammar says.
///
/// A proxy is more lenient: it reads only what it needs for its work.
pub fn inspect(bytes: &[u8]) -> Verdict {
    let describe = |message: &Message| Verdict {
        valid: true,
        kind: if message.is_request() { "request" } else { "response" },
        method: message.is_request().then(|| message.method_text().to_owned()),
        status: (!message.is_request()).then(|| message.status()),
        error: None,
        offset: None,
        response: None,
    };
    match Message::parse(Bytes::copy_from_slice(bytes)) {
        Err(malformed) => {
            let known = malformed.request().map(describe);
            let nothing = Verdict {
                valid: false,
                kind: "",
                method: None,
                status: None,
                error: None,
                offset: None,
                response: None,
            };
            let acked = malformed.request().is_some_and(|request| request.method() == crate::Method::Ack);
            Verdict {
                valid: false,
                error: Some(malformed.defect.reason().to_owned()),
                offset: Some(malformed.offset),
                response: malformed.defect.status().filter(|_| malformed.request().is_some() && !acked),
                ..known.unwrap_or(nothing)
            }
        }
        Ok(message) => {
            let verdict = describe(&message);
            match message.check() {
                Ok(()) => verdict,
                Err((offset, BadValue(text), status)) => {
                    let owed = message.is_request() && message.method() != crate::Method::Ack;
                    // A scheme or an extension that we do not know is refused, but it is no fault of form.
                    Verdict {
                        valid: matches!(status, 416 | 420),
                        error: Some(text.to_owned()),
                        offset: Some(offset),
                        response: owed.then_some(status),
                        ..verdict
                    }
                }
            }
        }
    }
}

impl Message {
    /// Parses every value that we know how to parse; the first bad one is the error: where, what, and the status it earns.
    fn check(&self) -> Result<(), (usize, BadValue, u16)> {
        let at = |value: &str| self.offset_of(value);
        let uri = self.request_uri();
        let parsed = self.is_request().then(|| Uri::parse(uri)).transpose().map_err(|bad| (at(uri), bad, 400))?;
        let cseq = self.cseq().map_err(|bad| (at(self.header(HeaderName::CSeq).unwrap_or("")), bad, 400))?;
        if self.is_request() && cseq.method_text != self.method_text() {
            return Err((at(cseq.method_text), BadValue("CSeq names another method than the request line"), 400));
        }
        for field in self.all_fields() {
            self.check_field(field.name, field.value).map_err(|bad| (at(field.value), bad, 400))?;
        }
        if parsed.is_some_and(|uri| matches!(uri.scheme, Scheme::Other(_))) {
            return Err((at(uri), BadValue("URI scheme is unknown"), 416));
        }
        for name in [HeaderName::Require, HeaderName::ProxyRequire] {
            if let Some(value) = self.values(name).find(|tag| !KNOWN_OPTIONS.contains(tag)) {
                return Err((at(value), BadValue("extension is not supported"), 420));
            }
        }
        Ok(())
    }

    fn check_field(&self, name: HeaderName, value: &str) -> Result<(), BadValue> {
        let number = |text: &'static str| crate::message::seconds(value).map(|_| ()).ok_or(BadValue(text));
        match name {
            HeaderName::Via => crate::message::split_commas(value).try_for_each(|one| {
                let via = Via::parse(one)?;
                if via.params.well_formed() { Ok(()) } else { Err(BadValue("bad parameter in a Via")) }
            }),
            HeaderName::From | HeaderName::To | HeaderName::ReferTo | HeaderName::ReferredBy => check_address(value),
            HeaderName::Contact => match self.contacts()? {
                Contacts::Star => Ok(()),
                Contacts::List(_) => crate::message::split_commas(value).try_for_each(check_address),
            },
            HeaderName::Route | HeaderName::RecordRoute | HeaderName::Path | HeaderName::ServiceRoute => {
                crate::message::split_commas(value).try_for_each(|one| {
                    if one.contains('<') { check_address(one) } else { Err(BadValue("a route needs angle brackets")) }
                })
            }
            HeaderName::CallId if value.is_empty() || value.contains([' ', '\t', ',']) => Err(BadValue("bad Call-ID")),
            HeaderName::MaxForwards => self.max_forwards().map(|_| ()),
            HeaderName::Expires => number("Expires is not a number"),
            HeaderName::MinExpires => number("Min-Expires is not a number"),
            HeaderName::Authorization
            | HeaderName::ProxyAuthorization
            | HeaderName::WwwAuthenticate
            | HeaderName::ProxyAuthenticate => AuthValue::parse(value).map(|_| ()),
            HeaderName::Date if !value.ends_with("GMT") => Err(BadValue("Date is not in GMT")),
            _ => Ok(()),
        }
    }
}

fn check_address(value: &str) -> Result<(), BadValue> {
    let address = NameAddr::parse(value)?;
    address.uri_parsed()?;
    if address.params.well_formed() { Ok(()) } else { Err(BadValue("bad parameter behind an address")) }
}
