//! The keeper: the one thread that writes. It gathers writes into groups, has the backend write each group down, makes what was written
//! visible, and only then answers: nobody sees what might be lost, and nothing is ever taken back.

mod admit;
mod queue;

pub use queue::WRITES_PENDING_MAX;

pub(crate) use queue::{Item, Queue, Reply};

use crate::backend::{Backend, Group, Row};
use crate::{Outcome, Tables};
use admit::{Admission, Keys};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Writes that one group has at most (what a write touches besides counts as one).
pub const WRITES_PER_GROUP_MAX: usize = 4096;

/// Bytes of bindings after which a group is full.
pub const GROUP_BYTES_MAX: usize = 4 << 20;

/// How long writes gather while they come in numbers.
const GATHER: Duration = Duration::from_millis(6);

/// How long the keeper sleeps at most, so that a store that fails is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How often old call records are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// What has been done, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) groups: AtomicU64,
    pub(crate) changes: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) commit_us: AtomicU64,
}

/// What the keeper and the handles share.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) tables: Tables,
    pub(crate) tally: Tally,
}

impl Shared {
    pub(crate) fn new(tables: Tables) -> Shared {
        Shared { queue: Queue::new(), tables, tally: Tally::default() }
    }
}

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    backend: Box<dyn Backend>,
    keep_records: Duration,
    forget_next: Instant,
    /// Taken from the queue, and in no group yet.
    waiting: VecDeque<Item>,
    room: Vec<Item>,
    group: Group,
    keys: Keys,
    replies: Vec<Reply>,
}

/// Tells everybody when the keeper's thread ends by a panic.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .queue
                .fail_for_good("the thread that writes has failed (see above); the exchange must be started again");
        }
    }
}

impl Keeper {
    pub(crate) fn new(shared: Arc<Shared>, backend: Box<dyn Backend>, keep_records: Duration) -> Keeper {
        Keeper {
            shared,
            backend,
            keep_records,
            forget_next: Instant::now(),
            waiting: VecDeque::new(),
            room: Vec::new(),
            group: Group::default(),
            keys: Keys::default(),
            replies: Vec::new(),
        }
    }

    /// Writes until the queue is stopped and empty.
    pub(crate) fn run(mut self) {
        let _alarm = Alarm(self.shared.clone());
        let mut busy = false;
        loop {
            if self.waiting.is_empty() {
                if !self.shared.queue.wait(RETRY_EVERY) {
                    return;
                }
                if busy {
                    self.shared.queue.gather(WRITES_PER_GROUP_MAX, GATHER);
                }
            }
            self.shared.queue.take(&mut self.waiting, &mut self.room);
            self.form_group();
            // Where several came while the group before was written, more will come.
            busy = self.replies.len() > 1;
            if !self.group.is_empty() || self.shared.queue.is_failing() {
                self.commit();
            }
            if self.forget_next <= Instant::now() {
                self.forget_records();
            }
        }
    }

    /// Takes what may be written together, in its order, and answers what may not be written at all.
    fn form_group(&mut self) {
        self.group.clear();
        self.keys.clear();
        while let Some(item) = self.waiting.pop_front() {
            let writes = self.group.changes.len() + self.group.rows.len();
            if writes >= WRITES_PER_GROUP_MAX || self.group.log.len() >= GROUP_BYTES_MAX {
                return self.waiting.push_front(item);
            }
            match self.keys.admit(item.write, &self.shared.tables, &mut self.group) {
                Admission::Taken => self.replies.push(item.reply),
                Admission::Answered(outcome) => (item.reply)(outcome),
                Admission::NotYet(write) => return self.waiting.push_front(Item { write, ..item }),
            }
        }
    }

    fn commit(&mut self) {
        let began = Instant::now();
        self.shared.queue.begin_commit();
        let written = self.backend.commit(&self.group, &self.shared.tables.bindings);
        let failure = written.err().map(|error| error.to_string());
        let outcome = if failure.is_none() { Outcome::Committed } else { Outcome::Failed };
        if failure.is_none() {
            self.show();
        }
        self.shared.queue.end_commit(failure);
        let tally = &self.shared.tally;
        tally.groups.fetch_add(1, Ordering::Relaxed);
        let counter = if outcome == Outcome::Committed { &tally.changes } else { &tally.failures };
        counter.fetch_add(self.replies.len() as u64, Ordering::Relaxed);
        tally.commit_us.fetch_add(began.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.replies.drain(..).for_each(|reply| reply(outcome));
    }

    /// Makes visible what was written.
    fn show(&mut self) {
        let tables = &self.shared.tables;
        self.group.changes.drain(..).for_each(|change| tables.bindings.apply(change));
        for row in self.group.rows.drain(..) {
            match row {
                Row::Account(account) => tables.accounts.put(account),
                Row::NoAccount(name) => tables.accounts.remove(&name),
                Row::Route(route) => tables.put_route(route),
                Row::NoRoute(name) => tables.remove_route(&name),
                Row::Ban(ban) => tables.put_ban(ban),
                Row::NoBan(network) => tables.remove_ban(&network),
                Row::Record(_) | Row::Nothing => {}
            }
        }
    }

    /// A failure shows when the next group is written.
    fn forget_records(&mut self) {
        let before = SystemTime::now().checked_sub(self.keep_records).unwrap_or(SystemTime::UNIX_EPOCH);
        let more = self.backend.forget_records(before).unwrap_or(false);
        self.forget_next = Instant::now() + if more { RETRY_EVERY } else { FORGET_EVERY };
    }
}
