use crate::island::Unreachable;
use bytes::Bytes;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::future::Future;
use tokio::sync::mpsc;

/// Messages that may wait in the queue to one shard; what comes after is dropped and counted, as a network would drop it.
pub const SHARD_QUEUE_MAX: usize = 8192;

/// What one driver hands to another.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// A message that belongs to your shard.
    Packet { flow: Flow, bytes: Bytes },
    /// A message for a connection of yours.
    Send { flow: Flow, bytes: Bytes, on_failure: Option<(usize, ClientTransactionId)> },
    /// A datagram did not arrive, and I did not send it.
    Unreachable(Unreachable),
}

/// What one driver tells another that nobody will ever say again: it has a queue of its own, which drops nothing. What waits there is
/// bounded by what it is about, messages that were handed over and connections. It may overtake parcels.
#[derive(Debug)]
pub(crate) enum News {
    /// What you gave me to send was not sent.
    SendFailed(ClientTransactionId),
    /// The other end of a connection of mine has shown with a certificate who it is. Its first message comes no earlier than this.
    Proved { connection: ConnectionId, names: Vec<String> },
    /// A connection of mine is gone.
    ConnectionClosed(ConnectionId),
}

/// The queues into one driver that the others write to.
#[derive(Debug)]
pub(crate) struct Outboxes {
    pub(crate) parcels: mpsc::Sender<Parcel>,
    pub(crate) news: mpsc::UnboundedSender<News>,
}

/// The queues into one driver that it reads from.
pub(crate) struct Inboxes<Answer> {
    pub(crate) parcels: mpsc::Receiver<Parcel>,
    pub(crate) news: mpsc::UnboundedReceiver<News>,
    pub(crate) answers: mpsc::Receiver<Answer>,
    pub(crate) later: Later<Answer>,
}

/// The queues for `drivers` drivers.
pub(crate) fn shard_queues<Answer>(drivers: usize) -> (Vec<Outboxes>, Vec<Inboxes<Answer>>) {
    (0..drivers)
        .map(|_| {
            let (parcels_out, parcels) = mpsc::channel(SHARD_QUEUE_MAX);
            let (news_out, news) = mpsc::unbounded_channel();
            let (later, answers) = mpsc::channel(SHARD_QUEUE_MAX);
            let outboxes = Outboxes { parcels: parcels_out, news: news_out };
            (outboxes, Inboxes { parcels, news, answers, later: Later { queue: later } })
        })
        .unzip()
}

/// The way by which an answer reaches its engine after the question was asked. May be used from any thread.
#[derive(Debug)]
pub struct Later<Answer> {
    queue: mpsc::Sender<Answer>,
}

impl<Answer> Clone for Later<Answer> {
    fn clone(&self) -> Self {
        Later { queue: self.queue.clone() }
    }
}

impl<Answer: 'static> Later<Answer> {
    /// Gives the answer, or gives it back when [`SHARD_QUEUE_MAX`] already wait or the driver has stopped.
    pub fn try_answer(&self, answer: Answer) -> Result<(), Answer> {
        self.queue.try_send(answer).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(answer) | mpsc::error::TrySendError::Closed(answer) => answer,
        })
    }

    /// Gives the answer when there is room. `false`: the driver has stopped.
    pub async fn answer(&self, answer: Answer) -> bool {
        self.queue.send(answer).await.is_ok()
    }

    /// Gives the answer as soon as there is room, on whatever thread: one that runs no tasks waits until there is.
    pub fn give(&self, answer: Answer)
    where
        Answer: Send,
    {
        let Err(mpsc::error::TrySendError::Full(answer)) = self.queue.try_send(answer) else { return };
        let queue = self.queue.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { queue.send(answer).await })),
            // The driver has stopped if it is not taken.
            Err(_) => drop(queue.blocking_send(answer)),
        }
    }

    /// Runs `work` beside the driver, on its thread, and gives its answer. Only from within [`crate::Backend::handle_ask`].
    pub fn spawn(&self, work: impl Future<Output = Answer> + 'static) {
        let later = self.clone();
        tokio::task::spawn_local(async move { later.answer(work.await).await });
    }
}
