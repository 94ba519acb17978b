use engine::{Network, Now, Rng, TableKey};
use guard::{Ban, Bucket, Config, Guard, NotBanned, Offence, Source, Verdict};
use std::fmt::Write as _;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use store::{Store, Write};

/// Parts of the guard, each behind its own lock: so many that drivers seldom meet.
const PARTS: usize = 64;

/// Bans that are named in one line of the log; the others are counted.
const BANS_NAMED_MAX: usize = 5;

/// How often what strangers may send together is halved at most, while drivers are overloaded.
const HALVED_MAX: u32 = 6;

/// How long an overload lasts before that is halved again.
const HALVE_AFTER: Duration = Duration::from_secs(1);

/// How long there is none before it is doubled again.
const DOUBLE_AFTER: Duration = Duration::from_secs(10);

/// What the exchange lets in: told by its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GateConfig {
    pub(crate) guard: Config,
    /// Messages a second from all strangers together; 0: as many as they like.
    pub(crate) strangers_per_s: u32,
}

impl GateConfig {
    /// What `[guard]` says. Trunks may send what they like from where they are said to be. Where nobody has to prove who they are, all
    /// are strangers, so these have no limits; bans there are.
    pub(crate) fn new(config: &crate::config::Config) -> GateConfig {
        let crate::config::Guard { enabled, allow, stranger_per_s, strangers_per_s, failures, window, ban, ban_max } =
            &config.guard;
        let trunks = config.rules.trunks().as_slice().iter().flat_map(|trunk| trunk.from.iter().copied());
        let limit = |per_s: u32| if config.auth.required { per_s } else { 0 };
        let guard = Config {
            enabled: *enabled,
            allow: allow.iter().copied().chain(trunks).collect(),
            stranger_per_s: limit(*stranger_per_s),
            stranger_burst: stranger_per_s.saturating_mul(2),
            failures_max: *failures,
            window: *window,
            ban: *ban,
            ban_max: *ban_max,
        };
        GateConfig { guard, strangers_per_s: limit(*strangers_per_s) }
    }
}

/// What is to become of the bans that are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Note {
    Ban(Ban),
    Unban(Network),
}

/// Where bans are written down. Called under the lock of a part: it must only queue.
type Keep = Box<dyn Fn(Note) + Send + Sync>;

/// Which sources are let in, for all drivers: net asks, the servers' events and the operator's commands decide.
pub(crate) struct Gate {
    key: TableKey,
    parts: Vec<Mutex<Guard>>,
    strangers: Mutex<Strangers>,
    /// Whether there is nothing that anything could be refused for.
    idle: AtomicBool,
    keep: Keep,
    news: Mutex<News>,
    counts: Counts,
}

/// What strangers may send together: less while drivers are overloaded, so that known sources are served first.
struct Strangers {
    bucket: Bucket,
    per_s: u32,
    /// How often what they may send has been halved.
    halved: u32,
    overloaded: usize,
    changed: Instant,
}

impl Strangers {
    fn new(now: Now, per_s: u32) -> Strangers {
        let bucket = Bucket::new(now, per_s, per_s / 10);
        Strangers { bucket, per_s, halved: 0, overloaded: 0, changed: now.mono }
    }

    fn configure(&mut self, per_s: u32) {
        self.per_s = per_s;
        let now_per_s = (per_s >> self.halved).max(per_s.min(1));
        // At once, a tenth of a second's worth.
        self.bucket.configure(now_per_s, now_per_s / 10);
    }

    fn halve(&mut self, now: Now, halved: u32) {
        (self.halved, self.changed) = (halved.min(HALVED_MAX), now.mono);
        self.configure(self.per_s);
    }

    fn handle_overload(&mut self, now: Now, overloaded: bool) {
        if overloaded {
            self.overloaded += 1;
            // To a quarter: it has lasted for a while already.
            self.halve(now, self.halved + 2);
        } else {
            self.overloaded = self.overloaded.saturating_sub(1);
        }
    }

    /// Less and less while it lasts, and more again when it is over.
    fn tend(&mut self, now: Now) {
        let since = now.mono.saturating_duration_since(self.changed);
        if self.overloaded > 0 && since >= HALVE_AFTER {
            self.halve(now, self.halved + 1);
        } else if self.overloaded == 0 && self.halved > 0 && since >= DOUBLE_AFTER {
            self.halve(now, self.halved - 1);
        }
    }
}

/// Bans that offences have earned since the operator was last told.
#[derive(Default)]
struct News {
    first: Vec<Ban>,
    more: usize,
}

