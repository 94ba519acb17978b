use engine::{Now, Rng};
use sip_registrar::{AddressOfRecord, Answer, Binding, Change, Location, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The bindings of an exchange as its store keeps them: a change is durable first, then everybody sees it, then it is acknowledged.
///
/// As it is made, it does all three at once. With a [`Pace`] it gathers changes in groups, takes its time, and its answers overtake each
/// other; [`Store::fails`] makes it a disk that is full.
pub struct Store {
    /// What everybody sees.
    pub location: Location,
    /// How long things take from now on.
    pub pace: Pace,
    /// Whether nothing can be written.
    pub fails: bool,
    /// Changes that were made durable, and those that could not be.
    pub counts: Counts,
    durable: BTreeMap<AddressOfRecord, Arc<[Binding]>>,
    /// What is being written, and when that is done.
    group: Option<(Instant, Vec<Queued>)>,
    /// What came too late for it: a second change of the same bindings.
    next_group: Vec<Queued>,
    answers: BTreeMap<(Instant, u64), (usize, Answer)>,
    given: u64,
    rng: Rng,
}

/// How long a store takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// From the first change of a group until all of it is durable and seen.
    pub write: Duration,
    /// From there until it is acknowledged, at least.
    pub answer: Duration,
    /// How much longer that takes at most: answers about different bindings overtake each other.
    pub jitter: Duration,
}

/// What a [`Store`] has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Groups that were written.
    pub groups: u64,
    /// Changes in them.
    pub committed: u64,
    /// Changes that could not be written.
    pub failed: u64,
}

struct Queued {
    shard: usize,
    ticket: u64,
    change: Change,
}

impl Store {
    pub(crate) fn new(rng: &mut Rng) -> Store {
        Store {
            location: Location::new(rng),
            pace: Pace::default(),
            fails: false,
            counts: Counts::default(),
            durable: BTreeMap::new(),
            group: None,
            next_group: Vec::new(),
            answers: BTreeMap::new(),
            given: 0,
            rng: rng.split(),
        }
    }

    /// Takes a change; its answer, if it is known at once.
    pub(crate) fn commit(&mut self, now: Now, shard: usize, ticket: u64, change: Change) -> Option<Answer> {
        let queued = Queued { shard, ticket, change };
        if self.pace.write.is_zero() && self.pace.answer.is_zero() && self.pace.jitter.is_zero() {
            let outcome = self.write(queued.change);
            self.counts.groups += 1;
            return Some(Answer::Committed { ticket, outcome });
        }
        match &mut self.group {
            None => self.group = Some((now.mono + self.pace.write, vec![queued])),
            Some((_, group)) if group.iter().all(|other| other.change.aor != queued.change.aor) => group.push(queued),
            Some(_) => self.next_group.push(queued),
        }
        None
    }

    /// All or nothing: nobody sees what might be lost.
    fn write(&mut self, change: Change) -> Outcome {
        if self.fails {
            self.counts.failed += 1;
            return Outcome::Failed;
        }
        let (aor, bindings) = (change.aor.clone(), change.bindings.clone());
        let outcome = self.location.commit(change);
        if outcome == Outcome::Committed {
            self.counts.committed += 1;
            if bindings.is_empty() {
                self.durable.remove(&aor);
            } else {
                self.durable.insert(aor, bindings);
            }
        }
        outcome
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let group = self.group.as_ref().map(|(due, _)| *due);
        let answer = self.answers.keys().next().map(|(due, _)| *due);
        group.into_iter().chain(answer).min()
    }

    /// Finishes what is due, and gives the answers that are.
    pub(crate) fn handle_timeout(&mut self, now: Now) -> Vec<(usize, Answer)> {
        while let Some((due, group)) = self.group.take_if(|(due, _)| *due <= now.mono) {
            self.counts.groups += 1;
            for Queued { shard, ticket, change } in group {
                let outcome = self.write(change);
                self.given += 1;
                let jitter = self.rng.below(self.pace.jitter.as_micros() as u64 + 1);
                let at = due + self.pace.answer + Duration::from_micros(jitter);
                self.answers.insert((at, self.given), (shard, Answer::Committed { ticket, outcome }));
            }
            self.begin_next_group(due);
        }
        let later = self.answers.split_off(&(now.mono + Duration::from_nanos(1), 0));
        std::mem::replace(&mut self.answers, later).into_values().collect()
    }

    fn begin_next_group(&mut self, at: Instant) {
        let mut taken = BTreeSet::new();
        let waiting = std::mem::take(&mut self.next_group);
        let (group, rest) = waiting.into_iter().partition(|queued| taken.insert(queued.change.aor.clone()));
        self.next_group = rest;
        let group: Vec<Queued> = group;
        self.group = (!group.is_empty()).then(|| (at + self.pace.write, group));
    }

