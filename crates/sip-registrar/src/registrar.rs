use crate::date::rfc1123;
use crate::decide::decide;
use crate::request::{Asked, Wish};
use crate::{AddressOfRecord, Binding, Change, Gruus, Outcome, Refused, Snapshot};
use engine::{Now, Rng, Table, TableKey};
use sip_message::{HeaderName, Message, push_number};
use sip_transaction::Flow;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// REGISTERs that may wait for the location service at one time; the next gets 503.
pub const REQUESTS_PENDING_MAX: usize = 10_000;

/// REGISTERs that may wait for an earlier one of the same address-of-record, as many as a batch of packets may bring; the next gets 500,
/// so that nobody takes the places of everybody else.
pub const REQUESTS_PER_AOR_MAX: usize = 1_000;

/// Times that one REGISTER is decided anew because others changed the same bindings meanwhile; then it gets 500.
pub const COMMIT_ATTEMPTS_MAX: u32 = 5;

/// How long bindings last.
#[derive(Debug, Clone)]
pub struct Config {
    /// A REGISTER that asks for less gets 423, unless that is an hour or more.
    pub min_expires_s: u32,
    /// One that asks for more gets this.
    pub max_expires_s: u32,
    /// One that does not ask gets this.
    pub default_expires_s: u32,
    /// What a phone is told to send its own requests through: the values of Service-Route, each with `lr` (RFC 3608 section 6.3).
    pub service_route: Option<String>,
    /// Within how many seconds a phone that keeps a flow to us is told to show signs of life (RFC 5626 section 6).
    pub flow_timer_s: Option<u32>,
    /// What makes GRUUs for those who know them (RFC 5627).
    pub gruus: Option<Gruus>,
}

impl Default for Config {
    /// From a minute to a day; an hour where nothing is asked for. Nothing beyond that is told.
    fn default() -> Config {
        Config {
            min_expires_s: 60,
            max_expires_s: 86_400,
            default_expires_s: 3600,
            service_route: None,
            flow_timer_s: None,
            gruus: None,
        }
    }
}

/// What the registrar wants done.
#[derive(Debug)]
pub enum Output {
    /// A question to the location service; its [`Answer`] comes back with the same ticket.
    Ask(Ask),
    /// The answer to a REGISTER, to be sent with these header fields.
    Reply {
        /// What the caller gave to [`Registrar::handle_register`].
        id: u64,
        /// The status code.
        status: u16,
        /// The Reason-Phrase.
        reason: &'static str,
        /// Fields for the response, in order.
        fields: Vec<(HeaderName, String)>,
    },
}

/// What the location service is asked.
#[derive(Debug)]
pub enum Ask {
    /// For the bindings of an address-of-record.
    Fetch {
        /// Names the question.
        ticket: u64,
        /// Whose.
        aor: AddressOfRecord,
    },
    /// To carry out a change.
    Commit {
        /// Names the question.
        ticket: u64,
        /// The change.
        change: Change,
    },
}

