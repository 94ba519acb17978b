use crate::source::{Block, Source};
use engine::{Network, Now, Rng, Table, TableKey};
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

/// Bans held, those that have ended but are remembered among them; for a new one, the one goes that ends first.
pub const BANS_MAX: usize = 65_536;

/// Bytes of the reason for a ban; the rest is cut off.
pub const WHY_BYTES_MAX: usize = 200;

/// That a network is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Who is not let in: an IPv4 network, or an IPv6 one of at most 64 bits.
    pub network: Network,
    /// Until when.
    pub until: SystemTime,
    /// What for, in words for the operator.
    pub why: String,
    /// Which ban of this network it is, beginning with 1.
    pub times: u32,
}

/// Why a network cannot be banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBanned {
    /// All of it is on the list of those who may do everything.
    Allowed,
    /// It is wider than [`crate::BAN_BITS_MIN_V4`] or [`crate::BAN_BITS_MIN_V6`] bits.
    TooWide,
}

impl fmt::Display for NotBanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotBanned::Allowed => f.write_str("it is in guard.allow, and that comes first"),
            NotBanned::TooWide => {
                let (v4, v6) = (crate::BAN_BITS_MIN_V4, crate::BAN_BITS_MIN_V6);
                write!(f, "that is too wide: a network of IPv4 has at least /{v4}, one of IPv6 /{v6}")
            }
        }
    }
}

impl std::error::Error for NotBanned {}

/// The bans, and for each length that they have, how many there are.
pub(crate) struct Bans {
    held: Table<Block, Held>,
    by_end: BTreeSet<(SystemTime, Block)>,
    lengths: Vec<(u8, usize)>,
    max: usize,
    /// Those that went by themselves, until somebody asks.
    forgotten: Vec<Network>,
}

struct Held {
    until: SystemTime,
    why: Box<str>,
    times: u32,
}

impl Bans {
    pub(crate) fn new(rng: &mut Rng, max: usize) -> Bans {
        let held = Table::with_hasher(TableKey::new(rng));
        Bans { held, by_end: BTreeSet::new(), lengths: Vec::new(), max: max.max(1), forgotten: Vec::new() }
    }

    /// Whether a source is banned.
    pub(crate) fn has(&self, now: Now, source: Source) -> bool {
        let holds = |(length, _): &(u8, usize)| {
            self.held.get(&Block::around(source, *length)).is_some_and(|held| now.wall < held.until)
        };
        self.lengths.iter().any(holds)
    }

    /// Whether bans are held, ended ones among them.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Which ban of this block the next one will be.
    pub(crate) fn next_times(&self, block: Block) -> u32 {
        self.held.get(&block).map_or(1, |held| held.times.saturating_add(1))
    }

    /// Holds a ban, in the place of an earlier one of the same block. Those that ended more than `remembered` ago are forgotten.
    pub(crate) fn put(&mut self, now: Now, block: Block, ban: &Ban, remembered: Duration) {
        self.remove(block);
        self.forget(now, remembered, self.max - 1);
        let why = ban.why.get(..ban.why.floor_char_boundary(WHY_BYTES_MAX)).unwrap_or_default().into();
        self.held.insert(block, Held { until: ban.until, why, times: ban.times });
        self.by_end.insert((ban.until, block));
        match self.lengths.iter_mut().find(|(length, _)| *length == block.length) {
            Some((_, count)) => *count += 1,
            None => self.lengths.push((block.length, 1)),
        }
    }

    /// Forgets those that ended more than `remembered` ago, and what there is beyond `max`.
    pub(crate) fn forget(&mut self, now: Now, remembered: Duration, max: usize) {
        while let Some((until, first)) = self.by_end.first().copied() {
            let is_long_over = now.wall.duration_since(until).is_ok_and(|ended| ended >= remembered);
            if !is_long_over && self.held.len() <= max {
                break;
            }
            self.remove(first);
            // Whoever keeps bans elsewhere hears of it, unless he never asks: then he has long forgotten more than is here.
            if self.forgotten.len() < self.max {
                self.forgotten.push(first.network());
            }
        }
    }

    pub(crate) fn take_forgotten(&mut self) -> Vec<Network> {
        std::mem::take(&mut self.forgotten)
    }

    /// Forgets a ban; tells whether it was in force at `now`.
    pub(crate) fn lift(&mut self, now: Now, block: Block) -> bool {
        self.remove(block).is_some_and(|held| now.wall < held.until)
    }

    fn remove(&mut self, block: Block) -> Option<Held> {
        let held = self.held.remove(&block)?;
        self.by_end.remove(&(held.until, block));
        if let Some(place) = self.lengths.iter().position(|(length, _)| *length == block.length) {
            self.lengths[place].1 -= 1;
            if self.lengths[place].1 == 0 {
                self.lengths.swap_remove(place);
            }
        }
        Some(held)
    }

    /// Those in force, the one that ends first in front.
    pub(crate) fn in_force(&self, now: Now) -> Vec<Ban> {
        let later = self.by_end.iter().filter(|(until, _)| now.wall < *until);
        later
            .filter_map(|(until, block)| {
                let held = self.held.get(block)?;
                let why = held.why.to_string();
                Some(Ban { network: block.network(), until: *until, why, times: held.times })
            })
            .collect()
    }
}
