//! What rules are in plain words, for `config check` and `route test`.

use crate::{Action, Days, Limit, Place, Rule, Trunk, When};
use sip_message::reason_phrase;
use std::fmt::{self, Display, Formatter, Write};

/// `a, b or c`
pub(crate) fn any_of<T: Display>(all: &[T]) -> String {
    listed(all, " or ")
}

fn listed<T: Display>(all: &[T], last: &str) -> String {
    let mut words = String::new();
    for (at, one) in all.iter().enumerate() {
        let between = match at {
            0 => "",
            _ if at + 1 == all.len() => last,
            _ => ", ",
        };
        let _ = write!(words, "{between}{one}");
    }
    words
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.methods.is_empty() { "every request".to_owned() } else { any_of(&self.methods) })?;
        let mut part = |before: &str, words: String| {
            if words.is_empty() { Ok(()) } else { write!(f, " {before} {words}") }
        };
        part("to", any_of(&self.to))?;
        part("from", any_of(&self.from))?;
        match &self.callers[..] {
            [only] if only.is_anything() => part("by", "one of our users".to_owned())?,
            callers => part("by user", any_of(callers))?,
        }
        match &self.trunks[..] {
            [only] if only.is_anything() => part("through", "a trunk".to_owned())?,
            trunks => part("through trunk", any_of(trunks))?,
        }
        part("sent from", any_of(&self.sources))?;
        part("over", any_of(&self.transports))?;
        part("with", listed(&self.headers, " and "))?;
        part("on", if self.days == Days::ALL { String::new() } else { self.days.to_string() })?;
        part("at", any_of(&self.hours))?;
        match self.registered {
            None => Ok(()),
            Some(true) => f.write_str(" when that user is registered"),
            Some(false) => f.write_str(" when that user is not registered"),
        }
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let then = |to: &[Place]| listed(to, ", then ");
        match self {
            Action::Dial { to } if to.len() == 1 => write!(f, "goes to {}", then(to)),
            Action::Dial { to } => write!(f, "goes to {} where that does not work", listed(to, ", or to ")),
            Action::Fork { to } if to.len() == 1 => write!(f, "rings at {}", then(to)),
            Action::Fork { to } => write!(f, "rings at {} at once", listed(to, " and ")),
            Action::Serial { to, ring } => {
                let each = if to.len() == 1 { "" } else { " each" };
                write!(f, "rings at {}, for {} s{each}", then(to), ring.as_secs())
            }
            Action::Redirect { status, to } => {
                write!(f, "is answered with {status} {}: {}", reason_phrase(*status), then(to))
            }
            Action::Reject { status, reason } => {
                write!(f, "is refused with {status} {}", reason.as_deref().unwrap_or(reason_phrase(*status)))
            }
            Action::Trunk { names } if names.len() == 1 => write!(f, "goes to trunk {}", any_of(names)),
            Action::Trunk { names } => write!(f, "goes to trunk {} where that does not work", any_of(names)),
            Action::User => f.write_str("goes to our user of that number"),
            Action::Stateless { to: None } => f.write_str("is forwarded without keeping state"),
            Action::Stateless { to: Some(to) } => write!(f, "is forwarded to {to} without keeping state"),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} a minute, {} at once", self.per_minute(), self.burst())
    }
}

impl Rule {
    /// What it is called: `route 3 (outside lines)`.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("route {} ({name})", self.number),
            None => format!("route {}", self.number),
        }
    }
}

impl Display for Rule {
    /// All of it in one line: what it is called, when it fires, what it does.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.title(), self.when, self.action)?;
        match self.strip {
            0 => {}
            1 => f.write_str(", without the number's first character")?,
            more => write!(f, ", without the number's first {more} characters")?,
        }
        match (self.prefix.as_str(), self.strip) {
            ("", _) => {}
            (prefix, 0) => write!(f, ", with {prefix} in front of the number")?,
            (prefix, _) => write!(f, " and with {prefix} in front")?,
        }
        if let Some(limit) = &self.limit {
            write!(f, "; {limit}")?;
        }
        match (self.action.leads_out(), self.open) {
            (true, true) => f.write_str("; open to everybody"),
            (true, false) if self.when.trunks.is_empty() => f.write_str("; for our users only"),
            (true, false) => f.write_str("; for our users and these trunks only"),
            (false, _) => Ok(()),
        }
    }
}

impl Display for Trunk {
    /// All of it in one line.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "trunk {}:", self.name)?;
        if !self.to.is_empty() {
            write!(f, " is reached at {},", listed(&self.to, ", or at "))?;
        }
        match (&self.from[..], &self.names[..]) {
            ([], []) => f.write_str(" sends us nothing")?,
            (from, []) => write!(f, " is known by its address {}", any_of(from))?,
            ([], names) => write!(f, " is known by its certificate for {}", any_of(names))?,
            (from, names) => {
                write!(f, " is known by its address {} and its certificate for {}", any_of(from), any_of(names))?;
            }
        }
        if self.trust_identity { f.write_str(", and is told and believed who calls") } else { Ok(()) }
    }
}
