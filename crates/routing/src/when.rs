use crate::facts::View;
use crate::{AddressPattern, Days, Hours, Network, Pattern};
use sip_message::{HeaderName, Message, Transport, unfold};
use std::fmt;

/// When a rule fires: all conditions hold. One with several values holds if any of them does; an empty one always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    /// Methods, as on the wire.
    pub methods: Vec<String>,
    /// What the Request-URI looks like. A pattern without a host means a number of ours: the same number at somebody else's
    /// domain is another's.
    pub to: Vec<AddressPattern>,
    /// What the From looks like, at any host if the pattern has none. Nobody proves a From.
    pub from: Vec<AddressPattern>,
    /// Which user has authenticated.
    pub callers: Vec<Pattern>,
    /// Through which trunk it came.
    pub trunks: Vec<Pattern>,
    /// From where it was sent.
    pub sources: Vec<Network>,
    /// Over what it came.
    pub transports: Vec<Transport>,
    /// Fields that it has; each of them is needed.
    pub headers: Vec<HeaderPattern>,
    /// On which days.
    pub days: Days,
    /// At what times of the day.
    pub hours: Vec<Hours>,
    /// Whether somebody is registered for the Request-URI. Holds for no request to another's domain.
    pub registered: Option<bool>,
}

/// A field that a message has to have, and what one of its values looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderPattern {
    name: HeaderName,
    text: String,
    values: Vec<Pattern>,
}

impl HeaderPattern {
    /// The field called `name`, in any case, full or compact.
    pub fn new(name: &str, values: Vec<Pattern>) -> HeaderPattern {
        let known = HeaderName::from_bytes(name.as_bytes());
        let text = if known == HeaderName::Other { name } else { known.as_str() };
        HeaderPattern { name: known, text: text.to_owned(), values }
    }

    fn fits(&self, message: &Message) -> bool {
        let value = |text: &str| self.values.iter().any(|pattern| pattern.matches_any_case(&unfold(text)));
        match self.name {
            HeaderName::Other => {
                message.all_fields().any(|field| field.name_text.eq_ignore_ascii_case(&self.text) && value(field.value))
            }
            known => message.fields(known).any(value),
        }
    }

    pub(crate) fn covers(&self, other: &HeaderPattern) -> bool {
        let value = |theirs: &Pattern| self.values.iter().any(|ours| ours.covers(theirs));
        self.name == other.name && self.text.eq_ignore_ascii_case(&other.text) && other.values.iter().all(value)
    }
}

impl fmt::Display for HeaderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, crate::words::any_of(&self.values))
    }
}

/// One of the conditions of [`When`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `methods`
    Method,
    /// `to`
    To,
    /// `from`
    From,
    /// `callers`
    Caller,
    /// `trunks`
    Trunk,
    /// `sources`
    Source,
    /// `transports`
    Transport,
    /// `headers`
    Header,
    /// `days` and `hours`
    Time,
    /// `registered`
    Registered,
}

impl Condition {
    /// Its key in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::Method => "method",
            Condition::To => "to",
            Condition::From => "from",
            Condition::Caller => "caller",
            Condition::Trunk => "trunk",
            Condition::Source => "source",
            Condition::Transport => "transport",
            Condition::Header => "header",
            Condition::Time => "time",
            Condition::Registered => "registered",
        }
    }
}

/// Whether a rule fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Every condition holds.
    Yes,
    /// This one does not.
    No(Condition),
    /// All others hold, and whether somebody is registered is not known.
    AskRegistered,
}

impl When {
    pub(crate) fn fits(&self, view: &View<'_>) -> Fit {
        let facts = view.facts;
        let any = |patterns: &[Pattern], text: Option<&str>| {
            patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text)))
        };
        let to =
            |pattern: &AddressPattern| (pattern.has_host() || view.to_ours()) && pattern.matches(&view.to, &facts.to);
        let checks: [(Condition, &dyn Fn() -> bool); 9] = [
            (Condition::Method, &|| holds(&self.methods, |method| method == facts.message.method_text())),
            (Condition::To, &|| holds(&self.to, to)),
            (Condition::From, &|| holds(&self.from, |pattern| pattern.matches(&view.from, &facts.from))),
            (Condition::Caller, &|| any(&self.callers, facts.caller)),
            (Condition::Trunk, &|| any(&self.trunks, facts.trunk)),
            (Condition::Source, &|| holds(&self.sources, |network| network.contains(facts.source))),
            (Condition::Transport, &|| holds(&self.transports, |transport| *transport == facts.transport)),
            (Condition::Header, &|| self.headers.iter().all(|header| header.fits(facts.message))),
            (Condition::Time, &|| self.is_time(view)),
        ];
        if let Some((condition, _)) = checks.iter().find(|(_, check)| !check()) {
            return Fit::No(*condition);
        }
        match (self.registered, facts.to_registered) {
            (None, _) => Fit::Yes,
            (Some(_), _) if !view.to_ours() => Fit::No(Condition::Registered),
            (Some(_), None) => Fit::AskRegistered,
            (Some(wanted), Some(is)) if wanted == is => Fit::Yes,
            (Some(_), Some(_)) => Fit::No(Condition::Registered),
        }
    }

    fn is_time(&self, view: &View<'_>) -> bool {
        if self.hours.is_empty() {
            return self.days == Days::ALL || self.days.contain(view.local().weekday());
        }
        self.hours.iter().any(|hours| hours.contain(view.local(), self.days))
    }
}

fn holds<T>(values: &[T], one: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(one)
}
