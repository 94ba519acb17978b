use super::overload::Overload;
use super::pace::Pace;
use super::shards::{Inboxes, News, Outboxes, Parcel, SHARD_QUEUE_MAX};
use super::wires::{UdpWire, Wires};
use crate::counters::{Counters, count};
use crate::gate::Gate;
use crate::island::{Alarm, Unreachable, Watch, pause, precise_pauses};
use crate::listen::Sockets;
use crate::serving::Owner;
use crate::stream::{Connections, accept_all, driver_of};
use crate::tap::{Direction, Tap};
use crate::wire_event::WireEvent;
use crate::{Backend, Datagram, Engine, Output, Plans, ReceiveArena, StreamLimits, Tls};
use bytes::Bytes;
use engine::Now;
use sip_transaction::{ClientTransactionId, Flow};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Things taken out of one queue in one turn.
const QUEUE_PER_TURN: usize = 256;

/// What the sockets of one driver may have waiting for it, before connections stop reading.
const WIRE_EVENTS_MAX: usize = 1024;

/// How soon to offer datagrams again that the kernel did not take.
const RETRY_SEND: Duration = Duration::from_millis(1);

/// How long a driver that stops waits for its connections to write what they have.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// What a driver is made of, before its thread runs.
pub(crate) struct DriverParts<Answer> {
    pub(crate) index: usize,
    pub(crate) sockets: Sockets<ClientTransactionId>,
    pub(crate) limits: StreamLimits,
    pub(crate) tls: Option<Tls>,
    pub(crate) plans: Plans,
    pub(crate) shards: Arc<[Outboxes]>,
    pub(crate) inboxes: Inboxes<Answer>,
    pub(crate) owner: Option<Owner>,
    pub(crate) gate: Option<Arc<dyn Gate>>,
    pub(crate) tap: Option<Arc<dyn Tap>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: oneshot::Receiver<()>,
}

/// One engine with its sockets, its queues and its clock.
pub(crate) struct Driver<E: Engine, B> {
    index: usize,
    engine: E,
    backend: B,
    wires: Wires,
    shards: Arc<[Outboxes]>,
    owner: Option<Owner>,
    inboxes: Inboxes<E::Answer>,
    streams: mpsc::Receiver<WireEvent>,
    alarm: Alarm,
    alarm_watch: Watch,
    /// What the alarm is set to. It may be earlier than the deadline: going off for nothing is cheaper than setting it every turn.
    alarm_at: Option<Instant>,
    pace: Pace,
    overload: Overload,
    /// What the engine is to hear in its next turn, if that has changed.
    overloaded: Option<bool>,
    stop: oneshot::Receiver<()>,
    arrived: Arrived<E::Answer>,
}

/// What has come since the last turn.
struct Arrived<Answer> {
    datagrams: Vec<Datagram>,
    /// Datagrams that were not let in.
    limited: usize,
    parcels: Vec<Parcel>,
    news: Vec<News>,
    streams: Vec<WireEvent>,
    answers: Vec<Answer>,
}

impl<Answer> Default for Arrived<Answer> {
    fn default() -> Self {
        Arrived {
            datagrams: Vec::new(),
            limited: 0,
            parcels: Vec::new(),
            news: Vec::new(),
            streams: Vec::new(),
            answers: Vec::new(),
        }
    }
}

