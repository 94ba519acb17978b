//! The client transactions: their records, and what the two client machines' actions mean.

use crate::branch::ClientTransactionId;
use crate::layer::{Deadline, Shared};
use crate::store::{Handle, Key, Store};
use crate::timer::Timer;
use crate::{ConnectionId, Event, Flow, Packet, derived, invite_client, non_invite_client};
use bytes::Bytes;
use sip_message::{Message, Method};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// What a client machine does on the way to its next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send what is held: the request, or later the ACK.
    Send,
    /// Make the ACK to this response, hold it in the request's place, send it.
    Acknowledge,
    /// Send a CANCEL in a transaction of its own.
    SendCancel,
    /// Give the response to the TU.
    Deliver,
    /// Nothing will be sent any more: drop what is held.
    Release,
    /// Tell the TU that nobody answered.
    ReportTimeout,
    /// Tell the TU that sending failed.
    ReportSendFailed,
    /// Start a timer at its first length.
    Start(Timer),
    /// Start the timer that has just fired again, at twice its length.
    Double(Timer),
    /// Start a timer at T2.
    AtT2(Timer),
}

#[derive(Debug, Clone, Copy)]
enum State {
    Invite(invite_client::State),
    NonInvite(non_invite_client::State),
}

#[derive(Debug)]
struct Record {
    state: State,
    method: Method,
    flow: Flow,
    /// The request or the ACK; empty when neither is needed any more.
    held: Bytes,
}

impl Key for ClientTransactionId {
    fn spread(self) -> u64 {
        ClientTransactionId::spread(self)
    }
}

/// What happens to a client transaction.
enum Input {
    Response(Packet),
    Timer(Timer, u8),
    Cancel,
    SendFailed,
}

#[derive(Debug)]
pub(crate) struct Clients {
    records: Store<ClientTransactionId, Record>,
    /// Those that wait on a connection.
    by_connection: BTreeSet<(ConnectionId, ClientTransactionId)>,
    /// Why INVITEs are given up whose CANCEL waits for a provisional response; gone with the transaction.
    reasons: BTreeMap<ClientTransactionId, Box<str>>,
}

