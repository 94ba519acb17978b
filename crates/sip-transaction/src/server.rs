//! The server transactions: their records, and what the two server machines' actions mean.

use crate::key::{RequestIdentity, TransactionKey};
use crate::layer::{Deadline, Shared};
use crate::store::{Handle, Key, Store};
use crate::timer::Timer;
use crate::{ConnectionId, Event, Flow, Packet, invite_server, non_invite_server};
use bytes::Bytes;
use sip_message::{Builder, Message, Method, Transport};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// What a server machine does on the way to its next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Give the request to the TU.
    DeliverRequest,
    /// Give the ACK to the TU.
    DeliverAck,
    /// Send a 100 of our own, keep it for repetition.
    SendTrying,
    /// Send the TU's response, keep it for repetition.
    SendProvisional,
    /// Send the TU's response, keep it for repetition in the request's place.
    SendFinal,
    /// Send the TU's response, keep neither it nor the request.
    SendOnce,
    /// Send again what is kept.
    Repeat,
    /// Nothing will be sent any more: keep nothing.
    Release,
    /// Tell the TU that no ACK came.
    ReportAckMissing,
    /// Start a timer at its first length.
    Start(Timer),
    /// Start the timer that has just fired again, at twice its length.
    Double(Timer),
}

/// A server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTransactionId(Handle);

