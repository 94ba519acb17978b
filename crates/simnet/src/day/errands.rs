//! What people do, and what they hear of their phones.

use super::ledger::{Outcome, Story};
use super::person::{Leg, Link, Person};
use super::records::RECORDED_WITHIN;
use super::{Day, EXCHANGE};
use crate::{DOMAIN, Off};
use phone::{AccountId, CallId, Command, Dial, Event, Failure};
use std::time::Duration;

/// What is going to happen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Errand {
    Dial(usize),
    /// The caller has no more patience.
    GiveUp(usize, u32, CallId),
    Answer(usize, u32, CallId),
    Refuse(usize, u32, CallId, u16),
    HangUp(usize, u32, CallId),
    /// One end of this call was hung up then.
    CheckOtherEnd(Link, Duration),
    /// Both ends of this call have been over for a while.
    Close(Link),
    SwitchOff(usize),
    SwitchOn(usize),
    Kill,
    Start,
    Fail,
    Heal,
}

const BINDING_S: u32 = 3600;

/// Whoever is hung up on hears of it before the BYE is answered.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// How long it takes until nobody is called any more before the day ends.
pub(super) const EVENING: Duration = Duration::from_secs(20 * 60);

impl Day {
    pub(super) fn plan_the_day(&mut self) {
        let length = self.settings.length();
        for person in 0..self.people.len() {
            // The first ten minutes are for switching on.
            let on = self.between_ms(0, 600_000);
            self.plan(on, Errand::SwitchOn(person));
            let first = on + self.until_next_call();
            self.plan(first, Errand::Dial(person));
            let chance = self.settings.phone_restarts_percent * u64::from(self.settings.hours);
            if self.rng.below(2400) < chance {
                let off = self.between_ms(1_200_000, length.as_millis() as u64 - 1_800_000);
                self.plan(off, Errand::SwitchOff(person));
            }
        }
        let (first, last) = (900_000, (length.as_millis() as u64).saturating_sub(2_400_000));
        for n in 0..self.settings.restarts {
            let at = self.between_ms(first, last);
            // At once, after a moment, or after longer than a transaction lives.
            let down = match n % 3 {
                0 => self.between_ms(100, 1000),
                1 => self.between_ms(1000, 10_000),
                _ => self.between_ms(10_000, 60_000),
            };
            self.plan(at, Errand::Kill);
            self.plan(at + down, Errand::Start);
        }
        for _ in 0..self.settings.failures {
            let (at, for_so_long) = (self.between_ms(first, last), self.between_ms(5_000, 120_000));
            self.plan(at, Errand::Fail);
            self.plan(at + for_so_long, Errand::Heal);
        }
    }

