use crate::branch::{ClientTransactionId, Mint};
use crate::client::Clients;
use crate::key::RequestIdentity;
use crate::server::{ServerTransactionId, Servers};
use crate::store::Handle;
use crate::timer::{Lengths, Timer};
use crate::{Branch, ConnectionId, Event, Flow, Output, Packet, stateless_reply_flow};
use bytes::Bytes;
use engine::{Mac, Now, Rng, Timers};
use sip_message::{BadValue, Builder, HeaderName, Method};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Server transactions, and as many client transactions, that one layer holds, those that merely absorb retransmissions
/// included. For the next request the oldest of those gives way that was answered at least T2 ago; where there is none, it gets a 503 for
/// which nothing is kept. The next `send_request` gets a [`Event::SendFailed`].
pub const TRANSACTIONS_MAX: usize = 1 << 21;

/// Bytes of requests and responses that one layer holds for its transactions. What would be more is treated like a transaction too
/// many: it takes the 2xx of 30,000 REGISTERs a second for 32 s, or of 200,000 a second for T2, and keeps a few thousand requests of the
/// largest size from taking all the machine's memory.
pub const HELD_BYTES_MAX: usize = 512 << 20;

/// When to come again, in the 503 of a full layer: by then the oldest waits are over (seconds).
const RETRY_AFTER_S: u32 = 10;

/// How a transaction layer is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// The number of this shard, which its branches carry.
    pub shard: u16,
    /// The key that signs branches and makes To tags; the same in all shards.
    pub mac: Mac,
    /// RFC 3261's estimate of the round-trip time.
    pub t1: Duration,
    /// The longest interval between retransmissions.
    pub t2: Duration,
    /// How long a message stays in the network.
    pub t4: Duration,
    /// See [`TRANSACTIONS_MAX`].
    pub transactions_max: usize,
    /// See [`HELD_BYTES_MAX`].
    pub held_bytes_max: usize,
}

impl Config {
    /// The RFC's timers: T1 500 ms, T2 4 s, T4 5 s.
    pub fn new(shard: u16, mac: Mac) -> Config {
        let ms = Duration::from_millis;
        let (t1, t2, t4) = (ms(500), ms(4000), ms(5000));
        Config { shard, mac, t1, t2, t4, transactions_max: TRANSACTIONS_MAX, held_bytes_max: HELD_BYTES_MAX }
    }
}

/// Every transaction of one shard.
///
/// Packets, the TU's requests and responses, and the time go in; packets to send and events come out of
/// [`poll_output`](Self::poll_output), in the order in which they are meant.
#[derive(Debug)]
pub struct TransactionLayer {
    shared: Shared,
    mint: Mint,
    /// Of all shards.
    mac: Mac,
    request_key: Mac,
    clients: Clients,
    servers: Servers,
    stray_responses: u64,
}

impl TransactionLayer {
    /// A layer without transactions.
    pub fn new(config: Config, mut rng: Rng) -> TransactionLayer {
        let lengths = Lengths { t1: config.t1, t2: config.t2, t4: config.t4 };
        TransactionLayer {
            shared: Shared {
                outputs: VecDeque::new(),
                timers: Timers::default(),
                absorbing: Timers::default(),
                lengths,
                transactions_max: config.transactions_max,
                held_bytes: 0,
                held_bytes_max: config.held_bytes_max,
            },
            mint: Mint::new(config.mac, config.shard, &mut rng),
            mac: config.mac,
            request_key: Mac::new(&mut rng),
            clients: Clients::new(),
            servers: Servers::new(),
            stray_responses: 0,
        }
    }

    /// Takes a message from the network to its transaction, or starts one.
    pub fn handle_packet(&mut self, now: Now, packet: Packet) {
        if !packet.message.is_request() {
            return self.handle_response(now.mono, packet);
        }
        match self.identify(&packet) {
            Ok(identity) => self.handle_request(now, packet, identity),
            Err(error) => self.refuse_packet(&packet, 400, Some(error.0)),
        }
    }

