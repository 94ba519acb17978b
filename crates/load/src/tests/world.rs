//! A generator, a clock that is ours, and an exchange of the simplest kind: it registers, asks for credentials, and passes calls on.

use crate::generator::{Generator, Outgoing, Side};
use crate::report::Effort;
use crate::{Account, LoadConfig, LoadError, Report, Scenario};
use bytes::Bytes;
use engine::{Mac, Now, Rng};
use sip_auth::{Authenticator, Config, Kind, Secrets, Verdict};
use sip_message::{Builder, Edit, HeaderName, Message, Method};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const EXCHANGE: &str = "127.0.0.1:5060";
const CALLERS: &str = "127.0.0.1:7001";
const CALLEES: &str = "127.0.0.1:7002";

/// What the exchange does with a datagram.
type Rule = Box<dyn FnMut(&Message) -> Verb>;

pub(super) enum Verb {
    Pass,
    /// .. and whatever it says itself, it says twice.
    Twice,
    Lose,
    Refuse(u16),
}

pub(super) struct World {
    pub(super) generator: Generator,
    config: LoadConfig,
    pub(super) now: Now,
    exchange: Authenticator,
    /// Everybody's.
    password: &'static str,
    rule: Rule,
    /// How many datagrams of each kind the exchange has got: `INVITE`, `200 BYE` and so on.
    pub(super) seen: BTreeMap<String, usize>,
    /// Bindings removed in one tick, at most.
    pub(super) removals_at_once: usize,
    /// Every message that the exchange has got.
    pub(super) messages: Vec<Message>,
}

/// Ten calls in a tenth of a second.
pub(super) fn calls() -> LoadConfig {
    LoadConfig {
        scenario: Scenario::Call,
        target: EXCHANGE.parse().unwrap(),
        account: Some(Account { user: "load".into(), password: "pw".into(), domain: "example.org".into() }),
        users: 1,
        callee: "service".into(),
        rate: 100.0,
        concurrent: None,
        total: 10,
        hold: Duration::from_millis(100),
        timeout: Duration::from_secs(100),
        bind: None,
    }
}

impl World {
    pub(super) fn new(config: LoadConfig, rule: impl FnMut(&Message) -> Verb + 'static) -> World {
        config.check().unwrap();
        let now = Now::read_clocks();
        let mut rng = Rng::from_u64(7);
        let addresses = (CALLERS.parse().unwrap(), CALLEES.parse().unwrap());
        let exchange = Config { nonce_lifetime: Duration::from_secs(30), ..Config::new("ringback") };
        World {
            generator: Generator::new(&config, now.mono, addresses, rng.split()),
            config,
            now,
            exchange: Authenticator::new(exchange, Mac::new(&mut rng), rng.split()),
            password: "pw",
            rule: Box::new(rule),
            seen: BTreeMap::new(),
            removals_at_once: 0,
            messages: Vec::new(),
        }
    }

    /// The exchange knows another password.
    pub(super) fn password(mut self, password: &'static str) -> World {
        self.password = password;
        self
    }

    /// Runs to the end in ticks of a millisecond.
    pub(super) fn run(&mut self) -> Result<Report, LoadError> {
        for _ in 0..200_000 {
            self.tick();
            if let Some(outcome) = self.generator.outcome() {
                let effort = Effort { cpu: Duration::ZERO, tick_late_max: Duration::ZERO };
                return outcome.map(|()| Report::new(&self.config, self.generator.tally(), &effort));
            }
        }
        panic!("the run does not end");
    }

    /// How many of this kind the exchange has got.
    pub(super) fn count(&self, kind: &str) -> usize {
        self.seen.get(kind).copied().unwrap_or(0)
    }

    pub(super) fn tick(&mut self) {
        self.generator.handle_timeout(self.now.mono);
        let outgoing: Vec<Outgoing> = self.generator.take_outgoing().collect();
        self.now = self.now + Duration::from_millis(1);
        let removals = |out: &&Outgoing| out.bytes.windows(10).any(|text| text == b";expires=0");
        self.removals_at_once = self.removals_at_once.max(outgoing.iter().filter(removals).count());
        for Outgoing { side, to, bytes } in outgoing {
            assert_eq!(to, EXCHANGE.parse().unwrap(), "everything goes through the exchange");
            let message = Message::parse(bytes).unwrap();
            self.exchange_gets(side, &message);
        }
    }

    fn exchange_gets(&mut self, side: Side, message: &Message) {
        let kind = match message.status() {
            0 => message.method_text().to_owned(),
            status => format!("{status} {}", message.method_text()),
        };
        *self.seen.entry(kind).or_default() += 1;
        self.messages.push(message.clone());
        let tags = message.header(HeaderName::To).map_or(0, |to| to.matches(";tag=").count());
        assert!(message.is_request() || tags == 1, "{tags} tags in a response");
        let source: SocketAddr = if side == Side::Callers { CALLERS } else { CALLEES }.parse().unwrap();
        match (self.rule)(message) {
            Verb::Lose => {}
            Verb::Refuse(status) => self.give(side, Builder::reply(message, status, source).to_tag("x").finish()),
            Verb::Twice => {
                let reply = self.register(message, source);
                self.give(side, reply.clone());
                self.give(side, reply);
            }
            Verb::Pass if message.method() == Method::Register => {
                let reply = self.register(message, source);
                self.give(side, reply);
            }
            Verb::Pass if message.is_request() => {
                let via = format!("SIP/2.0/UDP {EXCHANGE};branch=z9hG4bKx{}", self.messages.len());
                let mut edit = Edit::new(message).prepend(HeaderName::Via, via);
                if message.method() == Method::Invite {
                    edit = edit.prepend(HeaderName::RecordRoute, format!("<sip:{EXCHANGE};lr>"));
                } else {
                    let route = message.first_route().expect("the route set").unwrap();
                    assert_eq!((route.uri, message.fields(HeaderName::Route).count()), ("sip:127.0.0.1:5060;lr", 1));
                    assert_eq!(message.request_uri(), "sip:callee@127.0.0.1:7002");
                    edit = edit.remove(HeaderName::Route);
                }
                self.give(Side::Callees, edit.finish());
            }
            Verb::Pass => {
                let passed = Edit::new(message).remove_first_values(HeaderName::Via, 1).finish();
                self.give(Side::Callers, passed);
            }
        }
    }

    fn register(&mut self, message: &Message, source: SocketAddr) -> Bytes {
        let verdict = self.exchange.examine(self.now, source.ip(), message, Kind::Www);
        let stale = matches!(verdict, Verdict::Stale);
        let status = match verdict {
            Verdict::Claims(claim) => {
                let secrets = Secrets::new(claim.user(), "ringback", self.password);
                if self.exchange.verify(self.now, &claim, Some(&secrets)) { 200 } else { 403 }
            }
            _ => 401,
        };
        let mut reply = Builder::reply(message, status, source).to_tag("x");
        if status == 401 {
            for value in self.exchange.challenge(self.now, source.ip(), stale) {
                reply = reply.header(HeaderName::WwwAuthenticate, value);
            }
        }
        reply.finish()
    }

    /// The generator gets a datagram of the exchange's.
    pub(super) fn give(&mut self, side: Side, bytes: Bytes) {
        self.generator.handle_packet(self.now.mono, side, EXCHANGE.parse().unwrap(), bytes);
    }
}
