use crate::call::Step;
use crate::ring::{RING_BYTES_MAX, Ring};
use crate::{Call, End, Event, Id, Output, Side, State, Story, Users};
use bytes::Bytes;
use engine::{Mac, Now, Rng, Table, TableKey, Timers};
use sip_message::{Message, Method};
use sip_transaction::{Flow, Packet, ServerTransactionId};
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// Calls that are watched at once, at about 1.3 kB each. The next one passes all the same, unwatched and counted
/// ([`Calls::unwatched`]): it is neither listed nor limited, and cannot be ended by us.
pub const CALLS_MAX: usize = 1 << 17;

/// Bytes of text (addresses, routes, tags) that are held for all calls together. A call that would need more passes unwatched, its
/// further dialogs likewise.
pub const HELD_BYTES_MAX: usize = 256 << 20;

/// How often a call is looked at: so much later than it could may an end be noticed that nobody announces. Longer than 64*T1.
pub const LOOK_EVERY: Duration = Duration::from_secs(33);

/// How long a call that nobody has answered is believed in without a sign of life. The proxy gives an INVITE up long before (timer C,
/// RFC 3261 section 16.6 item 11).
pub const RINGING_SILENCE_MAX: Duration = Duration::from_secs(15 * 60);

/// How long an answered call is believed in when neither end says anything.
pub const CALL_SILENCE_MAX: Duration = Duration::from_secs(24 * 3600);

/// How calls are watched.
#[derive(Debug, Clone)]
pub struct Config {
    /// The number of this shard, which the names of its calls carry.
    pub shard: u16,
    /// The key that the proxy signs its Record-Route with.
    pub route_mac: Mac,
    /// See [`CALLS_MAX`].
    pub calls_max: usize,
    /// See [`HELD_BYTES_MAX`].
    pub held_bytes_max: usize,
    /// See [`RING_BYTES_MAX`]; 0 remembers nothing.
    pub ring_bytes_max: usize,
}

impl Config {
    /// With the usual limits.
    pub fn new(shard: u16, route_mac: Mac) -> Config {
        Config {
            shard,
            route_mac,
            calls_max: CALLS_MAX,
            held_bytes_max: HELD_BYTES_MAX,
            ring_bytes_max: RING_BYTES_MAX,
        }
    }
}

/// The calls of one shard.
///
/// It is shown what the exchange lets through, as received, and what it sends back. What it makes of it comes out of
/// [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Calls {
    config: Config,
    /// In the order in which they began. Boxed, so that a call can be handed out with its end.
    calls: BTreeMap<u64, Box<Call>>,
    /// The calls of a Call-ID: hardly ever more than one. Other Call-IDs may share the hash.
    index: Table<u64, SmallVec<[u64; 1]>>,
    key: TableKey,
    held_bytes: usize,
    last_number: u64,
    unwatched: u64,
    looks: Timers<u64>,
    ring: Ring,
    /// Whether what is sent next is taken for a message of some call.
    touched: bool,
    outputs: VecDeque<Output>,
}

impl Calls {
    /// No calls yet.
    pub fn new(config: Config, mut rng: Rng) -> Calls {
        Calls {
            ring: Ring::new(config.ring_bytes_max),
            config,
            calls: BTreeMap::new(),
            index: Table::with_hasher(TableKey::new(&mut rng)),
            key: TableKey::new(&mut rng),
            held_bytes: 0,
            last_number: 0,
            unwatched: 0,
            looks: Timers::default(),
            touched: false,
            outputs: VecDeque::new(),
        }
    }

    /// An INVITE was let through, as received. Without a To tag it begins a call, unless it is one of a call's that passes again (a
    /// spiral); with one it is inside a dialog.
    pub fn handle_invite(&mut self, now: Now, id: ServerTransactionId, packet: &Packet, users: Users<'_>) {
        let request = &packet.message;
        if request.to_tag().is_some() {
            return self.handle_request(now, packet);
        }
        if self.find(request).is_some() {
            return self.remember(now, packet);
        }
        let number = self.last_number + 1;
        let name = Id { shard: self.config.shard, number };
        let call = Box::new(Call::new(now, name, id, packet, users));
        let held = call.held();
        if self.calls.len() >= self.config.calls_max || self.held_bytes + held > self.config.held_bytes_max {
            self.unwatched += 1;
            return;
        }
        self.last_number = number;
        self.held_bytes += held;
        self.index.entry(self.key.hash_one(request.call_id())).or_default().push(number);
        self.calls.insert(number, call);
        self.looks.set(now.mono, LOOK_EVERY, number);
        self.outputs.push_back(Output::Event(Event::Started(name)));
        self.remember(now, packet);
    }

