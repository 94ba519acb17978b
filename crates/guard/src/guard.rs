use crate::Config;
use crate::bans::{BANS_MAX, Ban, Bans, NotBanned};
use crate::bucket::{Bucket, Rate, nanoseconds};
use crate::known::{KNOWN_MAX, Known};
use crate::offence::{Offence, Offences};
use crate::source::{Block, Source};
use crate::sources::{List, OFFENDERS_MAX, SOURCES_MAX, Slot, Sources};
use engine::{Network, Now, Rng};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a source that has proved who it is counts as known; up to a minute more, for that is counted in minutes.
pub const KNOWN_FOR: Duration = Duration::from_secs(3 * 3600);

/// How often as many wrong passwords a known source may send as a stranger: behind one address there may be a hundred phones, and one of
/// them has an old password.
pub const KNOWN_PATIENCE: u32 = 10;

/// Bans that offences may earn at once, in all parts together; after that it is one more each second in each part. Who forges senders
/// can have us ban whom they like, but not more of them than that, and each ban is written down.
pub const BANS_AT_ONCE_MAX: u32 = 2048;

/// Whether a packet is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes: its source has proved who it is, or may do everything.
    Known,
    /// Yes, unless strangers together send too much: its source has proved nothing, and keeps to its rate.
    Stranger,
    /// No: its source has proved nothing and sends too much.
    Limited,
    /// No: its source is banned.
    Banned,
}

/// Which sources are let in.
///
/// A guard may be one of several *parts*, each of which hears of its own sources only. What strangers may send together is a
/// [`Bucket`] beside them.
pub struct Guard {
    config: Config,
    since: Instant,
    rate: Rate,
    known: Known,
    sources: Sources,
    bans: Bans,
    earned: Bucket,
}

impl Guard {
    /// Knows nobody yet.
    pub fn new(now: Now, config: Config, rng: &mut Rng) -> Guard {
        Guard::part(now, config, 1, rng)
    }

    /// One of `parts` parts, with room for its share of [`SOURCES_MAX`], [`OFFENDERS_MAX`], [`KNOWN_MAX`] and [`BANS_MAX`].
    pub fn part(now: Now, config: Config, parts: usize, rng: &mut Rng) -> Guard {
        let share = |max: usize| max.div_ceil(parts.max(1));
        Guard {
            since: now.mono,
            rate: Rate::new(config.stranger_per_s, config.stranger_burst),
            known: Known::new(rng, share(KNOWN_MAX)),
            sources: Sources::new(rng, [SOURCES_MAX, OFFENDERS_MAX].map(share)),
            bans: Bans::new(rng, share(BANS_MAX)),
            earned: Bucket::new(now, 1, share(BANS_AT_ONCE_MAX as usize) as u32),
            config,
        }
    }

    /// Takes over another configuration; who is known or banned stays so.
    pub fn configure(&mut self, config: Config) {
        self.rate = Rate::new(config.stranger_per_s, config.stranger_burst);
        self.config = config;
    }

    /// A packet has come, or a connection.
    pub fn handle_packet(&mut self, now: Now, address: IpAddr) -> Verdict {
        if self.config.allows(address) {
            return Verdict::Known;
        }
        let source = Source::of(address);
        if self.bans.has(now, source) {
            return Verdict::Banned;
        }
        let (clock, rate) = (self.clock(now), self.rate);
        if self.known.has(source, clock.minute()) {
            return Verdict::Known;
        }
        if rate.is_unlimited() {
            return Verdict::Stranger;
        }
        let slot = self.sources.touch(source, |slot| clock.is_idle(slot));
        if rate.take(&mut slot.full_at_ns, clock.ns) { Verdict::Stranger } else { Verdict::Limited }
    }

    /// Somebody at `address` has proved who they are: it is known for [`KNOWN_FOR`].
    pub fn handle_known(&mut self, now: Now, address: IpAddr) {
        if self.config.allows(address) {
            return;
        }
        let until_s = u64::from(self.clock(now).s) + KNOWN_FOR.as_secs();
        self.known.put(Source::of(address), until_s.div_ceil(60));
    }

