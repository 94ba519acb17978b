use crate::agent::Timer;
use crate::auth::Auth;
use crate::config::{Identity, Route};
use crate::request::{CALL_ID_LENGTH, Contact, From, Purpose, Request, TAG_LENGTH};
use crate::{Event, Failure, UserAgent};
use engine::Now;
use sip_message::{Contacts, HeaderName, Message, Method, Uri};
use sip_transaction::{ConnectionId, Flow, Packet, TransactionLayer};
use std::time::{Duration, Instant};

/// A registration, by our number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId(pub u64);

/// What is registered, and where.
#[derive(Debug, Clone)]
pub struct Account {
    /// The address-of-record (its `uri`), and who may speak for it.
    pub identity: Identity,
    /// The registrar's Request-URI: `sip:example.org` (RFC 3261 section 10.2).
    pub registrar: String,
    /// The way to the registrar; [`Route::Registration`] makes no sense here.
    pub route: Route,
}

/// Retries after a failure: the first after half to all of this, then twice as long each time (RFC 5626 section 4.5).
const RETRY_BASE_S: u64 = 10;
/// The longest wait between retries.
const RETRY_MAX_S: u64 = 1_800;
/// A connection that is lost so soon after a REGISTER succeeded over it counts as a failure: its other end closes after each answer, and
/// would get a storm of REGISTERs if each loss made a new one at once.
const STEADY_S: u64 = 30;
/// The largest Min-Expires that we follow.
const EXPIRES_MAX_S: u32 = 86_400;

/// One registration: what its owner wants, and what the registrar knows.
///
/// | state | means | left by |
/// |---|---|---|
/// | Off | the registrar knows nothing of us | register |
/// | Asking | a REGISTER is out | its answer |
/// | Bound | the registrar has our binding | time to refresh, unregister, connection lost |
/// | Waiting | it failed, and is tried again | time to try, register, unregister |
/// | Removing | a REGISTER that removes the binding is out | its answer |
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) account: Account,
    /// How long the binding is to be kept, in seconds; `None` when there is to be none.
    wanted_s: Option<u32>,
    state: State,
    /// The way that the latest 2xx came.
    pub(crate) flow: Option<Flow>,
    /// When that way is next kept open.
    pub(crate) keep_alive_at: Option<Instant>,
    /// When the latest REGISTER was sent.
    sent_at: Option<Instant>,
    pub(crate) auth: Auth,
    call_id: String,
    from_tag: String,
    cseq: u32,
    /// Failures in a row; a success ends the row only when it has lasted (see [`STEADY_S`]).
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    Asking,
    Bound { refresh_at: Instant },
    Waiting { until: Instant },
    Removing,
}

impl UserAgent {
    /// Adds an account, which is not registered yet.
    pub fn add_account(&mut self, account: Account) -> RegistrationId {
        let id = RegistrationId(self.number());
        let registration = Registration {
            wanted_s: None,
            state: State::Off,
            flow: None,
            keep_alive_at: None,
            sent_at: None,
            auth: Auth::new(account.identity.credentials.clone()),
            call_id: self.rng.token(CALL_ID_LENGTH),
            from_tag: self.rng.token(TAG_LENGTH),
            cseq: 0,
            failures: 0,
            account,
        };
        self.registrations.insert(id, registration);
        id
    }

    /// Registers, and keeps registered until [`UserAgent::unregister`]: refreshed before it expires, tried again after failures
    /// that may pass. `false` when there is no such account.
    pub fn register(&mut self, now: Now, layer: &mut TransactionLayer, id: RegistrationId, expires_s: u32) -> bool {
        let Some(registration) = self.registrations.get_mut(&id) else { return false };
        registration.wanted_s = Some(expires_s.max(1));
        match registration.state {
            State::Off | State::Bound { .. } | State::Waiting { .. } => self.send_register(now, layer, id),
            // One at a time (section 10.2); the answer to that one shows that something else is wanted now.
            State::Asking | State::Removing => {}
        }
        true
    }

    /// Removes the binding (section 10.2.2). `false` when there is no such account.
    pub fn unregister(&mut self, now: Now, layer: &mut TransactionLayer, id: RegistrationId) -> bool {
        let Some(registration) = self.registrations.get_mut(&id) else { return false };
        registration.wanted_s = None;
        match registration.state {
            State::Bound { .. } => self.send_register(now, layer, id),
            State::Off | State::Waiting { .. } => {
                registration.state = State::Off;
                self.event(Event::Unregistered { registration: id, outcome: Ok(()) });
            }
            State::Asking | State::Removing => {}
        }
        true
    }

