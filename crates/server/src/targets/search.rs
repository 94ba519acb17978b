use super::Asking;
use super::aim::Aim;
use super::bindings::{Phones, targets};
use super::forwards::{Cause, DIVERSIONS_MAX, Diversion, edits};
use crate::admission::Admitted;
use crate::identity::Caller;
use crate::own_answers::RETRY_AFTER_S;
use crate::purpose::Purpose;
use crate::{Account, Ask, Mode, Output, Server};
use engine::Now;
use guard::Offence;
use routing::{Limits, Place};
use sip_message::{Builder, HeaderName, Method, Scheme, Transport, Uri};
use sip_proxy::{Hop, Target, TargetSet};
use sip_registrar::{AddressOfRecord, Snapshot};
use sip_transaction::{Packet, ServerTransactionId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Searches that may wait for bindings at once in one shard; the next request gets 503.
pub const SEARCHES_MAX: usize = 10_000;

/// Bytes of Contacts in a redirection of somebody who has proved nothing.
const REDIRECT_BYTES_MAX: usize = 280;

/// A request whose targets are being determined, and what is known so far.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) origin: Origin,
    pub(crate) caller: Caller,
    /// Who has forwarded it so far.
    trail: Vec<Diversion>,
    /// Whether a rule may decide once it is known whether the user is registered.
    undecided: bool,
    /// Whose bindings are asked for.
    aor: AddressOfRecord,
    /// Which phones of theirs it is for.
    phones: Phones,
    /// What that user's calls may come to, where that is not the usual; not known yet while they are asked for.
    limits: Option<Arc<Limits>>,
    asked: Option<Instant>,
}

/// What is searched for.
#[derive(Debug)]
pub(crate) enum Origin {
    /// The target set of a request that has a transaction.
    Transaction { id: ServerTransactionId, admitted: Box<Admitted> },
    /// What stands in the place of one of its targets, which has turned out to be a user of ours.
    Target { id: ServerTransactionId, ticket: u64 },
    /// The one target of a request without a transaction.
    Stateless {
        packet: Packet,
        admitted: Box<Admitted>,
        /// How often it has turned out to be for a user after all.
        expanded: usize,
    },
}

impl Origin {
    /// The user of ours whom a request is for, as far as that is plain.
    fn user(&self) -> Option<&AddressOfRecord> {
        match self {
            Origin::Transaction { admitted, .. } | Origin::Stateless { admitted, .. } => match &admitted.purpose {
                Purpose::User(user) => Some(user),
                Purpose::Register(_) | Purpose::Exchange | Purpose::Elsewhere => None,
            },
            Origin::Target { .. } => None,
        }
    }

    /// The transaction that waits for it.
    pub(crate) fn transaction(&self) -> Option<ServerTransactionId> {
        match self {
            Origin::Transaction { id, .. } | Origin::Target { id, .. } => Some(*id),
            Origin::Stateless { .. } => None,
        }
    }
}

impl Server {
    /// Finds out where a request goes that no Route leads on, and sends it there.
    pub(crate) fn find_targets(&mut self, now: Now, origin: Origin, caller: Caller) {
        let Some(packet) = self.packet_of(&origin) else { return };
        let uri = packet.message.request_uri();
        let aim = match origin.user() {
            // What it is for is known, and nothing says otherwise.
            Some(user) if self.config.rules.as_slice().is_empty() && !uri.contains(";gr") => Aim::User(user.clone()),
            _ => self.aim(now, Asking { packet, caller: &caller, payer: &caller, counts: true }, uri, None),
        };
        self.follow(now, aim, origin, caller, Vec::new());
    }

    /// A target of the proxy's is a user of ours, or one phone of theirs: their bindings stand in its place.
    pub(crate) fn expand(
        &mut self,
        now: Now,
        id: ServerTransactionId,
        ticket: u64,
        aor: AddressOfRecord,
        phones: Phones,
    ) {
        let (origin, caller) = (Origin::Target { id, ticket }, Caller::Unproved);
        self.ask_for_bindings(
            now,
            Search { origin, caller, trail: Vec::new(), undecided: false, aor, phones, limits: None, asked: None },
        );
    }

    /// The bindings of a user are the targets of a request without a transaction. That ends where forwards lead in a circle.
    pub(crate) fn expand_stateless(
        &mut self,
        now: Now,
        (packet, admitted, expanded): (Packet, Box<Admitted>, usize),
        aor: AddressOfRecord,
    ) {
        let (origin, caller) = (Origin::Stateless { packet, admitted, expanded: expanded + 1 }, Caller::Unproved);
        if expanded >= DIVERSIONS_MAX {
            return self.turn_away(now, origin, 480, None, None);
        }
        self.ask_for_bindings(
            now,
            Search {
                origin,
                caller,
                trail: Vec::new(),
                undecided: false,
                aor,
                phones: Phones::All,
                limits: None,
                asked: None,
            },
        );
    }

