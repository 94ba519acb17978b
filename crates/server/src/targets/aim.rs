use crate::identity::asserted;
use crate::targets::Asking;
use crate::tolls::Excess;
use crate::{Mode, Server};
use engine::Now;
use routing::{Action, Decision, Destination, Facts, Rule};
use sip_message::{HeaderName, Scheme, Uri};
use sip_proxy::{HeaderEdit, Hop, NamedBy, Target, TargetSet};
use sip_registrar::{AddressOfRecord, Gruu};
use sip_transaction::Packet;
use std::time::Duration;

/// What is to become of a request for some URI, before anybody is asked for bindings.
#[derive(Debug)]
pub(crate) enum Aim {
    /// The URI is a user's of ours.
    User(AddressOfRecord),
    /// The same, unless a rule says otherwise that depends on whether they are registered.
    UserOrRule(AddressOfRecord),
    /// The URI is a GRUU: this very phone of a user's.
    Phone(Box<Gruu>),
    /// It goes there.
    Targets(TargetSet),
    /// It goes there without keeping state.
    Stateless(Target),
    /// The caller is told where to go.
    Redirect { status: u16, contacts: Vec<String> },
    /// It goes nowhere.
    Refuse { status: u16, reason: Option<String>, retry_after_s: Option<u64> },
    /// Whoever would pay may not go there.
    Exceeded(Excess),
}

impl Aim {
    pub(crate) fn refuse(status: u16) -> Aim {
        Aim::Refuse { status, reason: None, retry_after_s: None }
    }
}

