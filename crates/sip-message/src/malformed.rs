use crate::{Builder, HeaderName, Message};
use bytes::Bytes;
use std::net::SocketAddr;

/// A header field's value that is not what its grammar says; the text names what is wrong, fit for a Reason-Phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadValue(pub &'static str);

impl std::fmt::Display for BadValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadValue {}

/// What is wrong with a message that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Not SIP at all: nobody is owed an answer.
    NotSip,
    /// A request of another version of SIP.
    Version,
    /// A status line that is none: a response is dropped.
    StatusLine,
    /// Anything else, in words.
    Text(&'static str),
}

impl Defect {
    /// The status that a request with this defect earns; `None` when it is dropped.
    pub fn status(&self) -> Option<u16> {
        match self {
            Defect::NotSip | Defect::StatusLine => None,
            Defect::Version => Some(505),
            Defect::Text(_) => Some(400),
        }
    }

    /// What is wrong, in words fit for a Reason-Phrase.
    pub fn reason(&self) -> &'static str {
        match self {
            Defect::NotSip => "not a SIP message",
            Defect::Version => "SIP version is not 2.0",
            Defect::StatusLine => "bad status line",
            Defect::Text(text) => text,
        }
    }
}

/// Bytes that are no well-formed message, with as much of one as could be read.
#[derive(Debug)]
pub struct Malformed {
    /// What is wrong.
    pub defect: Defect,
    /// Where it was noticed, in bytes from the beginning.
    pub offset: usize,
    /// The fields that could be read, for the answer.
    pub(crate) partial: Option<Box<Message>>,
}

impl Malformed {
    pub(crate) fn at(offset: usize, defect: Defect) -> Malformed {
        Malformed { defect, offset, partial: None }
    }

    /// The response that a request with this defect earns, for the one who sent it from `source`; `None` when it must be
    /// dropped: responses, ACKs, and what has no Via and CSeq to answer to. What else a response copies is copied if it is there
    /// (RFC 4475 section 3.3.1).
    pub fn reply(&self, source: SocketAddr) -> Option<Bytes> {
        let status = self.defect.status()?;
        let request = self.partial.as_ref()?;
        let answerable = request.is_request() && request.method() != crate::Method::Ack;
        if !answerable || request.top_via().is_err() || request.header(HeaderName::CSeq).is_none() {
            return None;
        }
        let reply = Builder::reply(request, status, source).reason(self.defect.reason());
        Some(reply.to_tag("malformed").finish())
    }

    /// The Via of the request, to find where its answer goes.
    pub fn request(&self) -> Option<&Message> {
        self.partial.as_deref()
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.defect.reason(), self.offset)
    }
}

impl std::error::Error for Malformed {}
