use crate::call::Call;
use crate::deadlines::Deadlines;
use crate::registration::Registration;
use crate::request::Request;
use crate::{CallId, Config, Event, Output, RegistrationId, Ticket};
use engine::{Now, Rng, Table, TableKey};
use sip_message::Builder;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow, ServerTransactionId, TransactionLayer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// A user agent: its registrations, its calls, and the requests it places outside of calls.
///
/// Every method that may send takes the transaction layer, which belongs to the parent; whatever it sends is in the layer's
/// outputs. The parent hands in, with `handle_event`, the layer's events; with `handle_timeout`, the time; and takes out, with
/// `poll_output`, what has happened.
pub struct UserAgent {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) calls: Table<CallId, Call>,
    /// Calls by the tag of our end.
    pub(crate) by_tag: Table<String, CallId>,
    /// Calls by the INVITE that awaits our final response.
    pub(crate) by_invite: Table<ServerTransactionId, CallId>,
    pub(crate) registrations: BTreeMap<RegistrationId, Registration>,
    pub(crate) requests: Table<u64, Request>,
    pub(crate) by_transaction: Table<ClientTransactionId, u64>,
    pub(crate) deadlines: Deadlines<Timer>,
    pub(crate) outputs: VecDeque<Output>,
    /// The number that the latest call, registration or request was given.
    numbers: u64,
}

/// What comes due.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Timer {
    /// Our 2xx to this INVITE of the call is sent again, or given up.
    Repeat2xx(CallId, ServerTransactionId),
    /// Our provisional response is sent again, so that no proxy gives up.
    RepeatRinging(CallId),
    /// The INVITE has not been answered in time: it gets this status.
    InviteExpires(CallId, ServerTransactionId, u16),
    /// No 2xx to an INVITE comes any more.
    ForgetInvite(u64),
    /// A registration is to be refreshed or tried again.
    Register(RegistrationId),
    /// The flow of a registration is to be kept open.
    KeepAlive(RegistrationId),
}

impl UserAgent {
    /// A user agent without calls or registrations.
    pub fn new(config: Config, mut rng: Rng) -> UserAgent {
        UserAgent {
            calls: Table::with_hasher(TableKey::new(&mut rng)),
            by_tag: Table::with_hasher(TableKey::new(&mut rng)),
            by_invite: Table::with_hasher(TableKey::new(&mut rng)),
            registrations: BTreeMap::new(),
            requests: Table::with_hasher(TableKey::new(&mut rng)),
            by_transaction: Table::with_hasher(TableKey::new(&mut rng)),
            deadlines: Deadlines::default(),
            outputs: VecDeque::new(),
            numbers: 0,
            config,
            rng,
        }
    }

    /// Takes what the transaction layer says about a transaction of this user agent, or about a request that came for it.
    pub fn handle_event(&mut self, now: Now, layer: &mut TransactionLayer, event: sip_transaction::Event) {
        match event {
            sip_transaction::Event::Request { id, packet } => {
                self.handle_request(now, layer, id, Arc::unwrap_or_clone(packet))
            }
            sip_transaction::Event::Cancel { id, cancels, packet } => {
                self.handle_cancel(now, layer, id, cancels, packet)
            }
            sip_transaction::Event::Ack { packet } => self.handle_ack(now, layer, packet),
            sip_transaction::Event::Response { id, packet } => self.handle_response(now, layer, id, packet),
            sip_transaction::Event::Timeout { id } => self.handle_no_answer(now, layer, id),
            sip_transaction::Event::SendFailed { id } => self.handle_send_failed(now, layer, id),
            // The call that was refused is over, whether its caller knows or not.
            sip_transaction::Event::AckMissing { .. } => {}
        }
    }

    /// Takes the answer to [`Output::Resolve`]: the ways there, best first, none when the name leads nowhere.
    pub fn resolved(&mut self, now: Now, layer: &mut TransactionLayer, ticket: Ticket, flows: Vec<Flow>) {
        self.handle_resolved(now, layer, ticket, flows);
    }

    /// Takes the news that a connection is gone: registrations that used it are made again, calls go on over another.
    pub fn handle_connection_closed(&mut self, now: Now, layer: &mut TransactionLayer, connection: ConnectionId) {
        for session in self.calls.values_mut().filter_map(Call::session_mut) {
            session.flow.connection = session.flow.connection.filter(|used| *used != connection);
        }
        self.registrations_lose(now, layer, connection);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now, layer: &mut TransactionLayer) {
        while let Some((set_for, timer)) = self.deadlines.take_due(now.mono) {
            match timer {
                Timer::Repeat2xx(call, server) => self.repeat_2xx(now, layer, call, server),
                Timer::RepeatRinging(call) => self.repeat_ringing(now, layer, call),
                Timer::InviteExpires(call, server, status) => self.invite_expires(now, layer, call, server, status),
                Timer::ForgetInvite(key) => self.forget_request(key),
                Timer::Register(registration) => self.registration_due(now, layer, registration, set_for),
                Timer::KeepAlive(registration) => self.keep_alive_is_due(now, registration, set_for),
            }
        }
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// What happened, and what is wanted of the parent, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many calls there are, in whatever state.
    pub fn calls_len(&self) -> usize {
        self.calls.len()
    }

    /// Whether nothing is going on: no call, and no request that awaits an answer. Registrations may be in force.
    pub fn is_idle(&self) -> bool {
        // An INVITE that was answered is only kept to acknowledge repeated answers.
        self.calls.is_empty() && self.requests.values().all(|request| !request.acks.is_empty())
    }

    /// Entries of all tables except registrations: what is remembered of calls and requests. 0 within 64*T1 of being idle.
    pub fn entries_len(&self) -> usize {
        let calls = self.calls.len() + self.by_tag.len() + self.by_invite.len();
        calls + self.requests.len() + self.by_transaction.len()
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The number that will be given next.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers + 1
    }

    /// Sends a response.
    pub(crate) fn respond(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ServerTransactionId,
        status: u16,
        reply: Builder,
    ) {
        let bytes = reply.header(sip_message::HeaderName::Server, &self.config.product).finish();
        layer.respond(now, id, status, bytes);
    }
}
