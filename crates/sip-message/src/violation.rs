use crate::{HeaderName, HeaderRule, Message, Method, Presence};
use std::fmt;

/// A field that the header tables (RFC 3261 section 20) demand and that is not there, or that is there against them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// The field.
    pub name: HeaderName,
    /// Whether it is missing; otherwise it must not be there.
    pub missing: bool,
    /// The method of the request, or of the request that was answered.
    pub method: Method,
    /// The status of a response, 0 of a request.
    pub status: u16,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { name, method, status, .. } = self;
        let what = if self.missing { "is missing in" } else { "must not be in" };
        match status {
            0 => write!(f, "{name} {what} a {method}"),
            _ => write!(f, "{name} {what} a {status} to {method}"),
        }
    }
}

impl Message {
    /// What the header tables find wrong with a message that goes out, over a stream or in a datagram. It is for what we write ourselves;
    /// what others write is taken as it comes.
    ///
    /// Fields that no table has may be anywhere.
    pub fn violations(&self, stream: bool) -> Vec<Violation> {
        let (method, status) = (self.method(), self.status());
        let mut found = Vec::new();
        for name in HeaderName::ALL {
            let here = self.header(*name).is_some();
            let mut rules = HeaderRule::of(*name).peekable();
            if rules.peek().is_none() {
                continue;
            }
            let holding = rules.filter(|rule| rule.place.holds(status)).map(|rule| rule.presence(method));
            let (mut allowed, mut demanded) = (false, false);
            for presence in holding {
                allowed |= presence != Presence::NotApplicable;
                demanded |= match presence {
                    Presence::Mandatory => true,
                    Presence::OverStreams => stream,
                    Presence::WithBody => !self.body().is_empty(),
                    Presence::Should | Presence::Optional | Presence::Conditional | Presence::NotApplicable => false,
                };
            }
            if here && !allowed || demanded && !here {
                found.push(Violation { name: *name, missing: !here, method, status });
            }
        }
        found
    }
}