    /// Another request was let through, as received: ACK, CANCEL, BYE, UPDATE, PRACK, INFO .. Those that are no call's are welcome.
    pub fn handle_request(&mut self, now: Now, packet: &Packet) {
        let request = &packet.message;
        let Some((number, sender)) = self.find(request) else { return };
        self.remember(now, packet);
        self.step(now, number, |call, room| {
            if request.method() == Method::Cancel {
                call.handle_cancel(request);
                return Step::Stays;
            }
            call.handle_request(now, sender, request, room)
        });
    }

    /// A response to a request that went on came, as received.
    pub fn handle_response(&mut self, now: Now, packet: &Packet) {
        let response = &packet.message;
        let tells = match response.method() {
            Method::Invite => response.status() > 100,
            Method::Update => (200..300).contains(&response.status()),
            // It is over for us, and not yet for those who read about it.
            Method::Bye => return self.remember(now, packet),
            _ => false,
        };
        if !tells && self.ring.is_off() {
            return;
        }
        let Some((number, sender)) = self.find(response) else { return };
        self.remember(now, packet);
        if !tells {
            return;
        }
        self.step(now, number, |call, room| call.handle_response(now, sender, packet, room));
    }

    /// Something happens to the exchange, or it is time for something: with `known`, what it sends from now on is taken for messages of
    /// calls, else only when it shows a message of a call before.
    pub fn expect(&mut self, known: bool) {
        self.touched = known;
    }

    fn remember(&mut self, now: Now, packet: &Packet) {
        self.touched = true;
        if !self.ring.is_off() {
            self.ring.push(now, packet.flow.remote, false, packet.message.bytes());
        }
    }

    /// A message is sent over `flow`. Besides being remembered, only a final response to an INVITE other than 2xx matters of all
    /// messages, whoever has made it: it is what ends a call that was not answered. The others cost a glance.
    pub fn handle_sent(&mut self, now: Now, flow: &Flow, bytes: &Bytes) {
        if self.touched && !self.ring.is_off() && !is_no_calls(bytes) {
            self.ring.push(now, flow.remote, true, bytes);
        }
        if self.calls.is_empty() || !matches!(bytes.as_ref(), [b'S', b'I', b'P', b'/', _, _, _, b' ', b'3'..=b'6', ..])
        {
            return;
        }
        let Ok(refusal) = Message::parse(bytes.clone()) else { return };
        if refusal.method() != Method::Invite {
            return;
        }
        let Some((number, Side::Caller)) = self.find(&refusal) else { return };
        self.step(now, number, |call, _| call.handle_refusal(&refusal));
    }

    /// Ends a call, whatever state it is in; `reason` is the value of a Reason field (RFC 3326) for both ends, or empty. `false` when
    /// there is no such call.
    ///
    /// What it takes comes out of [`poll_output`](Self::poll_output): for a call that was answered, a BYE to each end; before, that its
    /// INVITE is to be given up. One whose ACK is under way ends when that has passed.
    pub fn hang_up(&mut self, now: Now, id: Id, reason: &str) -> bool {
        if id.shard != self.config.shard || !self.calls.contains_key(&id.number) {
            return false;
        }
        let mut invite = None;
        self.step(now, id.number, |call, _| {
            let (given_up, step) = call.give_up(reason);
            invite = given_up;
            step
        });
        self.outputs.extend(invite.map(|invite| Output::GiveUp { invite, reason: reason.into() }));
        true
    }

    /// Every call, in the order in which they began.
    pub fn list(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().map(|call| &**call)
    }

    /// A call by its name.
    pub fn get(&self, id: Id) -> Option<&Call> {
        self.calls.get(&id.number).map(|call| &**call).filter(|call| call.id() == id)
    }

    /// What passed in a call, by its name or its Call-ID, while it is remembered.
    pub fn story(&self, now: Now, call: &str) -> Option<Story> {
        let named = call.parse().ok().and_then(|id| self.get(id));
        let under_way = named.or_else(|| self.list().find(|one| one.call_id() == call));
        if let Some(under_way) = under_way {
            let how = under_way.how_far(now);
            return Some(Story { id: Some(under_way.id()), how, ..self.ring.story(under_way.call_id()) });
        }
        let (id, call_id, how) = self.ring.ended(call)?;
        Some(Story { id: Some(id), how: how.to_owned(), ..self.ring.story(call_id) })
    }

