//! The responses that we send.

use crate::wording::{session_description, write_decimal};
use bytes::Bytes;
use sip_message::{HeaderName, Message};
use std::net::SocketAddr;

/// Writes responses for one run.
pub(crate) struct Answers {
    /// The tag that makes a To without one ours; it is the same in all calls, whose Call-IDs differ.
    tag: String,
    /// The fields and the body of a 200 to an INVITE, from its Contact on.
    accepting: Vec<u8>,
    scratch: Vec<u8>,
}

impl Answers {
    /// The callee is to be reached at `callees`.
    pub(crate) fn new(run: &str, callees: SocketAddr) -> Answers {
        let body = session_description(callees.ip(), 40_002);
        let mut accepting = format!(
            "Contact: <sip:callee@{callees}>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\nSupported: replaces\r\n\
             Content-Type: application/sdp\r\nContent-Length: "
        )
        .into_bytes();
        write_decimal(body.len() as u32, &mut accepting);
        accepting.extend_from_slice(b"\r\n\r\n");
        accepting.extend_from_slice(body.as_bytes());
        Answers { tag: format!("{run}u"), accepting, scratch: Vec::with_capacity(2048) }
    }

    /// 180 to an INVITE.
    pub(crate) fn ringing(&mut self, invite: &Message) -> Bytes {
        self.head(invite, "180 Ringing");
        self.scratch.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        Bytes::copy_from_slice(&self.scratch)
    }

    /// 200 to an INVITE.
    pub(crate) fn accepted(&mut self, invite: &Message) -> Bytes {
        self.head(invite, "200 OK");
        self.scratch.extend_from_slice(&self.accepting);
        Bytes::copy_from_slice(&self.scratch)
    }

    /// A final response without a body.
    pub(crate) fn plain(&mut self, request: &Message, status_line: &str) -> Bytes {
        self.head(request, status_line);
        self.scratch.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        Bytes::copy_from_slice(&self.scratch)
    }

    /// The status line and what is copied from the request (RFC 3261 sections 8.2.6.2 and 12.1.1).
    fn head(&mut self, request: &Message, status_line: &str) {
        let out = &mut self.scratch;
        out.clear();
        out.extend_from_slice(b"SIP/2.0 ");
        out.extend_from_slice(status_line.as_bytes());
        out.extend_from_slice(b"\r\n");
        for field in request.all_fields() {
            let copied = matches!(
                field.name,
                HeaderName::Via
                    | HeaderName::RecordRoute
                    | HeaderName::From
                    | HeaderName::To
                    | HeaderName::CallId
                    | HeaderName::CSeq
            );
            if !copied {
                continue;
            }
            out.extend_from_slice(field.name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(field.value.as_bytes());
            if field.name == HeaderName::To && request.to_tag().is_none() {
                out.extend_from_slice(b";tag=");
                out.extend_from_slice(self.tag.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}
