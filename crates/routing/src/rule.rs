use crate::{Action, Facts, Limit, When};
use std::borrow::Cow;

/// A dial rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What the operator calls it.
    pub name: Option<String>,
    /// When it fires.
    pub when: When,
    /// What is done then.
    pub action: Action,
    /// Characters that are taken off the front of the number; a `+` is one.
    pub strip: usize,
    /// What is then put in front of it.
    pub prefix: String,
    /// How often it may fire. What is beyond gets 503 with a Retry-After; later rules are not asked, because a limit that can be
    /// got round protects nothing.
    pub limit: Option<Limit>,
    /// Whether callers who have proved nothing may use it even where it leads out of the exchange.
    pub open: bool,
    /// Its place among the rules, from 1 on: [`crate::Rules::new`] says it.
    pub number: usize,
}

impl Rule {
    /// A rule that does `action` to every request.
    pub fn new(action: Action) -> Rule {
        Rule {
            name: None,
            when: When::default(),
            action,
            strip: 0,
            prefix: String::new(),
            limit: None,
            open: false,
            number: 0,
        }
    }

    /// Whether this caller may use it: a rule that leads out of the exchange is for authenticated users, and for a trunk only when it speaks of
    /// trunks, unless it is `open`. A stranger whom it would fit is to be challenged.
    pub fn is_for(&self, facts: &Facts<'_>) -> bool {
        let named = facts.trunk.is_some() && !self.when.trunks.is_empty();
        self.is_for_everybody() || facts.caller.is_some() || named
    }

    /// Whether callers may use it who have proved nothing.
    pub fn is_for_everybody(&self) -> bool {
        self.open || !self.action.leads_out()
    }

    /// The number as the rule changes it; empty when nothing of it is left.
    pub(crate) fn rewrite<'n>(&self, number: &'n str) -> Cow<'n, str> {
        let rest = number.char_indices().nth(self.strip).map_or("", |(at, _)| &number[at..]);
        if self.prefix.is_empty() || rest.is_empty() { rest.into() } else { format!("{}{rest}", self.prefix).into() }
    }
}
