//! What the exchange has written of calls against what their phones saw.

use super::ledger::{Outcome, Story};
use super::person::Link;
use super::rules::LATE_MAX;
use super::{Day, EXCHANGE};
use crate::World;
use server::{CallRecord, End, Event, Side};
use std::time::{Duration, SystemTime};

/// How long after both its ends are over the record of a call is looked for: longer than a BYE is repeated.
pub(super) const RECORDED_WITHIN: Duration = Duration::from_secs(40);

/// How far what a phone saw may be from what the exchange saw: a message that has to be repeated.
const APART_MAX: Duration = Duration::from_secs(33);

impl Day {
    /// Takes what the exchange has told since the last time.
    pub(super) fn take_events(&mut self) {
        let events = std::mem::take(&mut self.world.exchange(EXCHANGE).events);
        for event in events {
            match event {
                Event::Ended(record) => match caller_of(&record) {
                    Some(caller) => self.ledger.records.entry(caller).or_default().push(*record),
                    None => self.breaks(format!("a call of nobody is recorded: {record:?}")),
                },
                Event::Offence { source, offence } => {
                    self.breaks(format!("{offence:?} is held against {source}, where nobody does any harm"));
                }
                Event::OverLimit { why, .. } => self.breaks(format!("{why}, where nobody calls outside")),
                Event::Known { .. } | Event::Report { .. } => {}
            }
        }
    }

    /// Both ends of a call are over for a while: its record is there, once, and says what happened.
    pub(super) fn close(&mut self, now: Duration, link: Link) {
        self.take_events();
        let Some(story) = self.ledger.calls.remove(&link) else { return };
        let from = story.began.saturating_sub(Duration::from_secs(1));
        let records = self.ledger.records.entry(link.0).or_default();
        let is_its = |record: &CallRecord| {
            let started = since_morning(record.started);
            from <= started && started <= story.began + LATE_MAX && story.over.is_none_or(|over| started <= over)
        };
        let (own, others): (Vec<CallRecord>, Vec<CallRecord>) = std::mem::take(records).into_iter().partition(is_its);
        *records = others;
        let gone = [link.0, story.callee].into_iter().any(|person| self.people[person].switched >= story.began);
        if self.ledger.was_down(story.began.saturating_sub(LATE_MAX), now) || gone {
            return;
        }
        match &own[..] {
            [record] => {
                self.counts.records += 1;
                if let Some(wrong) = differs(&story, record) {
                    self.breaks(format!("{wrong}: {story:?} is recorded as {record:?}"));
                }
            }
            _ => self.breaks(format!("a call has {} records: {story:?}, {own:?}", own.len())),
        }
        if story.callee_answered.is_some() && story.caller_answered.is_none() {
            self.counts.one_sided += 1;
            let near = story.callee_answered.zip(story.gave_up).map(|(answered, gave_up)| answered.abs_diff(gave_up));
            if near.is_none_or(|apart| apart > APART_MAX) {
                self.breaks(format!("the callee has answered, the caller has not heard of it: {story:?}"));
            }
        }
    }

    /// Records that belong to no call.
    pub(super) fn check_records_left(&mut self) {
        self.take_events();
        let left = std::mem::take(&mut self.ledger.records);
        for record in left.into_values().flatten() {
            let (started, ended) = (since_morning(record.started), since_morning(record.ended));
            if !self.ledger.was_down(started.saturating_sub(LATE_MAX), ended + LATE_MAX) {
                self.breaks(format!("nobody has made the call that is recorded as {record:?}"));
            }
        }
    }
}

/// What is wrong with a record.
fn differs(story: &Story, record: &CallRecord) -> Option<&'static str> {
    let near = |a: Option<Duration>, b: Duration| a.is_none_or(|a| a.abs_diff(b) <= APART_MAX);
    let answered = record.answered.map(since_morning);
    let right = match (&story.outcome, record.end) {
        // Who gives up while it is being answered is heard, or is not.
        (Some(Outcome::GaveUp), End::Cancelled | End::HungUp(_) | End::Refused(_)) => true,
        (Some(Outcome::Failed(status)), End::Refused(recorded)) => *status == recorded,
        (Some(Outcome::HungUp), End::HungUp(side)) => side == Side::Caller || story.callee_hung_up,
        (Some(Outcome::HungUpOn), End::HungUp(side)) => side == Side::Callee,
        (Some(Outcome::HungUpOn), End::NoAck) => story.unheard,
        _ => false,
    };
    match (story.caller_answered, answered) {
        _ if !right => Some("its end is another"),
        (Some(_), None) => Some("its answer is missing"),
        (None, Some(_)) if story.gave_up.is_none() => Some("it was not answered"),
        (Some(seen), Some(recorded)) if !near(Some(seen), recorded) => Some("it was answered at another time"),
        _ if !near(story.over, since_morning(record.ended)) => Some("it ended at another time"),
        _ if record.how.is_empty() => Some("no word says how it ended"),
        _ => None,
    }
}

fn since_morning(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH + World::CALENDAR).unwrap_or_default()
}

fn caller_of(record: &CallRecord) -> Option<usize> {
    record.caller.as_ref()?.strip_prefix("user")?.split('@').next()?.parse().ok()
}
