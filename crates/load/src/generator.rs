use crate::answers::Answers;
use crate::calls::{CallTimer, Calls};
use crate::identity::Identity;
use crate::pace::Pace;
use crate::phones::{Phones, Registered};
use crate::tally::Tally;
use crate::wording::Wording;
use crate::{Failure, LoadConfig, LoadError, Scenario};
use bytes::Bytes;
use engine::{Rng, Timers};
use sip_message::{Message, Method};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Callees that register at a time, before the first call and after the last.
const REGISTERING_AT_ONCE: usize = 64;

/// For how long bindings are removed in the end, so that the next run finds none.
const LEAVING: Duration = Duration::from_secs(3);

/// Which of our two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The calling ends.
    Callers,
    /// The called ends, and the phones that register.
    Callees,
}

/// A datagram to send.
pub(crate) struct Outgoing {
    pub(crate) side: Side,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Bytes,
}

/// Everything but sockets and clock: datagrams and time come in, datagrams and counts come out.
pub(crate) struct Generator {
    config: LoadConfig,
    concurrent: usize,
    desk: Desk,
    calls: Calls,
    phones: Option<Phones>,
    /// Who is called, in turns.
    callees: Vec<String>,
    phase: Phase,
    deadline: Instant,
}

enum Phase {
    /// Callees register; `next` is the first that has not begun, `done` have ended.
    Registering {
        next: u32,
        done: u32,
    },
    Running {
        since: Instant,
        pace: Pace,
    },
    /// Bindings are removed.
    Leaving {
        until: Instant,
        next: u32,
    },
    Over,
    Failed(LoadError),
}

/// What all parts write with: words, timers, what is to be sent and what is counted.
pub(crate) struct Desk {
    pub(crate) wording: Wording,
    pub(crate) answers: Answers,
    pub(crate) tally: Tally,
    alarms: Timers<Alarm>,
    outgoing: Vec<Outgoing>,
}

enum Alarm {
    Call { index: u32, turn: u32, timer: CallTimer },
    Phone { index: u32, cseq: u32, link: u8 },
}

impl Generator {
    /// `callers` and `callees` are the local addresses of the two sockets.
    pub(crate) fn new(
        config: &LoadConfig,
        now: Instant,
        (callers, callees): (SocketAddr, SocketAddr),
        mut rng: Rng,
    ) -> Generator {
        let run = rng.token(10);
        let mut phones = config.account.as_ref().map(|account| Phones::new(config, account, rng.split()));
        let (phase, called) = match (&mut phones, config.scenario) {
            (Some(phones), Scenario::Call) => {
                phones.one_each();
                (Phase::Registering { next: 0, done: 0 }, (0..config.users).map(|user| phones.aor(user)).collect())
            }
            (Some(phones), Scenario::Register) => {
                if config.users > 1 {
                    phones.one_each();
                }
                (Phase::running(config, now), Vec::new())
            }
            (None, _) => (Phase::running(config, now), vec![format!("sip:{}@{}", config.callee, config.target)]),
        };
        Generator {
            concurrent: config.concurrent() as usize,
            desk: Desk {
                answers: Answers::new(&run, callees),
                wording: Wording::new(run, callers, callees),
                tally: Tally::default(),
                alarms: Timers::default(),
                outgoing: Vec::new(),
            },
            calls: Calls::new(config.target, config.hold),
            phones,
            callees: called,
            phase,
            deadline: now + config.timeout,
            config: config.clone(),
        }
    }

    /// A datagram has come. What is no SIP message is passed over.
    pub(crate) fn handle_packet(&mut self, now: Instant, side: Side, from: SocketAddr, bytes: Bytes) {
        self.desk.tally.received += 1;
        let Ok(message) = Message::parse(bytes) else { return };
        let identity = self.desk.wording.identities.read(message.call_id());
        match (message.is_request(), identity) {
            (false, Some(Identity::Call { index, turn })) => {
                self.calls.handle_response(now, &mut self.desk, index, turn, &message);
            }
            (false, Some(Identity::Phone { index })) => {
                let phones = self.phones.as_mut();
                let registered = phones.and_then(|phones| phones.handle_response(now, &mut self.desk, index, &message));
                self.registered(now, registered);
            }
            (true, Some(Identity::Call { index, turn })) => {
                self.calls.handle_request(now, &mut self.desk, (side, from), (index, turn), &message);
            }
            (true, _) => self.desk.no_such_call(side, from, &message),
            (false, None) => {}
        }
    }

