use super::StreamLimits;
use crate::wire_event::{End, WireEvent};
use bytes::Bytes;
use sip_message::{Frame, Framer};
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use socket2::{SockRef, TcpKeepalive};
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

/// Messages written with one system call.
const WRITE_BATCH: usize = 32;

/// The answer to a ping (RFC 5626 section 4.4.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// A message for a connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) bytes: Bytes,
    /// Who hears of it if it is not written.
    pub(crate) on_failure: Option<(usize, ClientTransactionId)>,
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
    pub(crate) async fn run_accepted(mut self, stream: TcpStream) {
        let probation = Some(Instant::now() + self.limits.first_message);
        let end = self.run(stream, probation).await;
        self.finish(end).await;
    }

    /// Opens a connection and runs it to its end.
    pub(crate) async fn run_connecting(mut self) {
        let end = match timeout(self.limits.connect, connect(self.flow)).await {
            Ok(Ok(stream)) => {
                // If the driver is gone, so is the queue, and the loops end at once.
                let _ = self.events.send(WireEvent::Connected).await;
                self.run(stream, None).await
            }
            Ok(Err(_)) | Err(_) => End::NotConnected,
        };
        self.finish(end).await;
    }

    async fn run(&mut self, mut stream: TcpStream, probation: Option<Instant>) -> End {
        // Whole small messages at once are what we write, so there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        // A peer that is gone without a word is found out within two minutes.
        let probes = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
        let _ = SockRef::from(&stream).set_tcp_keepalive(&probes.with_retries(4));
        let (reader, writer) = stream.split();
        let spoken_to = Cell::new(false);
        let reading = Reading {
            flow: self.flow,
            limits: self.limits,
            scratch: &self.scratch,
            events: &self.events,
            pongs: &self.pongs,
            spoken_to: &spoken_to,
        };
        tokio::select! {
            end = reading.run(reader, probation) => end,
            Ok(()) = &mut self.cut => End::Cut,
            end = write(writer, &mut self.outgoing, self.limits.write, &self.events, &spoken_to) => end,
        }
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

async fn fail(events: &mpsc::Sender<WireEvent>, on_failure: Option<(usize, ClientTransactionId)>) {
    if let Some((shard, transaction)) = on_failure {
        let _ = events.send(WireEvent::SendFailed { shard, transaction }).await;
    }
}

async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !flow.local.ip().is_unspecified() {
        let mut from = flow.local;
        from.set_port(0);
        socket.bind(from)?;
    }
    socket.connect(flow.remote).await
}

/// The reading half.
struct Reading<'a> {
    flow: Flow,
    limits: StreamLimits,
    scratch: &'a Scratch,
    events: &'a mpsc::Sender<WireEvent>,
    pongs: &'a mpsc::WeakSender<Outgoing>,
    /// Whether our engine has had something to say to the peer: what it did not answer was no SIP, whatever it looked like.
    spoken_to: &'a Cell<bool>,
}

impl Reading<'_> {
    async fn run(&self, reader: ReadHalf<'_>, mut probation: Option<Instant>) -> End {
        let mut framer = Framer::new();
        let mut message_until = None;
        loop {
            probation = probation.filter(|_| !self.spoken_to.get());
            let idle_until = Instant::now() + self.limits.idle;
            let until = [message_until, probation].into_iter().flatten().fold(idle_until, Instant::min);
            match tokio::time::timeout_at(until, reader.readable()).await {
                // The probation has been passed while it was waited for.
                Err(_) if probation == Some(until) && self.spoken_to.get() => continue,
                Err(_) => return End::Cut,
                Ok(Err(_)) => return End::Closed,
                Ok(Ok(())) => {}
            }
            {
                let mut scratch = self.scratch.borrow_mut();
                match reader.try_read(&mut scratch) {
                    Ok(0) => return End::Closed,
                    Ok(count) => framer.push(&scratch[..count]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(_) => return End::Closed,
                }
            }
            loop {
                match framer.next_frame() {
                    Ok(Some(Frame::Message(bytes))) => {
                        message_until = None;
                        if self.events.send(WireEvent::Message { flow: self.flow, bytes }).await.is_err() {
                            return End::Closed;
                        }
                    }
                    Ok(Some(Frame::Ping)) => {
                        let pong = Outgoing { bytes: PONG, on_failure: None };
                        if self.pongs.upgrade().is_none_or(|queue| queue.try_send(pong).is_err()) {
                            return End::Cut;
                        }
                    }
                    Ok(Some(Frame::Pong)) => {}
                    Ok(None) => break,
                    Err(_) => return End::Cut,
                }
            }
            // The clock of a message runs from its first byte; more of it coming does not turn it back.
            message_until = match message_until {
                _ if !framer.in_message() => None,
                None => Some(Instant::now() + self.limits.message),
                running => running,
            };
        }
    }
}

/// Writes what the queue brings, until the queue or the connection ends.
async fn write(
    mut writer: WriteHalf<'_>,
    queue: &mut mpsc::Receiver<Outgoing>,
    patience: Duration,
    events: &mpsc::Sender<WireEvent>,
    spoken_to: &Cell<bool>,
) -> End {
    let mut batch: Vec<Outgoing> = Vec::new();
    loop {
        batch.clear();
        if queue.recv_many(&mut batch, WRITE_BATCH).await == 0 {
            return End::Closed;
        }
        let (mut whole, mut part) = (0, 0);
        while let Some(first) = batch.get(whole) {
            let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
            slices[0] = IoSlice::new(&first.bytes[part..]);
            let rest = &batch[whole + 1..];
            slices[1..].iter_mut().zip(rest).for_each(|(slice, message)| *slice = IoSlice::new(&message.bytes));
            let end = match timeout(patience, writer.write_vectored(&slices[..=rest.len()])).await {
                Err(_) => End::Cut,
                Ok(Err(_) | Ok(0)) => End::Closed,
                Ok(Ok(mut written)) => {
                    written += part;
                    while let Some(message) = batch.get(whole).filter(|message| message.bytes.len() <= written) {
                        written -= message.bytes.len();
                        spoken_to.set(spoken_to.get() || message.bytes != PONG);
                        whole += 1;
                    }
                    part = written;
                    continue;
                }
            };
            for message in batch.drain(whole..) {
                fail(events, message.on_failure).await;
            }
            return end;
        }
    }
}