    /// The bindings of the user that a search has come to, and what they have forwarded.
    pub(crate) fn handle_bindings(&mut self, now: Now, ticket: u64, snapshot: &Snapshot, account: Option<Account>) {
        let Some(mut search) = self.searches.remove(&ticket) else { return };
        self.note_unknown(&search, snapshot, account.is_some());
        let Account { forwards, limits } = account.unwrap_or_default();
        search.limits = limits;
        let forwards = forwards.as_deref();
        let Some(packet) = self.packet_of(&search.origin) else {
            // Nobody waits any more, but the proxy's lookup must come to an end.
            if let Origin::Target { ticket, .. } = search.origin {
                self.proxy.handle_expanded(now, &mut self.layer, ticket, Vec::new());
            }
            return;
        };
        let registered = !snapshot.bindings.is_empty();
        if search.undecided {
            let payer = search.payer();
            let asking = Asking { packet, caller: &search.caller, payer: &payer, counts: true };
            let uri = search.trail.last().map_or(packet.message.request_uri(), |diversion| &diversion.to);
            match self.aim(now, asking, uri, Some(registered)) {
                Aim::User(aor) | Aim::UserOrRule(aor) if aor == search.aor => {}
                aim => return self.follow(now, aim, search.origin, search.caller, search.trail),
            }
        }
        // Calls are forwarded, nothing else.
        let forwards =
            forwards.filter(|_| matches!(search.phones, Phones::All) && packet.message.method() == Method::Invite);
        let elsewhere = forwards.and_then(|forwards| match (&forwards.always, &forwards.not_registered) {
            (Some(place), _) => Some((place, Cause::Always)),
            (None, Some(place)) if !registered => Some((place, Cause::NotRegistered)),
            _ => None,
        });
        if let Some((place, cause)) = elsewhere {
            let (aim, diversion) = self.divert(now, packet, &search, place, (cause, true));
            let mut trail = search.trail;
            trail.push(diversion);
            return self.follow(now, aim, search.origin, search.caller, trail);
        }
        let secure = packet.message.request_uri_parsed().is_ok_and(|uri| uri.scheme == Scheme::Sips);
        let mut set = TargetSet {
            targets: targets(&packet.message, snapshot, secure, &search.phones),
            recurse: self.config.recurse,
            ..TargetSet::default()
        };
        if let Some(forwards) = forwards {
            let later = |place: &Option<Place>, cause| {
                place.as_ref().map_or(Vec::new(), |place| self.later_targets(now, packet, &search, place, cause))
            };
            set.on_busy = later(&forwards.busy, Cause::Busy);
            set.on_no_answer = later(&forwards.no_answer, Cause::NoAnswer);
            set.no_answer_after =
                forwards.no_answer.as_ref().map(|_| Duration::from_secs(forwards.no_answer_after_s.into()));
        }
        if set.targets.is_empty() && matches!(&search.phones, Phones::One(gruu) if gruu.is_temporary()) {
            // It stood for a registration that is over (RFC 5627 section 6.1).
            return self.turn_away(now, search.origin, 404, None, None);
        }
        self.arrive(now, set, search.origin, &search.trail);
    }

    /// A stranger has asked for a user who does not exist; they are told what they are told of one who is not there.
    fn note_unknown(&mut self, search: &Search, snapshot: &Snapshot, exists: bool) {
        let asked_for = search.trail.is_empty() && !matches!(search.origin, Origin::Target { .. });
        let stranger = search.caller == Caller::Unproved && self.config.auth_required;
        if stranger && asked_for && !exists && snapshot.bindings.is_empty() {
            let source = self.packet_of(&search.origin).map(|packet| packet.flow.remote.ip());
            source.into_iter().for_each(|source| self.offend(source, Offence::UnknownUser));
        }
    }

    pub(crate) fn packet_of<'a>(&'a self, origin: &'a Origin) -> Option<&'a Packet> {
        match origin {
            Origin::Transaction { id, .. } | Origin::Target { id, .. } => self.layer.request_of(*id),
            Origin::Stateless { packet, .. } => Some(packet),
        }
    }