impl<E: Engine, B: Backend<E>> Driver<E, B> {
    /// Must be called on the thread and in the local runtime that will run it.
    pub(crate) fn new(parts: DriverParts<E::Answer>, engine: E, backend: B) -> io::Result<Self> {
        precise_pauses();
        let (events, streams) = mpsc::channel(WIRE_EVENTS_MAX);
        for (transport, listener) in parts.sockets.streams {
            tokio::task::spawn_local(accept_all(transport, listener, events.clone()));
        }
        let udp = |socket| UdpWire::new(socket, events.clone());
        let udp = parts.sockets.udp.into_iter().map(udp).collect::<io::Result<_>>()?;
        let alarm = Alarm::new()?;
        let wires = Wires {
            udp,
            connections: Connections::new(
                parts.index,
                parts.limits,
                parts.tls,
                parts.plans,
                events,
                parts.counters.clone(),
            ),
            arena: ReceiveArena::default(),
            gate: parts.gate,
            tap: parts.tap,
            counters: parts.counters,
            sent: VecDeque::new(),
            failed: Vec::new(),
        };
        Ok(Driver {
            index: parts.index,
            engine,
            backend,
            wires,
            shards: parts.shards,
            owner: parts.owner,
            inboxes: parts.inboxes,
            streams,
            alarm_watch: Watch::new(&alarm)?,
            alarm,
            alarm_at: None,
            pace: Pace::new(Instant::now()),
            overload: Overload::new(Instant::now()),
            overloaded: None,
            stop: parts.stop,
            arrived: Arrived::default(),
        })
    }

    /// Runs until it is told to stop, then lets what was handed to sockets go out.
    pub(crate) async fn run(mut self) {
        loop {
            let now = Now::read_clocks();
            let messages = self.turn(now);
            count(&self.wires.counters.turns, 1);
            self.pace.handle_turn(now.mono, messages);
            let done = Instant::now();
            let length = self.pace.pause(now.mono, done);
            self.look_for_overload(done);
            self.set_alarm();
            if !length.is_zero() {
                // The whole thread sleeps: its connections, too, are better served in batches.
                pause(length);
                count(&self.wires.counters.pauses, 1);
            }
            if !length.is_zero() || messages >= QUEUE_PER_TURN {
                tokio::task::yield_now().await; // the others' turn; and readiness is looked at again
            }
            if poll_fn(|cx| self.poll_arrivals(cx)).await.is_break() {
                break;
            }
        }
        self.wires.flush();
        self.wires.connections.close_all(STOP_PATIENCE, self.streams).await;
    }

    /// Gathers what has come, a bounded amount of each kind. Ready when there is any, or something is due; breaks to stop.
    fn poll_arrivals(&mut self, cx: &mut Context<'_>) -> Poll<std::ops::ControlFlow<()>> {
        use std::ops::ControlFlow::{Break, Continue};
        if Pin::new(&mut self.stop).poll(cx).is_ready() {
            return Poll::Ready(Break(()));
        }
        let arrived = &mut self.arrived;
        let mut any = !self.wires.failed.is_empty() || self.overloaded.is_some();
        any |= self.wires.poll_receive(cx, &mut arrived.datagrams, &mut arrived.limited).is_ready();
        any |= self.streams.poll_recv_many(cx, &mut arrived.streams, QUEUE_PER_TURN).is_ready();
        any |= self.inboxes.parcels.poll_recv_many(cx, &mut arrived.parcels, QUEUE_PER_TURN).is_ready();
        // All of it, and after the parcels: whoever proved something did so before the parcels that are here.
        any |= self.inboxes.news.poll_recv_many(cx, &mut arrived.news, usize::MAX).is_ready();
        any |= self.inboxes.answers.poll_recv_many(cx, &mut arrived.answers, QUEUE_PER_TURN).is_ready();
        let due = self.alarm_at.is_some_and(|at| at <= Instant::now());
        if due {
            self.alarm_at = None;
        } else if let Poll::Ready(Ok(mut guard)) = self.alarm_watch.poll_readable(cx) {
            // From an earlier setting; setting it again makes the next one a new event.
            guard.clear_ready();
            let _ = self.alarm_watch.poll_readable(cx).map_ok(|mut guard| guard.clear_ready());
        }
        if any || due { Poll::Ready(Continue(())) } else { Poll::Pending }
    }