    /// Finds out which transaction a request belongs to. An error is for a topmost Via that cannot be read.
    pub fn identify(&self, request: &Packet) -> Result<RequestIdentity, BadValue> {
        RequestIdentity::of(&self.request_key, request)
    }

    /// [`handle_packet`](Self::handle_packet) of a request that has been identified already.
    pub fn handle_request(&mut self, now: Now, packet: Packet, identity: RequestIdentity) {
        let now = now.mono;
        let message = &packet.message;
        let RequestIdentity { key, cancels, unique, .. } = identity;
        match (self.servers.find(key), message.method()) {
            (Some(id), Method::Ack) => {
                if unique || self.servers.acknowledges(id, message) {
                    self.servers.handle_ack(&mut self.shared, now, id, packet);
                } else {
                    self.shared.event(Event::Ack { packet });
                }
            }
            (None, Method::Ack) => self.shared.event(Event::Ack { packet }),
            (Some(id), _) => self.servers.handle_retransmission(&mut self.shared, now, id),
            (None, _) if !self.make_room(now, message.bytes().len()) => self.refuse_packet(&packet, 503, None),
            (None, Method::Cancel) => {
                let cancels = self.servers.find(cancels);
                self.servers.start(&mut self.shared, now, &identity, packet, cancels);
            }
            (None, _) => self.servers.start(&mut self.shared, now, &identity, packet, None),
        }
    }

    /// Makes sure that there is room for one more server transaction that holds so many bytes. Those that merely absorb retransmissions
    /// give way, the oldest first, unless one is still likely to come.
    fn make_room(&mut self, now: Instant, bytes: usize) -> bool {
        while !self.shared.has_room(self.servers.len(), bytes) {
            if !self.end_absorbing(now) {
                return false;
            }
        }
        true
    }

    fn end_absorbing(&mut self, now: Instant) -> bool {
        let Some(Deadline { handle, timer, .. }) = self.shared.take_absorbing(now) else { return false };
        self.servers.handle_timer(&mut self.shared, now, handle, timer, 0);
        true
    }

    fn handle_response(&mut self, now: Instant, packet: Packet) {
        let branch = packet.message.top_via().ok().and_then(|via| via.branch());
        let id = branch.and_then(|branch| self.mint.recognise(branch));
        match id.and_then(|id| self.clients.find(id, &packet.message)) {
            Some(handle) => self.clients.handle_response(&mut self.shared, now, handle, packet),
            None => self.stray_responses += 1,
        }
    }

    /// Answers a request for which no transaction is made. An ACK is never answered.
    fn refuse_packet(&mut self, packet: &Packet, status: u16, reason: Option<&str>) {
        let request = &packet.message;
        if request.method() == Method::Ack {
            return;
        }
        let mut reply = self.reply(packet, status);
        if let Some(reason) = reason {
            reply = reply.reason(reason);
        }
        if status == 503 {
            reply = reply.header(HeaderName::RetryAfter, RETRY_AFTER_S);
        }
        self.shared.send(stateless_reply_flow(packet.flow, request), reply.finish(), None);
    }

    /// A response of our own. Its To tag is the same for each retransmission of the request and for its CANCEL, without anything being
    /// remembered (RFC 3261 sections 8.2.7 and 9.2).
    pub fn reply(&self, packet: &Packet, status: u16) -> Builder {
        let request = &packet.message;
        let from_tag = request.from_tag().unwrap_or("");
        let tag = self.mac.of(&[b"to tag", request.call_id().as_bytes(), from_tag.as_bytes()]) as u64;
        let digits: [u8; 16] = std::array::from_fn(|at| b"0123456789abcdef"[(tag >> (60 - 4 * at) & 15) as usize]);
        Builder::reply(request, status, packet.flow.remote).to_tag(std::str::from_utf8(&digits).unwrap_or(""))
    }