    /// Sends the REGISTER that brings about what is wanted.
    fn send_register(&mut self, now: Now, layer: &mut TransactionLayer, id: RegistrationId) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let identity = &registration.account.identity;
        let mut request = Request::new(
            Purpose::Register(id),
            Method::Register,
            identity,
            &registration.account.registrar,
            &mut self.rng,
        );
        registration.cseq += 1;
        registration.sent_at = Some(now.mono);
        request.from = From::Identity(Box::new(identity.clone()), registration.from_tag.clone());
        request.to = identity.name_addr(None);
        request.call_id = registration.call_id.clone();
        request.cseq = registration.cseq;
        request.contact = Contact::Binding(identity.contact_user.clone(), registration.wanted_s.unwrap_or(0));
        request.auth = std::mem::take(&mut registration.auth);
        request.sign(&mut self.rng);
        registration.state = if registration.wanted_s.is_some() { State::Asking } else { State::Removing };
        // Section 10.2.4: refreshes go where the registration went. A connection that is gone was forgotten.
        let way = match registration.flow {
            Some(flow) => crate::outgoing::Way::Known(flow),
            None => {
                let (route, registrar) = (registration.account.route.clone(), registration.account.registrar.clone());
                self.way(&route, &registrar)
            }
        };
        self.place(now, layer, request, way);
    }

    /// What came of a REGISTER.
    pub(crate) fn register_is_done(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: RegistrationId,
        outcome: Result<Packet, Failure>,
    ) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        if let Ok(packet) = &outcome {
            // Challenges on the way have taken numbers of their own.
            registration.cseq =
                packet.message.cseq().map_or(registration.cseq, |cseq| cseq.number.max(registration.cseq));
        }
        let was = std::mem::replace(&mut registration.state, State::Off);
        match (was, outcome) {
            (State::Asking, Ok(packet)) if packet.message.status() < 300 => {
                let asked_s = registration.wanted_s.unwrap_or(u32::MAX);
                let expires_s = granted_s(&packet.message, &registration.account.identity.contact_user, asked_s);
                registration.flow = Some(packet.flow);
                let refresh_at = now.mono + refresh_after(expires_s, &mut self.rng);
                registration.state = State::Bound { refresh_at };
                let wanted = registration.wanted_s;
                self.deadlines.set(refresh_at, Timer::Register(id));
                self.keep_alive_later(now, id);
                self.event(Event::Registered { registration: id, expires_s });
                if wanted.is_none() {
                    self.send_register(now, layer, id);
                }
            }
            (State::Asking, Ok(packet))
                if packet.message.status() == 423 && registration.may_lengthen(&packet.message) =>
            {
                self.send_register(now, layer, id);
            }
            (State::Asking, outcome) => {
                let retry_after_s = outcome.as_ref().ok().and_then(|packet| retry_after_s(&packet.message));
                let failure = outcome.map_or_else(|failure| failure, |packet| Failure::of(&packet.message));
                self.registration_fails(now, id, failure, retry_after_s);
            }
            (State::Removing, outcome) => {
                registration.flow = None;
                let wanted = registration.wanted_s;
                let outcome = match outcome {
                    Ok(packet) if packet.message.status() < 300 => Ok(()),
                    Ok(packet) => Err(Failure::of(&packet.message)),
                    Err(failure) => Err(failure),
                };
                self.event(Event::Unregistered { registration: id, outcome });
                if wanted.is_some() {
                    self.send_register(now, layer, id);
                }
            }
            // No REGISTER is out in these.
            (State::Off | State::Bound { .. } | State::Waiting { .. }, _) => {}
        }
    }

    fn registration_fails(&mut self, now: Now, id: RegistrationId, failure: Failure, retry_after_s: Option<u64>) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        registration.flow = None;
        if registration.wanted_s.is_none() {
            return self.event(Event::Unregistered { registration: id, outcome: Ok(()) });
        }
        let retry_s = may_pass(&failure).then(|| {
            let longest = (RETRY_BASE_S << registration.failures.min(16)).min(RETRY_MAX_S);
            registration.failures += 1;
            (longest / 2 + self.rng.below(longest / 2 + 1)).max(retry_after_s.unwrap_or(0).min(RETRY_MAX_S))
        });
        if let Some(retry_s) = retry_s {
            let until = now.mono + Duration::from_secs(retry_s);
            registration.state = State::Waiting { until };
            self.deadlines.set(until, Timer::Register(id));
        }
        self.event(Event::RegistrationFailed { registration: id, failure, retry_s });
    }

    /// A moment has come that was set for a refresh or a retry; it counts if the registration still waits for that one.
    pub(crate) fn registration_due(
        &mut self,
        now: Now,
        layer: &mut TransactionLayer,
        id: RegistrationId,
        set_for: Instant,
    ) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        match registration.state {
            State::Bound { refresh_at } if refresh_at == set_for => {
                registration.failures = 0;
                self.send_register(now, layer, id);
            }
            State::Waiting { until } if until == set_for => self.send_register(now, layer, id),
            _ => {}
        }
    }

    /// Makes registrations again whose connection is gone: the registrar can reach us over no other. At once if it had held for a while,
    /// else like any that failed (RFC 5626 section 4.5).
    pub(crate) fn registrations_lose(&mut self, now: Now, layer: &mut TransactionLayer, connection: ConnectionId) {
        let lost =
            |registration: &Registration| registration.flow.is_some_and(|flow| flow.connection == Some(connection));
        let ids: Vec<RegistrationId> =
            self.registrations.iter().filter(|(_, registration)| lost(registration)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(registration) = self.registrations.get_mut(&id) else { continue };
            registration.flow = None;
            if !matches!(registration.state, State::Bound { .. }) {
                continue;
            }
            let steady = Duration::from_secs(STEADY_S);
            if registration.sent_at.is_some_and(|sent| now.mono.saturating_duration_since(sent) < steady) {
                self.registration_fails(now, id, Failure::Unreachable, None);
            } else {
                registration.failures = 0;
                self.send_register(now, layer, id);
            }
        }
    }
}