    /// Does what is due. Called once a tick.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(alarm) = self.desk.alarms.take_due(now) {
            match alarm {
                Alarm::Call { index, turn, timer } => {
                    self.calls.handle_timer(now, &mut self.desk, index, turn, timer);
                }
                Alarm::Phone { index, cseq, link } => {
                    let phones = self.phones.as_mut();
                    let over = phones.and_then(|phones| phones.handle_timer(now, &mut self.desk, index, cseq, link));
                    self.registered(now, over);
                }
            }
        }
        match &self.phase {
            Phase::Registering { .. } => self.register_callees(now),
            Phase::Running { .. } => self.begin_due(now),
            Phase::Leaving { .. } => self.leave(now),
            Phase::Over | Phase::Failed(_) => {}
        }
    }

    /// The datagrams to send, in order.
    pub(crate) fn take_outgoing(&mut self) -> impl Iterator<Item = Outgoing> {
        self.desk.tally.sent += self.desk.outgoing.len() as u64;
        self.desk.outgoing.drain(..)
    }

    /// What has been counted so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.desk.tally
    }

    /// Since the first was begun.
    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        match self.phase {
            Phase::Registering { .. } => Duration::ZERO,
            Phase::Running { since, .. } => now.saturating_duration_since(since),
            _ => self.desk.tally.lasted,
        }
    }

    /// Stops: what is in progress is cut off and counts as failed.
    pub(crate) fn stop(&mut self, now: Instant) {
        match &self.phase {
            Phase::Running { since, .. } => {
                self.desk.tally.lasted = now.saturating_duration_since(*since);
                match (self.config.scenario, &mut self.phones) {
                    (Scenario::Call, _) => self.calls.cut(&mut self.desk),
                    (Scenario::Register, phones) => phones.iter_mut().for_each(|phones| phones.cut(&mut self.desk)),
                }
                self.phase = match self.phones {
                    Some(_) => Phase::Leaving { until: now + LEAVING, next: 0 },
                    None => Phase::Over,
                };
            }
            Phase::Registering { next, .. } => {
                let aor = self.callees.get(next.saturating_sub(1) as usize).cloned().unwrap_or_default();
                self.phase = Phase::Failed(LoadError::RegisterUnanswered { aor });
            }
            Phase::Leaving { .. } | Phase::Over | Phase::Failed(_) => {}
        }
    }

    /// `None` while it goes on; then whether there was a run at all.
    pub(crate) fn outcome(&mut self) -> Option<Result<(), LoadError>> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => Some(Ok(())),
            Phase::Failed(error) => Some(Err(error)),
            going_on => {
                self.phase = going_on;
                None
            }
        }
    }

    fn register_callees(&mut self, now: Instant) {
        let (Phase::Registering { next, done }, Some(phones)) = (&mut self.phase, &mut self.phones) else { return };
        while *next < phones.bindings() && phones.in_progress() < REGISTERING_AT_ONCE {
            phones.register_first(now, &mut self.desk, *next);
            *next += 1;
        }
        if *done == phones.bindings() {
            self.desk.tally = Tally::default();
            self.phase = Phase::running(&self.config, now);
            self.begin_due(now);
        } else if now >= self.deadline {
            self.stop(now);
        }
    }

    fn begin_due(&mut self, now: Instant) {
        let Phase::Running { since, pace } = &mut self.phase else { return };
        let total = self.config.total;
        while self.desk.tally.begun < total && now < self.deadline && pace.take(now) {
            let free = match (self.config.scenario, &mut self.phones) {
                (Scenario::Call, _) => self.calls.in_progress() < self.concurrent,
                (Scenario::Register, Some(phones)) => phones.in_progress() < self.concurrent,
                (Scenario::Register, None) => false,
            };
            let begun = free
                && match (self.config.scenario, &mut self.phones) {
                    (Scenario::Register, Some(phones)) => phones.register_any(now, &mut self.desk),
                    _ => {
                        let callee = self.desk.tally.begun as usize % self.callees.len();
                        self.calls.begin(now, &mut self.desk, &self.callees[callee]);
                        true
                    }
                };
            if !begun {
                pace.excuse(now);
                break;
            }
            self.desk.tally.begun += 1;
            self.desk.tally.begun_for = now.saturating_duration_since(*since);
        }
        if (self.desk.tally.begun == total && self.desk.tally.in_progress() == 0) || now >= self.deadline {
            self.stop(now);
        }
    }

    fn leave(&mut self, now: Instant) {
        let (Phase::Leaving { until, next }, Some(phones)) = (&mut self.phase, &mut self.phones) else { return };
        // One after another where all of them change the same bindings.
        let at_once = if self.config.users == 1 { 1 } else { REGISTERING_AT_ONCE };
        while *next < phones.bindings() && phones.in_progress() < at_once {
            phones.unregister(now, &mut self.desk, *next);
            *next += 1;
        }
        if now >= *until || (*next == phones.bindings() && phones.in_progress() == 0) {
            self.phase = Phase::Over;
        }
    }

    /// A REGISTER has got its final answer, or none.
    fn registered(&mut self, now: Instant, registered: Option<Registered>) {
        let Some(Registered { phone, outcome, since }) = registered else { return };
        match &mut self.phase {
            Phase::Registering { done, .. } => match outcome {
                Ok(()) => *done += 1,
                Err(failure) => {
                    let aor = self.callees.get(phone as usize).cloned().unwrap_or_default();
                    self.phase = Phase::Failed(match failure {
                        Failure::Refused(status) => LoadError::RegisterRefused { aor, status },
                        _ => LoadError::RegisterUnanswered { aor },
                    });
                }
            },
            Phase::Running { .. } => {
                if outcome.is_ok() {
                    self.desk.tally.setup.record(now.saturating_duration_since(since));
                }
                self.desk.tally.ended(outcome);
            }
            Phase::Leaving { .. } | Phase::Over | Phase::Failed(_) => {}
        }
    }
}