    /// Whether a request belongs to what is already under way: a retransmission, an ACK to a refusal of ours, a CANCEL whose
    /// INVITE is here. Anything else would start something new.
    pub fn recognises(&self, request: &RequestIdentity) -> bool {
        self.servers.find(request.key).is_some()
            || request.cancels != request.key && self.servers.find(request.cancels).is_some()
    }

    /// Lets every timer fire that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        let now = now.mono;
        while let Some(Deadline { handle, timer, doublings, client }) = self.shared.take_due(now) {
            if client {
                self.clients.handle_timer(&mut self.shared, now, handle, timer, doublings);
            } else {
                self.servers.handle_timer(&mut self.shared, now, handle, timer, doublings);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, `None` when nothing is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.shared.next_deadline()
    }

    /// The next thing to do, `None` when there is none for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.shared.outputs.pop_front()
    }

    /// A new branch, for a request's top Via. It costs nothing until a request is sent with it.
    pub fn mint_branch(&mut self) -> Branch {
        self.mint.mint()
    }

    /// The shard whose branch this is, `None` for a branch that no shard with this key has minted.
    pub fn shard_of_branch(mac: &Mac, branch: &str) -> Option<u16> {
        Branch::read(mac, branch).map(|(shard, _)| shard)
    }

    /// Starts a client transaction: sends `bytes`, which are a whole request with `branch` in its top Via, until it is
    /// answered. For an INVITE the ACK to a refusal is sent by the layer (RFC 3261 section 17.1.1.3). Each branch is good for
    /// one transaction; an ACK is not sent like this but with [`send`](Self::send).
    pub fn send_request(&mut self, now: Now, branch: &Branch, flow: Flow, method: Method, bytes: Bytes) {
        while !self.shared.has_room_for(bytes.len()) && self.end_absorbing(now.mono) {}
        self.clients.start(&mut self.shared, now.mono, branch.id(), flow, method, bytes);
    }

    /// Sends a response, which `bytes` are and whose status is `status`, in a server transaction.
    ///
    /// After a 2xx to an INVITE, each further one is sent as well, until 64*T1 have passed (RFC 6026 section 7.1); what
    /// comes after another final response, and what RFC 4320 forbids (a 408, or a provisional response other than 100, to a
    /// request other than INVITE; a 100 to it too early), is not sent.
    pub fn respond(&mut self, now: Now, id: ServerTransactionId, status: u16, bytes: Bytes) {
        self.servers.respond(&mut self.shared, now.mono, id, status, bytes);
    }

    /// The same for a refusal to somebody who has proved nothing: when nothing has been said before, it is sent once and the transaction
    /// is forgotten, so that a forged sender's address gets one datagram for one (RFC 3261 section 8.2.7). Should it be lost, the request
    /// comes again and is refused again.
    pub fn refuse(&mut self, now: Now, id: ServerTransactionId, status: u16, bytes: Bytes) {
        self.servers.refuse(&mut self.shared, now.mono, id, status, bytes);
    }

    /// Sends without a transaction: an ACK to a 2xx, a stateless reply.
    pub fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.shared.send(flow, bytes, None);
    }

    /// Sends a CANCEL for an INVITE, at once or when its first provisional response comes, unless its final response is
    /// there (RFC 3261 section 9.1). What comes of it is the INVITE's final response, or [`Event::Timeout`] 64*T1 later.
    /// `reason` is the value of the CANCEL's Reason field (RFC 3326); that of the first call counts.
    pub fn cancel_client(&mut self, now: Now, id: ClientTransactionId, reason: Option<&str>) {
        self.clients.cancel(&mut self.shared, now.mono, id, reason);
    }

    /// What a client transaction sent could not be sent (RFC 3261 section 17.1.4).
    pub fn handle_send_failed(&mut self, now: Now, id: ClientTransactionId) {
        self.clients.handle_send_failed(&mut self.shared, now.mono, id);
    }

    /// A connection is gone, and with it whatever was sent over it and not heard of since (RFC 3261 section 18.4). An INVITE that rings
    /// goes on ringing: its answer may come over a new connection (section 18.2.2). In the same way the responses to requests that came over
    /// it go over a new connection, to the address that it came from and the port in the Via.
    pub fn handle_connection_closed(&mut self, now: Now, connection: ConnectionId) {
        self.clients.handle_connection_closed(&mut self.shared, now.mono, connection);
        self.servers.handle_connection_closed(connection);
    }

    /// The request of a server transaction, kept until its final response.
    pub fn request_of(&self, id: ServerTransactionId) -> Option<&Packet> {
        self.servers.request_of(id)
    }

    /// Transactions alive, those that merely absorb retransmissions included.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Bytes of requests and responses held, see [`HELD_BYTES_MAX`].
    pub fn held_bytes(&self) -> usize {
        self.shared.held_bytes
    }

    /// Responses that no transaction waited for, and that were dropped (RFC 6026 section 7.3), since the beginning.
    pub fn stray_responses(&self) -> u64 {
        self.stray_responses
    }

    /// Whether no transaction is alive.
    pub fn is_empty(&self) -> bool {
        debug_assert!(self.len() > 0 || self.shared.held_bytes == 0, "bytes are held for nobody");
        self.len() == 0
    }
}