    /// Feeds the engine, carries out what it wants, and tells how many messages there were.
    fn turn(&mut self, now: Now) -> usize {
        let mut arrived = std::mem::take(&mut self.arrived);
        if let Some(overloaded) = self.overloaded.take() {
            self.engine.handle_overload(now, overloaded);
            if let Some(gate) = &self.wires.gate {
                gate.handle_overload(now, overloaded);
            }
        }
        let messages = arrived.datagrams.len() + arrived.streams.len() + arrived.parcels.len() + arrived.news.len();
        // They are no work, but the more there are, the sooner the kernel's queue is full again.
        let messages = messages + std::mem::take(&mut arrived.limited);
        for transaction in std::mem::take(&mut self.wires.failed) {
            self.engine.handle_send_failed(now, transaction);
        }
        for Datagram { local, remote, bytes } in arrived.datagrams.drain(..) {
            if is_keep_alive(&bytes) {
                count(&self.wires.counters.keep_alives, 1);
                continue;
            }
            let flow = Flow { transport: sip_message::Transport::Udp, local, remote, connection: None };
            self.handle_message(now, flow, bytes);
        }
        for event in arrived.streams.drain(..) {
            self.handle_stream_event(now, event);
        }
        for news in &mut arrived.news {
            if let News::Proved { connection, names } = news {
                self.engine.handle_proved(now, *connection, std::mem::take(names));
            }
        }
        for parcel in arrived.parcels.drain(..) {
            self.handle_parcel(now, parcel);
        }
        for news in arrived.news.drain(..) {
            match news {
                News::Proved { .. } => {} // above
                News::SendFailed(transaction) => self.engine.handle_send_failed(now, transaction),
                News::ConnectionClosed(connection) => self.engine.handle_connection_closed(now, connection),
            }
        }
        for answer in arrived.answers.drain(..) {
            self.engine.handle_answer(now, answer);
            self.drain_outputs(now);
        }
        if self.engine.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.engine.handle_timeout(now);
        }
        self.arrived = arrived; // empty, but its memory is kept
        self.drain_outputs(now);
        self.wires.flush();
        messages
    }

    fn handle_message(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        if let Some(tap) = &self.wires.tap {
            tap.handle_message(now, &flow, Direction::Received, &bytes);
        }
        match self.owner.as_ref().and_then(|owner| owner(&bytes)).filter(|shard| *shard != self.index) {
            Some(shard) => {
                self.hand_over(shard, Parcel::Packet { flow, bytes });
            }
            None => {
                self.engine.handle_packet(now, flow, bytes);
                // At once, while what it is about is in the processor's caches, and its memory is soon used again.
                self.drain_outputs(now);
            }
        }
    }

    fn handle_stream_event(&mut self, now: Now, event: WireEvent) {
        match event {
            WireEvent::Accepted { transport, stream, remote } => {
                if self.wires.admits(now, remote) {
                    self.wires.connections.accept(transport, stream, remote);
                } else {
                    count(&self.wires.counters.connections_limited, 1);
                }
            }
            WireEvent::Proved { connection, names } => {
                for shard in (0..self.shards.len()).filter(|shard| *shard != self.index) {
                    self.tell(shard, News::Proved { connection, names: names.clone() });
                }
                self.engine.handle_proved(now, connection, names);
            }
            WireEvent::Connected => count(&self.wires.counters.connected, 1),
            WireEvent::Message { flow, bytes } => {
                count(&self.wires.counters.stream_messages_received, 1);
                if self.wires.admits(now, flow.remote) {
                    self.handle_message(now, flow, bytes);
                } else {
                    count(&self.wires.counters.stream_messages_limited, 1);
                }
            }
            WireEvent::Unreachable(unreachable) => {
                count(&self.wires.counters.datagrams_unreachable, 1);
                // Of several sockets at one port, the kernel tells the one that the remote address would be heard by.
                if !self.handle_unreachable(now, &unreachable) {
                    for shard in (0..self.shards.len()).filter(|shard| *shard != self.index) {
                        self.hand_over(shard, Parcel::Unreachable(unreachable.clone()));
                    }
                }
            }
            WireEvent::SendFailed { shard, transaction } => self.send_failed(now, shard, transaction),
            WireEvent::Closed { connection, end } => {
                if self.wires.connections.ended(connection, end) {
                    for shard in (0..self.shards.len()).filter(|shard| *shard != self.index) {
                        self.tell(shard, News::ConnectionClosed(connection));
                    }
                    self.engine.handle_connection_closed(now, connection);
                }
            }
        }
    }

    fn handle_parcel(&mut self, now: Now, parcel: Parcel) {
        match parcel {
            Parcel::Packet { flow, bytes } => self.engine.handle_packet(now, flow, bytes),
            Parcel::Send { flow, bytes, on_failure } => {
                if !self.wires.send(now, flow, bytes, on_failure)
                    && let Some((shard, transaction)) = on_failure
                {
                    self.send_failed(now, shard, transaction);
                }
            }
            Parcel::Unreachable(unreachable) => {
                self.handle_unreachable(now, &unreachable);
            }
        }
    }

    /// Tells the engine, if it was its datagram.
    fn handle_unreachable(&mut self, now: Now, unreachable: &Unreachable) -> bool {
        let whose = self.wires.whose(unreachable);
        whose.map(|transaction| self.engine.handle_send_failed(now, transaction)).is_some()
    }

    fn send_failed(&mut self, now: Now, shard: usize, transaction: ClientTransactionId) {
        if shard == self.index {
            self.engine.handle_send_failed(now, transaction);
        } else {
            self.tell(shard, News::SendFailed(transaction));
        }
    }

    fn drain_outputs(&mut self, now: Now) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { flow, bytes, transaction } => self.send(now, flow, bytes, transaction),
                Output::Ask(ask) => {
                    if let Some(answer) = self.backend.handle_ask(now, ask, &self.inboxes.later) {
                        self.engine.handle_answer(now, answer);
                    }
                }
                Output::Event(event) => self.backend.handle_event(now, event),
            }
        }
    }

    fn send(&mut self, now: Now, flow: Flow, bytes: Bytes, transaction: Option<ClientTransactionId>) {
        let on_failure = transaction.map(|transaction| (self.index, transaction));
        let sent = match flow.connection.map(driver_of).filter(|driver| *driver != self.index) {
            Some(driver) => self.hand_over(driver, Parcel::Send { flow, bytes, on_failure }),
            None => self.wires.send(now, flow, bytes, on_failure),
        };
        if !sent {
            self.wires.failed.extend(transaction);
        }
    }

    /// Puts a parcel into another shard's queue; a full one drops and counts it.
    fn hand_over(&self, shard: usize, parcel: Parcel) -> bool {
        let handed = self.shards.get(shard).is_some_and(|queues| queues.parcels.try_send(parcel).is_ok());
        if !handed {
            count(&self.wires.counters.shard_queue_full, 1);
        }
        handed
    }

    /// Tells another shard; only one that has stopped does not hear it.
    fn tell(&self, shard: usize, news: News) {
        if let Some(queues) = self.shards.get(shard) {
            let _ = queues.news.send(news);
        }
    }

    /// Whether any of the ways into this driver is half full, and that for long. What waits at the end of a turn came while it lasted.
    fn look_for_overload(&mut self, now: Instant) {
        let (wires, streams, parcels) = (&self.wires, &self.streams, &self.inboxes.parcels);
        let is_behind =
            || wires.is_behind() || streams.len() >= WIRE_EVENTS_MAX / 2 || parcels.len() >= SHARD_QUEUE_MAX / 2;
        if let Some(overloaded) = self.overload.look(now, is_behind) {
            count(&self.wires.counters.overloads, usize::from(overloaded));
            self.overloaded = Some(overloaded);
        }
    }

    /// Sees to it that the alarm goes off no later than the engine's deadline, or soon where the kernel would take no more datagrams.
    fn set_alarm(&mut self) {
        let retry = self.wires.is_choked().then(|| Instant::now() + RETRY_SEND);
        let Some(deadline) = [self.engine.poll_timeout(), retry, self.overload.ends_at()].into_iter().flatten().min()
        else {
            return;
        };
        if self.alarm_at.is_none_or(|at| at > deadline) {
            // It cannot fail with a valid descriptor and time.
            let _ = self.alarm.set(deadline.saturating_duration_since(Instant::now()));
            self.alarm_at = Some(deadline);
        }
    }
}

/// Whether a datagram only keeps a NAT's door open: empty, line ends (RFC 5626 section 4.4.1 over UDP, as phones do it) or NULs.
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.len() <= 8 && bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
