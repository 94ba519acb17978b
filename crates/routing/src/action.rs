use crate::Place;
use std::time::Duration;

/// Seconds that each destination of `serial` rings when nobody says otherwise.
pub const RING_S: u32 = 20;

/// Seconds that a destination may ring at most: beyond three minutes callers' own timers end it (RFC 3261 section 16.6, timer C).
pub const RING_S_MAX: u32 = 180;

/// Places that one rule may name: as many as the proxy tries for one request.
pub const PLACES_MAX: usize = 20;

/// The statuses that a redirection may have (RFC 3261 section 21.3).
pub const REDIRECTS: [u16; 5] = [300, 301, 302, 305, 380];

/// What a rule wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Calls the first; the next one only where that does not work (no answer at all to the request, or 503). That somebody is busy
    /// or declines is an answer.
    Dial {
        /// In this order; one at least.
        to: Vec<Place>,
    },
    /// Calls all at once; who answers first has the call.
    Fork {
        /// One at least.
        to: Vec<Place>,
    },
    /// Calls one after the other, until one answers; a 6xx ends it.
    Serial {
        /// In this order; one at least.
        to: Vec<Place>,
        /// How long each rings.
        ring: Duration,
    },
    /// Answers with Contacts.
    Redirect {
        /// One of [`REDIRECTS`].
        status: u16,
        /// The best first; one at least.
        to: Vec<Place>,
    },
    /// Refuses.
    Reject {
        /// 400 to 699.
        status: u16,
        /// The Reason-Phrase, where it is not the usual one.
        reason: Option<String>,
    },
    /// Sends the number to the first of these trunks; to the next one only where that does not work.
    Trunk {
        /// Their names; one at least.
        names: Vec<String>,
    },
    /// Looks the number up as one of our users: what happens without any rule, too.
    User,
    /// Forwards without keeping state (RFC 3261 section 16.11).
    Stateless {
        /// `None`: to where the Request-URI says.
        to: Option<Place>,
    },
}

impl Action {
    /// The word for it in the configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Action::Dial { .. } => "dial",
            Action::Fork { .. } => "fork",
            Action::Serial { .. } => "serial",
            Action::Redirect { .. } => "redirect",
            Action::Reject { .. } => "reject",
            Action::Trunk { .. } => "trunk",
            Action::User => "user",
            Action::Stateless { .. } => "stateless",
        }
    }

    /// The places in it.
    pub fn places(&self) -> &[Place] {
        match self {
            Action::Dial { to } | Action::Fork { to } | Action::Serial { to, .. } | Action::Redirect { to, .. } => to,
            Action::Stateless { to } => to.as_slice(),
            Action::Reject { .. } | Action::Trunk { .. } | Action::User => &[],
        }
    }

    /// Whether requests may leave the exchange by it to somewhere that is not one of its users.
    pub fn leads_out(&self) -> bool {
        match self {
            Action::Dial { to } | Action::Fork { to } | Action::Serial { to, .. } => {
                to.iter().any(|place| !place.is_number())
            }
            Action::Trunk { .. } | Action::Stateless { .. } => true,
            Action::Redirect { .. } | Action::Reject { .. } | Action::User => false,
        }
    }
}