    /// Something counts against `address`. Tells of the ban, if that is what it has earned.
    ///
    /// A known source is not banned for what anybody could forge in its name, and for wrong passwords only when they are
    /// [`KNOWN_PATIENCE`] times as many.
    pub fn handle_offence(&mut self, now: Now, address: IpAddr, offence: Offence) -> Option<Ban> {
        let source = Source::of(address);
        if self.config.allows(address) || self.bans.has(now, source) {
            return None;
        }
        let clock = self.clock(now);
        let is_known = self.known.has(source, clock.minute());
        if is_known && !offence.is_hard_to_forge() {
            return None;
        }
        let slot = self.sources.touch(source, |slot| clock.is_idle(slot));
        if !clock.counts(slot) {
            (slot.offences, slot.offences_since_s) = (Offences::default(), clock.s);
        }
        let weight = slot.offences.add(offence);
        let offences = slot.offences;
        if slot.list() == List::Strangers && !offences.is_empty() {
            self.sources.remember(source, List::Offenders);
        }
        let patience = if is_known { KNOWN_PATIENCE } else { 1 };
        let weight_max = self.config.failures_max.max(1).saturating_mul(Offence::UNIT * patience);
        if weight < weight_max || !self.earned.take(now) {
            return None;
        }
        if let Some(slot) = self.sources.get(source) {
            slot.offences = Offences::default();
        }
        self.known.put(source, 0);
        let block = Block::one(source);
        let times = self.bans.next_times(block);
        let doubled = 1_u32.checked_shl(times - 1).unwrap_or(u32::MAX);
        let length = self.config.ban.saturating_mul(doubled).min(self.config.ban_max);
        let why = offences.words(offence, self.config.window);
        let ban = Ban { network: block.network(), until: now.wall + length, why, times };
        self.bans.put(now, block, &ban, self.config.ban_max);
        Some(ban)
    }

    /// Bans a network, in the place of an earlier ban of the same one: at an operator's command, or because it was banned before a
    /// restart. An IPv6 network of more than 64 bits is banned as the /64 that it is in. Of a guard in parts, each must hear of it
    /// unless [`Guard::is_one_source`].
    pub fn ban(&mut self, now: Now, ban: &Ban) -> Result<(), NotBanned> {
        if self.config.allow.iter().any(|allowed| allowed.covers(&ban.network)) {
            return Err(NotBanned::Allowed);
        }
        let block = Block::of(&ban.network).ok_or(NotBanned::TooWide)?;
        self.bans.put(now, block, ban, self.config.ban_max);
        Ok(())
    }

    /// Lifts the ban of a network, and forgets what has led to it. `false`: it was not banned.
    pub fn unban(&mut self, now: Now, network: &Network) -> bool {
        let Some(block) = Block::of(network) else { return false };
        if let Some(slot) = self.sources.get(Source::of(network.address())) {
            slot.offences = Offences::default();
        }
        self.bans.lift(now, block)
    }

    /// Forgets bans that have ended long ago. To be called now and then; nothing wrong is seen without.
    pub fn handle_timeout(&mut self, now: Now) {
        self.bans.forget(now, self.config.ban_max, usize::MAX);
    }

    /// Networks whose ban was forgotten since the last time, because it had ended long ago or there were too many: for who keeps bans,
    /// too. One that was banned again meanwhile may be among them.
    pub fn take_forgotten(&mut self) -> Vec<Network> {
        self.bans.take_forgotten()
    }

    /// The bans in force, the one that ends first in front.
    pub fn bans(&self, now: Now) -> Vec<Ban> {
        self.bans.in_force(now)
    }

    /// Whether there is nothing that a packet could be refused for, if strangers together are `unlimited`: neither limit nor ban.
    pub fn is_idle(&self, unlimited: bool) -> bool {
        !self.config.enabled || (unlimited && self.rate.is_unlimited() && self.bans.is_empty())
    }

    /// Whether a network is what counts as one source (or less).
    pub fn is_one_source(network: &Network) -> bool {
        Block::of(network).is_some_and(|block| block.length == 64)
    }

    /// Sources remembered for what they send or did.
    pub fn sources(&self) -> usize {
        self.sources.len(List::Strangers) + self.sources.len(List::Offenders)
    }

    /// Sources known to be somebody's who has proved who they are. It takes a while to count them.
    pub fn known(&self, now: Now) -> usize {
        self.known.len(self.clock(now).minute())
    }

    /// The bytes that [`Guard::sources`] take. Known ones are in [`KNOWN_MAX`] places of eight bytes.
    pub fn source_bytes(&self) -> usize {
        self.sources.bytes()
    }

    fn clock(&self, now: Now) -> Clock {
        let ns = nanoseconds(self.since, now);
        Clock { ns, s: (ns / 1_000_000_000) as u32, window_s: self.config.window.as_secs() as u32 }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("sources", &self.sources()).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Guard {
    pub(crate) fn check(&self) {
        self.sources.check();
    }
}

/// The moment, in the guard's own time.
#[derive(Clone, Copy)]
struct Clock {
    ns: u64,
    s: u32,
    window_s: u32,
}

impl Clock {
    fn minute(self) -> u64 {
        u64::from(self.s) / 60
    }

    /// Whether what the source has done still counts.
    fn counts(self, slot: &Slot) -> bool {
        !slot.offences.is_empty() && self.s - slot.offences_since_s.min(self.s) < self.window_s
    }

    /// Whether forgetting the source would change nothing.
    fn is_idle(self, slot: &Slot) -> bool {
        slot.full_at_ns <= self.ns && !self.counts(slot)
    }
}