impl Phase {
    fn running(config: &LoadConfig, now: Instant) -> Phase {
        Phase::Running { since: now, pace: Pace::new(config.rate, now) }
    }
}

impl Desk {
    pub(crate) fn send(&mut self, side: Side, to: SocketAddr, bytes: Bytes) {
        self.outgoing.push(Outgoing { side, to, bytes });
    }

    /// A final response without a body.
    pub(crate) fn reply(&mut self, side: Side, to: SocketAddr, request: &Message, status_line: &str) {
        let bytes = self.answers.plain(request, status_line);
        self.send(side, to, bytes);
    }

    /// The answer to a request that belongs to no call in progress: what a phone would say.
    pub(crate) fn no_such_call(&mut self, side: Side, to: SocketAddr, request: &Message) {
        match request.method() {
            Method::Ack => {}
            Method::Bye | Method::Cancel => self.reply(side, to, request, "481 Call/Transaction Does Not Exist"),
            Method::Invite => self.reply(side, to, request, "486 Busy Here"),
            _ => self.reply(side, to, request, "200 OK"),
        }
    }

    pub(crate) fn set_call_timer(
        &mut self,
        now: Instant,
        after: Option<Duration>,
        index: u32,
        turn: u32,
        timer: CallTimer,
    ) {
        if let Some(after) = after {
            self.alarms.set(now, after, Alarm::Call { index, turn, timer });
        }
    }

    pub(crate) fn set_phone_timer(&mut self, now: Instant, after: Option<Duration>, index: u32, cseq: u32, link: u8) {
        if let Some(after) = after {
            self.alarms.set(now, after, Alarm::Phone { index, cseq, link });
        }
    }
}
