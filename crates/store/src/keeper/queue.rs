use crate::{Health, SLOW_AFTER, Write};
use sip_registrar::Outcome;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Writes that may wait for the keeper; the next fails at once.
pub const WRITES_PENDING_MAX: usize = 100_000;

/// Writes that nobody waits for after which the keeper is woken for them, too.
const UNHURRIED_MAX: usize = 2048;

/// Every so many writes that come while others wait, somebody looks at the clock.
const LOOKS_EVERY: usize = 64;

/// Told what became of a write, on the keeper's thread.
pub(crate) type Reply = Box<dyn FnOnce(Outcome) + Send>;

/// A write that waits.
pub(crate) struct Item {
    pub(crate) write: Write,
    pub(crate) reply: Reply,
    /// Whether somebody waits for it.
    pub(crate) urgent: bool,
}

/// Between those who want something written and the keeper.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    items: Vec<Item>,
    /// How many of them somebody waits for.
    urgent: usize,
    /// The keeper sleeps, and wants to be woken when so many wait.
    wake_at: usize,
    /// What the keeper is writing down, it began then.
    committing: Option<(Instant, SystemTime)>,
    /// It takes too long.
    slow: bool,
    /// Why the last group was not written, and since when none was.
    failing: Option<(SystemTime, String)>,
    stopped: bool,
}

impl Queue {
    pub(crate) fn new() -> Queue {
        let state = State {
            items: Vec::new(),
            urgent: 0,
            wake_at: usize::MAX,
            committing: None,
            slow: false,
            failing: None,
            stopped: false,
        };
        Queue { state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Queues a write, or has it fail.
    pub(crate) fn push(&self, item: Item) {
        let mut state = self.lock();
        if state.items.len().is_multiple_of(LOOKS_EVERY) && state.committing.is_some() {
            let waiting = state.notice_slowness();
            if !waiting.is_empty() {
                drop(state);
                waiting.into_iter().for_each(|item| (item.reply)(Outcome::Failed));
                state = self.lock();
            }
        }
        if state.slow || state.stopped || state.items.len() >= WRITES_PENDING_MAX {
            drop(state);
            return (item.reply)(Outcome::Failed);
        }
        state.urgent += usize::from(item.urgent);
        state.items.push(item);
        if state.urgent >= state.wake_at || (state.items.len() >= UNHURRIED_MAX && state.wake_at < usize::MAX) {
            state.wake_at = usize::MAX;
            drop(state);
            self.wake.notify_one();
        }
    }

    pub(crate) fn health(&self) -> Health {
        let mut state = self.lock();
        let waiting = state.notice_slowness();
        let health = match (&state.failing, state.slow, state.committing) {
            (_, true, Some((_, since))) => Health::Slow { since },
            (Some((since, why)), ..) => Health::Failing { since: *since, why: why.clone() },
            _ => Health::Well,
        };
        drop(state);
        waiting.into_iter().for_each(|item| (item.reply)(Outcome::Failed));
        health
    }

    /// Waits until somebody waits for something to be written, the queue is stopped or so much time has passed. `false`: stopped, and nothing
    /// waits.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let mut state = self.lock();
        if state.urgent == 0 && state.items.len() < UNHURRIED_MAX && !state.stopped {
            state = self.sleep(state, 1, at_most);
        }
        !state.items.is_empty() || !state.stopped
    }

    /// Sleeps while writes gather: so long, or until so many wait.
    pub(crate) fn gather(&self, writes: usize, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut state = self.lock();
        while state.items.len() < writes && !state.stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.sleep(state, writes, left);
        }
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>, wake_at: usize, at_most: Duration) -> MutexGuard<'a, State> {
        state.wake_at = wake_at;
        let (mut state, _) = self.wake.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner);
        state.wake_at = usize::MAX;
        state
    }

    /// Puts all that waits behind `taken`; says how many that were.
    pub(crate) fn take(&self, taken: &mut std::collections::VecDeque<Item>, room: &mut Vec<Item>) -> usize {
        let mut state = self.lock();
        std::mem::swap(&mut state.items, room);
        state.urgent = 0;
        drop(state);
        let count = room.len();
        taken.extend(room.drain(..));
        count
    }

    pub(crate) fn begin_commit(&self) {
        self.lock().committing = Some((Instant::now(), SystemTime::now()));
    }

    /// `failure`: why nothing was written.
    pub(crate) fn end_commit(&self, failure: Option<String>) {
        let mut state = self.lock();
        let began = state.committing.take().map_or_else(SystemTime::now, |(_, began)| began);
        state.slow = false;
        state.failing = failure.map(|why| (state.failing.take().map_or(began, |(since, _)| since), why));
    }

    /// Nothing is taken any more; what waits is still written.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.wake.notify_all();
    }

    /// Nothing is written any more, for this reason.
    pub(crate) fn fail_for_good(&self, why: &str) {
        let mut state = self.lock();
        state.stopped = true;
        (state.committing, state.urgent) = (None, 0);
        state.failing = Some((SystemTime::now(), why.to_owned()));
        let waiting = std::mem::take(&mut state.items);
        drop(state);
        waiting.into_iter().for_each(|item| (item.reply)(Outcome::Failed));
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.lock().failing.is_some()
    }

    /// Whoever panicked with the lock has left a queue that is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Looks whether the keeper has been writing for too long; if so, what waits is given back to fail.
    fn notice_slowness(&mut self) -> Vec<Item> {
        self.slow |= self.committing.is_some_and(|(began, _)| began.elapsed() > SLOW_AFTER);
        if !self.slow {
            return Vec::new();
        }
        self.urgent = 0;
        std::mem::take(&mut self.items)
    }
}