impl Server {
    /// What rules can look at, where a request is for `to`.
    pub(crate) fn facts<'a>(
        &self,
        now: Now,
        asking: Asking<'a>,
        to: Uri<'a>,
        registered: Option<bool>,
    ) -> Option<Facts<'a>> {
        let Asking { packet, payer, .. } = asking;
        let from = packet.message.from().ok()?.uri_parsed().ok()?;
        Some(Facts {
            message: &packet.message,
            from,
            to,
            source: packet.flow.remote.ip().to_canonical(),
            transport: packet.flow.transport,
            caller: payer.user(),
            trunk: payer.trunk(),
            now,
            to_ours: self.is_ours(&to, packet.flow.local),
            to_registered: registered,
        })
    }

    /// Where a request for `to` goes, by the dial rules and else by its domain, within what whoever pays may do.
    pub(crate) fn aim(&self, now: Now, asking: Asking<'_>, to: &str, registered: Option<bool>) -> Aim {
        match self.aim_at(now, asking, to, registered) {
            Aim::Targets(mut set) => match self.within_limits(asking, to, &mut set.targets) {
                Ok(()) => Aim::Targets(set),
                Err(excess) => Aim::Exceeded(excess),
            },
            Aim::Stateless(target) => {
                let mut targets = vec![target];
                match (self.within_limits(asking, to, &mut targets), targets.pop()) {
                    (Ok(()), Some(target)) => Aim::Stateless(target),
                    (Ok(()), None) => Aim::refuse(480),
                    (Err(excess), _) => Aim::Exceeded(excess),
                }
            }
            aim => aim,
        }
    }

    fn aim_at(&self, now: Now, asking: Asking<'_>, to: &str, registered: Option<bool>) -> Aim {
        let packet = asking.packet;
        let Ok(uri) = Uri::parse(to) else { return Aim::refuse(404) };
        let user = self.user_of(&uri, packet);
        if !self.config.rules.as_slice().is_empty()
            && let Some(facts) = self.facts(now, asking, uri, registered)
        {
            match (self.config.rules.decide(&facts), user.clone()) {
                (Decision::Rule(rule), _) => return self.obey(now, rule, &facts, asking),
                (Decision::AskRegistered, Some(aor)) => return Aim::UserOrRule(aor),
                // Nobody is registered with a URI that is no user's.
                (Decision::AskRegistered, None) => return self.aim_at(now, asking, to, Some(false)),
                (Decision::None, _) => {}
            }
        }
        match user {
            Some(_) if uri.param("gr").is_some() => {
                let gruu = self.config.keys.gruus.resolve(&uri, |_| user);
                gruu.map_or(Aim::refuse(404), |gruu| Aim::Phone(Box::new(gruu)))
            }
            Some(aor) => Aim::User(aor),
            None if uri.scheme == Scheme::Tel || self.is_ours(&uri, packet.flow.local) => Aim::refuse(404),
            // To a trunk leads a dial rule, or nothing: its host in a Request-URI is no way around them.
            None if self.config.rules.trunks().are_at(&uri) => Aim::refuse(403),
            // A redirect server knows of its own users only.
            None if self.config.mode == Mode::Redirect => Aim::refuse(404),
            None => Aim::Targets(TargetSet {
                targets: vec![Target { named_by: NamedBy::Request, ..Target::new(Some(to.to_owned()), Hop::Resolve) }],
                recurse: self.config.recurse,
                ..TargetSet::default()
            }),
        }
    }

    /// The user of ours that a URI means.
    pub(crate) fn user_of(&self, uri: &Uri<'_>, packet: &Packet) -> Option<AddressOfRecord> {
        let ours = uri.scheme == Scheme::Tel || self.is_ours(uri, packet.flow.local);
        if ours { self.config.domains.address_of_record(uri) } else { None }
    }

    /// Does what a rule says.
    fn obey(&self, now: Now, rule: &Rule, facts: &Facts<'_>, asking: Asking<'_>) -> Aim {
        if self.config.auth_required && !rule.is_for(facts) {
            return Aim::refuse(403);
        }
        if asking.counts
            && let Err(wait) = self.take(now, rule)
        {
            let retry_after_s = Some(wait.as_secs().saturating_add(1));
            return Aim::Refuse { status: 503, reason: None, retry_after_s };
        }
        let rules = &self.config.rules;
        if let Action::Reject { status, reason } = &rule.action {
            return Aim::Refuse { status: *status, reason: reason.clone(), retry_after_s: None };
        }
        let destinations = rules.destinations(rule, facts);
        let Some(first) = destinations.first() else { return Aim::refuse(484) };
        let only_user = || (destinations.len() == 1).then(|| self.user_named(first, asking.packet)).flatten();
        match &rule.action {
            Action::Redirect { status, .. } => Aim::Redirect { status: *status, contacts: rules.contacts(rule, facts) },
            Action::Stateless { .. } => Aim::Stateless(self.target(first, facts, asking, 1000)),
            Action::User => self.user_named(first, asking.packet).map_or(Aim::refuse(404), Aim::User),
            action => match only_user() {
                Some(aor) => Aim::User(aor),
                None => Aim::Targets(self.target_set(action, &destinations, facts, asking)),
            },
        }
    }

    fn take(&self, now: Now, rule: &Rule) -> Result<(), Duration> {
        self.config.limiter.as_ref().map_or(Ok(()), |limiter| limiter.take(now, rule))
    }

    fn user_named(&self, destination: &Destination<'_>, packet: &Packet) -> Option<AddressOfRecord> {
        let uri = Uri::parse(&destination.uri).ok()?;
        if destination.ours { self.config.domains.address_of_record(&uri) } else { self.user_of(&uri, packet) }
    }

    fn target_set(
        &self,
        action: &Action,
        destinations: &[Destination<'_>],
        facts: &Facts<'_>,
        asking: Asking<'_>,
    ) -> TargetSet {
        let last = destinations.len().saturating_sub(1);
        let all = destinations.iter().enumerate().map(|(at, destination)| {
            // Of a series, each when those before it have failed.
            let q = if matches!(action, Action::Serial { .. }) { (last - at).min(1000) as u16 } else { 1000 };
            self.target(destination, facts, asking, q)
        });
        let mut targets: Vec<Target> = all.collect();
        if matches!(action, Action::Dial { .. } | Action::Trunk { .. }) {
            // Whoever has an answer has answered; the next is for where nobody is.
            let fallbacks = targets.split_off(1);
            targets.iter_mut().for_each(|first| first.fallbacks.clone_from(&fallbacks));
        }
        let ring = if let Action::Serial { ring, .. } = action { Some(*ring) } else { None };
        TargetSet { targets, ring, recurse: self.config.recurse, ..TargetSet::default() }
    }

    fn target(&self, destination: &Destination<'_>, facts: &Facts<'_>, asking: Asking<'_>, q: u16) -> Target {
        // A host that the rule has taken from the request is the caller's choice.
        let taken = Uri::parse(&destination.uri).is_ok_and(|uri| !facts.to_ours && uri.host.same_as(&facts.to.host));
        let named_by = if taken && destination.trunk.is_none() { NamedBy::Request } else { NamedBy::Parent };
        let mut target = Target { q, named_by, ..Target::new(Some(destination.uri.clone()), Hop::Resolve) };
        // Within the domain of trust everybody is named, whatever they want hidden from others; outside nobody is (RFC 3325 section 7).
        target.edits.extend(destination.trunk.and_then(|trunk| {
            match trunk.trust_identity {
                true => asserted(&asking.packet.message, asking.caller)
                    .map(|who| HeaderEdit::Set(HeaderName::PAssertedIdentity, who)),
                false => Some(HeaderEdit::Remove(HeaderName::PAssertedIdentity)),
            }
        }));
        target
    }
}