/// What all transactions share.
#[derive(Debug)]
pub(crate) struct Shared {
    outputs: VecDeque<Output>,
    timers: Timers<Deadline>,
    /// Timers J by themselves: what they end may be ended earlier.
    absorbing: Timers<Deadline>,
    pub(crate) lengths: Lengths,
    transactions_max: usize,
    held_bytes: usize,
    held_bytes_max: usize,
}

impl Shared {
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes, transaction: Option<ClientTransactionId>) {
        self.outputs.push_back(Output::Send { flow, bytes, transaction });
    }

    /// Whether one more transaction, beside so many, may hold so many bytes.
    pub(crate) fn has_room(&self, transactions: usize, bytes: usize) -> bool {
        transactions < self.transactions_max && self.has_room_for(bytes)
    }

    /// Whether so many bytes more may be held.
    fn has_room_for(&self, bytes: usize) -> bool {
        self.held_bytes + bytes <= self.held_bytes_max
    }

    /// `bytes` are held in the place of `place`.
    pub(crate) fn hold(&mut self, place: &mut Bytes, bytes: Bytes) {
        self.held_bytes = self.held_bytes + bytes.len() - place.len();
        *place = bytes;
    }

    /// So many bytes more are held.
    pub(crate) fn more(&mut self, bytes: usize) {
        self.held_bytes += bytes;
    }

    /// So many bytes are not held any more.
    pub(crate) fn less(&mut self, bytes: usize) {
        self.held_bytes -= bytes;
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn set(&mut self, now: Instant, after: Duration, deadline: Deadline) {
        let timers = if deadline.timer == Timer::J { &mut self.absorbing } else { &mut self.timers };
        timers.set(now, after, deadline);
    }

    fn take_due(&mut self, now: Instant) -> Option<Deadline> {
        self.timers.take_due(now).or_else(|| self.absorbing.take_due(now))
    }

    fn next_deadline(&self) -> Option<Instant> {
        [self.timers.next(), self.absorbing.next()].into_iter().flatten().min()
    }

    /// Takes the timer J that was set first, if that was T2 ago: by then a client that has not heard the answer has asked again three
    /// times.
    fn take_absorbing(&mut self, now: Instant) -> Option<Deadline> {
        let left = self.lengths.first(Timer::J, false)?.saturating_sub(self.lengths.t2);
        self.absorbing.take_due(now + left)
    }
}

/// A timer of one transaction, which may be gone when it fires.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    handle: Handle,
    timer: Timer,
    /// How often it has fired before.
    doublings: u8,
    client: bool,
}

impl Deadline {
    pub(crate) fn client(handle: Handle, timer: Timer, doublings: u8) -> Deadline {
        Deadline { handle, timer, doublings, client: true }
    }

    pub(crate) fn server(handle: Handle, timer: Timer, doublings: u8) -> Deadline {
        Deadline { handle, timer, doublings, client: false }
    }
}