/// What the gate has done since it was made.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    limited: AtomicU64,
    limited_together: AtomicU64,
    banned: AtomicU64,
    bans: AtomicU64,
    offences: [AtomicU64; 4],
}

/// The same at one time, with what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct GateTotals {
    /// Datagrams, connections and messages not let in because their source sent too many.
    pub(crate) limited: u64,
    /// The same because all strangers together sent too many.
    pub(crate) limited_together: u64,
    /// The same because their source is banned.
    pub(crate) banned: u64,
    /// Bans that offences have earned.
    pub(crate) bans: u64,
    /// Offences: wrong credentials, unknown users, malformed, scanners.
    pub(crate) offences: [u64; 4],
    /// Bans in force.
    pub(crate) bans_in_force: usize,
    /// Sources that are remembered for what they send or did.
    pub(crate) sources: usize,
    /// Sources that have proved who they are.
    pub(crate) known: usize,
}

impl Gate {
    /// As things were left: banned are those whose bans are stored, known are those who are registered. Bans go to the store from now on.
    pub(crate) fn over(store: &Store, now: Now, config: &GateConfig, rng: &mut Rng) -> Gate {
        let writes = store.clone();
        let keep = move |note| {
            let write = match note {
                Note::Ban(ban) => Write::Ban(Box::new(ban)),
                Note::Unban(network) => Write::Unban(network),
            };
            // What cannot be written down holds until the next start.
            writes.change(write, drop);
        };
        let gate = Gate::new(now, config, &store.bans(), keep, rng);
        if !gate.idle.load(Relaxed) {
            store.bindings().for_each(|_, binding| gate.handle_known(now, binding.flow().remote.ip()));
        }
        gate
    }

    /// Nobody is known, and banned are those who were so before: `bans`, as they were written down.
    fn new(
        now: Now,
        config: &GateConfig,
        bans: &[Ban],
        keep: impl Fn(Note) + Send + Sync + 'static,
        rng: &mut Rng,
    ) -> Gate {
        let part = |_| Mutex::new(Guard::part(now, config.guard.clone(), PARTS, rng));
        let gate = Gate {
            parts: (0..PARTS).map(part).collect(),
            key: TableKey::new(rng),
            strangers: Mutex::new(Strangers::new(now, config.strangers_per_s)),
            idle: AtomicBool::new(false),
            keep: Box::new(keep),
            news: Mutex::default(),
            counts: Counts::default(),
        };
        for ban in bans {
            // One that is allowed or refused meanwhile is not in force, but stays written down until it has ended.
            let _ = gate.hold(now, ban);
        }
        gate.look_whether_idle();
        gate
    }

    /// Takes over another configuration; who is known or banned stays so.
    pub(crate) fn configure(&self, config: &GateConfig) {
        self.parts.iter().for_each(|part| lock(part).configure(config.guard.clone()));
        lock(&self.strangers).configure(config.strangers_per_s);
        self.look_whether_idle();
    }

    /// Somebody at `address` has proved who they are.
    pub(crate) fn handle_known(&self, now: Now, address: IpAddr) {
        self.part(address).handle_known(now, address);
    }

    /// Something counts against `address`.
    pub(crate) fn handle_offence(&self, now: Now, address: IpAddr, offence: Offence) {
        let count = match offence {
            Offence::WrongCredentials => 0,
            Offence::UnknownUser => 1,
            Offence::Malformed => 2,
            Offence::Scanner => 3,
        };
        self.counts.offences[count].fetch_add(1, Relaxed);
        let mut part = self.part(address);
        let Some(ban) = part.handle_offence(now, address, offence) else { return };
        self.note(&mut part, Some(ban.clone()));
        drop(part);
        self.idle.store(false, Relaxed);
        self.counts.bans.fetch_add(1, Relaxed);
        let mut news = lock(&self.news);
        if news.first.len() < BANS_NAMED_MAX { news.first.push(ban) } else { news.more += 1 }
    }