    /// Goes where `aim` leads.
    fn follow(&mut self, now: Now, aim: Aim, origin: Origin, caller: Caller, trail: Vec<Diversion>) {
        match aim {
            Aim::User(aor) => self.ask_for_bindings(
                now,
                Search { origin, caller, trail, undecided: false, aor, phones: Phones::All, limits: None, asked: None },
            ),
            Aim::UserOrRule(aor) => {
                self.ask_for_bindings(
                    now,
                    Search {
                        origin,
                        caller,
                        trail,
                        undecided: true,
                        aor,
                        phones: Phones::All,
                        limits: None,
                        asked: None,
                    },
                );
            }
            Aim::Phone(gruu) => {
                let aor = gruu.aor.clone();
                self.ask_for_bindings(
                    now,
                    Search {
                        origin,
                        caller,
                        trail,
                        undecided: false,
                        aor,
                        phones: Phones::One(gruu),
                        limits: None,
                        asked: None,
                    },
                );
            }
            Aim::Targets(set) => self.arrive(now, set, origin, &trail),
            // One that has a transaction by now keeps it.
            Aim::Stateless(target) => {
                self.arrive(now, TargetSet { targets: vec![target], ..TargetSet::default() }, origin, &trail)
            }
            Aim::Redirect { status, contacts } => self.redirect(now, origin, status, &contacts),
            Aim::Exceeded(excess) => self.refuse_excess(now, origin, excess),
            Aim::Refuse { status, reason, retry_after_s } => {
                self.turn_away(now, origin, status, reason.as_deref(), retry_after_s)
            }
        }
    }

    /// Since when each search waits for bindings.
    pub(crate) fn searches_since(&self) -> impl Iterator<Item = (u64, Instant)> {
        self.searches.iter().filter_map(|(ticket, search)| Some((*ticket, search.asked?)))
    }

    /// Nobody has said what the bindings are.
    pub(crate) fn give_up_search(&mut self, now: Now, ticket: u64) {
        let Some(search) = self.searches.remove(&ticket) else { return };
        if let Origin::Target { ticket, .. } = search.origin {
            return self.proxy.handle_expanded(now, &mut self.layer, ticket, Vec::new());
        }
        self.turn_away(now, search.origin, 503, None, Some(RETRY_AFTER_S.into()));
    }

    fn ask_for_bindings(&mut self, now: Now, mut search: Search) {
        search.asked = Some(now.mono);
        self.begin_to_wait(now.mono);
        if self.searches.len() >= SEARCHES_MAX {
            return self.turn_away(now, search.origin, 503, None, Some(RETRY_AFTER_S.into()));
        }
        self.last_search += 1;
        let (ticket, aor) = (self.last_search, search.aor.clone());
        self.searches.insert(ticket, search);
        self.outputs.push_back(Output::Ask(Ask::Bindings { ticket, aor }));
    }

    /// The targets are found.
    fn arrive(&mut self, now: Now, mut set: TargetSet, origin: Origin, trail: &[Diversion]) {
        let Some(packet) = self.packet_of(&origin) else { return };
        if !trail.is_empty() {
            let said = edits(&packet.message, trail);
            for target in &mut set.targets {
                target.edits.extend(said.iter().cloned());
            }
        }
        if self.config.mode == Mode::Redirect
            && let Ok(asked) = packet.message.request_uri_parsed()
        {
            // Who is told to ask where they have asked would ask again (RFC 3261 section 8.3).
            let same = |uri: &str| Uri::parse(uri).is_ok_and(|uri| uri.equivalent(&asked));
            set.targets.retain(|target| !target.uri.as_deref().is_some_and(same));
        }
        match origin {
            Origin::Transaction { id, admitted } if self.config.mode == Mode::Redirect => {
                set.targets.sort_by_key(|target| std::cmp::Reverse(target.q));
                let contacts: Vec<String> = set.targets.iter().filter_map(contact_value).collect();
                let origin = Origin::Transaction { id, admitted };
                match contacts.len() {
                    0 => self.turn_away(now, origin, 480, None, None),
                    1 => self.redirect(now, origin, 302, &contacts),
                    _ => self.redirect(now, origin, 300, &contacts),
                }
            }
            Origin::Transaction { id, admitted } => self.forward(now, id, admitted, set),
            Origin::Target { ticket, .. } => self.proxy.handle_expanded(now, &mut self.layer, ticket, set.targets),
            Origin::Stateless { packet, admitted, expanded } => {
                self.forward_stateless(now, (packet, admitted, expanded), set.targets);
            }
        }
    }

