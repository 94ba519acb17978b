//! Who may do what: the questions that come before a request gets a transaction, so that a stranger's costs us nothing.

use crate::server::Purpose;
use crate::{Ask, Output, Server};
use engine::Now;
use sip_auth::{Claim, Kind, Secrets, Verdict};
use sip_message::{Builder, HeaderName, Method};
use sip_proxy::{Preprocessed, preprocess, validate};
use sip_transaction::{Packet, RequestIdentity, stateless_reply_flow};

/// Methods that the exchange itself or its users may answer.
const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK, PUBLISH";

/// Requests that may wait for their sender's secrets at once; the next one gets 503.
pub const CREDENTIALS_PENDING_MAX: usize = 10_000;

/// Bytes of requests that may wait for their sender's secrets at once, whatever their number.
pub const CREDENTIALS_PENDING_BYTES_MAX: usize = 64 << 20;

/// What was found out about a request on its way in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) preprocessed: Preprocessed,
    pub(crate) purpose: Purpose,
}

/// A request whose sender's secrets are being fetched.
#[derive(Debug)]
pub(crate) struct Pending {
    packet: Packet,
    identity: RequestIdentity,
    admitted: Admitted,
    claim: Claim,
    kind: Kind,
}

impl Server {
    /// A request that starts something new: let it in, refuse it, or ask who sends it. Refusals and challenges leave nothing behind
    /// (RFC 3261 sections 8.2.7 and 26.3.2.4).
    pub(crate) fn admit(&mut self, now: Now, packet: Packet, identity: RequestIdentity) {
        let request = &packet.message;
        if let Err(refused) = validate(request, false) {
            let unsupported = request.header(HeaderName::ProxyRequire).filter(|_| refused.status() == 420);
            let mut reply = self.reply(&packet, refused.status());
            if let Some(reason) = refused.reason() {
                reply = reply.reason(reason);
            }
            if let Some(tags) = unsupported {
                reply = reply.header(HeaderName::Unsupported, tags);
            }
            return self.reply_stateless(&packet, reply);
        }
        let local = packet.flow.local;
        let preprocessed = preprocess(&packet, &self.config.keys.route, |uri| self.config.domains.contains(uri, local));
        // Where Route fields lead away, it is not for us to look at what is asked for.
        let purpose = if preprocessed.leads_on() { Purpose::Elsewhere } else { self.purpose(request, local) };
        if let Purpose::Exchange = purpose {
            return self.answer_for_exchange(&packet);
        }
        let admitted = Admitted { preprocessed, purpose };
        let Some(kind) = self.proof_wanted(&packet, &admitted) else {
            return self.let_in(now, packet, identity, admitted);
        };
        match self.authenticator.examine(now, request, kind) {
            Verdict::Missing => self.challenge(now, &packet, kind, false),
            Verdict::Stale => self.challenge(now, &packet, kind, true),
            Verdict::Malformed(reason) => {
                let reply = self.reply(&packet, 400).reason(reason);
                self.reply_stateless(&packet, reply);
            }
            Verdict::Claims(claim) => self.ask_for_secrets(Pending { packet, identity, admitted, claim, kind }),
        }
    }

    /// Has the secrets fetched that a request's credentials are judged by. The request names its own ticket, so that its
    /// retransmission, should they take their time, finds it waiting.
    fn ask_for_secrets(&mut self, pending: Pending) {
        let packet = &pending.packet;
        let (ticket, bytes) = (pending.identity.number(), packet.message.bytes().len());
        if self.pending.contains_key(&ticket) {
            return;
        }
        if self.pending.len() >= CREDENTIALS_PENDING_MAX || self.pending_bytes + bytes > CREDENTIALS_PENDING_BYTES_MAX {
            let reply = self.reply(packet, 503).header(HeaderName::RetryAfter, 10);
            return self.reply_stateless(packet, reply);
        }
        self.pending_bytes += bytes;
        self.outputs.push_back(Output::Ask(Ask::Credentials { ticket, user: pending.claim.user().to_owned() }));
        self.pending.insert(ticket, pending);
    }

    fn take_pending(&mut self, ticket: u64) -> Option<Pending> {
        let pending = self.pending.remove(&ticket)?;
        self.pending_bytes -= pending.packet.message.bytes().len();
        Some(pending)
    }

