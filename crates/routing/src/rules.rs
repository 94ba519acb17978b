use crate::facts::View;
use crate::place::{Filling, with_user};
use crate::{Action, Facts, Fit, Limiter, Place, Rule, Trunk, Trunks, Zone, address};
use engine::Now;
use sip_message::{Scheme, Uri};

/// The dial rules of an exchange, in their order, with its trunks.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    trunks: Trunks,
    zone: Zone,
    home: String,
}

/// What the rules say about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'r> {
    /// The first rule that fits.
    Rule(&'r Rule),
    /// None fits: the request goes where it would go without rules.
    None,
    /// Decide again once [`Facts::to_registered`] is known: a rule that fits otherwise needs it.
    AskRegistered,
}

/// Where a rule sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination<'r> {
    /// A `sip:`, `sips:` or `tel:` URI.
    pub uri: String,
    /// The trunk that this is the way to.
    pub trunk: Option<&'r Trunk>,
    /// Whether it is one of our users, whatever the URI's host: the rule names a number without a host.
    pub ours: bool,
}

impl Rules {
    /// Rules in their order. Hours are those of `zone`; `home` is the host of numbers without one in a request to another's domain.
    pub fn new(mut rules: Vec<Rule>, trunks: Trunks, zone: Zone, home: &str) -> Rules {
        rules.iter_mut().enumerate().for_each(|(at, rule)| rule.number = at + 1);
        Rules { rules, trunks, zone, home: home.to_owned() }
    }

    /// The same with more rules, which are asked after the others.
    pub fn followed_by(self, more: Vec<Rule>) -> Rules {
        let rules = self.rules.into_iter().chain(more).collect();
        Rules::new(rules, self.trunks, self.zone, &self.home)
    }

    /// The rules, in their order.
    pub fn as_slice(&self) -> &[Rule] {
        &self.rules
    }

    /// The trunks.
    pub fn trunks(&self) -> &Trunks {
        &self.trunks
    }

    /// Where the clock hangs.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The counts of the rules that have a limit, from now on.
    pub fn limiter(&self, now: Now) -> Limiter {
        Limiter::new(&self.rules, now)
    }

    /// The first rule that fits.
    pub fn decide<'r>(&'r self, facts: &Facts<'_>) -> Decision<'r> {
        if self.rules.is_empty() {
            return Decision::None;
        }
        let view = View::new(facts, &self.zone);
        for rule in &self.rules {
            match rule.when.fits(&view) {
                Fit::Yes => return Decision::Rule(rule),
                Fit::AskRegistered => return Decision::AskRegistered,
                Fit::No(_) => {}
            }
        }
        Decision::None
    }

    /// Whether each rule would fit, and if not why, for whoever wants to know how a decision came about.
    pub fn fits<'r>(&'r self, facts: &Facts<'_>) -> Vec<(&'r Rule, Fit)> {
        let view = View::new(facts, &self.zone);
        self.rules.iter().map(|rule| (rule, rule.when.fits(&view))).collect()
    }

    /// Where `rule` sends this request, in its order. Empty for [`Action::Reject`]; for others when nothing is left of the number
    /// (484 is what that is called, RFC 3261 section 21.4.22).
    pub fn destinations<'r>(&'r self, rule: &Rule, facts: &Facts<'_>) -> Vec<Destination<'r>> {
        let dialled = address::number(&facts.to);
        let user = rule.rewrite(&dialled);
        let elsewhere = |uri| Destination { uri, trunk: None, ours: false };
        match &rule.action {
            Action::Reject { .. } => Vec::new(),
            Action::Trunk { names } => {
                let trunks = names.iter().filter_map(|name| self.trunks.get(name));
                let uris = trunks.flat_map(|trunk| trunk.to.iter().map(move |uri| (trunk, uri)));
                let filled = uris.filter_map(|(trunk, text)| {
                    let uri = Uri::parse(text).ok()?;
                    Some(Destination { uri: with_user(&uri, &user, &self.home)?, trunk: Some(trunk), ours: false })
                });
                filled.collect()
            }
            Action::User => {
                let uri = with_user(&facts.to, &user, &self.home);
                uri.map(|uri| Destination { uri, trunk: None, ours: true }).into_iter().collect()
            }
            Action::Stateless { to: None } if rule.strip == 0 && rule.prefix.is_empty() => {
                vec![elsewhere(facts.message.request_uri().to_owned())]
            }
            Action::Stateless { to: None } => {
                with_user(&facts.to, &user, &self.home).map(elsewhere).into_iter().collect()
            }
            with_places => {
                let uris = with_places.places().iter().filter_map(|place| {
                    let uri = self.fill(place, &user, facts)?;
                    Some(Destination { uri, trunk: None, ours: place.is_number() })
                });
                uris.collect()
            }
        }
    }

    /// The same as values for Contact, the best first: of several each has a lower q than the one before (RFC 3261 section 8.3).
    pub fn contacts(&self, rule: &Rule, facts: &Facts<'_>) -> Vec<String> {
        let destinations = self.destinations(rule, facts);
        let all = destinations.len();
        let contact = |(at, to): (usize, &Destination<'_>)| match (all, (all - at) * 1000 / all) {
            (1, _) => format!("<{}>", to.uri),
            (_, 1000) => format!("<{}>;q=1", to.uri),
            (_, thousandths) => format!("<{}>;q=0.{thousandths:03}", to.uri),
        };
        destinations.iter().enumerate().map(contact).collect()
    }

    /// The URI of a place that is not a rule's (a [`crate::Forwards`]' one) for this request.
    pub fn uri(&self, place: &Place, facts: &Facts<'_>) -> Option<String> {
        self.fill(place, &address::number(&facts.to), facts)
    }

    /// The URI of a number or user of ours.
    pub fn home_uri(&self, number: &str) -> String {
        format!("sip:{}@{}", address::escape_user(number), self.home)
    }

    fn fill(&self, place: &Place, user: &str, facts: &Facts<'_>) -> Option<String> {
        let host = facts.to.host.to_string();
        let host = if host.is_empty() { self.home.as_str() } else { host.as_str() };
        let home = if facts.to_ours { host } else { self.home.as_str() };
        let secure = facts.to.scheme == Scheme::Sips;
        place.uri(&Filling { user, host, from: &address::number(&facts.from), home, secure })
    }
}
