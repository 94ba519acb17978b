//! What the exchange says in its own name, to whoever asks: nothing is kept for it, and it is said once for each time it is asked
//! (RFC 3261 sections 8.2.7 and 26.3.2.4).

use crate::Server;
use crate::identity::demands_too_much;
use engine::Now;
use sip_auth::Kind;
use sip_message::{Builder, HeaderName, Message, Method, Transport};
use sip_proxy::{Checked, validate};
use sip_transaction::{Packet, stateless_reply_flow};

/// Methods that the exchange itself or its users may answer.
const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK, PUBLISH";

/// Extensions that the registrar and the proxy have.
const SUPPORTED: &str = "path, outbound, gruu";

/// Seconds that a session must at least last before it is refreshed (RFC 4028 section 5): what asks for less gets 422.
pub const MIN_SE_S: u32 = 90;

/// Bytes that all challenges in one datagram may have together: it goes to whoever a stranger has said to be, and must be hardly longer than
/// what they have sent.
const CHALLENGE_BYTES_MAX: usize = 290;

/// Seconds after which to try again while we have too much to do, or whom we ask does not answer.
pub(crate) const RETRY_AFTER_S: u32 = 10;

impl Server {
    /// What a request says, or the answer to one that goes no further whoever sends it: what a proxy must not forward (RFC 3261 section
    /// 16.3), what is new while we have too much to do already, what asks for more than there is.
    pub(crate) fn check<'m>(&self, packet: &'m Packet) -> Result<Checked<'m>, Builder> {
        let request = &packet.message;
        let checked = validate(request, self.config.tls).map_err(|refused| {
            let mut reply = self.reply(packet, refused.status());
            if let Some(reason) = refused.reason() {
                reply = reply.reason(reason);
            }
            if let Some(tags) = request.header(HeaderName::ProxyRequire).filter(|_| refused.status() == 420) {
                reply = reply.header(HeaderName::Unsupported, tags);
            }
            reply
        })?;
        if self.draining && request.method() == Method::Invite && request.to_tag().is_none() {
            return Err(self.reply(packet, 503).header(HeaderName::RetryAfter, RETRY_AFTER_S));
        }
        if self.overloaded && !self.look_at(packet, Some(checked)).preprocessed.in_known_dialog() {
            // What is newest is refused first: calls in progress go on (RFC 7339 section 5.4 in spirit).
            return Err(self.reply(packet, 503).header(HeaderName::RetryAfter, RETRY_AFTER_S));
        }
        if request.to_tag().is_none() && demands_too_much(request) {
            return Err(self.reply(packet, 500).reason("Privacy service not available"));
        }
        let lasts = request.session_expires().filter(|_| is_session(request)).and_then(Result::ok);
        // Who does not know the extension could do nothing with a refusal (RFC 4028 section 8.1).
        let knows = || request.values(HeaderName::Supported).any(|tag| tag.eq_ignore_ascii_case("timer"));
        if lasts.is_some_and(|session| session.interval_s < MIN_SE_S) && knows() {
            return Err(self.reply(packet, 422).header(HeaderName::MinSe, MIN_SE_S));
        }
        Ok(checked)
    }

    /// The exchange itself takes questions only, from anybody.
    pub(crate) fn answer_for_exchange(&mut self, packet: &Packet) {
        let request = &packet.message;
        let required = request.values(HeaderName::Require).filter(|tag| !tag.is_empty());
        let unknown: Vec<&str> = required.filter(|tag| !SUPPORTED.split(", ").any(|own| own == *tag)).collect();
        let reply = match request.method() {
            _ if !unknown.is_empty() => self.reply(packet, 420).header(HeaderName::Unsupported, unknown.join(", ")),
            Method::Options => self
                .reply(packet, 200)
                .header(HeaderName::Allow, ALLOW)
                .header(HeaderName::Accept, "application/sdp")
                .header(HeaderName::Supported, SUPPORTED),
            Method::Other => self.reply(packet, 501).header(HeaderName::Allow, ALLOW),
            _ => self.reply(packet, 404),
        };
        self.reply_stateless(packet, reply);
    }

    pub(crate) fn challenge(&mut self, now: Now, packet: &Packet, kind: Kind, stale: bool) {
        let mut values = self.authenticator.challenge(now, packet.flow.remote.ip(), stale);
        let room = if packet.flow.transport == Transport::Udp { CHALLENGE_BYTES_MAX } else { usize::MAX };
        while values.len() > 1 && values.iter().map(String::len).sum::<usize>() > room {
            // Not the best, and not the last, which is what every phone can do.
            values.remove((values.len() - 1).min(1));
        }
        let mut reply = self.reply(packet, kind.status());
        for value in values {
            reply = reply.header(kind.challenge_field(), value);
        }
        self.reply_stateless(packet, reply);
    }

    /// A response of our own.
    pub(crate) fn reply(&self, packet: &Packet, status: u16) -> Builder {
        self.layer.reply(packet, status)
    }

    /// To anything but an ACK, which nobody answers.
    pub(crate) fn reply_stateless(&mut self, packet: &Packet, reply: Builder) {
        if packet.message.method() != Method::Ack {
            self.layer.send(stateless_reply_flow(packet.flow, &packet.message), reply.finish());
        }
    }
}

fn is_session(request: &Message) -> bool {
    matches!(request.method(), Method::Invite | Method::Update)
}