    fn between_ms(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.rng.below(most.saturating_sub(least) + 1))
    }

    /// The calls of one phone are a Poisson process.
    fn until_next_call(&mut self) -> Duration {
        let chance = (self.rng.below(1 << 32) + 1) as f64 / (1u64 << 32) as f64;
        let mean_s = 86_400.0 / f64::from(self.settings.calls_per_phone.max(1));
        Duration::from_secs_f64(-chance.ln() * mean_s)
    }

    pub(super) fn run_errand(&mut self, errand: Errand) {
        let now = self.world.elapsed();
        match errand {
            Errand::Dial(person) => self.dial(now, person),
            Errand::GiveUp(person, life, call) => {
                let leg = self.people[person].calls.get(&call);
                if let Some(link) = leg.filter(|leg| leg.answered.is_none()).map(|leg| leg.link) {
                    if let Some(story) = self.ledger.calls.get_mut(&link) {
                        story.gave_up = Some(now);
                    }
                    self.command(person, life, Command::Hangup { call });
                }
            }
            Errand::Answer(person, life, call) => {
                let play = media::Source::Silence;
                self.command(person, life, Command::Answer { call, play, record: false });
            }
            Errand::Refuse(person, life, call, status) => {
                self.command(person, life, Command::Reject { call, status });
            }
            Errand::HangUp(person, life, call) => self.command(person, life, Command::Hangup { call }),
            Errand::CheckOtherEnd(link, since) => self.check_other_end(now, link, since),
            Errand::Close(link) => self.close(now, link),
            Errand::SwitchOff(person) => self.switch_off(now, person),
            Errand::SwitchOn(person) => self.switch_on(now, person),
            Errand::Kill => {
                if self.ledger.outages.last().is_none_or(|(_, end)| end.is_some()) {
                    let off = if self.rng.below(2) == 0 { Off::Refusing } else { Off::Silent };
                    self.world.kill(EXCHANGE, off);
                    self.ledger.outages.push((now, None));
                }
            }
            Errand::Start => {
                if let Some((_, end @ None)) = self.ledger.outages.last_mut() {
                    *end = Some(now);
                    self.counts.restarts += 1;
                    self.world.start(EXCHANGE);
                }
            }
            Errand::Fail => {
                self.world.exchange(EXCHANGE).store.fails = true;
                self.ledger.failures.push((now, None));
            }
            Errand::Heal => {
                self.world.exchange(EXCHANGE).store.fails = false;
                self.ledger.failures.iter_mut().for_each(|(_, end)| *end = end.or(Some(now)));
            }
        }
    }

    fn command(&mut self, person: usize, life: u32, command: Command) {
        let Person { node, life: current, on, .. } = self.people[person];
        if on && life == current {
            self.world.command_at(node, command);
        }
    }

    fn dial(&mut self, now: Duration, person: usize) {
        let next = self.until_next_call();
        self.plan_in(next, Errand::Dial(person));
        let callee = self.rng.below(self.people.len() as u64) as usize;
        let evening = now + EVENING > self.settings.length();
        if evening || callee == person || !self.people[person].on || !self.people[person].calls.is_empty() {
            return;
        }
        self.counts.dialled += 1;
        self.ledger.note_call(now);
        let whom = &self.people[callee];
        let story = Story {
            callee,
            began: now,
            to_be_found: whom.on && whom.believes(now) && whom.switched + Duration::from_secs(60) < now,
            in_use: !whom.calls.is_empty(),
            refused: None,
            callee_answered: None,
            caller_answered: None,
            gave_up: None,
            callee_hung_up: false,
            unheard: false,
            outcome: None,
            over: None,
            open: 1,
        };
        let uri = format!("sip:{}@{DOMAIN}", whom.name);
        let caller = &mut self.people[person];
        caller.dialled += 1;
        let (number, life) = (caller.dialled, caller.life);
        let (call, link) = (CallId::Placed(number), (person, number));
        caller.calls.insert(call, Leg { began: now, answered: None, link });
        self.ledger.calls.insert(link, story);
        let play = media::Source::Silence;
        let dial = Dial { call: number, uri, account: Some(AccountId(0)), play, record: false };
        self.command(person, life, Command::Dial(dial));
        let patience = self.between_ms(15_000, 90_000);
        self.plan_in(patience, Errand::GiveUp(person, life, call));
    }

    fn switch_off(&mut self, now: Duration, person: usize) {
        let off = if self.rng.below(2) == 0 { Off::Refusing } else { Off::Silent };
        let legs = std::mem::take(&mut self.people[person].calls);
        for leg in legs.into_values() {
            self.end_leg(&leg);
        }
        let who = &mut self.people[person];
        (who.on, who.switched) = (false, now);
        who.life += 1;
        who.loses_promise(now);
        self.counts.phones_restarted += 1;
        self.world.switch_off(self.people[person].node, off);
        let away =
            if self.rng.below(2) == 0 { self.between_ms(100, 20_000) } else { self.between_ms(20_000, 1_800_000) };
        self.plan_in(away, Errand::SwitchOn(person));
    }

    fn switch_on(&mut self, now: Duration, person: usize) {
        let moves = self.people[person].life > 0 && self.rng.below(4) == 0;
        let who = &mut self.people[person];
        (who.on, who.switched, who.without_since) = (true, now, now);
        let (node, life) = (who.node, who.life);
        if life > 0 {
            self.world.replace_phone(node, moves);
        }
        if moves {
            let forgotten = now + Duration::from_secs(u64::from(BINDING_S));
            let at = self.world.nodes[node].at;
            let before = std::mem::replace(&mut self.people[person].at, at);
            self.people[person].was_at.push((before, forgotten));
        }
        self.command(person, life, Command::Register { account: AccountId(0), expires_s: BINDING_S });
    }

    /// What a phone has told.
    pub(super) fn hear(&mut self, node: usize, events: Vec<Event>) {
        let now = self.world.elapsed();
        let Some(&person) = self.at_node.get(&node) else { return };
        for event in events {
            match event {
                Event::RegistrationOk { expires_s, .. } => {
                    self.counts.registrations += 1;
                    self.ledger.note_registration(now);
                    if !self.people[person].believes(now) {
                        self.people[person].promised_since = now;
                    }
                    self.people[person].promised = Some(now + Duration::from_secs(expires_s.into()));
                }
                Event::RegistrationFailed { failure, retry_s, .. } => {
                    self.counts.registrations_failed += 1;
                    self.ledger.note_registration(now);
                    self.people[person].loses_promise(now);
                    self.judge_registration(now, person, &failure, retry_s);
                }
                Event::Unregistered { outcome, .. } => {
                    self.people[person].loses_promise(now);
                    if let Err(failure) = outcome {
                        self.breaks(format!("{} could not unregister: {failure:?}", self.people[person].name));
                    }
                }
                Event::Incoming { call, from, .. } => self.rings(now, person, call, &from.uri),
                Event::Answered { call, .. } => self.is_answered(now, person, call),
                Event::Failed { call, failure } => self.fails(now, person, call, &failure),
                Event::Ended { call, end } => self.is_over(now, person, call, &end),
                Event::NoMedia { why, .. } => {
                    self.breaks(format!("{} has no sound: {why}", self.people[person].name));
                }
                _ => {}
            }
        }
    }

    fn rings(&mut self, now: Duration, person: usize, call: CallId, from: &str) {
        let life = self.people[person].life;
        let caller = from.strip_prefix("sip:user").and_then(|rest| rest.split('@').next()?.parse::<usize>().ok());
        let link = caller.and_then(|caller| {
            let caller_call = self.people.get(caller)?.dialled;
            let story = self.ledger.calls.get_mut(&(caller, caller_call))?;
            (story.callee == person).then(|| {
                story.open += 1;
                (caller, caller_call)
            })
        });
        let Some(link) = link else {
            // Its caller is gone, with its whole story; it rings until somebody gives up.
            let ghost = (usize::MAX, 0);
            self.people[person].calls.insert(call, Leg { began: now, answered: None, link: ghost });
            return;
        };
        self.people[person].calls.insert(call, Leg { began: now, answered: None, link });
        let refuse = |status| Errand::Refuse(person, life, call, status);
        let (within_ms, errand) = match self.rng.below(100) {
            0..70 => (20_000, Errand::Answer(person, life, call)),
            70..77 => (10_000, refuse(603)),
            77..84 => (10_000, refuse(486)),
            _ => return, // nobody is there
        };
        let after = self.between_ms(500, within_ms);
        self.plan_in(after, errand);
    }

    fn is_answered(&mut self, now: Duration, person: usize, call: CallId) {
        let life = self.people[person].life;
        let Some(leg) = self.people[person].calls.get_mut(&call) else {
            return self.breaks(format!("{} answered {call:?}, which is no call of theirs", self.people[person].name));
        };
        leg.answered.get_or_insert(now);
        let link = leg.link;
        self.ledger.note_call(now);
        let story = self.ledger.calls.get_mut(&link);
        match call {
            CallId::Placed(_) => {
                self.counts.answered += 1;
                if let Some(story) = story {
                    story.caller_answered.get_or_insert(now);
                    if story.callee_answered.is_none() {
                        self.breaks(format!("{} was answered by nobody", self.people[person].name));
                    }
                }
            }
            CallId::Incoming(_) => {
                if let Some(story) = story {
                    story.callee_answered.get_or_insert(now);
                }
            }
        }
        let hold = self.between_ms(60_000, 600_000);
        self.plan_in(hold, Errand::HangUp(person, life, call));
    }

    fn fails(&mut self, now: Duration, person: usize, call: CallId, failure: &Failure) {
        let Some(leg) = self.people[person].calls.remove(&call) else {
            return self.breaks(format!("{} heard twice that {call:?} is over", self.people[person].name));
        };
        self.ledger.note_call(now);
        self.judge_call(now, person, &leg, failure);
        self.end_for_caller(now, &leg, Outcome::Failed(failure.status()));
        self.end_leg(&leg);
    }

    fn is_over(&mut self, now: Duration, person: usize, call: CallId, end: &phone::End) {
        let Some(leg) = self.people[person].calls.remove(&call) else {
            return self.breaks(format!("{} heard twice that {call:?} is over", self.people[person].name));
        };
        self.ledger.note_call(now);
        if let (CallId::Incoming(_), phone::End::Rejected(status)) = (call, end)
            && let Some(story) = self.ledger.calls.get_mut(&leg.link)
        {
            story.refused = Some(*status);
        }
        self.judge_end(now, person, call, &leg, end);
        match (call, end) {
            (CallId::Placed(_), phone::End::Cancelled) => self.end_for_caller(now, &leg, Outcome::GaveUp),
            (CallId::Placed(_), phone::End::HungUp) => self.end_for_caller(now, &leg, Outcome::HungUp),
            (CallId::Placed(_), _) => self.end_for_caller(now, &leg, Outcome::HungUpOn),
            (CallId::Incoming(_), end) => {
                if let Some(story) = self.ledger.calls.get_mut(&leg.link) {
                    story.callee_hung_up |= *end == phone::End::HungUp;
                    story.unheard |= *end == phone::End::NeverAcknowledged;
                }
            }
        }
        self.end_leg(&leg);
        if *end == phone::End::HungUp {
            self.plan_in(TOLD_WITHIN, Errand::CheckOtherEnd(leg.link, now));
        }
    }

    fn end_leg(&mut self, leg: &Leg) {
        let Some(story) = self.ledger.calls.get_mut(&leg.link) else { return };
        story.open = story.open.saturating_sub(1);
        if story.open == 0 {
            self.plan_in(RECORDED_WITHIN, Errand::Close(leg.link));
        }
    }

    fn end_for_caller(&mut self, now: Duration, leg: &Leg, outcome: Outcome) {
        if let Some(story) = self.ledger.calls.get_mut(&leg.link) {
            (story.outcome, story.over) = (Some(outcome), Some(now));
        }
    }
}