impl Clients {
    pub(crate) fn new() -> Clients {
        Clients { records: Store::new(), by_connection: BTreeSet::new(), reasons: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Starts the transaction `id` with this request; one that runs already is left alone.
    pub(crate) fn start(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        id: ClientTransactionId,
        flow: Flow,
        method: Method,
        bytes: Bytes,
    ) {
        debug_assert!(self.records.find(id).is_none(), "a branch starts one transaction");
        if self.records.find(id).is_some() {
            return;
        }
        if !shared.has_room(self.records.len(), bytes.len()) {
            return report(shared, id, Event::SendFailed { id });
        }
        let (state, actions) = match method {
            Method::Invite => (State::Invite(invite_client::START.0), invite_client::START.1),
            _ => (State::NonInvite(non_invite_client::START.0), non_invite_client::START.1),
        };
        shared.more(bytes.len());
        if let Some(connection) = flow.connection {
            self.by_connection.insert((connection, id));
        }
        let handle = self.records.insert(id, Record { state, method, flow, held: bytes });
        self.act(shared, now, handle, actions, None, 0);
    }

    /// The transaction that `response` belongs to, whose top branch names `id` (section 17.1.3).
    pub(crate) fn find(&self, id: ClientTransactionId, response: &Message) -> Option<Handle> {
        let method = response.method();
        let id = if method == Method::Cancel { id.of_cancel() } else { id };
        let handle = self.records.find(id)?;
        let (_, record) = self.records.get(handle)?;
        (record.method == method).then_some(handle)
    }

    pub(crate) fn handle_response(&mut self, shared: &mut Shared, now: Instant, handle: Handle, packet: Packet) {
        self.handle(shared, now, handle, Input::Response(packet));
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

    pub(crate) fn handle_send_failed(&mut self, shared: &mut Shared, now: Instant, id: ClientTransactionId) {
        if let Some(handle) = self.records.find(id) {
            self.handle(shared, now, handle, Input::SendFailed);
        }
    }

    /// What waits on a connection that is gone has failed like what could not be sent over it.
    pub(crate) fn handle_connection_closed(&mut self, shared: &mut Shared, now: Instant, connection: ConnectionId) {
        let (first, last) = ((connection, ClientTransactionId::FIRST), (connection, ClientTransactionId::LAST));
        let waiting: Vec<ClientTransactionId> = self.by_connection.range(first..=last).map(|(_, id)| *id).collect();
        for id in waiting {
            self.handle_send_failed(shared, now, id);
        }
    }

    pub(crate) fn cancel(&mut self, shared: &mut Shared, now: Instant, id: ClientTransactionId, reason: Option<&str>) {
        let Some(handle) = self.records.find(id) else { return };
        let open =
            |state| matches!(state, State::Invite(invite_client::State::Calling | invite_client::State::Proceeding));
        if let (Some(reason), true) = (reason, self.records.get(handle).is_some_and(|(_, record)| open(record.state))) {
            self.reasons.insert(id, reason.into());
        }
        self.handle(shared, now, handle, Input::Cancel);
    }

    fn handle(&mut self, shared: &mut Shared, now: Instant, handle: Handle, input: Input) {
        let Some((_, record)) = self.records.get_mut(handle) else { return };
        let (next, actions) = match record.state {
            State::Invite(state) => {
                let Some(event) = invite_event(&input) else { return };
                let (next, actions) = invite_client::step(state, event);
                (next.map(State::Invite), actions)
            }
            State::NonInvite(state) => {
                let Some(event) = non_invite_event(&input) else { return };
                let (next, actions) = non_invite_client::step(state, event);
                (next.map(State::NonInvite), actions)
            }
        };
        if let Some(next) = next {
            record.state = next;
        }
        let (packet, doublings) = match input {
            Input::Response(packet) => (Some(packet), 0),
            Input::Timer(_, doublings) => (None, doublings),
            Input::Cancel | Input::SendFailed => (None, 0),
        };
        self.act(shared, now, handle, actions, packet, doublings);
        if next.is_none() {
            if let Some((id, record)) = self.records.get_mut(handle) {
                shared.hold(&mut record.held, Bytes::new());
                if let Some(connection) = record.flow.connection {
                    self.by_connection.remove(&(connection, id));
                }
                self.reasons.remove(&id);
            }
            self.records.remove(handle);
        }
    }

    fn act(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        handle: Handle,
        actions: &[Action],
        mut packet: Option<Packet>,
        doublings: u8,
    ) {
        for action in actions {
            let Some((id, record)) = self.records.get_mut(handle) else { return };
            match *action {
                Action::Send => {
                    if !record.held.is_empty() {
                        shared.send(record.flow, record.held.clone(), Some(id));
                    }
                }
                Action::Acknowledge => {
                    let response = packet.as_ref().map(|packet| &packet.message);
                    let ack = response.and_then(|response| derived::ack(&record.held, response)).unwrap_or_default();
                    shared.hold(&mut record.held, ack);
                    if !record.held.is_empty() {
                        shared.send(record.flow, record.held.clone(), Some(id));
                    }
                }
                Action::SendCancel => {
                    let flow = record.flow;
                    let reason = self.reasons.remove(&id);
                    if let Some(bytes) = derived::cancel(&record.held, reason.as_deref()) {
                        self.start(shared, now, id.of_cancel(), flow, Method::Cancel, bytes);
                    }
                }
                Action::Deliver => {
                    if let Some(packet) = packet.take().filter(|_| !id.is_cancel()) {
                        shared.event(Event::Response { id, packet });
                    }
                }
                Action::Release => shared.hold(&mut record.held, Bytes::new()),
                Action::ReportTimeout => report(shared, id, Event::Timeout { id }),
                Action::ReportSendFailed => report(shared, id, Event::SendFailed { id }),
                Action::Start(timer) => match shared.lengths.first(timer, record.flow.transport.reliable()) {
                    None => {}
                    Some(length) if length.is_zero() => self.handle_timer(shared, now, handle, timer, 0),
                    Some(length) => shared.set(now, length, Deadline::client(handle, timer, 0)),
                },
                Action::Double(timer) => {
                    let doublings = doublings.saturating_add(1);
                    let length = shared.lengths.doubled(timer, doublings);
                    shared.set(now, length, Deadline::client(handle, timer, doublings));
                }
                Action::AtT2(timer) => {
                    let length = shared.lengths.t2;
                    shared.set(now, length, Deadline::client(handle, timer, doublings));
                }
            }
        }
    }
}

/// The TU asked for a CANCEL, not for its outcome: what becomes of it shows in the INVITE.
fn report(shared: &mut Shared, id: ClientTransactionId, event: Event) {
    if !id.is_cancel() {
        shared.event(event);
    }
}

fn invite_event(input: &Input) -> Option<invite_client::Event> {
    use invite_client::Event;
    Some(match input {
        Input::Response(packet) => match packet.message.status() {
            0..200 => Event::Provisional,
            200..300 => Event::Success,
            300.. => Event::Failure,
        },
        Input::Timer(Timer::A, _) => Event::TimerA,
        Input::Timer(Timer::B, _) => Event::TimerB,
        Input::Timer(Timer::D, _) => Event::TimerD,
        Input::Timer(Timer::M, _) => Event::TimerM,
        Input::Timer(Timer::Cancelled, _) => Event::TimerCancelled,
        Input::Timer(..) => return None,
        Input::Cancel => Event::Cancel,
        Input::SendFailed => Event::TransportError,
    })
}

fn non_invite_event(input: &Input) -> Option<non_invite_client::Event> {
    use non_invite_client::Event;
    Some(match input {
        Input::Response(packet) => match packet.message.status() {
            0..200 => Event::Provisional,
            200.. => Event::Final,
        },
        Input::Timer(Timer::E, _) => Event::TimerE,
        Input::Timer(Timer::F, _) => Event::TimerF,
        Input::Timer(Timer::K, _) => Event::TimerK,
        // A CANCEL is for INVITEs only (section 9.1).
        Input::Timer(..) | Input::Cancel => return None,
        Input::SendFailed => Event::TransportError,
    })
}
