//! The rules that must hold, whatever happens.

use super::person::{Leg, Link};
use super::verdict::Hour;
use super::{Day, EXCHANGE};
use crate::DOMAIN;
use phone::{AccountId, CallId, Command, End, Failure};
use sip_registrar::AddressOfRecord;
use std::time::Duration;

/// A caller's patience, and what it takes to end a call that is given up: a CANCEL that nobody hears, a BYE that nobody hears.
const UNANSWERED_MAX: Duration = Duration::from_secs(90 + 3 * 32 + 10);
/// How long a phone rings at most, and what it takes to end that.
const RINGING_MAX: Duration = Duration::from_secs(300 + 32 + 10);
/// The longest that people talk, and what it takes to end that.
const TALKING_MAX: Duration = Duration::from_secs(600 + 3 * 32 + 10);
/// How late a 200 to a REGISTER may come after the binding was made: 64*T1 and the way.
pub(super) const LATE_MAX: Duration = Duration::from_secs(35);
/// How long a phone may be without its registration when nothing is wrong any more: what it waits after a few failures.
const WITHOUT_MAX: Duration = Duration::from_secs(600);

impl Day {
    pub(super) fn look_around(&mut self, hour: u32) -> Hour {
        let now = self.world.elapsed();
        self.check_calls(now);
        let bindings = self.check_bindings(now);
        let (held, watched) = self.held();
        self.take_events();
        let calls = self.ledger.calls.values().filter(|story| story.open > 0).count();
        let held_max = self.ledger.held_max(now);
        if held > held_max {
            self.breaks(format!("the exchange holds {held} things, of which what goes on explains {held_max}"));
        }
        let registered = self.people.iter().filter(|person| person.believes(now)).count();
        Hour { hour, registered, calls, held, held_max, watched, bindings, counts: self.counts() }
    }

    fn held(&mut self) -> (usize, usize) {
        let exchange = self.world.exchange(EXCHANGE);
        let held = exchange.servers.iter().map(server::Server::len).sum();
        let watched = exchange.servers.iter().filter_map(|server| server.calls()).map(|calls| calls.list().count());
        (held, watched.sum())
    }

    /// Every call ends, at both its ends, within the time that it may take.
    fn check_calls(&mut self, now: Duration) {
        let mut wrong = Vec::new();
        for person in &self.people {
            for (call, leg) in &person.calls {
                let longest = match (call, leg.answered) {
                    (_, Some(_)) => TALKING_MAX,
                    (CallId::Placed(_), None) => UNANSWERED_MAX,
                    (CallId::Incoming(_), None) => RINGING_MAX,
                };
                if leg.answered.unwrap_or(leg.began) + longest < now {
                    wrong.push(format!("{} has a call that does not end: {call:?} {leg:?}", person.name));
                }
            }
        }
        wrong.into_iter().for_each(|wrong| self.breaks(wrong));
    }

    /// What was promised is in the location table, and what is there was promised, or could not be taken back. How many there are.
    fn check_bindings(&mut self, now: Duration) -> usize {
        let wall = self.world.now;
        let exchange = self.world.exchange(EXCHANGE);
        exchange.store.sweep(wall);
        let location = &exchange.store.location;
        let mut wrong = Vec::new();
        let mut found = 0;
        for person in &mut self.people {
            let aor = AddressOfRecord::new(&person.name, DOMAIN).expect("a good name");
            let bindings = location.fetch(wall, &aor).bindings;
            found += bindings.len();
            let is_at = |contact: &str, at| contact.split(';').next() == Some(&*format!("sip:{}@{at}", person.name));
            let there = bindings.iter().any(|binding| is_at(binding.contact(), person.at));
            if person.promised.is_some_and(|until| until > now + LATE_MAX) && !there {
                wrong.push(format!("the binding of {} is lost: promised until {:?}", person.name, person.promised));
            }
            person.was_at.retain(|(_, forgotten)| *forgotten > now);
            for binding in bindings.iter() {
                let known = std::iter::once(&person.at).chain(person.was_at.iter().map(|(at, _)| at));
                if !known.clone().any(|at| is_at(binding.contact(), *at)) {
                    wrong.push(format!("{} was never or long ago at {}", person.name, binding.contact()));
                }
            }
            let waited =
                person.on && !person.believes(now) && person.without_since.max(person.switched) + WITHOUT_MAX < now;
            if waited && !self.ledger.could_not_write(now - WITHOUT_MAX, now) {
                wrong.push(format!("{} is not registered since {:?}", person.name, person.without_since));
            }
        }
        if found != location.len() {
            wrong.push(format!("{} bindings are in the table, {found} of them are somebody's", location.len()));
        }
        wrong.into_iter().for_each(|wrong| self.breaks(wrong));
        found
    }

    /// Registrations fail only while the exchange is down or cannot write.
    pub(super) fn judge_registration(&mut self, now: Duration, person: usize, failure: &Failure, retry_s: Option<u64>) {
        // A REGISTER is repeated for so long.
        let since = now.saturating_sub(LATE_MAX);
        let excused = match failure.status() {
            503 => self.ledger.was_down(since, now) || self.ledger.could_not_write(since, now),
            _ => self.ledger.was_down(since, now),
        };
        if !excused || retry_s.is_none() {
            let name = &self.people[person].name;
            self.breaks(format!("{name} could not register: {failure:?}, next try in {retry_s:?}"));
        }
    }

