use crate::RegistrationId;
use bytes::Bytes;
use sip_auth::Credentials;
use sip_message::{HeaderName, Message, Transport};
use std::net::SocketAddr;
use std::time::Duration;

/// What a [`UserAgent`](crate::UserAgent) is told at its birth.
#[derive(Debug, Clone)]
pub struct Config {
    /// The product, for User-Agent and Server.
    pub product: String,
    /// The Content-Type that an INVITE may carry and that answers come in; any other earns a 415.
    pub accept: &'static str,
    /// How many calls may be there at once, whoever began them: one more from outside earns a 486. At most [`CALLS_MAX`](crate::CALLS_MAX).
    pub calls_max: usize,
    /// T1 of RFC 3261 section 17: must be the transaction layer's.
    pub t1: Duration,
    /// T2, likewise.
    pub t2: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            product: "Ringback".to_owned(),
            accept: "application/sdp",
            calls_max: crate::CALLS_MAX,
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
        }
    }
}

/// Who we say we are in a request, and how we prove it when challenged.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The URI of From: an address-of-record such as `sip:alice@example.org`. Without one, From has the contact user at the
    /// address that the request is sent from.
    pub uri: Option<String>,
    /// The name shown to people, unquoted.
    pub display: Option<String>,
    /// The user part of our Contact.
    pub contact_user: String,
    /// The answer to a 401 or 407; without, such a response is final.
    pub credentials: Option<Credentials>,
}

impl Identity {
    /// The value of From without a tag, in a request sent from `local`.
    pub(crate) fn name_addr(&self, local: Option<SocketAddr>) -> String {
        let uri = match (&self.uri, local) {
            (Some(uri), _) => uri.clone(),
            (None, Some(local)) => format!("sip:{}@{local}", self.contact_user),
            (None, None) => format!("sip:{}@anonymous.invalid", self.contact_user),
        };
        match &self.display {
            Some(display) => format!("\"{}\" <{uri}>", display.replace('\\', "\\\\").replace('"', "\\\"")),
            None => format!("<{uri}>"),
        }
    }
}

/// Which way a request outside of a dialog leaves (RFC 3261 section 8.1.2).
#[derive(Debug, Clone)]
pub enum Route {
    /// To where its Request-URI leads. The transport counts when the URI names none.
    Uri(Option<Transport>),
    /// To this proxy (a SIP URI), whatever the Request-URI says.
    Proxy(String),
    /// Over the very flow that a registration uses; while it has none, the way of its account ([`Account::route`](crate::Account::route)).
    Registration(RegistrationId),
}

/// A message body, which only the parent understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its Content-Type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Body {
    /// The body of `message`, `None` when it is empty.
    pub fn of(message: &Message) -> Option<Body> {
        let bytes = message.body();
        if bytes.is_empty() {
            return None;
        }
        let content_type = message.header(HeaderName::ContentType).unwrap_or_default().to_owned();
        Some(Body { content_type, bytes: message.bytes().slice_ref(bytes) })
    }

    /// Whether its Content-Type is `media_type`, parameters aside.
    pub fn is(&self, media_type: &str) -> bool {
        self.content_type.split(';').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(media_type))
    }
}
