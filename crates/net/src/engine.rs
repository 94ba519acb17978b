use crate::Later;
use ::engine::Now;
use bytes::Bytes;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::convert::Infallible;
use std::time::Instant;

/// A protocol engine as the driver sees it: packets, failures, answers and the time in; packets, questions and one deadline out.
pub trait Engine {
    /// What it asks of the world.
    type Ask;
    /// What the world says.
    type Answer: Send + 'static;
    /// What it tells without being asked.
    type Event;

    /// A message came over `flow`.
    fn handle_packet(&mut self, now: Now, flow: Flow, bytes: Bytes);
    /// What was to be sent for `transaction` cannot be (RFC 3261 section 18.4).
    fn handle_send_failed(&mut self, now: Now, transaction: ClientTransactionId);
    /// The other end of a connection, of any driver, has shown with a certificate who it is.
    fn handle_proved(&mut self, now: Now, connection: ConnectionId, names: Vec<String>);
    /// A connection, of any driver, is gone.
    fn handle_connection_closed(&mut self, now: Now, connection: ConnectionId);
    /// The answer to something it asked, or news it never asked for.
    fn handle_answer(&mut self, now: Now, answer: Self::Answer);
    /// From now on its driver is overloaded, or is so no more: for a while already (`OVERLOADED_AFTER`), more has come than could be worked
    /// off, and what comes is waiting. Told on change only.
    fn handle_overload(&mut self, now: Now, overloaded: bool);
    /// Its deadline is reached. May come late or twice.
    fn handle_timeout(&mut self, now: Now);
    /// What it wants done next.
    fn poll_output(&mut self) -> Option<Output<Self::Ask, Self::Event>>;
    /// When it wants to be called again, `None` when nothing is due.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// What an engine wants done.
#[derive(Debug)]
pub enum Output<Ask, Event = Infallible> {
    /// Send these bytes; on failure say so for this transaction.
    Send {
        /// Where to.
        flow: Flow,
        /// The whole message.
        bytes: Bytes,
        /// Whose failure it would be.
        transaction: Option<ClientTransactionId>,
    },
    /// Answer this.
    Ask(Ask),
    /// Take notice of this.
    Event(Event),
}

/// What answers an engine's questions and hears what it tells. It runs on the driver's thread and must not block it.
pub trait Backend<E: Engine> {
    /// Answers `ask` at once, or keeps a clone of `later` and answers with that.
    fn handle_ask(&mut self, now: Now, ask: E::Ask, later: &Later<E::Answer>) -> Option<E::Answer>;

    /// Takes notice of `event`.
    fn handle_event(&mut self, _now: Now, _event: E::Event) {}
}
