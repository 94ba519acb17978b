//! How requests leave and what comes back: next hops, challenges, and whom the outcome is told.

use crate::agent::Timer;
use crate::config::Route;
use crate::next_hop::{is_reached_by, next_hop};
use crate::request::{Purpose, Request, Sent};
use crate::{CallId, Event, Failure, Output, RequestId, Ticket, UserAgent};
use engine::Now;
use sip_message::{Message, Method, NextHop, Transport};
use sip_transaction::{ClientTransactionId, Flow, Packet, TransactionLayer, prefers_stream};

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Way {
    /// Over this flow.
    Known(Flow),
    /// To be looked up.
    Ask(NextHop),
    /// Nowhere: no SIP URI.
    None,
}

impl Way {
    fn ask(hop: Option<NextHop>) -> Way {
        hop.map_or(Way::None, Way::Ask)
    }

    /// To `hop`, over `flow` when that leads there and is not a connection that is gone.
    pub(crate) fn preferring(flow: &Flow, hop: Option<NextHop>) -> Way {
        let gone = flow.transport.reliable() && flow.connection.is_none();
        match hop {
            Some(hop) if is_reached_by(&hop, flow) && !gone => Way::Known(*flow),
            other => Way::ask(other),
        }
    }
}

impl UserAgent {
    /// The way of a request outside of a dialog to `uri`.
    pub(crate) fn way(&self, route: &Route, uri: &str) -> Way {
        match route {
            Route::Uri(transport) => {
                Way::ask(next_hop(uri).map(|hop| NextHop { transport: hop.transport.or(*transport), ..hop }))
            }
            Route::Proxy(proxy) => Way::ask(next_hop(proxy)),
            Route::Registration(id) => match self.registrations.get(id) {
                Some(registration) => match registration.flow {
                    Some(flow) => Way::Known(flow),
                    None => self.way(&registration.account.route, uri),
                },
                None => Way::ask(next_hop(uri)),
            },
        }
    }

    /// Takes a request on its way; its number.
    pub(crate) fn place(&mut self, now: Now, layer: &mut TransactionLayer, mut request: Request, way: Way) -> u64 {
        let key = self.number();
        match way {
            Way::Known(flow) => {
                request.flows.push_back(flow);
                self.requests.insert(key, request);
                self.handle_located(now, layer, key);
            }
            Way::Ask(next_hop) => {
                self.requests.insert(key, request);
                self.outputs.push_back(Output::Resolve { ticket: Ticket(key), next_hop });
            }
            Way::None => {
                self.requests.insert(key, request);
                self.fail(now, layer, key, Failure::NotFound);
            }
        }
        key
    }

    pub(crate) fn handle_resolved(&mut self, now: Now, layer: &mut TransactionLayer, ticket: Ticket, flows: Vec<Flow>) {
        let key = ticket.0;
        let Some(request) = self.requests.get_mut(&key) else { return };
        if request.sent.is_some() || !request.flows.is_empty() {
            return;
        }
        if flows.is_empty() {
            return self.fail(now, layer, key, Failure::NotFound);
        }
        request.flows.extend(flows);
        self.handle_located(now, layer, key);
    }

    fn handle_located(&mut self, now: Now, layer: &mut TransactionLayer, key: u64) {
        let Some(request) = self.requests.get(&key) else { return };
        match (&request.purpose, request.flows.front()) {
            (Purpose::Invite(call), Some(flow)) => {
                let (call, flow) = (*call, *flow);
                self.invite_located(call, key, flow);
            }
            _ => self.attempt(now, layer, key),
        }
    }

    /// Sends a request to its next hop, the first time or after another hop has failed.
    pub(crate) fn attempt(&mut self, now: Now, layer: &mut TransactionLayer, key: u64) {
        let Some(request) = self.requests.get_mut(&key) else { return };
        match request.flows.pop_front() {
            Some(flow) => self.send_over(now, layer, key, flow, flow),
            None => self.fail(now, layer, key, Failure::Unreachable),
        }
    }

    /// Sends a request over `flow`, or over a stream to the same address when it is too large for a datagram and that has not
    /// been tried (RFC 3261 section 18.1.1).
    fn send_over(&mut self, now: Now, layer: &mut TransactionLayer, key: u64, mut flow: Flow, reachable: Flow) {
        let Some(request) = self.requests.get_mut(&key) else { return };
        let branch = layer.mint_branch();
        let mut bytes = request.bytes(&self.config, branch.as_str(), &flow, &reachable);
        if let Purpose::Ack(invite, tag) = &request.purpose {
            let (invite, tag) = (*invite, tag.clone());
            layer.send(flow, bytes.clone());
            self.requests.remove(&key);
            return self.ack_sent(invite, tag.as_deref(), flow, bytes);
        }
        let stream_failed = request.sent.is_some_and(|sent| sent.flow != sent.reachable);
        if flow.transport == Transport::Udp && prefers_stream(bytes.len()) && !stream_failed {
            flow = Flow { transport: Transport::Tcp, connection: None, ..flow };
            bytes = request.bytes(&self.config, branch.as_str(), &flow, &reachable);
        }
        if let Some(earlier) = request.sent.replace(Sent { transaction: branch.id(), flow, reachable }) {
            self.by_transaction.remove(&earlier.transaction);
        }
        self.by_transaction.insert(branch.id(), key);
        layer.send_request(now, &branch, flow, request.method, bytes);
    }

