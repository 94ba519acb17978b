use crate::Domains;
use calls::RING_BYTES_MAX;
use engine::Now;
use engine::{Mac, Rng};
use routing::{Action, Limiter, Limits, Rule, Rules, Tally};
use sip_auth::Algorithm;
use sip_registrar::Gruus;
use std::sync::Arc;

/// How an exchange is set up. The same for all its shards.
#[derive(Debug, Clone)]
pub struct Config {
    /// What we are responsible for.
    pub domains: Domains,
    /// Whether those who use our name, or want to be relayed, must prove who they are.
    pub auth_required: bool,
    /// The protection space that secrets were made for.
    pub realm: String,
    /// Digest algorithms offered, the most wanted first.
    pub algorithms: Vec<Algorithm>,
    /// How long bindings last.
    pub registrar: sip_registrar::Config,
    /// Whether later requests of a dialog come through us.
    pub record_route: bool,
    /// Which role serves what no dial rule speaks of.
    pub mode: Mode,
    /// Whether the exchange follows redirections itself (RFC 3261 section 16.5).
    pub recurse: bool,
    /// Branches that one request may have at once, all proxies on its way together (RFC 5393 section 5).
    pub max_breadth: u16,
    /// Whether there is TLS, without which nothing can be done for `sips:` URIs.
    pub tls: bool,
    /// Dial rules and trunks.
    pub rules: Arc<Rules>,
    /// How often the rules have fired; shared by all shards. See [`Config::with_rules`].
    pub limiter: Option<Limiter>,
    /// What a user's calls may come to that leave the exchange, where nothing else is said of that user.
    pub limits: Limits,
    /// What they come to; shared by all shards.
    pub tally: Tally,
    /// Bytes of messages that each shard remembers to tell how calls went; 0 remembers none. See [`RING_BYTES_MAX`].
    pub ring_bytes: usize,
    /// What signs our tokens.
    pub keys: Keys,
}

/// The role of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A transaction-stateful proxy (RFC 3261 section 16.2), which also watches the calls that stay with it ([`Config::record_route`]).
    Stateful,
    /// The same, and they do stay with it.
    CallStateful,
    /// A stateless proxy (section 16.11): requests are neither forked nor repeated, and go to one target alone.
    Stateless,
    /// A redirect server (section 8.3): callers are told where our users are.
    Redirect,
}

/// The keys of everything that we sign and that comes back: the same in all shards, and after a restart.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    pub(crate) branch: Mac,
    pub(crate) route: Mac,
    pub(crate) nonce: Mac,
    pub(crate) shard: Mac,
    pub(crate) gruus: Gruus,
}

impl Config {
    /// An exchange for these domains with everything at its default.
    pub fn new(domains: Domains, keys: Keys) -> Config {
        Config {
            domains,
            auth_required: true,
            realm: "ringback".to_owned(),
            algorithms: vec![Algorithm::Md5],
            registrar: sip_registrar::Config::default(),
            record_route: true,
            mode: Mode::Stateful,
            recurse: false,
            max_breadth: sip_proxy::MAX_BREADTH,
            tls: false,
            rules: Arc::default(),
            limiter: None,
            limits: Limits::default(),
            tally: Tally::default(),
            ring_bytes: RING_BYTES_MAX,
            keys,
        }
    }
}

impl Config {
    /// Whether calls can be watched: they stay with us.
    pub(crate) fn watches(&self) -> bool {
        match self.mode {
            Mode::CallStateful => true,
            Mode::Stateful => self.record_route,
            Mode::Stateless | Mode::Redirect => false,
        }
    }

    /// Whether later requests of a dialog come through us, because that is wanted or because calls are to be watched.
    pub(crate) fn keeps_calls(&self) -> bool {
        self.record_route || self.watches()
    }

    /// Whether there may be requests that pass without a transaction.
    pub(crate) fn some_pass_stateless(&self) -> bool {
        let by_rule = |rule: &Rule| matches!(rule.action, Action::Stateless { .. });
        self.mode == Mode::Stateless || self.rules.as_slice().iter().any(by_rule)
    }

    pub(crate) fn registrar(&self) -> sip_registrar::Config {
        sip_registrar::Config { gruus: Some(self.keys.gruus), ..self.registrar.clone() }
    }

    pub(crate) fn calls(&self, shard: u16) -> calls::Config {
        calls::Config { ring_bytes_max: self.ring_bytes, ..calls::Config::new(shard, self.keys.route) }
    }

    /// The same with these dial rules, whose limits begin to count at `now`.
    pub fn with_rules(self, rules: Rules, now: Now) -> Config {
        Config { limiter: Some(rules.limiter(now)), rules: Arc::new(rules), ..self }
    }
}

impl Keys {
    /// All keys from one secret of the data folder.
    pub fn from_secret(secret: [u8; 32]) -> Keys {
        let mut rng = Rng::from_seed(secret);
        Keys {
            branch: Mac::new(&mut rng),
            route: Mac::new(&mut rng),
            nonce: Mac::new(&mut rng),
            shard: Mac::new(&mut rng),
            gruus: Gruus::new(&mut rng),
        }
    }
}
