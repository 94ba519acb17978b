use crate::abuse::is_stun;
use crate::admission::{Admitted, Pending};
use crate::aliases::Aliases;
use crate::identity::edits;
use crate::next_hops::Asked;
use crate::purpose::Purpose;
use crate::stateless::Passing;
use crate::targets::{Origin, Search};
use crate::{Answer, Ask, Config, Input, Output};
use bytes::Bytes;
use calls::Calls;
use engine::{Now, Rng, Table, TableKey};
use guard::Offence;
use sip_auth::Authenticator;
use sip_message::{HeaderName, Message, Method, Scheme};
use sip_proxy::{Proxy, TargetSet};
use sip_registrar::Registrar;
use sip_transaction::{ConnectionId, Event, Flow, Packet, ServerTransactionId, TransactionLayer, stateless_reply_flow};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

/// One shard of an exchange.
///
/// Several inputs may go in before [`poll_output`](Self::poll_output) is asked for what came of them.
pub struct Server {
    pub(crate) config: Config,
    pub(crate) layer: TransactionLayer,
    pub(crate) authenticator: Authenticator,
    pub(crate) registrar: Registrar,
    pub(crate) proxy: Proxy,
    /// The calls under way, where they are watched.
    pub(crate) calls: Option<Calls>,
    /// Requests that wait for their sender's secrets.
    pub(crate) pending: Table<u64, Pending>,
    pub(crate) pending_bytes: usize,
    /// Requests whose targets are being determined.
    pub(crate) searches: Table<u64, Search>,
    /// Requests without a transaction whose next hop is being looked up.
    pub(crate) passing: Table<u64, Passing>,
    /// The last ticket that was given to either.
    pub(crate) last_search: u64,
    /// Whether there are requests that pass without a transaction.
    pub(crate) some_pass_stateless: bool,
    /// Whether there is more to do than we manage.
    pub(crate) overloaded: bool,
    /// When to look for questions that nobody answers.
    pub(crate) looks_for_overdue_at: Option<Instant>,
    /// Whether no new calls may begin.
    pub(crate) draining: bool,
    /// Who is at the other end of connections, as far as certificates have shown.
    pub(crate) proved: Table<ConnectionId, Vec<String>>,
    /// Where trunks were found.
    pub(crate) trunk_addresses: Table<IpAddr, ()>,
    /// Connections that lead back to who has opened them.
    pub(crate) aliases: Aliases,
    /// What is being looked up for the proxy, where more than flows matters.
    pub(crate) asked: Table<u64, Asked>,
    /// What was found out about the request that the layer is about to hand back.
    pub(crate) admitted: Option<Box<Admitted>>,
    pub(crate) outputs: VecDeque<Output>,
    shard: u16,
    rng: Rng,
}

impl Server {
    /// The shard number `shard` of an exchange.
    pub fn new(config: Config, shard: u16, mut rng: Rng) -> Server {
        let auth = sip_auth::Config { algorithms: config.algorithms.clone(), ..sip_auth::Config::new(&*config.realm) };
        let proxy = sip_proxy::Config {
            realm: config.realm.clone(),
            record_route: config.keeps_calls(),
            mac: config.keys.route,
            max_breadth: config.max_breadth,
        };
        let mut server = Server {
            layer: TransactionLayer::new(sip_transaction::Config::new(shard, config.keys.branch), rng.split()),
            authenticator: Authenticator::new(auth, config.keys.nonce, rng.split()),
            registrar: Registrar::new(config.registrar(), rng.split()),
            proxy: Proxy::new(proxy, rng.split()),
            calls: config.watches().then(|| Calls::new(config.calls(shard), rng.split())),
            shard,
            pending: Table::with_hasher(TableKey::new(&mut rng)),
            pending_bytes: 0,
            searches: Table::with_hasher(TableKey::new(&mut rng)),
            passing: Table::with_hasher(TableKey::new(&mut rng)),
            last_search: 0,
            some_pass_stateless: config.some_pass_stateless(),
            overloaded: false,
            draining: false,
            looks_for_overdue_at: None,
            proved: Table::with_hasher(TableKey::new(&mut rng)),
            trunk_addresses: Table::with_hasher(TableKey::new(&mut rng)),
            aliases: Table::with_hasher(TableKey::new(&mut rng)),
            asked: Table::with_hasher(TableKey::new(&mut rng)),
            admitted: None,
            outputs: VecDeque::new(),
            rng,
            config,
        };
        server.locate_trunks();
        server
    }

