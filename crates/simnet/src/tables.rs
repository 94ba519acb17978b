use bytes::Bytes;
use sip_message::{HeaderName, Message};
use sip_transaction::Flow;
use std::collections::BTreeSet;

/// What the header tables (RFC 3261 section 20) say about what a server or phone sends. It may pass on what is wrong with what came,
/// in the request or response or in an answer to it; what it does wrong by itself fails the test.
#[derive(Default)]
pub(crate) struct Tables {
    /// Call-ID, field, and whether it was missing, of what was wrong with what came.
    came: BTreeSet<(String, HeaderName, bool)>,
    /// Whether something came that is no message, so that an answer to it may be none either.
    nonsense: bool,
}

impl Tables {
    pub(crate) fn comes(&mut self, flow: Flow, bytes: &Bytes) {
        match Message::parse(bytes.clone()) {
            Ok(message) => {
                for violation in message.violations(flow.transport.reliable()) {
                    self.came.insert((message.call_id().to_owned(), violation.name, violation.missing));
                }
            }
            Err(_) => self.nonsense = true,
        }
    }

    pub(crate) fn leaves(&self, flow: Flow, bytes: &Bytes) {
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            return; // a keep-alive
        }
        let text = String::from_utf8_lossy(bytes);
        let message = match Message::parse(bytes.clone()) {
            Ok(message) => message,
            Err(malformed) => {
                assert!(self.nonsense && text.starts_with("SIP/2.0 "), "{malformed} in what is sent:\n{text}");
                return;
            }
        };
        for violation in message.violations(flow.transport.reliable()) {
            let came = self.came.contains(&(message.call_id().to_owned(), violation.name, violation.missing));
            assert!(came, "{violation}:\n{text}");
        }
    }
}
