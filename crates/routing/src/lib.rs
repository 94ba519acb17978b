//! Dial rules: which one fires for a request, and what it wants done.
//!
//! It sends nothing, looks nothing up and does not know who is registered: [`Rules::decide`] is a function of [`Facts`]. What a
//! decision means (whom to trust, which branches there are, what a forward does to the identities) is the server's to say.

mod action;
mod address;
mod facts;
mod forwards;
mod hours;
mod limit;
mod limits;
mod pattern;
mod place;
mod rule;
mod rules;
mod shadow;
mod tally;
mod trunk;
mod when;
mod words;

#[cfg(test)]
mod tests;

pub use action::{Action, PLACES_MAX, REDIRECTS, RING_S, RING_S_MAX};
pub use address::AddressPattern;
pub use engine::Network;
pub use facts::Facts;
pub use forwards::{Forwards, NO_ANSWER_AFTER_S, NO_ANSWER_AFTER_S_MAX};
pub use hours::{Days, Hours, Zone};
pub use limit::{Limit, Limiter};
pub use limits::Limits;
pub use pattern::Pattern;
pub use place::Place;
pub use rule::Rule;
pub use rules::{Decision, Destination, Rules};
pub use tally::{Excess, Seat, TALLY_USERS_MAX, Tally};
pub use trunk::{Trunk, Trunks};
pub use when::{Condition, Fit, HeaderPattern, When};

/// What a text should have been, for whoever typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted(pub &'static str);

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Wanted {}