/// What the location service says.
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::Fetch`].
    Fetched {
        /// Of the question.
        ticket: u64,
        /// The bindings.
        snapshot: Snapshot,
    },
    /// To [`Ask::Commit`]. `Committed` promises that the change outlives whatever the store outlives.
    Committed {
        /// Of the question.
        ticket: u64,
        /// What became of it.
        outcome: Outcome,
    },
}

/// Decides what REGISTERs change (RFC 3261 section 10.3, from step 6; and step 2).
///
/// Requests are decided in the order in which the location service answers. Of two from one phone that pass each other
/// there, the CSeq tells the older, and it changes nothing.
pub struct Registrar {
    config: Config,
    pending: Table<u64, Pending>,
    /// Address-of-records whose bindings a request is at work on, and those that wait for it to be done: two at once would
    /// only make each other start anew.
    queues: Table<AddressOfRecord, VecDeque<Request>>,
    /// Requests in all queues.
    queued: usize,
    last_ticket: u64,
    outputs: VecDeque<Output>,
    rng: Rng,
    /// The Date of the last answer, and the second it was made for.
    date: (u64, String),
}

/// A REGISTER that waits for an answer.
struct Pending {
    request: Request,
    /// What stands there once the commit that was asked for is done; `None` while the bindings are being fetched.
    committing: Option<Arc<[Binding]>>,
    /// When that was.
    asked: Instant,
}

struct Request {
    id: u64,
    aor: AddressOfRecord,
    asked: Asked,
    attempts: u32,
}

impl Registrar {
    /// A registrar that knows nothing yet.
    pub fn new(config: Config, mut rng: Rng) -> Registrar {
        Registrar {
            config,
            pending: Table::with_hasher(TableKey::new(&mut rng)),
            queues: Table::with_hasher(TableKey::new(&mut rng)),
            queued: 0,
            last_ticket: 0,
            outputs: VecDeque::new(),
            rng,
            date: (0, rfc1123(0)),
        }
    }

    /// Decides by this configuration from now on; what is being decided ends as it began.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
    }

    /// Takes a REGISTER that came over `flow`, whose sender may change the bindings of `aor`. Its answer bears `id`.
    pub fn handle_register(&mut self, now: Now, id: u64, aor: AddressOfRecord, request: &Message, flow: Flow) {
        let asked = match Asked::of(&self.config, now, &aor, request, flow, || self.rng.next_u32()) {
            Ok(asked) => asked,
            Err(refused) => return self.refuse(id, &refused),
        };
        if self.len() >= REQUESTS_PENDING_MAX {
            return self.refuse(id, &Refused::Full);
        }
        let request = Request { id, aor, asked, attempts: 0 };
        match self.queues.entry(request.aor.clone()) {
            Entry::Occupied(queue) if queue.get().len() >= REQUESTS_PER_AOR_MAX => {
                self.refuse(id, &Refused::Contended);
            }
            Entry::Occupied(mut queue) => {
                self.queued += 1;
                queue.get_mut().push_back(request);
            }
            Entry::Vacant(place) => {
                place.insert(VecDeque::new());
                self.fetch(now, request);
            }
        }
    }

    /// Takes an answer of the location service. One to no question of ours is ignored.
    pub fn handle_answer(&mut self, now: Now, answer: Answer) {
        match answer {
            Answer::Fetched { ticket, snapshot } => match self.pending.remove(&ticket) {
                Some(Pending { request, committing: None, .. }) => self.decide(now, request, snapshot),
                other => self.put_back(ticket, other),
            },
            Answer::Committed { ticket, outcome } => match self.pending.remove(&ticket) {
                Some(Pending { request, committing: Some(bindings), .. }) => {
                    self.finish(now, request, &bindings, outcome)
                }
                other => self.put_back(ticket, other),
            },
        }
    }

    /// Gives up what the location service has not answered for: it, and what waits behind it, fails as when the store does. An answer that
    /// comes after all is ignored.
    pub fn give_up(&mut self, now: Now, patience: Duration) {
        let overdue = |pending: &Pending| pending.asked + patience <= now.mono;
        let waiting = self.pending.iter().filter(|(_, pending)| overdue(pending));
        let mut tickets: Vec<u64> = waiting.map(|(ticket, _)| *ticket).collect();
        tickets.sort_unstable();
        for ticket in tickets {
            let Some(Pending { request, .. }) = self.pending.remove(&ticket) else { continue };
            self.refuse(request.id, &Refused::StoreFailed);
            for behind in self.queues.remove(&request.aor).unwrap_or_default() {
                self.queued -= 1;
                self.refuse(behind.id, &Refused::StoreFailed);
            }
        }
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// REGISTERs under way.
    pub fn len(&self) -> usize {
        self.pending.len() + self.queued
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn fetch(&mut self, now: Now, request: Request) {
        let ticket = self.next_ticket();
        self.outputs.push_back(Output::Ask(Ask::Fetch { ticket, aor: request.aor.clone() }));
        self.pending.insert(ticket, Pending { request, committing: None, asked: now.mono });
    }

    fn decide(&mut self, now: Now, request: Request, snapshot: Snapshot) {
        match decide(&request.asked.wish, &snapshot.bindings) {
            Err(refused) => self.finish_with(now, request, &refused),
            Ok(None) => self.accept(now, request, &snapshot.bindings),
            Ok(Some(bindings)) => {
                let bindings: Arc<[Binding]> = bindings.into();
                let ticket = self.next_ticket();
                let change = Change { aor: request.aor.clone(), version: snapshot.version, bindings: bindings.clone() };
                self.outputs.push_back(Output::Ask(Ask::Commit { ticket, change }));
                self.pending.insert(ticket, Pending { request, committing: Some(bindings), asked: now.mono });
            }
        }
    }

    fn finish(&mut self, now: Now, mut request: Request, bindings: &[Binding], outcome: Outcome) {
        match outcome {
            Outcome::Committed => self.accept(now, request, bindings),
            Outcome::Stale if request.attempts + 1 < COMMIT_ATTEMPTS_MAX => {
                request.attempts += 1;
                self.fetch(now, request);
            }
            Outcome::Stale => self.finish_with(now, request, &Refused::Contended),
            Outcome::Full => self.finish_with(now, request, &Refused::Full),
            Outcome::Failed => self.finish_with(now, request, &Refused::StoreFailed),
        }
    }

    /// An answer of the wrong kind is ignored: the request goes on waiting for the right one.
    fn put_back(&mut self, ticket: u64, pending: Option<Pending>) {
        if let Some(pending) = pending {
            self.pending.insert(ticket, pending);
        }
    }

    /// RFC 3261 section 10.3 step 8: all bindings there are, and the time.
    fn accept(&mut self, now: Now, request: Request, bindings: &[Binding]) {
        let asked = &request.asked;
        let mut fields = Vec::with_capacity(bindings.len() + 5);
        for binding in bindings {
            let mut value = contact_value(binding, now);
            if let (true, Some(gruus), Some(instance)) = (asked.gruu, self.config.gruus, binding.instance()) {
                // RFC 5627 section 5.2.
                let public = gruus.public(&request.aor, instance);
                let temporary = gruus.temporary(self.rng.next_u64(), binding.epoch(), &request.aor, instance);
                value.extend([";pub-gruu=\"", &public, "\";temp-gruu=\"", &temporary, "\""]);
            }
            fields.push((HeaderName::Contact, value));
        }
        if asked.outbound {
            fields.push((HeaderName::Require, "outbound".to_owned()));
            fields.extend(self.config.flow_timer_s.map(|seconds| (HeaderName::FlowTimer, seconds.to_string())));
        }
        if let Wish::Update(updates) = &asked.wish
            && let Some(path) = updates.first().map(|update| update.binding.path()).filter(|path| !path.is_empty())
        {
            // RFC 3327 section 5.3.
            fields.push((HeaderName::Path, path.to_owned()));
        }
        fields.extend(self.config.service_route.iter().map(|route| (HeaderName::ServiceRoute, route.clone())));
        let second = now.unix_s();
        if self.date.0 != second {
            self.date = (second, rfc1123(second));
        }
        fields.push((HeaderName::Date, self.date.1.clone()));
        self.outputs.push_back(Output::Reply { id: request.id, status: 200, reason: "OK", fields });
        self.next_in_queue(now, request.aor);
    }

    fn finish_with(&mut self, now: Now, request: Request, refused: &Refused) {
        self.refuse(request.id, refused);
        self.next_in_queue(now, request.aor);
    }

    /// The request at work on these bindings is done.
    fn next_in_queue(&mut self, now: Now, aor: AddressOfRecord) {
        let Entry::Occupied(mut queue) = self.queues.entry(aor) else { return };
        match queue.get_mut().pop_front() {
            Some(request) => {
                self.queued -= 1;
                self.fetch(now, request);
            }
            None => drop(queue.remove()),
        }
    }

    fn refuse(&mut self, id: u64, refused: &Refused) {
        let reply = Output::Reply { id, status: refused.status(), reason: refused.reason(), fields: refused.fields() };
        self.outputs.push_back(reply);
    }

    fn next_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }
}

/// A binding as a value of Contact, with the time that it still has.
fn contact_value(binding: &Binding, now: Now) -> String {
    let mut text = String::with_capacity(binding.contact().len() + binding.params().len() + 32);
    text.extend(["<", binding.contact(), ">"]);
    if binding.q() < 1000 {
        let _ = write!(text, ";q=0.{:03}", binding.q());
    }
    text.extend([binding.params(), ";expires="]);
    push_number(&mut text, binding.expires_in_s(now));
    text
}

#[cfg(test)]
mod tests;
