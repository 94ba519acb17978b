use crate::Later;
use server::{Input, Order, Report};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long somebody waits for the report on an order; a shard that works at all gives it within one turn.
pub const REPORT_TIME_MAX: Duration = Duration::from_secs(5);

/// The way by which orders reach the shards of an exchange, and their reports come back. A clone is another handle to the same; may be
/// used from any thread.
#[derive(Debug, Clone)]
pub struct Orders(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Box<[OnceLock<Later<Input>>]>,
    last_ticket: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Report>>>,
}

impl Orders {
    pub(crate) fn new(shards: usize) -> Orders {
        let shards = (0..shards).map(|_| OnceLock::new()).collect();
        Orders(Arc::new(Inner { shards, last_ticket: AtomicU64::new(0), waiting: Mutex::default() }))
    }

    /// The way into a shard, which has just been made.
    pub(crate) fn join(&self, shard: usize, later: Later<Input>) {
        if let Some(place) = self.0.shards.get(shard) {
            let _ = place.set(later);
        }
    }

    pub(crate) fn handle_report(&self, ticket: u64, report: Report) {
        if let Some(waiting) = self.waiting().remove(&ticket) {
            let _ = waiting.send(report); // or nobody waits any more
        }
    }

    /// Shards, whose numbers are below this.
    pub fn shards(&self) -> usize {
        self.0.shards.len()
    }

    /// Gives an order on which there is no report. `false`: that shard has stopped, or there is none.
    pub async fn give(&self, shard: usize, order: Order) -> bool {
        match self.0.shards.get(shard).and_then(OnceLock::get) {
            Some(later) => later.answer(Input::Order(order)).await,
            None => false,
        }
    }

    /// Gives every shard such an order. Whether all have it.
    pub async fn give_all(&self, order: impl Fn() -> Order) -> bool {
        let mut given = true;
        for shard in 0..self.shards() {
            given &= self.give(shard, order()).await;
        }
        given
    }

    /// Gives the order that `order` makes of a ticket, and waits for the report: `None` when none comes within [`REPORT_TIME_MAX`].
    pub async fn ask(&self, shard: usize, order: impl FnOnce(u64) -> Order) -> Option<Report> {
        let ticket = self.0.last_ticket.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(ticket, sender);
        let report = async { if self.give(shard, order(ticket)).await { receiver.await.ok() } else { None } };
        let report = tokio::time::timeout(REPORT_TIME_MAX, report).await;
        self.waiting().remove(&ticket);
        report.ok().flatten()
    }

    /// The same of every shard, one after the other; without those that do not report.
    pub async fn ask_all(&self, order: impl Fn(u64) -> Order) -> Vec<Report> {
        let mut reports = Vec::new();
        for shard in 0..self.shards() {
            reports.extend(self.ask(shard, &order).await);
        }
        reports
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Report>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
