use crate::{
    AuthValue, BadValue, Contacts, HeaderName, Message, Method, NameAddr, Part, RetryAfter, Scheme, SessionExpires,
    SessionId, Uri, Via,
};
use bytes::Bytes;
use std::net::SocketAddr;

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
    /// The status that a server owes to such a request: 400, 501 or 505 for one that is malformed; 416, 420 or, from a registrar, 400
    /// for one that is well-formed and asks for what we do not know; `None` for a good message and for one that must be dropped.
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
            let reply = malformed.reply(SocketAddr::from(([192, 0, 2, 1], 5060)));
            Verdict {
                valid: false,
                error: Some(malformed.defect.reason().to_owned()),
                offset: Some(malformed.offset),
                response: reply.and(malformed.defect.status()),
                ..known.unwrap_or(nothing)
            }
        }
        Ok(message) => {
            let verdict = describe(&message);
            match message.check() {
                Ok(()) => verdict,
                Err(finding) => {
                    let owed = message.is_request() && message.method() != Method::Ack;
                    Verdict {
                        valid: finding.well_formed,
                        error: Some(finding.what.0.to_owned()),
                        offset: Some(finding.offset),
                        response: owed.then_some(finding.status),
                        ..verdict
                    }
                }
            }
        }
    }
}

/// Something that is answered with a failure.
struct Finding {
    /// Where, in bytes of the message.
    offset: usize,
    what: BadValue,
    /// The status that it earns.
    status: u16,
    /// A scheme or an extension that we do not know is refused, but it is no fault of form.
    well_formed: bool,
}

impl Message {
    /// Parses every value that we know how to parse and finds what comes first: faults of form, then what we must refuse.
    fn check(&self) -> Result<(), Finding> {
        let bad =
            |place: &str, what, status| Finding { offset: self.offset_of(place), what, status, well_formed: false };
        let uri = self.request_uri();
        let cseq = self.cseq().map_err(|what| bad(self.header(HeaderName::CSeq).unwrap_or(""), what, 400))?;
        if self.is_request() && cseq.method_text != self.method_text() {
            // RFC 4475 section 3.1.2.18: an unknown method is that in the first place.
            let status = if self.method() == Method::Other { 501 } else { 400 };
            return Err(bad(cseq.method_text, BadValue("CSeq names another method than the request line"), status));
        }
        let parsed = self.is_request().then(|| Uri::parse(uri)).transpose().map_err(|what| bad(uri, what, 400))?;
        if parsed.is_some_and(|uri| !uri.headers.is_empty()) {
            return Err(bad(uri, BadValue("Request-URI has header fields in it"), 400)); // RFC 3261 section 19.1.1, table 1
        }
        for field in self.all_fields() {
            self.check_field(field.name, field.value).map_err(|what| bad(field.value, what, 400))?;
        }
        let refused = |place: &str, text, status| Finding { well_formed: true, ..bad(place, BadValue(text), status) };
        if parsed.is_some_and(|uri| matches!(uri.scheme, Scheme::Other(_))) {
            return Err(refused(uri, "URI scheme is unknown", 416));
        }
        for name in [HeaderName::Require, HeaderName::ProxyRequire] {
            if let Some(value) = self.values(name).find(|tag| !KNOWN_OPTIONS.contains(tag)) {
                return Err(refused(value, "extension is not supported", 420));
            }
        }
        if self.is_request()
            && self.method() == Method::Register
            && let Ok(to) = self.to()
            && to.uri_parsed().is_ok_and(|uri| !matches!(uri.scheme, Scheme::Sip | Scheme::Sips))
        {
            return Err(refused(to.uri, "To of a REGISTER is no SIP URI", 400)); // RFC 3261 section 10.2
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
            HeaderName::PAssertedIdentity | HeaderName::PPreferredIdentity | HeaderName::HistoryInfo => {
                crate::message::split_commas(value).try_for_each(check_address)
            }
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
            HeaderName::MaxBreadth => number("Max-Breadth is not a number"),
            HeaderName::MinSe => self.min_se().transpose().map(|_| ()),
            HeaderName::SessionExpires => SessionExpires::parse(value).map(|_| ()),
            HeaderName::SessionId => SessionId::parse(value).map(|_| ()),
            HeaderName::RetryAfter => RetryAfter::parse(value).map(|_| ()),
            HeaderName::ContentType if value.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/")) => {
                Part::all(value, self.body()).map(|_| ())
            }
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
