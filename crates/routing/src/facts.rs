use crate::address::number;
use crate::hours::Local;
use crate::{Zone, address};
use engine::Now;
use sip_message::{Message, Transport, Uri};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;

/// All that rules can look at: a request, and what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The request itself, for its method and its fields.
    pub message: &'a Message,
    /// The URI of its From: a claim, proved by nothing.
    pub from: Uri<'a>,
    /// Its Request-URI.
    pub to: Uri<'a>,
    /// Where it came from.
    pub source: IpAddr,
    /// Over what it came.
    pub transport: Transport,
    /// The user who has authenticated.
    pub caller: Option<&'a str>,
    /// The name of the trunk that it came through ([`crate::Trunks::find`]).
    pub trunk: Option<&'a str>,
    /// The present moment.
    pub now: Now,
    /// Whether the Request-URI's host is one of our domains. A `tel:` URI counts as ours, whatever this says.
    pub to_ours: bool,
    /// Whether there are bindings for the Request-URI; `None` as long as nobody has looked.
    pub to_registered: Option<bool>,
}

/// The facts as rules compare them, made once for all rules.
pub(crate) struct View<'a> {
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) to: Cow<'a, str>,
    pub(crate) from: Cow<'a, str>,
    zone: &'a Zone,
    local: OnceCell<Local>,
}

impl<'a> View<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, zone: &'a Zone) -> View<'a> {
        let (to, from) = (number(&facts.to), number(&facts.from));
        View { facts, to, from, zone, local: OnceCell::new() }
    }

    /// What the clock shows where the rules are at home.
    pub(crate) fn local(&self) -> Local {
        *self.local.get_or_init(|| self.zone.local(self.facts.now))
    }

    /// Whether the request is for one of our domains, so that a bare number means one of ours.
    pub(crate) fn to_ours(&self) -> bool {
        self.facts.to_ours || address::is_tel(&self.facts.to)
    }
}
