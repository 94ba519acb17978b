use crate::admission::{Admitted, Pending};
use crate::targets::targets;
use crate::{Answer, Ask, Config, Input, Output};
use bytes::Bytes;
use engine::{Now, Rng, Table, TableKey};
use sip_auth::Authenticator;
use sip_message::{HeaderName, Message, Method, NextHop, Scheme, Transport, Uri};
use sip_proxy::{Hop, MAX_BREADTH, Proxy, Target, TargetSet, preprocess};
use sip_registrar::{AddressOfRecord, Registrar};
use sip_transaction::{ConnectionId, Event, Flow, Packet, ServerTransactionId, TransactionLayer, stateless_reply_flow};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// One shard of an exchange.
///
/// Several inputs may go in before [`poll_output`](Self::poll_output) is asked for what came of them.
pub struct Server {
    pub(crate) config: Config,
    pub(crate) layer: TransactionLayer,
    pub(crate) authenticator: Authenticator,
    registrar: Registrar,
    proxy: Proxy,
    /// Requests that wait for their sender's secrets.
    pub(crate) pending: Table<u64, Pending>,
    pub(crate) pending_bytes: usize,
    /// Who is at the other end of connections, as far as certificates have shown.
    pub(crate) proved: Table<ConnectionId, Vec<String>>,
    /// What was found out about the request that the layer is about to hand back.
    pub(crate) admitted: Option<Admitted>,
    pub(crate) outputs: VecDeque<Output>,
}

/// What a request is for, by its method and Request-URI.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The registrar of this domain.
    Register(Option<AddressOfRecord>),
    /// The exchange itself.
    Exchange,
    /// A user of ours.
    User(AddressOfRecord),
    /// Some place that we are not responsible for.
    Elsewhere,
}

impl Server {
    /// The shard number `shard` of an exchange.
    pub fn new(config: Config, shard: u16, mut rng: Rng) -> Server {
        let auth = sip_auth::Config { algorithms: config.algorithms.clone(), ..sip_auth::Config::new(&*config.realm) };
        let (realm, record_route) = (config.realm.clone(), config.record_route);
        let proxy = sip_proxy::Config { realm, record_route, mac: config.keys.route, max_breadth: MAX_BREADTH };
        Server {
            layer: TransactionLayer::new(sip_transaction::Config::new(shard, config.keys.branch), rng.split()),
            authenticator: Authenticator::new(auth, config.keys.nonce, rng.split()),
            registrar: Registrar::new(config.registrar, rng.split()),
            proxy: Proxy::new(proxy, rng.split()),
            pending: Table::with_hasher(TableKey::new(&mut rng)),
            pending_bytes: 0,
            proved: Table::with_hasher(TableKey::new(&mut rng)),
            admitted: None,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes what happened at `now`.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Packet { flow, bytes } => self.handle_packet(now, flow, bytes),
            Input::SendFailed { transaction } => self.layer.handle_send_failed(now, transaction),
            Input::Proved { connection, names } => self.handle_proved(connection, names),
            // Its bindings stay: the phone comes back, and its flow says where it was.
            Input::ConnectionClosed(connection) => {
                self.proved.remove(&connection);
                self.layer.handle_connection_closed(now, connection);
            }
            Input::Answer(Answer::Credentials { ticket, secrets }) => {
                self.handle_credentials(now, ticket, secrets.as_ref())
            }
            Input::Answer(Answer::Bindings { id, snapshot }) => {
                self.proxy.handle_targets(
                    now,
                    &mut self.layer,
                    id,
                    TargetSet { targets: targets(&snapshot), ..TargetSet::default() },
                );
            }
            Input::Answer(Answer::Registrar(answer)) => self.registrar.handle_answer(now, answer),
            Input::Answer(Answer::Resolved { ticket, mut flows }) => {
                flows.retain(|flow| !self.config.domains.leads_to_us(flow));
                self.proxy.handle_resolved(now, &mut self.layer, ticket, flows);
            }
        }
        self.settle(now);
    }