    pub(crate) fn handle_response(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ClientTransactionId,
        packet: Packet,
    ) {
        let Some(&key) = self.by_transaction.get(&id) else { return };
        let Some(request) = self.requests.get(&key) else { return };
        let Some(sent) = request.sent else { return };
        let (purpose, is_invite) = (request.purpose.clone(), request.method == Method::Invite);
        let response = &packet.message;
        match response.status() {
            ..200 => {
                if let Purpose::Invite(call) = purpose {
                    self.invite_progresses(call, response);
                }
            }
            401 | 407 if self.wanted(&purpose) && self.sign_again(key, response) => {
                // The very connection that the challenge came over; a datagram flow is what it was.
                let flow = if sent.flow.transport.reliable() { packet.flow } else { sent.flow };
                let reachable = if sent.reachable == sent.flow { flow } else { sent.reachable };
                self.send_over(now, layer, key, flow, reachable);
            }
            // RFC 3263 section 4.3: a 503 sends us to the next server.
            503 if self.wanted(&purpose) && self.has_other_flow(key) => self.attempt(now, layer, key),
            200..300 if is_invite => self.invite_succeeds(now, layer, key, packet),
            _ => {
                self.forget_request(key);
                self.tell(now, layer, key, purpose, Ok(packet));
            }
        }
    }

    pub(crate) fn handle_no_answer(&mut self, now: Now, layer: &mut TransactionLayer, id: ClientTransactionId) {
        self.handle_attempt_failed(now, layer, id, Failure::NoAnswer);
    }

    pub(crate) fn handle_send_failed(&mut self, now: Now, layer: &mut TransactionLayer, id: ClientTransactionId) {
        let Some(&key) = self.by_transaction.get(&id) else { return };
        let Some(request) = self.requests.get(&key) else { return };
        match request.sent {
            // The stream was our own idea: back to datagrams, however large (RFC 3261 section 18.1.1).
            Some(sent) if sent.flow != sent.reachable && self.wanted(&request.purpose) => {
                self.send_over(now, layer, key, sent.reachable, sent.reachable);
            }
            _ => self.handle_attempt_failed(now, layer, id, Failure::Unreachable),
        }
    }

    fn handle_attempt_failed(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: ClientTransactionId,
        failure: Failure,
    ) {
        let Some(&key) = self.by_transaction.get(&id) else { return };
        let Some(request) = self.requests.get(&key) else { return };
        if self.wanted(&request.purpose) && self.has_other_flow(key) {
            return self.attempt(now, layer, key);
        }
        self.fail(now, layer, key, failure);
    }

    fn has_other_flow(&self, key: u64) -> bool {
        self.requests.get(&key).is_some_and(|request| !request.flows.is_empty())
    }

    /// Adds the signature that a challenge asks for, and counts on; `false` when that is not possible or would not help.
    fn sign_again(&mut self, key: u64, challenge: &Message) -> bool {
        let Some(request) = self.requests.get_mut(&key) else { return false };
        if !request.answer_challenge(challenge, &mut self.rng) {
            return false;
        }
        request.cseq += 1;
        true
    }

    /// Whether it still makes sense to try again: nobody does with a call that was given up.
    fn wanted(&self, purpose: &Purpose) -> bool {
        match purpose {
            Purpose::Invite(call) => self.is_inviting(*call),
            Purpose::Ack(..) | Purpose::Bye(_) | Purpose::ByeOfExtra | Purpose::Register(_) | Purpose::Plain => true,
        }
    }

    pub(crate) fn fail(&mut self, now: Now, layer: &mut TransactionLayer, key: u64, failure: Failure) {
        let Some(request) = self.requests.get(&key) else { return };
        let purpose = request.purpose.clone();
        self.forget_request(key);
        self.tell(now, layer, key, purpose, Err(failure));
    }

    /// Says what came of a request: its final response (for an INVITE, other than 2xx), or why there is none.
    fn tell(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        key: u64,
        purpose: Purpose,
        outcome: Result<Packet, Failure>,
    ) {
        match purpose {
            Purpose::Invite(call) => {
                self.invite_fails(call, outcome.map_or_else(|failure| failure, |packet| Failure::of(&packet.message)));
            }
            // Without an ACK the peer gives up after 64*T1 and says BYE.
            Purpose::Ack(..) | Purpose::ByeOfExtra => {}
            Purpose::Bye(call) => self.bye_is_done(call),
            Purpose::Register(registration) => self.register_is_done(now, layer, registration, outcome),
            Purpose::Plain => {
                let outcome = outcome.map(|packet| packet.message);
                self.event(Event::Replied { request: RequestId(key), outcome });
            }
        }
    }

    pub(crate) fn forget_request(&mut self, key: u64) {
        let Some(request) = self.requests.remove(&key) else { return };
        if let Some(sent) = request.sent {
            self.by_transaction.remove(&sent.transaction);
        }
        // What a registrar has challenged us with serves the next REGISTER, too.
        if let Purpose::Register(id) = request.purpose
            && let Some(registration) = self.registrations.get_mut(&id)
        {
            registration.auth = request.auth;
        }
    }

    /// Keeps an answered INVITE as long as it may be answered again (RFC 3261 section 13.2.2.4).
    pub(crate) fn forget_invite_later(&mut self, now: Now, key: u64) {
        self.deadlines.set(now.mono + self.config.t1 * 64, Timer::ForgetInvite(key));
    }

    pub(crate) fn new_call_id(&mut self) -> CallId {
        CallId(self.number())
    }
}