impl ServerTransactionId {
    /// As a number, for those who know no transactions.
    pub fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    /// The transaction whose number this is.
    pub fn from_bits(bits: u64) -> ServerTransactionId {
        ServerTransactionId(Handle::from_bits(bits))
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    Invite(invite_server::State),
    NonInvite(non_invite_server::State),
}

#[derive(Debug)]
struct Record {
    state: State,
    /// Where responses go.
    flow: Flow,
    /// The port there for a new connection.
    sent_by_port: u16,
    /// The request, until its final response.
    request: Option<Arc<Packet>>,
    /// The last response; empty when none is to be repeated.
    response: Bytes,
}

impl Record {
    /// Holds nothing any more.
    fn release(&mut self, shared: &mut Shared) {
        let request = self.request.take().map_or(0, |packet| packet.message.bytes().len());
        shared.less(request + self.response.len());
        self.response = Bytes::new();
    }
}

impl Key for TransactionKey {
    fn spread(self) -> u64 {
        TransactionKey::spread(self)
    }
}

/// What happens to a server transaction.
enum Input {
    Request,
    Ack(Packet),
    Response(u16, Bytes),
    Timer(Timer, u8),
}

#[derive(Debug)]
pub(crate) struct Servers {
    records: Store<TransactionKey, Record>,
    /// Those whose responses go over a connection that could be made anew.
    by_connection: BTreeSet<(ConnectionId, Handle)>,
}

impl Servers {
    pub(crate) fn new() -> Servers {
        Servers { records: Store::new(), by_connection: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn find(&self, key: TransactionKey) -> Option<ServerTransactionId> {
        self.records.find(key).map(ServerTransactionId)
    }

    pub(crate) fn request_of(&self, id: ServerTransactionId) -> Option<&Packet> {
        self.records.get(id.0)?.1.request.as_deref()
    }

    /// Starts a transaction with `packet`, which is the first of this identity. `cancels` is for a CANCEL.
    pub(crate) fn start(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        identity: &RequestIdentity,
        packet: Packet,
        cancels: Option<ServerTransactionId>,
    ) {
        let method = packet.message.method();
        let (state, actions) = match method {
            Method::Invite => (State::Invite(invite_server::START.0), invite_server::START.1),
            _ => (State::NonInvite(non_invite_server::START.0), non_invite_server::START.1),
        };
        shared.more(packet.message.bytes().len());
        let packet = Arc::new(packet);
        let request = Some(packet.clone());
        let RequestIdentity { key, reply_flow: flow, sent_by_port, .. } = *identity;
        let handle = self.records.insert(key, Record { state, flow, sent_by_port, request, response: Bytes::new() });
        // Nobody can connect to a browser.
        if let (Some(connection), Transport::Tcp | Transport::Tls) = (flow.connection, flow.transport) {
            self.by_connection.insert((connection, handle));
        }
        let id = ServerTransactionId(handle);
        let event = match method {
            Method::Cancel => Event::Cancel { id, cancels, packet: Arc::unwrap_or_clone(packet) },
            _ => Event::Request { id, packet },
        };
        self.act(shared, now, handle, actions, Some(event), Bytes::new(), 0);
    }

    /// A retransmission of the request that started transaction `id`.
    pub(crate) fn handle_retransmission(&mut self, shared: &mut Shared, now: Instant, id: ServerTransactionId) {
        self.handle(shared, now, id.0, Input::Request);
    }

    pub(crate) fn handle_ack(&mut self, shared: &mut Shared, now: Instant, id: ServerTransactionId, packet: Packet) {
        self.handle(shared, now, id.0, Input::Ack(packet));
    }

    /// Whether `ack`, from a client without unique branches, is for the response that transaction `id` has sent: only its
    /// To tag tells it from the ACK to a 2xx (section 17.2.3).
    pub(crate) fn acknowledges(&self, id: ServerTransactionId, ack: &Message) -> bool {
        let Some((_, record)) = self.records.get(id.0) else { return false };
        match Message::parse(record.response.clone()) {
            Ok(response) => response.to_tag() == ack.to_tag(),
            Err(_) => true, // nothing kept: whatever state that is, it tells
        }
    }

    pub(crate) fn respond(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        id: ServerTransactionId,
        status: u16,
        bytes: Bytes,
    ) {
        self.handle(shared, now, id.0, Input::Response(status, bytes));
    }

    /// Sends a final response once and forgets the transaction, unless its client has heard of us and asks no more.
    pub(crate) fn refuse(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        id: ServerTransactionId,
        status: u16,
        bytes: Bytes,
    ) {
        let unheard = |record: &Record| record.request.is_some() && record.response.is_empty();
        match self.records.get(id.0) {
            Some((_, record)) if unheard(record) => {
                shared.send(record.flow, bytes, None);
                self.remove(shared, id.0);
            }
            _ => self.respond(shared, now, id, status, bytes),
        }
    }

    pub(crate) fn handle_timer(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        handle: Handle,
        timer: Timer,
        doublings: u8,
    ) {
        self.handle(shared, now, handle, Input::Timer(timer, doublings));
    }

    fn handle(&mut self, shared: &mut Shared, now: Instant, handle: Handle, input: Input) {
        let Some((_, record)) = self.records.get_mut(handle) else { return };
        let (next, actions) = match record.state {
            State::Invite(state) => {
                let Some(event) = invite_event(&input) else { return };
                let (next, actions) = invite_server::step(state, event);
                (next.map(State::Invite), actions)
            }
            State::NonInvite(state) => {
                let Some(event) = non_invite_event(&input, record.flow.transport.reliable()) else { return };
                let (next, actions) = non_invite_server::step(state, event);
                (next.map(State::NonInvite), actions)
            }
        };
        if let Some(next) = next {
            record.state = next;
        }
        let (event, response, doublings) = match input {
            Input::Request => (None, Bytes::new(), 0),
            Input::Ack(packet) => (Some(Event::Ack { packet }), Bytes::new(), 0),
            Input::Response(_, bytes) => (None, bytes, 0),
            Input::Timer(_, doublings) => (None, Bytes::new(), doublings),
        };
        self.act(shared, now, handle, actions, event, response, doublings);
        if next.is_none() {
            self.remove(shared, handle);
        }
    }

    /// What is still to be said over a connection that is gone goes over a new one (RFC 3261 section 18.2.2): to the address that the
    /// request came from, never to one that its sender has merely written down.
    pub(crate) fn handle_connection_closed(&mut self, connection: ConnectionId) {
        let all = (connection, Handle::FIRST)..=(connection, Handle::LAST);
        while let Some(entry) = self.by_connection.range(all.clone()).next().copied() {
            self.by_connection.remove(&entry);
            let Some((_, record)) = self.records.get_mut(entry.1) else { continue };
            let remote = SocketAddr::new(record.flow.remote.ip(), record.sent_by_port);
            record.flow = Flow { remote, connection: None, ..record.flow };
        }
    }

    fn remove(&mut self, shared: &mut Shared, handle: Handle) {
        if let Some((_, record)) = self.records.get_mut(handle) {
            record.release(shared);
            if let Some(connection) = record.flow.connection {
                self.by_connection.remove(&(connection, handle));
            }
        }
        self.records.remove(handle);
    }

    #[allow(clippy::too_many_arguments)] // the parts of one input, taken apart once
    fn act(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        handle: Handle,
        actions: &[Action],
        mut event: Option<Event>,
        response: Bytes,
        doublings: u8,
    ) {
        for action in actions {
            let Some((_, record)) = self.records.get_mut(handle) else { return };
            match *action {
                Action::DeliverRequest | Action::DeliverAck => {
                    if let Some(event) = event.take() {
                        shared.event(event);
                    }
                }
                Action::SendTrying => {
                    let Some(packet) = &record.request else { continue };
                    let trying = Builder::reply(&packet.message, 100, packet.flow.remote).finish();
                    shared.hold(&mut record.response, trying);
                    shared.send(record.flow, record.response.clone(), None);
                }
                Action::SendProvisional => {
                    shared.hold(&mut record.response, response.clone());
                    shared.send(record.flow, response.clone(), None);
                }
                Action::SendFinal => {
                    record.release(shared);
                    shared.hold(&mut record.response, response.clone());
                    shared.send(record.flow, response.clone(), None);
                }
                Action::SendOnce => {
                    record.release(shared);
                    shared.send(record.flow, response.clone(), None);
                }
                Action::Repeat => {
                    if !record.response.is_empty() {
                        shared.send(record.flow, record.response.clone(), None);
                    }
                }
                Action::Release => {
                    record.release(shared);
                }
                Action::ReportAckMissing => shared.event(Event::AckMissing { id: ServerTransactionId(handle) }),
                Action::Start(timer) => match shared.lengths.first(timer, record.flow.transport.reliable()) {
                    None => {}
                    Some(length) if length.is_zero() => self.handle_timer(shared, now, handle, timer, 0),
                    Some(length) => shared.set(now, length, Deadline::server(handle, timer, 0)),
                },
                Action::Double(timer) => {
                    let doublings = doublings.saturating_add(1);
                    let length = shared.lengths.doubled(timer, doublings);
                    shared.set(now, length, Deadline::server(handle, timer, doublings));
                }
            }
        }
    }
}

fn invite_event(input: &Input) -> Option<invite_server::Event> {
    use invite_server::Event;
    Some(match input {
        Input::Request => Event::Request,
        Input::Ack(_) => Event::Ack,
        Input::Response(0..200, _) => Event::TuProvisional,
        Input::Response(200..300, _) => Event::TuSuccess,
        Input::Response(300.., _) => Event::TuFailure,
        Input::Timer(Timer::Trying, _) => Event::TimerTrying,
        Input::Timer(Timer::G, _) => Event::TimerG,
        Input::Timer(Timer::H, _) => Event::TimerH,
        Input::Timer(Timer::I, _) => Event::TimerI,
        Input::Timer(Timer::L, _) => Event::TimerL,
        Input::Timer(..) => return None,
    })
}

fn non_invite_event(input: &Input, reliable: bool) -> Option<non_invite_server::Event> {
    use non_invite_server::Event;
    Some(match input {
        Input::Request => Event::Request,
        Input::Response(0..=100, _) if reliable => Event::TuTryingReliable,
        Input::Response(0..=100, _) => Event::TuTryingUnreliable,
        Input::Response(101..200, _) => Event::TuProvisional,
        Input::Response(408, _) => Event::TuTimeout,
        Input::Response(200.., _) => Event::TuFinal,
        Input::Timer(Timer::LateTrying, _) => Event::TimerLateTrying,
        Input::Timer(Timer::J, _) => Event::TimerJ,
        Input::Timer(Timer::Expiry, _) => Event::TimerExpiry,
        Input::Timer(..) | Input::Ack(_) => return None,
    })
}
