use super::opening::{Opened, Opening};
use super::reading::Reading;
use super::wire::Wire;
use super::writing::write;
use super::{Cutter, StreamLimits};
use crate::wire_event::{End, WireEvent};
use bytes::Bytes;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// A message for a connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) bytes: Bytes,
    /// Who hears of it if it is not written.
    pub(crate) on_failure: Option<(usize, ClientTransactionId)>,
    /// Whether it goes out as it is, the connection's own word: an answer to a ping.
    pub(crate) is_pong: bool,
}

/// Where bytes land before they are framed: shared by a driver's connections, so that an idle one holds no buffer.
pub(crate) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// One connection, from its opening to its end.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    /// What messages from it are said to come over.
    pub(crate) flow: Flow,
    pub(crate) limits: StreamLimits,
    pub(crate) scratch: Scratch,
    pub(crate) events: mpsc::Sender<WireEvent>,
    pub(crate) outgoing: mpsc::Receiver<Outgoing>,
    /// A word from the driver ends it at once; the driver's silence means nothing.
    pub(crate) cut: oneshot::Receiver<()>,
    /// For pongs; weak, so that the driver's handle is what keeps the queue open.
    pub(crate) pongs: mpsc::WeakSender<Outgoing>,
}

impl Connection {
    /// Runs an accepted connection to its end.
    pub(crate) async fn run_accepted(mut self, opening: Opening, stream: TcpStream) {
        let probation = Some(Instant::now() + self.limits.first_message);
        let end = match opening.accept(stream, self.limits).await {
            Ok(Opened { wire, cutter, proved }) => {
                if !proved.is_empty() {
                    // Before its first message, on the same way.
                    let _ = self.events.send(WireEvent::Proved { connection: self.id, names: proved }).await;
                }
                self.run(wire, cutter, probation).await
            }
            Err(end) => end,
        };
        self.finish(end).await;
    }

    /// Opens a connection and runs it to its end.
    pub(crate) async fn run_connecting(mut self, opening: Opening) {
        let end = match opening.connect(self.flow, self.limits).await {
            Ok(Opened { wire, cutter, .. }) => {
                // If the driver is gone, so is the queue, and the loops end at once.
                let _ = self.events.send(WireEvent::Connected).await;
                self.run(wire, cutter, None).await
            }
            Err(end) => end,
        };
        self.finish(end).await;
    }

    async fn run(&mut self, wire: Wire, mut cutter: Cutter, probation: Option<Instant>) -> End {
        let wire = RefCell::new(wire);
        let spoken_to = Cell::new(false);
        let role = cutter.role();
        let reading = Reading {
            flow: self.flow,
            limits: self.limits,
            scratch: &self.scratch,
            events: &self.events,
            pongs: &self.pongs,
            spoken_to: &spoken_to,
        };
        let (end, last_word) = tokio::select! {
            end = reading.run(&wire, &mut cutter, probation) => end,
            Ok(()) = &mut self.cut => (End::Cut, None),
            end = write(&wire, role, &mut self.outgoing, self.limits.write, &self.events, &spoken_to) => end,
        };
        say_goodbye(&mut wire.into_inner(), last_word).await;
        end
    }

    /// Tells the driver what was not sent, and that this is over.
    async fn finish(mut self, end: End) {
        self.outgoing.close();
        while let Some(message) = self.outgoing.recv().await {
            fail(&self.events, message.on_failure).await;
        }
        let _ = self.events.send(WireEvent::Closed { connection: self.id, end }).await;
    }
}

/// What the transport says at its end, as far as the kernel takes it at once: nobody waits for that.
async fn say_goodbye(wire: &mut Wire, last_word: Option<Bytes>) {
    poll_fn(|cx| {
        if let Some(bytes) = &last_word {
            let _ = Pin::new(&mut *wire).poll_write(cx, bytes);
        }
        if let Wire::Tls(_) = wire {
            let _ = Pin::new(&mut *wire).poll_shutdown(cx);
        }
        Poll::Ready(())
    })
    .await;
}

pub(super) async fn fail(events: &mpsc::Sender<WireEvent>, on_failure: Option<(usize, ClientTransactionId)>) {
    if let Some((shard, transaction)) = on_failure {
        let _ = events.send(WireEvent::SendFailed { shard, transaction }).await;
    }
}