    /// A call that is not taken fails because somebody did not want it, was in another, or could not be found for a reason.
    pub(super) fn judge_call(&mut self, now: Duration, person: usize, leg: &Leg, failure: &Failure) {
        let Some(story) = self.ledger.calls.get(&leg.link).cloned() else { return };
        let callee = &self.people[story.callee];
        let since = story.began.saturating_sub(LATE_MAX);
        let disturbed = self.ledger.was_down(since, now)
            || !story.to_be_found
            || callee.switched > since
            || !callee.was_at.is_empty();
        let meant = match failure.status() {
            486 if story.refused == Some(486) => true,
            486 => story.in_use || !callee.calls.is_empty(),
            603 => story.refused == Some(603),
            _ => false,
        };
        match failure.status() {
            486 if meant && story.refused.is_none() => self.counts.busy += 1,
            486 | 603 if meant => self.counts.refused += 1,
            _ if disturbed => self.counts.failed_excused += 1,
            _ => {
                let names = (&self.people[person].name, &callee.name);
                self.breaks(format!("{} could not reach {}: {failure:?}, {story:?}", names.0, names.1));
            }
        }
    }

    /// A call that was taken ends because somebody hangs up.
    pub(super) fn judge_end(&mut self, now: Duration, person: usize, call: CallId, leg: &Leg, end: &End) {
        if let (CallId::Placed(_), End::Cancelled) = (call, end) {
            self.counts.given_up += 1;
        }
        let disturbed = self.ledger.was_down(leg.began.saturating_sub(LATE_MAX), now);
        let story = self.ledger.calls.get(&leg.link);
        let (alone, gone) = match story {
            Some(story) => (story.open < 2, self.people[leg.link.0].switched > story.began),
            None => (true, true),
        };
        // The caller may have given up while the answer was on its way.
        if *end == End::NeverAcknowledged && !disturbed && !alone && !gone {
            self.breaks(format!("{} answered {call:?} and was never acknowledged: {leg:?}", self.people[person].name));
        }
        if leg.answered.is_none() && matches!(end, End::HungUp | End::PeerHungUp) && !disturbed && !gone {
            self.breaks(format!("{call:?} of {} ended {end:?} unanswered", self.people[person].name));
        }
    }

    /// Whoever is left alone in a call has heard of it by now.
    pub(super) fn check_other_end(&mut self, now: Duration, link: Link, since: Duration) {
        let Some(story) = self.ledger.calls.get(&link).filter(|story| story.open > 0) else { return };
        // The BYE of a phone on a stream whose exchange was gone without a word; of anybody while it is down.
        let disturbed = self.ledger.was_down(since.saturating_sub(LATE_MAX), now);
        let both = [&self.people[link.0], &self.people[story.callee]];
        // A phone that has not found its way back to the exchange is not to be found.
        let reached = both.iter().all(|person| person.switched < story.began && person.promised_since <= since);
        if !disturbed && reached && both.iter().all(|person| person.believes(now)) {
            let (caller, callee) = (&self.people[link.0].name, &self.people[story.callee].name);
            self.breaks(format!(
                "{caller} and {callee}: one has hung up at {since:?}, the other does not know: {story:?}"
            ));
        }
    }

    /// Everybody stops: all calls are over, everybody is registered; then all unregister, and nothing is left anywhere.
    pub(super) fn finish(&mut self) {
        let now = self.world.elapsed();
        let mut wrong = Vec::new();
        for person in self.people.iter().filter(|person| person.on) {
            if !person.calls.is_empty() {
                wrong.push(format!("{} still has calls in the evening: {:?}", person.name, person.calls));
            }
            if !person.believes(now) && person.switched + Duration::from_secs(60) < now {
                wrong.push(format!("{} is not registered in the evening", person.name));
            }
        }
        self.check_records_left();
        self.agenda.clear();
        for person in 0..self.people.len() {
            if self.people[person].on {
                self.world.command_at(self.people[person].node, Command::Unregister { account: AccountId(0) });
            }
        }
        self.live_until(now + Duration::from_secs(120));
        let (held, watched) = self.held();
        if (held, watched) != (0, 0) {
            wrong.push(format!("when all is over the exchange still holds {held} things and watches {watched} calls"));
        }
        let mut phones = 0;
        for person in 0..self.people.len() {
            let (node, on) = (self.people[person].node, self.people[person].on);
            let phone = self.world.phone_at(node);
            let (leaks, entries) = (phone.leaks(), phone.phone.entries_len());
            if on && (leaks.is_some() || entries > 0) {
                phones += 1;
                if phones <= 5 {
                    let name = &self.people[person].name;
                    wrong.push(format!(
                        "the phone of {name} {} and remembers {entries} things",
                        leaks.unwrap_or_default()
                    ));
                }
            }
        }
        // What phones have left behind that have moved or were switched off goes with the hour.
        self.live_until(now + Duration::from_secs(3600 + 180));
        let wall = self.world.now;
        let exchange = self.world.exchange(EXCHANGE);
        exchange.store.sweep(wall);
        let left = exchange.store.location.len();
        if left > 0 {
            wrong.push(format!("when all is over {left} bindings are left"));
        }
        wrong.into_iter().for_each(|wrong| self.breaks(wrong));
    }
}