    /// Lets every timer fire that is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.layer.handle_timeout(now);
        self.proxy.handle_timeout(now, &mut self.layer);
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, `None` when nothing is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.layer.poll_timeout(), self.proxy.poll_timeout()].into_iter().flatten().min()
    }

    /// The next thing to do, `None` when there is nothing for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Transactions and forwarded requests alive, for counters and tests.
    pub fn len(&self) -> usize {
        self.layer.len() + self.proxy.len() + self.pending.len() + self.registrar.len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Carries what one part says to the others, until none has anything more to say.
    fn settle(&mut self, now: Now) {
        loop {
            while let Some(output) = self.layer.poll_output() {
                match output {
                    sip_transaction::Output::Send { flow, bytes, transaction } => {
                        self.outputs.push_back(Output::Send { flow, bytes, transaction });
                    }
                    sip_transaction::Output::Event(event) => self.handle_event(now, event),
                }
            }
            match (self.proxy.poll_output(), self.registrar.poll_output()) {
                (None, None) => return,
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
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(malformed) => {
                if let (Some(reply), Some(request)) = (malformed.reply(flow.remote), malformed.request()) {
                    self.layer.send(stateless_reply_flow(flow, request), reply);
                }
                return;
            }
        };
        let packet = Packet { flow, message };
        let method = packet.message.method();
        if !packet.message.is_request() || method == Method::Ack {
            return self.layer.handle_packet(now, packet);
        }
        match self.layer.identify(&packet) {
            Ok(identity) if self.layer.recognises(&identity) => self.layer.handle_request(now, packet, identity),
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
                    self.handle_request(now, id, &packet, admitted);
                }
            }
            Event::Ack { packet } => {
                let local = packet.flow.local;
                let domains = &self.config.domains;
                let preprocessed = preprocess(&packet, &self.config.keys.route, |uri| domains.contains(uri, local));
                self.proxy.handle_ack(&mut self.layer, &packet, &preprocessed);
            }
            Event::Cancel { id, cancels, packet } => {
                let status = if cancels.is_some() { 200 } else { 481 };
                let reply = self.reply(&packet, status).finish();
                self.layer.respond(now, id, status, reply);
                if let Some(invite) = cancels {
                    self.proxy.handle_cancel(now, &mut self.layer, invite, packet.message.header(HeaderName::Reason));
                }
            }
            Event::Response { id, packet } => self.proxy.handle_response(now, &mut self.layer, id, packet),
            Event::Timeout { id } => self.proxy.handle_client_timeout(now, &mut self.layer, id),
            Event::SendFailed { id } => self.proxy.handle_send_failed(now, &mut self.layer, id),
            // The caller got its answer or is gone; either way nothing of ours waits for it.
            Event::AckMissing { .. } => {}
        }
    }

    fn handle_request(&mut self, now: Now, id: ServerTransactionId, packet: &Packet, admitted: Admitted) {
        match admitted.purpose {
            Purpose::Register(Some(aor)) => {
                self.registrar.handle_register(now, id.to_bits(), aor, &packet.message, packet.flow);
            }
            Purpose::Register(None) => {
                let reply = self.reply(packet, 404).finish();
                self.layer.refuse(now, id, 404, reply);
            }
            Purpose::Exchange | Purpose::User(_) | Purpose::Elsewhere => {
                self.proxy.handle_request(now, &mut self.layer, id, admitted.preprocessed);
            }
        }
    }

    pub(crate) fn purpose(&self, request: &Message, local: SocketAddr) -> Purpose {
        let Ok(uri) = request.request_uri_parsed() else { return Purpose::Elsewhere };
        let domains = &self.config.domains;
        if uri.scheme != Scheme::Tel && !domains.contains(&uri, local) {
            return Purpose::Elsewhere;
        }
        if request.method() == Method::Register {
            let to = request.to().ok().and_then(|to| to.uri_parsed().ok()).filter(|to| domains.contains(to, local));
            return Purpose::Register(to.and_then(|to| domains.address_of_record(&to)));
        }
        domains.address_of_record(&uri).map_or(Purpose::Exchange, Purpose::User)
    }

    fn handle_proxy_ask(&mut self, now: Now, ask: sip_proxy::Ask) {
        match ask {
            sip_proxy::Ask::Targets { id } => {
                let Some(packet) = self.layer.request_of(id) else { return };
                match self.purpose(&packet.message, packet.flow.local) {
                    Purpose::User(aor) => self.outputs.push_back(Output::Ask(Ask::Bindings { id, aor })),
                    _ => {
                        let targets = vec![Target::new(None, Hop::Resolve)];
                        self.proxy.handle_targets(
                            now,
                            &mut self.layer,
                            id,
                            TargetSet { targets, ..TargetSet::default() },
                        );
                    }
                }
            }
            sip_proxy::Ask::Resolve { ticket, uri } => match Uri::parse(&uri).ok().and_then(|uri| NextHop::of(&uri)) {
                // There is no TLS yet, and with it no way to what asks for it.
                Some(next_hop)
                    if !next_hop.secure
                        && matches!(next_hop.transport, None | Some(Transport::Udp | Transport::Tcp)) =>
                {
                    self.outputs.push_back(Output::Ask(Ask::Resolve { ticket, next_hop }));
                }
                _ => self.proxy.handle_resolved(now, &mut self.layer, ticket, Vec::new()),
            },
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