    /// Goes on with `config`. Nothing that is under way is touched: calls, transactions and lookups end as they began.
    ///
    /// What every shard and phone has been told stays as it is until a restart, whatever `config` says: the realm, the keys, whether there is
    /// TLS, and how much of what passes is remembered; what users' calls have come to counts on. Calls that have begun unwatched stay so.
    pub(crate) fn configure(&mut self, config: Config) {
        let Config { realm, keys, tls, ring_bytes, tally, .. } = &self.config;
        let (realm, tally) = (realm.clone(), tally.clone());
        let config = Config { realm, keys: *keys, tls: *tls, ring_bytes: *ring_bytes, tally, ..config };
        self.authenticator.offer(config.algorithms.clone());
        self.registrar.configure(config.registrar());
        self.proxy.configure(config.keeps_calls(), config.max_breadth);
        if self.calls.is_none() && config.watches() {
            self.calls = Some(Calls::new(config.calls(self.shard), self.rng.split()));
        }
        self.some_pass_stateless = config.some_pass_stateless();
        self.config = config;
        self.trunk_addresses.clear();
        self.locate_trunks();
    }

    /// Takes what happened at `now`.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        if let Some(calls) = &mut self.calls {
            // A packet shows what it is of; the answers that requests have waited for do not.
            calls.expect(!matches!(
                input,
                Input::Packet { .. } | Input::Answer(Answer::Registrar(_) | Answer::Credentials { .. })
            ));
        }
        match input {
            Input::Packet { flow, bytes } => self.handle_packet(now, flow, bytes),
            Input::SendFailed { transaction } => self.layer.handle_send_failed(now, transaction),
            Input::Overloaded(overloaded) => self.overloaded = overloaded,
            Input::Proved { connection, names } => self.handle_proved(connection, names),
            // Its bindings stay: the phone comes back, and its flow says where it was.
            Input::ConnectionClosed(connection) => {
                if self.proved.remove(&connection).is_some() {
                    self.forget_aliases(connection);
                }
                self.layer.handle_connection_closed(now, connection);
            }
            Input::Order(order) => self.obey_order(now, order),
            Input::Answer(Answer::Credentials { ticket, secrets, limits }) => {
                self.handle_credentials(now, ticket, secrets.as_ref(), limits)
            }
            Input::Answer(Answer::Bindings { ticket, snapshot, account }) => {
                self.handle_bindings(now, ticket, &snapshot, account);
            }
            Input::Answer(Answer::Registrar(answer)) => self.registrar.handle_answer(now, answer),
            Input::Answer(Answer::Resolved { ticket, flows }) => self.handle_resolved(now, ticket, flows),
        }
        self.settle(now);
    }

    /// It is known where a host is, or that it is nowhere.
    pub(crate) fn handle_resolved(&mut self, now: Now, ticket: u64, mut flows: Vec<Flow>) {
        flows.retain(|flow| !self.config.domains.leads_to_us(flow));
        self.examine_flows(ticket, &mut flows);
        if !self.handle_passing(ticket, &flows) {
            self.proxy.handle_resolved(now, &mut self.layer, ticket, flows);
        }
    }

    /// Lets every timer fire that is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.layer.handle_timeout(now);
        self.proxy.handle_timeout(now, &mut self.layer);
        self.give_up_overdue(now);
        if let Some(calls) = &mut self.calls {
            calls.expect(true);
            calls.handle_timeout(now);
        }
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, `None` when nothing is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.as_ref().and_then(Calls::poll_timeout);
        [self.layer.poll_timeout(), self.proxy.poll_timeout(), calls, self.poll_overdue()].into_iter().flatten().min()
    }

    /// The next thing to do, `None` when there is nothing for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Transactions and forwarded requests alive, for counters and tests.
    pub fn len(&self) -> usize {
        self.layer.len()
            + self.proxy.len()
            + self.pending.len()
            + self.registrar.len()
            + self.searches.len()
            + self.passing.len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Carries what one part says to the others, until none has anything more to say.
    pub(crate) fn settle(&mut self, now: Now) {
        loop {
            while let Some(output) = self.layer.poll_output() {
                match output {
                    sip_transaction::Output::Send { flow, bytes, transaction } => {
                        if let Some(calls) = &mut self.calls {
                            calls.handle_sent(now, &flow, &bytes);
                        }
                        self.outputs.push_back(Output::Send { flow, bytes, transaction });
                    }
                    sip_transaction::Output::Event(event) => self.handle_event(now, event),
                }
            }
            match (self.proxy.poll_output(), self.registrar.poll_output()) {
                (None, None) if !self.tend_calls(now) => return,
                (proxy, registrar) => {
                    if let Some(ask) = proxy {
                        self.handle_proxy_ask(now, ask);
                    }
                    if let Some(output) = registrar {
                        self.handle_registrar_output(now, output);
                    }
                }
            }
        }
    }

    fn handle_packet(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        if is_stun(&bytes) {
            return;
        }
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(malformed) => {
                self.offend(flow.remote.ip(), Offence::Malformed);
                if let (Some(reply), Some(request)) = (malformed.reply(flow.remote), malformed.request()) {
                    self.layer.send(stateless_reply_flow(flow, request), reply);
                }
                return;
            }
        };
        let packet = Packet { flow, message };
        if packet.message.is_request() {
            self.handle_request(now, packet);
        } else if !self.some_pass_stateless || !self.proxy.handle_stateless_response(&mut self.layer, &packet) {
            self.layer.handle_packet(now, packet);
        }
    }

    fn handle_request(&mut self, now: Now, packet: Packet) {
        let method = packet.message.method();
        if method == Method::Ack {
            return self.layer.handle_packet(now, packet);
        }
        match self.layer.identify(&packet) {
            Ok(identity) if self.layer.recognises(&identity) => self.layer.handle_request(now, packet, identity),
            Ok(identity) if method == Method::Cancel && self.some_pass_stateless && !self.is_pending(&identity) => {
                self.pass_along(now, packet);
            }
            Ok(identity) if method == Method::Cancel => self.cancel_pending(&packet, &identity),
            Ok(identity) => self.admit(now, packet, identity),
            // It is refused there.
            Err(_) => self.layer.handle_packet(now, packet),
        }
    }

    /// As many as there are connections, which the shell limits.
    fn handle_proved(&mut self, connection: ConnectionId, names: Vec<String>) {
        self.proved.insert(connection, names);
    }

    fn handle_event(&mut self, now: Now, event: Event) {
        match event {
            Event::Request { id, packet } => {
                if let Some(admitted) = self.admitted.take() {
                    self.watch_request(now, id, &packet, &admitted);
                    self.handle_new(now, id, &packet, admitted);
                }
            }
            Event::Ack { packet } if self.some_pass_stateless => self.pass_along(now, packet),
            Event::Ack { packet } => {
                let Admitted { mut preprocessed, caller, .. } = self.look_at(&packet, None);
                preprocessed.edits = edits(&packet.message, &caller, true);
                if let Some(calls) = self.calls.as_mut().filter(|_| preprocessed.in_known_dialog()) {
                    calls.handle_request(now, &packet);
                }
                self.proxy.handle_ack(&mut self.layer, &packet, &preprocessed);
            }
            Event::Cancel { id, cancels, packet } => {
                let status = if cancels.is_some() { 200 } else { 481 };
                let reply = self.reply(&packet, status).finish();
                self.layer.respond(now, id, status, reply);
                let Some(invite) = cancels else { return };
                if let Some(calls) = &mut self.calls {
                    calls.handle_request(now, &packet);
                }
                if self.proxy.has(invite) {
                    self.proxy.handle_cancel(now, &mut self.layer, invite, packet.message.header(HeaderName::Reason));
                } else if let Some(packet) = self.layer.request_of(invite) {
                    // Where it would have gone is still being determined.
                    let reply = self.reply(packet, 487).finish();
                    self.layer.respond(now, invite, 487, reply);
                }
            }
            Event::Response { id, packet } => {
                if let Some(calls) = &mut self.calls {
                    calls.handle_response(now, &packet);
                }
                let packet = self.without_names(packet);
                self.proxy.handle_response(now, &mut self.layer, id, packet);
            }
            Event::Timeout { id } => self.proxy.handle_client_timeout(now, &mut self.layer, id),
            Event::SendFailed { id } => self.proxy.handle_send_failed(now, &mut self.layer, id),
            // The caller got its answer or is gone; either way nothing of ours waits for it.
            Event::AckMissing { .. } => {}
        }
    }

    fn handle_new(&mut self, now: Now, id: ServerTransactionId, packet: &Packet, admitted: Box<Admitted>) {
        match &admitted.purpose {
            Purpose::Register(Some(aor)) => {
                self.begin_to_wait(now.mono);
                self.registrar.handle_register(now, id.to_bits(), aor.clone(), &packet.message, packet.flow);
            }
            Purpose::Register(None) => {
                // An address-of-record is a SIP URI (RFC 3261 section 10.3 item 5).
                let to = packet.message.to().ok().and_then(|to| to.uri_parsed().ok());
                let sip = to.is_some_and(|to| matches!(to.scheme, Scheme::Sip | Scheme::Sips));
                let status = if sip { 404 } else { 400 };
                let reply = self.reply(packet, status).finish();
                self.layer.refuse(now, id, status, reply);
            }
            Purpose::Exchange | Purpose::User(_) | Purpose::Elsewhere if admitted.preprocessed.leads_on() => {
                self.forward(now, id, admitted, TargetSet::default());
            }
            Purpose::Exchange | Purpose::User(_) | Purpose::Elsewhere => {
                let caller = admitted.caller.clone();
                self.find_targets(now, Origin::Transaction { id, admitted }, caller);
            }
        }
    }

    /// Forwards a request that has a transaction.
    pub(crate) fn forward(&mut self, now: Now, id: ServerTransactionId, admitted: Box<Admitted>, set: TargetSet) {
        let leads_on = admitted.preprocessed.leads_on();
        if leads_on || !set.targets.is_empty() {
            self.watch_forwarded(now, id, &admitted);
        }
        self.proxy.handle_request(now, &mut self.layer, id, admitted.preprocessed);
        if !leads_on {
            self.proxy.handle_targets(now, &mut self.layer, id, set);
        }
    }

    fn handle_registrar_output(&mut self, now: Now, output: sip_registrar::Output) {
        match output {
            sip_registrar::Output::Ask(ask) => self.outputs.push_back(Output::Ask(Ask::Registrar(ask))),
            sip_registrar::Output::Reply { id, status, reason, fields } => {
                let id = ServerTransactionId::from_bits(id);
                let Some(packet) = self.layer.request_of(id) else { return };
                let mut reply = self.reply(packet, status).reason(reason);
                for (name, value) in fields {
                    reply = reply.header_text(name, &value);
                }
                self.layer.respond(now, id, status, reply.finish());
            }
        }
    }
}