    /// Loses all that was not durable, and reads the rest anew.
    pub(crate) fn crash(&mut self, now: Now) {
        self.group = None;
        self.next_group.clear();
        self.answers.clear();
        self.location = Location::new(&mut self.rng);
        self.durable.retain(|_, bindings| bindings.iter().any(|binding| binding.expires_in_s(now) > 0));
        for (aor, bindings) in &self.durable {
            let change = Change { aor: aor.clone(), version: 0, bindings: bindings.clone() };
            assert_eq!(self.location.commit(change), Outcome::Committed, "what was durable is there again");
        }
    }

    /// Drops what has ended, which nobody sees any more.
    pub fn sweep(&mut self, now: Now) {
        while self.location.sweep(now) {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Store};
    use engine::{Now, Rng};
    use sip_message::Transport;
    use sip_registrar::{AddressOfRecord, Answer, Binding, Change, Outcome, Parts};
    use sip_transaction::Flow;
    use std::time::Duration;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn aor(number: u64) -> AddressOfRecord {
        AddressOfRecord::new(&format!("user{number}"), "example.org").unwrap()
    }

    fn change(store: &Store, now: Now, number: u64) -> Change {
        let at = "192.0.2.1:5060".parse().unwrap();
        let parts = Parts {
            contact: "sip:100@192.0.2.1",
            params: "",
            call_id: "call",
            user_agent: "",
            path: "",
            q: 1000,
            cseq: 1,
            expires_at_s: now.unix_s() as u32 + 3600,
            flow: Flow { transport: Transport::Udp, local: at, remote: at, connection: None },
        };
        let version = store.location.fetch(now, &aor(number)).version;
        Change { aor: aor(number), version, bindings: [Binding::new(parts).unwrap()].into() }
    }

    fn slow() -> (Store, Now) {
        let mut store = Store::new(&mut Rng::from_u64(1));
        store.pace = Pace { write: MS(10), answer: MS(5), jitter: MS(20) };
        (store, Now::read_clocks())
    }

    /// Lets time pass until all is answered; the tickets, in the order of their answers.
    fn answers(store: &mut Store, now: &mut Now) -> Vec<(u64, Outcome)> {
        let mut found = Vec::new();
        while let Some(due) = store.poll_timeout() {
            *now = *now + due.duration_since(now.mono);
            found.extend(store.handle_timeout(*now).into_iter().map(|(_, answer)| match answer {
                Answer::Committed { ticket, outcome } => (ticket, outcome),
                Answer::Fetched { .. } => panic!("nobody has asked"),
            }));
        }
        found
    }

    #[test]
    fn a_group_is_written_at_once_and_its_answers_overtake_each_other() {
        let (mut store, mut now) = slow();
        for number in 0..20 {
            let change = change(&store, now, number);
            assert!(store.commit(now, 0, number, change).is_none());
        }
        store.handle_timeout(now + MS(9));
        assert_eq!((store.location.len(), store.durable.len()), (0, 0), "nobody sees what might be lost");
        let tickets: Vec<u64> = answers(&mut store, &mut now).into_iter().map(|(ticket, _)| ticket).collect();
        assert_eq!((store.location.len(), store.durable.len(), store.counts.groups), (20, 20, 1));
        assert_eq!(tickets.len(), 20);
        assert!(!tickets.is_sorted(), "{tickets:?}");
    }

    #[test]
    fn the_second_change_of_the_same_bindings_is_of_the_next_group() {
        let (mut store, mut now) = slow();
        for ticket in 0..3 {
            let change = change(&store, now, 1);
            store.commit(now, 0, ticket, change);
        }
        // Decided from the same state, the later ones are stale.
        let (committed, stale) = (Outcome::Committed, Outcome::Stale);
        let mut found = answers(&mut store, &mut now);
        found.sort_by_key(|(ticket, _)| *ticket);
        assert_eq!(found, [(0, committed), (1, stale), (2, stale)]);
        assert_eq!(store.counts.groups, 3);
    }

    #[test]
    fn a_crash_loses_what_was_not_durable_and_a_failure_changes_nothing() {
        let (mut store, mut now) = slow();
        let first = change(&store, now, 1);
        store.commit(now, 0, 1, first);
        store.handle_timeout(now + MS(10));
        let second = change(&store, now, 2);
        store.commit(now + MS(10), 0, 2, second);
        store.crash(now + MS(11));
        assert_eq!(answers(&mut store, &mut now), [], "nobody is there to hear them");
        assert_eq!(store.location.fetch(now, &aor(1)).bindings.len(), 1);
        assert!(store.location.fetch(now, &aor(2)).bindings.is_empty());
        store.fails = true;
        let third = change(&store, now, 3);
        store.commit(now, 0, 3, third);
        assert_eq!(answers(&mut store, &mut now), [(3, Outcome::Failed)]);
        assert_eq!((store.location.len(), store.durable.len()), (1, 1));
        store.crash(now + Duration::from_secs(3601));
        assert_eq!((store.location.len(), store.durable.len()), (0, 0), "it has ended meanwhile");
    }
}
