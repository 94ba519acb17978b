//! Who may do what: the questions that come before a request gets a transaction, so that a stranger's costs us nothing.

use crate::identity::{Caller, edits, is_anonymous};
use crate::own_answers::RETRY_AFTER_S;
use crate::purpose::Purpose;
use crate::targets::Asking;
use crate::{Ask, Event, Mode, Output, Server};
use engine::Now;
use guard::Offence;
use routing::{Action, Decision, Limits};
use sip_auth::{Claim, Kind, Secrets, Verdict};
use sip_message::{HeaderName, Method};
use sip_proxy::{Checked, Preprocessed, preprocess};
use sip_registrar::AddressOfRecord;
use sip_transaction::{Packet, RequestIdentity};
use std::sync::Arc;
use std::time::Instant;

/// Requests that may wait for their sender's secrets at once; the next one gets 503.
pub const CREDENTIALS_PENDING_MAX: usize = 10_000;

/// Bytes of requests that may wait for their sender's secrets at once, whatever their number.
pub const CREDENTIALS_PENDING_BYTES_MAX: usize = 64 << 20;

/// What was found out about a request on its way in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) preprocessed: Preprocessed,
    pub(crate) purpose: Purpose,
    pub(crate) caller: Caller,
}

/// A request whose sender's secrets are being fetched.
#[derive(Debug)]
pub(crate) struct Pending {
    packet: Packet,
    identity: RequestIdentity,
    admitted: Box<Admitted>,
    claim: Claim,
    kind: Kind,
    asked: Instant,
}

impl Server {
    /// A request that starts something new: let it in, refuse it, or ask who sends it. Refusals and challenges leave nothing behind
    /// (RFC 3261 sections 8.2.7 and 26.3.2.4).
    pub(crate) fn admit(&mut self, now: Now, packet: Packet, identity: RequestIdentity) {
        if self.is_scanners(&packet) {
            return self.offend(packet.flow.remote.ip(), Offence::Scanner);
        }
        let checked = match self.check(&packet) {
            Ok(checked) => checked,
            Err(reply) => return self.reply_stateless(&packet, reply),
        };
        self.note_alias(&packet);
        let admitted = Box::new(self.look_at(&packet, Some(checked)));
        if let Purpose::Exchange = admitted.purpose {
            return self.answer_for_exchange(&packet);
        }
        let Some(kind) = self.proof_wanted(now, &packet, &admitted) else {
            return self.let_in(now, packet, identity, admitted);
        };
        match self.authenticator.examine(now, packet.flow.remote.ip(), &packet.message, kind) {
            Verdict::Missing => self.challenge(now, &packet, kind, false),
            Verdict::Stale => self.challenge(now, &packet, kind, true),
            Verdict::Malformed(reason) => {
                self.offend(packet.flow.remote.ip(), Offence::Malformed);
                let reply = self.reply(&packet, 400).reason(reason);
                self.reply_stateless(&packet, reply);
            }
            Verdict::Claims(claim) => {
                self.ask_for_secrets(Pending { packet, identity, admitted, claim, kind, asked: now.mono })
            }
        }
    }

    /// What a request is, before anybody is asked. `checked` is what has been read of it, if it has been checked.
    pub(crate) fn look_at(&self, packet: &Packet, checked: Option<Checked<'_>>) -> Admitted {
        let local = packet.flow.local;
        let preprocessed = preprocess(packet, &self.config.keys.route, |uri| self.config.domains.contains(uri, local));
        // Where Route fields lead away, it is not for us to look at what is asked for.
        let leads_on = preprocessed.leads_on();
        let purpose = if leads_on { Purpose::Elsewhere } else { self.purpose(&packet.message, checked, local) };
        Admitted { preprocessed, purpose, caller: self.peer(packet) }
    }

