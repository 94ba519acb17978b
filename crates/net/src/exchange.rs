use crate::{
    Backend, Engine, Later, ListenError, LocalAddress, Orders, Output, Owner, Resolver, ServeConfig, Serving,
    serve_engines,
};
use bytes::Bytes;
use engine::Now;
use server::{Answer, Ask, Event, Input, Keys, Server};
use sip_message::Message;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::sync::Arc;
use std::time::Instant;

/// Runs an exchange: one [`Server`] for each driver, made by `make_shard` (told its number and the addresses that are listened on).
///
/// `backend` answers all they ask but names, which are looked up here; each driver has a clone of it. `keys` are those of the servers'
/// configuration: they say which shard a message belongs to, so `config.owner` need not be set. Reports go to who has given
/// the order; `backend` hears of all other events.
pub fn serve<B: Backend<Server> + Clone + Send + Sync + 'static>(
    config: ServeConfig,
    keys: Keys,
    make_shard: impl Fn(usize, &[LocalAddress]) -> Server + Send + Sync + 'static,
    backend: B,
) -> Result<(Serving, Orders), ListenError> {
    let shards = config.drivers.max(1);
    // What is no message is answered, if at all, without state: any shard can do that.
    let owner: Owner =
        Arc::new(move |bytes: &Bytes| Some(server::owner(&keys, shards, &Message::parse(bytes.clone()).ok()?)));
    let config = ServeConfig { owner: Some(owner), ..config };
    let dns = config.dns.clone();
    let orders = Orders::new(shards);
    let own = orders.clone();
    let serving = serve_engines(config, move |shard| {
        own.join(shard.index, shard.later.clone());
        let resolver = Resolver::new(shard.addresses).with_dns(&dns).with_plans(shard.plans);
        let backend = Resolving { resolver, orders: own.clone(), others: backend.clone() };
        (make_shard(shard.index, shard.addresses), backend)
    })?;
    Ok((serving, orders))
}

/// Looks names up, hands reports over, and leaves everything else to another.
struct Resolving<B> {
    resolver: Resolver,
    orders: Orders,
    others: B,
}

impl<B: Backend<Server>> Backend<Server> for Resolving<B> {
    fn handle_ask(&mut self, now: Now, ask: Ask, later: &Later<Input>) -> Option<Input> {
        let Ask::Resolve { ticket, next_hop, steady } = ask else {
            return self.others.handle_ask(now, ask, later);
        };
        if !steady && let Some(flows) = self.resolver.resolve_at_once(&next_hop) {
            return Some(Input::Answer(Answer::Resolved { ticket, flows }));
        }
        let resolver = self.resolver.clone();
        later.spawn(async move {
            let flows =
                if steady { resolver.resolve_steadily(&next_hop).await } else { resolver.resolve(&next_hop).await };
            Input::Answer(Answer::Resolved { ticket, flows })
        });
        None
    }

    fn handle_event(&mut self, now: Now, event: Event) {
        match event {
            Event::Report { ticket, report } => self.orders.handle_report(ticket, report),
            event => self.others.handle_event(now, event),
        }
    }
}

/// Orders come in by the way of answers.
impl Engine for Server {
    type Ask = Ask;
    type Answer = Input;
    type Event = Event;

    fn handle_packet(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        self.handle_input(now, Input::Packet { flow, bytes });
    }
    fn handle_send_failed(&mut self, now: Now, transaction: ClientTransactionId) {
        self.handle_input(now, Input::SendFailed { transaction });
    }
    fn handle_proved(&mut self, now: Now, connection: ConnectionId, names: Vec<String>) {
        self.handle_input(now, Input::Proved { connection, names });
    }
    fn handle_connection_closed(&mut self, now: Now, connection: ConnectionId) {
        self.handle_input(now, Input::ConnectionClosed(connection));
    }
    fn handle_answer(&mut self, now: Now, input: Input) {
        self.handle_input(now, input);
    }
    fn handle_overload(&mut self, now: Now, overloaded: bool) {
        self.handle_input(now, Input::Overloaded(overloaded));
    }
    fn handle_timeout(&mut self, now: Now) {
        Server::handle_timeout(self, now);
    }
    fn poll_output(&mut self) -> Option<Output<Ask, Event>> {
        Some(match Server::poll_output(self)? {
            server::Output::Send { flow, bytes, transaction } => Output::Send { flow, bytes, transaction },
            server::Output::Ask(ask) => Output::Ask(ask),
            server::Output::Event(event) => Output::Event(event),
        })
    }
    fn poll_timeout(&self) -> Option<Instant> {
        Server::poll_timeout(self)
    }
}
