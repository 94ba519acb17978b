use engine::Now;
use net::{Direction, Tap};
use sip_message::{HeaderName, Message, without_secrets};
use sip_transaction::Flow;
use std::sync::Arc;
use tracing::{Level, debug, enabled, info};

/// Somebody who logs every SIP message that passes: a line with `-v`, all of it with `-vv`. `None` where nobody wants to see them.
pub(crate) fn tap() -> Option<Arc<dyn Tap>> {
    enabled!(Level::INFO).then(|| Arc::new(Trace) as Arc<dyn Tap>)
}

struct Trace;

impl Tap for Trace {
    fn handle_message(&self, _now: Now, flow: &Flow, direction: Direction, bytes: &[u8]) {
        let (word, arrow) = match direction {
            Direction::Received => ("from", "<-"),
            Direction::Sent => ("to", "->"),
        };
        let (transport, remote) = (flow.transport.as_str(), flow.remote);
        info!("{arrow} {} {word} {remote} over {transport}{}", summary(bytes), session(bytes));
        debug!("{arrow} {} bytes {word} {remote} over {transport}\n{}", bytes.len(), without_secrets(bytes));
    }
}

/// What a message is, in a few words.
fn summary(bytes: &[u8]) -> String {
    match Message::parse(bytes.to_vec().into()) {
        Ok(message) if message.is_request() => format!("{} {}", message.method_text(), message.request_uri()),
        Ok(message) => format!("{} {} ({})", message.status(), message.reason(), message.method_text()),
        Err(_) if bytes.iter().all(|byte| byte.is_ascii_whitespace()) => "keep-alive".to_owned(),
        Err(malformed) => format!("what is no SIP message ({malformed})"),
    }
}

/// The session that a message belongs to, whoever else on its way logs it (RFC 7989), when it says so.
fn session(bytes: &[u8]) -> String {
    let message = Message::parse(bytes.to_vec().into()).ok();
    let id = message.as_ref().and_then(|message| message.header(HeaderName::SessionId));
    id.map_or(String::new(), |id| format!(", session {id}"))
}

#[cfg(test)]
mod tests {
    use super::{session, summary};

    #[test]
    fn messages_in_a_few_words() {
        let rest = "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\n\
                    CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            summary(format!("INVITE sip:b@b SIP/2.0\r\nMax-Forwards: 70\r\n{rest}").as_bytes()),
            "INVITE sip:b@b"
        );
        assert_eq!(summary(format!("SIP/2.0 486 Busy Here\r\n{rest}").as_bytes()), "486 Busy Here (INVITE)");
        let with_session = format!("SIP/2.0 200 OK\r\nSession-ID: ab;remote=cd\r\n{rest}");
        assert_eq!(session(with_session.as_bytes()), ", session ab;remote=cd");
        assert_eq!(session(b"\r\n\r\n"), "");
        assert_eq!(summary(b"\r\n\r\n"), "keep-alive");
        assert!(summary(b"nonsense").starts_with("what is no SIP message"));
    }
}
