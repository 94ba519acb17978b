use crate::Config;
use crate::bans::{BANS_MAX, Ban, Bans, NotBanned};
use crate::bucket::{Bucket, Rate, nanoseconds};
use crate::offence::{Offence, Offences};
use crate::source::{Block, Source};
use crate::sources::{KNOWN_MAX, List, OFFENDERS_MAX, SOURCES_MAX, Slot, Sources};
use engine::{Network, Now, Rng};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a source that has proved who it is counts as known.
pub const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// How often as many wrong passwords a known source may send as a stranger: behind one address there may be a hundred phones, and one of
/// them has an old password.
pub const KNOWN_PATIENCE: u32 = 10;

/// Bans that offences may earn at once, in all parts together; after that it is one more each second in each part. Who forges senders
/// can have us ban whom they like, but not more of them than that, and each ban is written down.
pub const BANS_AT_ONCE_MAX: u32 = 2048;

/// How soon after another a source that is known is noted to be so: each note costs a few memory accesses.
const NOTE_KNOWN_EVERY_S: u32 = 60;

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
            sources: Sources::new(rng, [SOURCES_MAX, OFFENDERS_MAX, KNOWN_MAX].map(share)),
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
        if rate.is_unlimited() {
            return if self.is_known(source, clock) { Verdict::Known } else { Verdict::Stranger };
        }
        let slot = self.sources.touch(source, |slot| clock.is_idle(slot));
        if slot.known_until_s > clock.s {
            return Verdict::Known;
        }
        if rate.take(&mut slot.full_at_ns, clock.ns) { Verdict::Stranger } else { Verdict::Limited }
    }

    /// Somebody at `address` has proved who they are: it is known for [`KNOWN_FOR`].
    pub fn handle_known(&mut self, now: Now, address: IpAddr) {
        if self.config.allows(address) {
            return;
        }
        let (source, clock) = (Source::of(address), self.clock(now));
        let until_s = clock.s + KNOWN_FOR.as_secs() as u32;
        let slot = self.sources.touch(source, |slot| clock.is_idle(slot));
        if until_s - slot.known_until_s.min(until_s) < NOTE_KNOWN_EVERY_S {
            return;
        }
        slot.known_until_s = until_s;
        self.sources.remember(source, List::Known);
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
        let is_known = self.is_known(source, clock);
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
            (slot.offences, slot.known_until_s) = (Offences::default(), 0);
        }
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

    /// Sources remembered, known ones and others.
    pub fn sources(&self) -> usize {
        [List::Strangers, List::Offenders, List::Known].iter().map(|list| self.sources.len(*list)).sum()
    }

    /// Sources that have proved who they are, perhaps some for whom that has just ended.
    pub fn known(&self) -> usize {
        self.sources.len(List::Known)
    }

    /// The bytes that all sources take.
    pub fn source_bytes(&self) -> usize {
        self.sources.bytes()
    }

    fn is_known(&mut self, source: Source, clock: Clock) -> bool {
        self.sources.get(source).is_some_and(|slot| slot.known_until_s > clock.s)
    }

    fn clock(&self, now: Now) -> Clock {
        let ns = nanoseconds(self.since, now);
        // From 1 on, so that 0 has always been over.
        Clock { ns, s: (ns / 1_000_000_000) as u32 + 1, window_s: self.config.window.as_secs() as u32 }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("sources", &self.sources()).field("known", &self.known()).finish()
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
    /// Whether what the source has done still counts.
    fn counts(self, slot: &Slot) -> bool {
        !slot.offences.is_empty() && self.s - slot.offences_since_s.min(self.s) < self.window_s
    }

    /// Whether forgetting the source would change nothing.
    fn is_idle(self, slot: &Slot) -> bool {
        slot.full_at_ns <= self.ns && slot.known_until_s <= self.s && !self.counts(slot)
    }
}