    /// The bans in force, the one that ends first in front.
    pub(crate) fn bans(&self, now: Now) -> Vec<Ban> {
        let mut all = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            // Wider ones are in every part.
            all.extend(
                lock(part).bans(now).into_iter().filter(|ban| number == 0 || Guard::is_one_source(&ban.network)),
            );
        }
        all.sort_by_key(|ban| (ban.until, ban.network.to_string()));
        all
    }

    /// Bans a network until then, at an operator's command.
    pub(crate) fn ban(&self, now: Now, network: Network, until: SystemTime, why: &str) -> Result<(), NotBanned> {
        let ban = Ban { network, until, why: why.to_owned(), times: 1 };
        self.hold(now, &ban)?;
        self.idle.store(false, Relaxed);
        self.note(&mut self.part(network.address()), Some(ban));
        Ok(())
    }

    /// Lifts the ban of a network. `false`: it was not banned.
    pub(crate) fn unban(&self, now: Now, network: Network) -> bool {
        let lifted =
            self.concerned(&network).map(|mut part| part.unban(now, &network)).fold(false, |one, all| one | all);
        // Whether it was in force or not: it may be written down.
        (self.keep)(Note::Unban(network));
        self.look_whether_idle();
        lifted
    }

    /// Forgets what has ended, lets strangers send less or more, and gives a line on who has been banned since the last time. To be called about once a second.
    pub(crate) fn tend(&self, now: Now) -> Option<String> {
        for part in &self.parts {
            let mut part = lock(part);
            part.handle_timeout(now);
            self.note(&mut part, None);
        }
        lock(&self.strangers).tend(now);
        // Somebody may have been banned while it was looked at last.
        self.look_whether_idle();
        let News { first, more } = std::mem::take(&mut *lock(&self.news));
        let mut line = String::from("banned ");
        for (number, ban) in first.iter().enumerate() {
            let joint = if number == 0 { "" } else { "; " };
            let s = ban.until.duration_since(now.wall).unwrap_or_default().as_secs();
            let _ = write!(line, "{joint}{} for {} min ({})", ban.network, s.div_ceil(60), ban.why);
        }
        if more > 0 {
            let _ = write!(line, "; and {more} more");
        }
        (!first.is_empty()).then_some(line)
    }

    /// What the gate has done, and what there is.
    pub(crate) fn totals(&self, now: Now) -> GateTotals {
        let Counts { limited, limited_together, banned, bans, offences } = &self.counts;
        let mut totals = GateTotals {
            limited: limited.load(Relaxed),
            limited_together: limited_together.load(Relaxed),
            banned: banned.load(Relaxed),
            bans: bans.load(Relaxed),
            offences: offences.each_ref().map(|count| count.load(Relaxed)),
            bans_in_force: self.bans(now).len(),
            ..GateTotals::default()
        };
        for part in &self.parts {
            let part = lock(part);
            totals.sources += part.sources();
            totals.known += part.known(now);
        }
        totals
    }

    fn hold(&self, now: Now, ban: &Ban) -> Result<(), NotBanned> {
        self.concerned(&ban.network).try_for_each(|mut part| part.ban(now, ban))
    }

    /// Has written down what changed; what was forgotten first, lest it be what is banned anew.
    fn note(&self, part: &mut Guard, ban: Option<Ban>) {
        part.take_forgotten().into_iter().for_each(|network| (self.keep)(Note::Unban(network)));
        if let Some(ban) = ban {
            (self.keep)(Note::Ban(ban));
        }
    }

    fn part(&self, address: IpAddr) -> MutexGuard<'_, Guard> {
        lock(&self.parts[self.key.hash_one(Source::of(address)) as usize % PARTS])
    }

    /// The parts that must know of a network, one after the other.
    fn concerned(&self, network: &Network) -> impl Iterator<Item = MutexGuard<'_, Guard>> {
        let only =
            Guard::is_one_source(network).then(|| self.key.hash_one(Source::of(network.address())) as usize % PARTS);
        self.parts
            .iter()
            .enumerate()
            .filter(move |(number, _)| only.is_none_or(|only| only == *number))
            .map(|(_, part)| lock(part))
    }

    fn look_whether_idle(&self) {
        let together = lock(&self.strangers).bucket.is_unlimited();
        self.idle.store(self.parts.iter().all(|part| lock(part).is_idle(together)), Relaxed);
    }
}

impl net::Gate for Gate {
    fn admits(&self, now: Now, remote: SocketAddr) -> bool {
        if self.idle.load(Relaxed) {
            return true;
        }
        let address = remote.ip();
        let verdict = self.part(address).handle_packet(now, address);
        let (admits, count) = match verdict {
            Verdict::Known => return true,
            Verdict::Stranger => (lock(&self.strangers).bucket.take(now), &self.counts.limited_together),
            Verdict::Limited => (false, &self.counts.limited),
            Verdict::Banned => (false, &self.counts.banned),
        };
        if !admits {
            count.fetch_add(1, Relaxed);
        }
        admits
    }

    fn handle_overload(&self, now: Now, overloaded: bool) {
        lock(&self.strangers).handle_overload(now, overloaded);
    }
}

/// A driver that panicked in here has left something that still decides.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
