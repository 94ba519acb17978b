use crate::reading::{as_request_uri, is_loose};
use bytes::Bytes;
use sip_message::{Builder, HeaderName, NameAddr};
use sip_transaction::Flow;
use std::fmt::Display;

/// A BYE into one dialog, to one of its ends in the name of the other (RFC 3261 section 15.1.1). It wants a Via before it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bye {
    /// The flow that reaches this end.
    pub flow: Flow,
    /// The Call-ID of its dialog.
    pub call_id: Box<str>,
    pub(crate) from: Box<str>,
    pub(crate) to: Box<str>,
    pub(crate) cseq: u32,
    pub(crate) target: Box<str>,
    pub(crate) routes: Vec<Box<str>>,
    pub(crate) reason: Box<str>,
}

/// Max-Forwards of a request of our own (RFC 3261 section 8.1.1.6).
const MAX_FORWARDS: u8 = 70;

impl Bye {
    /// The whole request with `via` as its only Via: `SIP/2.0/UDP host:port;branch=...`.
    pub fn with_via(&self, via: impl Display) -> Bytes {
        let first = self.routes.first().and_then(|route| NameAddr::parse(route).ok());
        // Section 12.2.1.1: a strict router takes the place of the Request-URI, which goes to the end of the route.
        let strict = first.filter(|first| !is_loose(first));
        let uri = as_request_uri(strict.as_ref().map_or(&self.target, |router| router.uri));
        let mut builder = Builder::request("BYE", uri).header(HeaderName::Via, via);
        for route in self.routes.iter().skip(usize::from(strict.is_some())) {
            builder = builder.header(HeaderName::Route, route);
        }
        if strict.is_some() {
            builder = builder.header(HeaderName::Route, format_args!("<{}>", self.target));
        }
        builder = builder
            .header(HeaderName::MaxForwards, MAX_FORWARDS)
            .header(HeaderName::From, &self.from)
            .header(HeaderName::To, &self.to)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{} BYE", self.cseq));
        if !self.reason.is_empty() {
            builder = builder.header(HeaderName::Reason, &self.reason);
        }
        builder.finish()
    }
}