impl Registration {
    /// Follows the Min-Expires of a 423 (section 10.2.8), once: `false` when it does not ask for more than we did.
    fn may_lengthen(&mut self, response: &Message) -> bool {
        let least_s = response.header(HeaderName::MinExpires).and_then(|text| text.parse::<u32>().ok());
        match (self.wanted_s, least_s) {
            (Some(wanted_s), Some(least_s)) if least_s > wanted_s && least_s <= EXPIRES_MAX_S => {
                self.wanted_s = Some(least_s);
                true
            }
            _ => false,
        }
    }
}

/// How long the registrar keeps our binding: what it says beside our Contact, or in Expires, or what we asked for
/// (section 10.2.4).
fn granted_s(response: &Message, contact_user: &str, asked_s: u32) -> u32 {
    let mut granted_s = None;
    if let (Ok(Contacts::List(contacts)), Ok(via)) = (response.contacts(), response.top_via()) {
        let ours = |uri: &Uri<'_>| {
            uri.user.unwrap_or("") == contact_user && uri.host.same_as(&via.host) && uri.port == via.port
        };
        let mine = contacts.iter().find(|contact| contact.uri_parsed().is_ok_and(|uri| ours(&uri)));
        granted_s = mine.and_then(|contact| contact.expires());
    }
    granted_s.or(response.expires()).unwrap_or(asked_s).max(1)
}

/// When to refresh: after 75 to 90 % of the time, so that two or three attempts fit into the rest and many phones do not come at once.
fn refresh_after(expires_s: u32, rng: &mut engine::Rng) -> Duration {
    let expires_ms = u64::from(expires_s) * 1000;
    Duration::from_millis(expires_ms * 75 / 100 + rng.below(expires_ms * 15 / 100 + 1))
}

/// Whether the same REGISTER may work later. A wrong password will not become right.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Refused { status, .. } => matches!(status, 408 | 429 | 480 | 500..600),
        Failure::NoAnswer | Failure::Unreachable | Failure::NotFound => true,
    }
}

fn retry_after_s(response: &Message) -> Option<u64> {
    let text = response.header(HeaderName::RetryAfter)?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).map_or(text, |end| &text[..end]);
    digits.parse().ok()
}