    /// Where a forward leads, in the name of whoever has set it.
    fn divert(
        &self,
        now: Now,
        packet: &Packet,
        search: &Search,
        place: &Place,
        (cause, counts): (Cause, bool),
    ) -> (Aim, Diversion) {
        let (user, limits) = (search.aor.clone(), search.limits.clone());
        let payer = Caller::User(user.clone(), limits.clone());
        let asking = Asking { packet, caller: &search.caller, payer: &payer, counts };
        let uri = self.place_uri(now, asking, place);
        let diversion = |to: String| Diversion { user, limits, cause, to };
        let Some(uri) = uri else { return (Aim::refuse(480), diversion(String::new())) };
        let been_there =
            |aor: &AddressOfRecord| *aor == search.aor || search.trail.iter().any(|step| step.user == *aor);
        let aim = match self.aim(now, asking, &uri, None) {
            Aim::User(aor) | Aim::UserOrRule(aor) if been_there(&aor) => Aim::refuse(480),
            _ if search.trail.len() + 1 >= DIVERSIONS_MAX => Aim::refuse(480),
            aim => aim,
        };
        (aim, diversion(uri))
    }

    /// The targets that a forward stands for which may be needed later.
    fn later_targets(&self, now: Now, packet: &Packet, search: &Search, place: &Place, cause: Cause) -> Vec<Target> {
        let (aim, diversion) = self.divert(now, packet, search, place, (cause, false));
        let mut found = match aim {
            // Who that is is asked when it is needed.
            Aim::User(aor) | Aim::UserOrRule(aor) => {
                vec![Target::new(Some(format!("sip:{aor}")), Hop::Resolve)]
            }
            Aim::Phone(_) => vec![Target::new(Some(diversion.to.clone()), Hop::Resolve)],
            Aim::Targets(set) => set.targets,
            Aim::Stateless(target) => vec![target],
            Aim::Redirect { .. } | Aim::Refuse { .. } | Aim::Exceeded(_) => Vec::new(),
        };
        let trail: Vec<Diversion> = search.trail.iter().cloned().chain([diversion]).collect();
        let said = edits(&packet.message, &trail);
        found.iter_mut().for_each(|target| target.edits.extend(said.iter().cloned()));
        found
    }

    fn place_uri(&self, now: Now, asking: Asking<'_>, place: &Place) -> Option<String> {
        let to = asking.packet.message.request_uri_parsed().ok()?;
        let facts = self.facts(now, asking, to, None)?;
        self.config.rules.uri(place, &facts)
    }

    /// Sends the answer to what was looked for, and that is all.
    pub(crate) fn answer(&mut self, now: Now, origin: Origin, status: u16, reply: Builder) {
        match origin {
            Origin::Transaction { id, admitted } if admitted.preprocessed.proved => {
                self.layer.respond(now, id, status, reply.finish());
            }
            // Said once and forgotten: nobody has proved that they can hear it (RFC 3261 section 26.3.2.4).
            Origin::Transaction { id, .. } => self.layer.refuse(now, id, status, reply.finish()),
            Origin::Target { ticket, .. } => self.proxy.handle_expanded(now, &mut self.layer, ticket, Vec::new()),
            Origin::Stateless { packet, .. } => self.reply_stateless(&packet, reply),
        }
    }

    fn redirect(&mut self, now: Now, origin: Origin, status: u16, contacts: &[String]) {
        let Some(packet) = self.packet_of(&origin) else { return };
        let proved = match &origin {
            Origin::Transaction { admitted, .. } | Origin::Stateless { admitted, .. } => admitted.preprocessed.proved,
            Origin::Target { .. } => true,
        };
        // To a datagram's sender, who may be anybody, goes hardly more than they have sent.
        let mut room = if proved || packet.flow.transport != Transport::Udp { usize::MAX } else { REDIRECT_BYTES_MAX };
        let mut reply = self.reply(packet, status);
        for contact in contacts {
            let Some(left) = room.checked_sub(contact.len()) else { break };
            room = left;
            reply = reply.header(HeaderName::Contact, contact);
        }
        self.answer(now, origin, status, reply);
    }

    fn turn_away(&mut self, now: Now, origin: Origin, status: u16, reason: Option<&str>, retry_after_s: Option<u64>) {
        let Some(packet) = self.packet_of(&origin) else { return };
        let mut reply = self.reply(packet, status);
        if let Some(reason) = reason {
            reply = reply.reason(reason);
        }
        if let Some(seconds) = retry_after_s {
            reply = reply.header(HeaderName::RetryAfter, seconds);
        }
        self.answer(now, origin, status, reply);
    }
}

/// A target as a value of Contact.
fn contact_value(target: &Target) -> Option<String> {
    let uri = target.uri.as_deref()?;
    Some(match target.q {
        1000.. => format!("<{uri}>"),
        q => format!("<{uri}>;q=0.{q:03}"),
    })
}

impl Search {
    fn payer(&self) -> Caller {
        self.trail.last().map_or_else(
            || self.caller.clone(),
            |diversion| Caller::User(diversion.user.clone(), diversion.limits.clone()),
        )
    }
}
