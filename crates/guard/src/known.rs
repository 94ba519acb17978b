use crate::source::Source;
use engine::{Rng, TableKey};
use std::hash::BuildHasher;

/// Places for sources that have proved who they are. Each source has eight places that it could be in; when others are in all of them,
/// the one goes that will be forgotten first.
pub const KNOWN_MAX: usize = 2_097_152;

/// Places that a source could be in: one line of memory, so that a verdict reads no more than that.
const LINE: usize = 8;

/// Bits of a place that say until when, in minutes since the guard's beginning: 31 years. The others are of the source's hash, whose
/// last bits say which line it is.
const UNTIL_BITS: u32 = 24;
const UNTIL: u64 = (1 << UNTIL_BITS) - 1;

/// Sources, each until some minute. A stranger is taken for one of them once in 10^11 times, and cannot see to it, for the hash is keyed.
pub(crate) struct Known {
    key: TableKey,
    /// Where the first line begins, so that each is one of the memory's.
    first: usize,
    lines: usize,
    /// What nobody was ever in costs no memory: the system gives zeroes out when they are written to.
    places: Vec<u64>,
}

impl Known {
    pub(crate) fn new(rng: &mut Rng, max: usize) -> Known {
        let lines = max.div_ceil(LINE).next_power_of_two().min(1 << UNTIL_BITS);
        let places = vec![0; lines * LINE + LINE];
        let first = places.as_ptr().align_offset(LINE * size_of::<u64>()).min(LINE);
        Known { key: TableKey::new(rng), first, lines, places }
    }

    /// Whether a source is known in that minute.
    pub(crate) fn has(&self, source: Source, minute: u64) -> bool {
        let hash = self.key.hash_one(source);
        let start = self.start(hash);
        self.places[start..start + LINE].iter().any(|place| place ^ hash <= UNTIL && place & UNTIL > minute)
    }

    /// From now on it is, until that minute (0: not any more).
    pub(crate) fn put(&mut self, source: Source, until: u64) {
        let hash = self.key.hash_one(source);
        let start = self.start(hash);
        let line = &mut self.places[start..start + LINE];
        let own = line.iter().position(|place| *place ^ hash <= UNTIL);
        let at = own.or_else(|| (0..LINE).min_by_key(|at| line[*at] & UNTIL)).unwrap_or(0);
        if own.is_some() || until > 0 {
            line[at] = (hash & !UNTIL) | until.min(UNTIL);
        }
    }

    /// How many are known in that minute. This looks at all places.
    pub(crate) fn len(&self, minute: u64) -> usize {
        self.places.iter().filter(|place| *place & UNTIL > minute).count()
    }

    fn start(&self, hash: u64) -> usize {
        self.first + (hash as usize & (self.lines - 1)) * LINE
    }
}