    /// Who sends a request, as far as its flow tells.
    pub(crate) fn peer(&self, packet: &Packet) -> Caller {
        let trunks = self.config.rules.trunks();
        if trunks.as_slice().is_empty() {
            return Caller::Unproved;
        }
        let names = packet.flow.connection.and_then(|connection| self.proved.get(&connection));
        let names = names.map_or(&[][..], Vec::as_slice);
        match trunks.find(packet.flow.remote.ip().to_canonical(), names) {
            Some(trunk) => Caller::Trunk { name: trunk.name.clone(), trusted: trunk.trust_identity },
            None => Caller::Unproved,
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
        self.begin_to_wait(pending.asked);
        if self.pending.len() >= CREDENTIALS_PENDING_MAX || self.pending_bytes + bytes > CREDENTIALS_PENDING_BYTES_MAX {
            let reply = self.reply(packet, 503).header(HeaderName::RetryAfter, RETRY_AFTER_S);
            return self.reply_stateless(packet, reply);
        }
        self.pending_bytes += bytes;
        self.outputs.push_back(Output::Ask(Ask::Credentials { ticket, user: pending.claim.user().to_owned() }));
        self.pending.insert(ticket, pending);
    }

    /// Whether this request, or the one that it cancels, waits for its sender's secrets.
    pub(crate) fn is_pending(&self, identity: &RequestIdentity) -> bool {
        self.pending.contains_key(&identity.number())
    }

    /// Since when each waits for its sender's secrets.
    pub(crate) fn pending_since(&self) -> impl Iterator<Item = (u64, Instant)> {
        self.pending.iter().map(|(ticket, pending)| (*ticket, pending.asked))
    }

    /// Nobody has said what a sender's secrets are.
    pub(crate) fn give_up_pending(&mut self, ticket: u64) {
        if let Some(Pending { packet, .. }) = self.take_pending(ticket) {
            let reply = self.reply(&packet, 503).header(HeaderName::RetryAfter, RETRY_AFTER_S);
            self.reply_stateless(&packet, reply);
        }
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
    pub(crate) fn handle_credentials(
        &mut self,
        now: Now,
        ticket: u64,
        secrets: Option<&Secrets>,
        limits: Option<Arc<Limits>>,
    ) {
        let Some(Pending { packet, identity, mut admitted, claim, kind, .. }) = self.take_pending(ticket) else {
            return;
        };
        let proved = self.authenticator.verify(now, &claim, secrets);
        if !proved {
            // The same for a user who does not exist: they must not be told apart by when a ban comes.
            self.offend(packet.flow.remote.ip(), Offence::WrongCredentials);
        }
        match self.name_used(&packet, &admitted, &claim, kind).filter(|name| proved && name.user() == claim.user()) {
            Some(name) => {
                self.outputs.push_back(Output::Event(Event::Known { source: packet.flow.remote.ip() }));
                admitted.caller = Caller::User(name, limits);
                self.let_in(now, packet, identity, admitted);
            }
            None => {
                let reply = self.reply(&packet, 403);
                self.reply_stateless(&packet, reply);
            }
        }
    }

    /// Which proof of identity a request needs: none inside a dialog that we let through, none from a trunk, and none for a call from
    /// elsewhere to a user of ours; but dial rules that lead out of the exchange are for those who are known.
    pub(crate) fn proof_wanted(&self, now: Now, packet: &Packet, admitted: &Admitted) -> Option<Kind> {
        // A flow token of ours is known to the registrar that a phone has registered with through us, and reaches that phone alone.
        let edge = admitted.preprocessed.edge_flow.is_some() && !self.uses_our_name(packet);
        let known = edge || admitted.preprocessed.in_known_dialog();
        if !self.config.auth_required || known {
            return None;
        }
        let from_trunk = matches!(admitted.caller, Caller::Trunk { .. });
        match admitted.purpose {
            Purpose::Register(_) => Some(Kind::Www),
            Purpose::User(_) if from_trunk => None,
            Purpose::User(_) if !self.uses_our_name(packet) && !self.may_lead_out(now, packet, admitted) => None,
            Purpose::Elsewhere if from_trunk && self.is_ruled(now, packet, admitted) => None,
            Purpose::Exchange | Purpose::User(_) | Purpose::Elsewhere => Some(Kind::Proxy),
        }
    }

    /// Whether some dial rule may take this request out of the exchange that is not for everybody. Whoever hides their name may be any user
    /// of ours.
    fn may_lead_out(&self, now: Now, packet: &Packet, admitted: &Admitted) -> bool {
        let from = packet.message.from().ok().and_then(|from| from.uri_parsed().ok());
        let hidden = from.is_some_and(|uri| is_anonymous(&uri));
        let any = AddressOfRecord::in_canonical("*", self.config.domains.canonical()).ok().filter(|_| hidden);
        let callers = [Some(admitted.caller.clone()), any.map(|any| Caller::User(any, None))];
        callers.iter().flatten().any(|caller| {
            // Whether somebody is registered is not known yet: both is possible.
            [false, true].into_iter().any(|registered| {
                match self.decision(now, packet, admitted, (caller, registered)) {
                    Some(Decision::Rule(rule)) => !rule.is_for_everybody(),
                    _ => false,
                }
            })
        })
    }

    /// Whether some dial rule takes this request.
    fn is_ruled(&self, now: Now, packet: &Packet, admitted: &Admitted) -> bool {
        matches!(self.decision(now, packet, admitted, (&admitted.caller, false)), Some(Decision::Rule(_)))
    }

    /// What dial rules say about a request for what it says it is for; `None` without rules, and where Route fields lead on.
    fn decision(
        &self,
        now: Now,
        packet: &Packet,
        admitted: &Admitted,
        (caller, registered): (&Caller, bool),
    ) -> Option<Decision<'_>> {
        if self.config.rules.as_slice().is_empty() || admitted.preprocessed.leads_on() {
            return None;
        }
        let to = packet.message.request_uri_parsed().ok()?;
        let asking = Asking { packet, caller, payer: caller, counts: false };
        let facts = self.facts(now, asking, to, Some(registered))?;
        Some(self.config.rules.decide(&facts))
    }

    fn uses_our_name(&self, packet: &Packet) -> bool {
        let from = packet.message.from().ok().and_then(|from| from.uri_parsed().ok());
        from.is_some_and(|uri| self.config.domains.names_us(&uri, packet.flow.local))
    }

    /// In whose name a request is sent, which must be the name of who has authenticated: that of its From, or whom it registers.
    fn name_used(&self, packet: &Packet, admitted: &Admitted, claim: &Claim, kind: Kind) -> Option<AddressOfRecord> {
        if let Purpose::Register(Some(aor)) = &admitted.purpose {
            return Some(aor.clone()); // that of To
        }
        let address = if kind == Kind::Www { packet.message.to() } else { packet.message.from() };
        let uri = address.ok()?.uri_parsed().ok()?;
        let domains = &self.config.domains;
        if is_anonymous(&uri) {
            // Unknown to those who are called, not to us.
            return AddressOfRecord::in_canonical(claim.user(), domains.canonical()).ok();
        }
        let ours = domains.names_us(&uri, packet.flow.local);
        if ours { domains.address_of_record(&uri) } else { None }
    }

    fn let_in(&mut self, now: Now, packet: Packet, identity: RequestIdentity, mut admitted: Box<Admitted>) {
        let in_dialog = admitted.preprocessed.in_known_dialog();
        admitted.preprocessed.proved = !in_dialog && admitted.caller.is_trusted();
        if packet.message.method() != Method::Register {
            admitted.preprocessed.edits = edits(&packet.message, &admitted.caller, in_dialog);
        }
        if self.passes_stateless(now, &packet, &admitted) {
            return self.pass(now, packet, admitted);
        }
        self.admitted = Some(admitted);
        self.layer.handle_request(now, packet, identity);
    }

    /// Whether a request gets no transaction here.
    pub(crate) fn passes_stateless(&self, now: Now, packet: &Packet, admitted: &Admitted) -> bool {
        // Whoever has to prove who they are gets a transaction: their CANCEL and ACK bring no proof, and their retransmission an old one.
        let known = matches!(admitted.caller, Caller::User(..));
        if !self.some_pass_stateless || known || matches!(admitted.purpose, Purpose::Register(_)) {
            return false;
        }
        let by_rule = |registered| match self.decision(now, packet, admitted, (&admitted.caller, registered)) {
            Some(Decision::Rule(rule)) => matches!(rule.action, Action::Stateless { .. }),
            _ => false,
        };
        self.config.mode == Mode::Stateless || by_rule(false) || by_rule(true)
    }
}
