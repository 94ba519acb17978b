//! A day of an exchange: many phones that register, refresh and call each other, over a network that loses and reorders, while the
//! exchange, its store and the phones fail now and then; and the rules that must hold all the time.

mod errands;
mod ledger;
mod person;
mod records;
mod rules;
mod settings;
mod verdict;

pub use settings::Settings;
pub use verdict::{Counts, Hour, Verdict};

use crate::script::password_of;
use crate::{DOMAIN, ExchangeConfig, Pace, Telephone, World};
use engine::Rng;
use errands::Errand;
use ledger::Ledger;
use person::Person;
use sip_message::Transport;
use std::collections::BTreeMap;
use std::time::Duration;

/// The exchange of the day.
const EXCHANGE: &str = "exchange";

/// A town with one exchange, and its day.
pub struct Day {
    settings: Settings,
    world: World,
    people: Vec<Person>,
    /// Whose phone is at a node.
    at_node: BTreeMap<usize, usize>,
    agenda: BTreeMap<(Duration, u64), Errand>,
    planned: u64,
    rng: Rng,
    ledger: Ledger,
    counts: Counts,
    broken: Vec<String>,
}

impl Day {
    /// The morning of a day: nobody has registered yet.
    pub fn new(settings: Settings) -> Day {
        let mut world = World::new(settings.seed);
        world.add_exchange(EXCHANGE, &ExchangeConfig { shards: settings.shards, ..ExchangeConfig::default() });
        world.carries_sound = false;
        world.watches = false;
        world.link = settings.link;
        let us = Duration::from_micros;
        world.exchange(EXCHANGE).store.pace = Pace { write: us(3000), answer: us(1000), jitter: us(4000) };
        let mut rng = Rng::from_u64(settings.seed ^ 0x0da1);
        let mut day = Day {
            people: Vec::new(),
            at_node: BTreeMap::new(),
            agenda: BTreeMap::new(),
            planned: 0,
            rng: rng.split(),
            ledger: Ledger::default(),
            counts: Counts::default(),
            broken: Vec::new(),
            world,
            settings,
        };
        for number in 0..day.settings.phones {
            day.add_person(number);
        }
        day.plan_the_day();
        day
    }

    fn add_person(&mut self, number: usize) {
        let name = format!("user{number}");
        self.world.add_account(EXCHANGE, &name);
        let account = phone::Account {
            user: name.clone(),
            password: password_of(&name),
            domain: DOMAIN.to_owned(),
            display: None,
            via: None,
            transport: None,
        };
        let stream = self.rng.below(100) < self.settings.stream_percent;
        let transport = if stream { Transport::Tcp } else { Transport::Udp };
        let lines = if self.rng.below(100) < 70 { 1 } else { 2 };
        let config = phone::Config { calls_max: lines, ..Telephone::config(Some(account), transport) };
        self.world.add_phone_of(&name, config);
        let node = self.world.find(&name);
        self.world.phone_at(node).tables = None;
        self.at_node.insert(node, number);
        self.people.push(Person::new(name, node, self.world.nodes[node].at));
    }

    /// Keeps a phone's messages, for [`Verdict::followed`].
    pub fn follow(&mut self, name: &str) {
        let node = self.world.find(name);
        self.world.follow(node);
    }

    /// Lives the day; `hourly` is told how it goes.
    pub fn live(mut self, mut hourly: impl FnMut(&Hour)) -> Verdict {
        let end = self.settings.length();
        for hour in 1..=self.settings.hours {
            self.live_until(Duration::from_secs(3600 * u64::from(hour)));
            hourly(&self.look_around(hour));
        }
        assert!(self.world.elapsed() >= end);
        self.finish();
        Verdict {
            seed: self.settings.seed,
            counts: self.counts(),
            broken: self.broken,
            followed: self.world.trace.iter().map(|entry| (entry.to_string(), entry.bytes.clone())).collect(),
        }
    }

    fn counts(&mut self) -> Counts {
        let (sent, lost) = self.world.sent_and_lost();
        let store = self.world.exchange(EXCHANGE).store.counts;
        Counts {
            sent,
            lost,
            groups: store.groups,
            committed: store.committed,
            not_written: store.failed,
            ..self.counts
        }
    }

    fn live_until(&mut self, until: Duration) {
        loop {
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= until);
            let moment = self.world.moment(next.unwrap_or(until));
            if self.world.step(moment) {
                for (node, events) in self.world.take_told() {
                    self.hear(node, events);
                }
                continue;
            }
            self.world.run_until(next.unwrap_or(until));
            match next.and_then(|_| self.agenda.pop_first()) {
                Some((_, errand)) => self.run_errand(errand),
                None => return,
            }
        }
    }

    fn plan(&mut self, at: Duration, errand: Errand) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), errand);
    }

    fn plan_in(&mut self, after: Duration, errand: Errand) {
        self.plan(self.world.elapsed() + after, errand);
    }

    fn breaks(&mut self, what: String) {
        let at = self.world.elapsed().as_secs_f64();
        self.counts.rules_broken += 1;
        if self.broken.len() < verdict::BROKEN_TOLD_MAX {
            self.broken.push(format!("{at:>10.3} s  {what}"));
        }
    }
}