    /// Has the call of a request count for somebody until it is over, when `charge` says so, unless it counts for them already for this
    /// INVITE: what `charge` makes comes out of [`poll_output`](Self::poll_output) then. Another INVITE with the same Call-ID and tags counts
    /// anew, whatever it is for. `None`: there is no such call. One
    /// that counts [`CHARGES_PER_CALL_MAX`](crate::CHARGES_PER_CALL_MAX) times is `full`.
    pub fn charge<E>(
        &mut self,
        request: &Message,
        invite: ServerTransactionId,
        payer: u64,
        charge: impl FnOnce() -> Result<u32, E>,
        full: E,
    ) -> Option<Result<(), E>> {
        let (number, _) = self.find(request)?;
        let call = self.calls.get_mut(&number)?;
        Some(call.charge(invite, payer, charge, full))
    }

    /// Says for people why a call is refused by us with `status`, if it is.
    pub fn explain(&mut self, request: &Message, status: u16, why: &str) {
        let Some((number, _)) = self.find(request) else { return };
        if let Some(call) = self.calls.get_mut(&number) {
            let before = call.held();
            call.explain(status, why);
            self.held_bytes = self.held_bytes - before + call.held();
        }
    }

    /// The calls under way that a user is an end of.
    pub fn calls_of(&self, user: &str) -> usize {
        let with = |call: &&Call| [Side::Caller, Side::Callee].into_iter().any(|side| call.user(side) == Some(user));
        self.list().filter(with).count()
    }

    /// Calls under way.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call is under way.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Calls that have passed unwatched since there were too many.
    pub fn unwatched(&self) -> u64 {
        self.unwatched
    }

    /// Looks after calls that nobody ends.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(number) = self.looks.take_due(now.mono) {
            self.step(now, number, |call, _| {
                call.look(now, |state| match state {
                    State::Trying | State::Ringing => RINGING_SILENCE_MAX,
                    State::Answered => CALL_SILENCE_MAX,
                })
            });
            if self.calls.contains_key(&number) {
                self.looks.set(now.mono, LOOK_EVERY, number);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, `None` when nothing is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.looks.next()
    }

    /// The next thing to do, `None` when there is none for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Lets something happen to a call, and does what comes of it. `change` gets how many bytes more may be held.
    fn step(&mut self, now: Now, number: u64, change: impl FnOnce(&mut Call, usize) -> Step) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let room = self.config.held_bytes_max.saturating_sub(self.held_bytes);
        let before = call.held();
        let step = change(call, room);
        self.held_bytes = self.held_bytes - before + call.held();
        match step {
            Step::Stays => {}
            Step::Answered => {
                let answered = Event::Answered(call.id());
                self.outputs.push_back(Output::Event(answered));
            }
            Step::EndIt => {
                self.outputs.extend(call.byes(&self.config.route_mac).map(|bye| Output::Bye(Box::new(bye))));
                self.end(now, number, End::ByUs);
            }
            Step::Over(why) => self.end(now, number, why),
        }
    }

    fn end(&mut self, now: Now, number: u64, why: End) {
        let Some(call) = self.calls.remove(&number) else { return };
        self.held_bytes -= call.held();
        let key = self.key.hash_one(call.call_id());
        if let Some(numbers) = self.index.get_mut(&key) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.index.remove(&key);
            }
        }
        self.outputs.extend(call.charges().map(Output::Uncharge));
        if !call.leaves_record() {
            return;
        }
        let unanswered = matches!(why, End::Refused(408));
        let sent_to = if unanswered { self.ring.unanswered(call.call_id()) } else { None };
        let record = Box::new(call.into_record(now, why, sent_to));
        self.ring.end(&record);
        self.outputs.push_back(Output::Event(Event::Ended(record)));
    }

    /// The call that a message belongs to, and which end sent the request.
    fn find(&self, message: &Message) -> Option<(u64, Side)> {
        if self.index.is_empty() {
            return None;
        }
        let numbers = self.index.get(&self.key.hash_one(message.call_id()))?;
        numbers.iter().find_map(|number| Some((*number, self.calls.get(number)?.sender(message)?)))
    }
}

/// Whether it is plain from its first letters that a message is no call's. What belongs to none and looks like one may be remembered:
/// it is in nobody's story.
fn is_no_calls(bytes: &[u8]) -> bool {
    [&b"REGISTER "[..], b"OPTIONS ", b"SUBSCRIBE ", b"PUBLISH ", b"MESSAGE "]
        .iter()
        .any(|method| bytes.starts_with(method))
}
