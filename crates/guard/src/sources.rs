use crate::offence::Offences;
use crate::source::Source;
use engine::{Rng, TableKey};
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Sources remembered for nothing but their rate; for another one, the one goes that has been silent longest.
pub const SOURCES_MAX: usize = 65_536;

/// Sources remembered because something counts against them; for another one, what the oldest has done is forgotten.
pub const OFFENDERS_MAX: usize = 65_536;

/// No slot.
const NONE: u32 = u32::MAX;

/// What is known of one source.
pub(crate) struct Slot {
    source: Source,
    /// When its bucket is full again.
    pub(crate) full_at_ns: u64,
    before: u32,
    behind: u32,
    /// When offences began to be added up.
    pub(crate) offences_since_s: u32,
    pub(crate) offences: Offences,
    list: List,
}

/// Why a source is remembered. Each list has those in front that will go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Strangers,
    Offenders,
}

impl List {
    const ALL: [List; 2] = [List::Strangers, List::Offenders];
}

#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
    len: usize,
    max: usize,
}

/// The sources, each in one of two lists. Slots are used again but never given back, so that all of it is one table and one index.
pub(crate) struct Sources {
    key: TableKey,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    lists: [Ends; 2],
}

impl Sources {
    /// For at most so many strangers and offenders.
    pub(crate) fn new(rng: &mut Rng, maxima: [usize; 2]) -> Sources {
        let ends = |max: usize| Ends { first: NONE, last: NONE, len: 0, max: max.max(1) };
        let (index, slots) = (HashTable::new(), Vec::new());
        Sources { key: TableKey::new(rng), index, slots, lists: maxima.map(ends) }
    }

    /// What is known of a source.
    pub(crate) fn get(&mut self, source: Source) -> Option<&mut Slot> {
        let at = self.find(source)?;
        self.slots.get_mut(at as usize)
    }

    /// What is known of a source, of which from now on something is. A slot that `is_idle` is used again for it, if there is one.
    pub(crate) fn touch(&mut self, source: Source, is_idle: impl Fn(&Slot) -> bool) -> &mut Slot {
        let at = match self.find(source) {
            Some(at) => {
                if self.slots[at as usize].list == List::Strangers && self.end(List::Strangers).last != at {
                    self.unlink(at);
                    self.push_last(List::Strangers, at);
                }
                at
            }
            None => self.add(source, is_idle),
        };
        &mut self.slots[at as usize]
    }

    /// Puts a source that is remembered among those of `list`, as the one that will go last. If there are too many, the first is from
    /// now on nothing but a stranger.
    pub(crate) fn remember(&mut self, source: Source, list: List) {
        let Some(at) = self.find(source) else { return };
        self.unlink(at);
        let ends = *self.end(list);
        if ends.len >= ends.max {
            let first = ends.first;
            self.unlink(first);
            self.slots[first as usize].offences = Offences::default();
            self.push_first(List::Strangers, first);
        }
        self.push_last(list, at);
    }

    /// How many are in a list.
    pub(crate) fn len(&self, list: List) -> usize {
        self.lists[list as usize].len
    }

    /// The bytes that all of it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.index.allocation_size()
    }

    fn find(&self, source: Source) -> Option<u32> {
        let slots = &self.slots;
        self.index.find(self.key.hash_one(source), |at| slots[*at as usize].source == source).copied()
    }

    fn add(&mut self, source: Source, is_idle: impl Fn(&Slot) -> bool) -> u32 {
        let at = match self.reusable(is_idle) {
            Some(at) => {
                self.unlink(at);
                let hash = self.key.hash_one(self.slots[at as usize].source);
                if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
                    entry.remove();
                }
                self.slots[at as usize] = Slot::new(source);
                at
            }
            None => {
                if self.slots.len() == self.slots.capacity() {
                    // By an eighth, so that little of it is ever empty.
                    self.slots.reserve_exact((self.slots.len() / 8).max(16));
                }
                self.slots.push(Slot::new(source));
                (self.slots.len() - 1) as u32
            }
        };
        let (key, slots) = (self.key, &self.slots);
        self.index.insert_unique(key.hash_one(source), at, |at| key.hash_one(slots[*at as usize].source));
        self.push_last(List::Strangers, at);
        at
    }

    /// A slot for another source: the first of a list, if nothing is known of it any more, or else if strangers are too many.
    fn reusable(&self, is_idle: impl Fn(&Slot) -> bool) -> Option<u32> {
        let firsts = List::ALL.map(|list| self.lists[list as usize].first);
        let idle = firsts.into_iter().find(|at| self.slots.get(*at as usize).is_some_and(&is_idle));
        let strangers = self.lists[List::Strangers as usize];
        idle.or((strangers.len >= strangers.max).then_some(strangers.first))
    }

    fn end(&mut self, list: List) -> &mut Ends {
        &mut self.lists[list as usize]
    }

    fn unlink(&mut self, at: u32) {
        let Slot { before, behind, list, .. } = self.slots[at as usize];
        match self.slots.get_mut(before as usize) {
            Some(before) => before.behind = behind,
            None => self.end(list).first = behind,
        }
        match self.slots.get_mut(behind as usize) {
            Some(behind) => behind.before = before,
            None => self.end(list).last = before,
        }
        self.end(list).len -= 1;
    }

    fn push_last(&mut self, list: List, at: u32) {
        let last = self.end(list).last;
        self.link(list, at, last, NONE);
    }

    fn push_first(&mut self, list: List, at: u32) {
        let first = self.end(list).first;
        self.link(list, at, NONE, first);
    }

    fn link(&mut self, list: List, at: u32, before: u32, behind: u32) {
        match self.slots.get_mut(before as usize) {
            Some(before) => before.behind = at,
            None => self.end(list).first = at,
        }
        match self.slots.get_mut(behind as usize) {
            Some(behind) => behind.before = at,
            None => self.end(list).last = at,
        }
        self.end(list).len += 1;
        let slot = &mut self.slots[at as usize];
        (slot.before, slot.behind, slot.list) = (before, behind, list);
    }
}

impl Slot {
    fn new(source: Source) -> Slot {
        Slot {
            source,
            full_at_ns: 0,
            before: NONE,
            behind: NONE,
            offences_since_s: 0,
            offences: Offences::default(),
            list: List::Strangers,
        }
    }

    pub(crate) fn list(&self) -> List {
        self.list
    }
}

#[cfg(test)]
impl Sources {
    /// That every slot is in one list and in the index, and no list is too long.
    pub(crate) fn check(&self) {
        let mut seen = 0;
        for list in List::ALL {
            let ends = self.lists[list as usize];
            let (mut at, mut before, mut len) = (ends.first, NONE, 0);
            while let Some(slot) = self.slots.get(at as usize) {
                assert_eq!((slot.list, slot.before, self.find(slot.source)), (list, before, Some(at)));
                (before, at, len) = (at, slot.behind, len + 1);
            }
            assert_eq!((ends.last, ends.len), (before, len));
            assert!(len <= ends.max, "{list:?}: {len}");
            seen += len;
        }
        assert_eq!((seen, self.index.len()), (self.slots.len(), self.slots.len()));
    }
}