    /// A CANCEL of what is not under way: what waits for its sender's secrets is given up, anything else unknown.
    pub(crate) fn cancel_pending(&mut self, packet: &Packet, identity: &RequestIdentity) {
        let ticket = identity.number();
        let waits = |pending: &Pending| pending.packet.message.method() == Method::Invite;
        let invite = if self.pending.get(&ticket).is_some_and(waits) { self.take_pending(ticket) } else { None };
        let reply = self.reply(packet, if invite.is_some() { 200 } else { 481 });
        self.reply_stateless(packet, reply);
        if let Some(Pending { packet: invite, .. }) = invite {
            let reply = self.reply(&invite, 487);
            self.reply_stateless(&invite, reply);
        }
    }

    /// The secrets of a user, or that there is no such user, for the request that waits for them.
    pub(crate) fn handle_credentials(&mut self, now: Now, ticket: u64, secrets: Option<&Secrets>) {
        let Some(Pending { packet, identity, mut admitted, claim, kind }) = self.take_pending(ticket) else { return };
        let proved = self.authenticator.verify(now, &claim, secrets);
        if proved && self.speaks_for(&packet, &admitted, kind, claim.user()) {
            admitted.preprocessed.proved = true;
            return self.let_in(now, packet, identity, admitted);
        }
        let reply = self.reply(&packet, 403);
        self.reply_stateless(&packet, reply);
    }

    /// The exchange itself takes questions only, from anybody. Nothing is kept for it, since asking twice does no harm
    /// (RFC 3261 section 8.2.7).
    fn answer_for_exchange(&mut self, packet: &Packet) {
        let reply = match packet.message.method() {
            Method::Options => {
                self.reply(packet, 200).header(HeaderName::Allow, ALLOW).header(HeaderName::Accept, "application/sdp")
            }
            _ => self.reply(packet, 404),
        };
        self.reply_stateless(packet, reply);
    }

    /// Which proof of identity a request needs: none inside a dialog that we let through, and for a call from elsewhere to a user
    /// of ours.
    fn proof_wanted(&self, packet: &Packet, admitted: &Admitted) -> Option<Kind> {
        if !self.config.auth_required || admitted.preprocessed.in_known_dialog() {
            return None;
        }
        match admitted.purpose {
            Purpose::Register(_) => Some(Kind::Www),
            Purpose::User(_) if !self.uses_our_name(packet) => None,
            Purpose::Exchange | Purpose::User(_) | Purpose::Elsewhere => Some(Kind::Proxy),
        }
    }

    fn uses_our_name(&self, packet: &Packet) -> bool {
        let from = packet.message.from().ok().and_then(|from| from.uri_parsed().ok());
        from.is_some_and(|uri| self.config.domains.names_us(&uri, packet.flow.local))
    }

    /// Whether an authenticated user may send this: in their own name only.
    fn speaks_for(&self, packet: &Packet, admitted: &Admitted, kind: Kind, user: &str) -> bool {
        if let Purpose::Register(Some(aor)) = &admitted.purpose {
            return aor.user() == user; // that of To
        }
        let address = if kind == Kind::Www { packet.message.to() } else { packet.message.from() };
        let uri = address.ok().and_then(|address| address.uri_parsed().ok());
        let ours = uri.filter(|uri| self.config.domains.names_us(uri, packet.flow.local));
        ours.and_then(|uri| self.config.domains.address_of_record(&uri)).is_some_and(|aor| aor.user() == user)
    }

    fn let_in(&mut self, now: Now, packet: Packet, identity: RequestIdentity, admitted: Admitted) {
        self.admitted = Some(admitted);
        self.layer.handle_request(now, packet, identity);
    }

    fn challenge(&mut self, now: Now, packet: &Packet, kind: Kind, stale: bool) {
        let mut reply = self.reply(packet, kind.status());
        for value in self.authenticator.challenge(now, stale) {
            reply = reply.header(kind.challenge_field(), value);
        }
        self.reply_stateless(packet, reply);
    }

    /// A response of our own.
    pub(crate) fn reply(&self, packet: &Packet, status: u16) -> Builder {
        self.layer.reply(packet, status)
    }

    /// To anything but an ACK, which never gets here: the layer takes it.
    pub(crate) fn reply_stateless(&mut self, packet: &Packet, reply: Builder) {
        self.layer.send(stateless_reply_flow(packet.flow, &packet.message), reply.finish());
    }
}
