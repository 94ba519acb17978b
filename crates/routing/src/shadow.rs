use crate::{Days, Pattern, Rule, Rules, When};

impl Rules {
    /// Rules that can never fire, each with an earlier one that takes all that it could get. Some such pairs may be missed; none is
    /// named wrongly.
    pub fn shadowed(&self) -> Vec<(&Rule, &Rule)> {
        let rules = self.as_slice();
        let pairs = rules.iter().enumerate().filter_map(|(at, later)| {
            let earlier = rules[..at].iter().find(|earlier| covers(&earlier.when, &later.when))?;
            Some((later, earlier))
        });
        pairs.collect()
    }
}

/// Whether `wide` fits whenever `narrow` does.
fn covers(wide: &When, narrow: &When) -> bool {
    let patterns = |wide: &[Pattern], narrow: &[Pattern]| all(wide, narrow, Pattern::covers);
    all(&wide.methods, &narrow.methods, |a, b| a == b)
        && all(&wide.to, &narrow.to, crate::AddressPattern::covers)
        && all(&wide.from, &narrow.from, crate::AddressPattern::covers)
        && patterns(&wide.callers, &narrow.callers)
        && patterns(&wide.trunks, &narrow.trunks)
        && all(&wide.sources, &narrow.sources, crate::Network::covers)
        && all(&wide.transports, &narrow.transports, |a, b| a == b)
        && wide.headers.iter().all(|wide| narrow.headers.iter().any(|narrow| wide.covers(narrow)))
        && time_covers(wide, narrow)
        && (wide.registered.is_none() || wide.registered == narrow.registered)
}

/// Whether each of `narrow` is within one of `wide`. None at all is everything.
fn all<T>(wide: &[T], narrow: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    let one = |narrow: &T| wide.iter().any(|wide| covers(wide, narrow));
    wide.is_empty() || !narrow.is_empty() && narrow.iter().all(one)
}

fn time_covers(wide: &When, narrow: &When) -> bool {
    // Hours that go over midnight reach into a day that is not among `days`.
    let days = wide.days == Days::ALL || !wide.hours.is_empty() || !narrow.hours.iter().any(crate::Hours::wrap);
    days && wide.days.cover(narrow.days) && all(&wide.hours, &narrow.hours, crate::Hours::cover)
}
