use hashbrown::HashTable;

/// What a record is found by from outside.
pub(crate) trait Key: Copy + Eq {
    /// 64 bits of it that no stranger can make collide.
    fn spread(self) -> u64;
}

/// A record's place, until it is removed: a handle of a removed record finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Handle {
    slot: u32,
    generation: u32,
}

impl Handle {
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(crate) fn from_bits(bits: u64) -> Handle {
        Handle { slot: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// Records in fixed places, found by handle without hashing or by key.
///
/// A million of them neither move nor cost an allocation each: places come in chunks and are used again, and the index
/// holds eight bytes per record.
#[derive(Debug)]
pub(crate) struct Store<K, T> {
    chunks: Vec<Vec<Place<K, T>>>,
    free: Vec<u32>,
    index: HashTable<Entry>,
}

#[derive(Debug)]
struct Place<K, T> {
    generation: u32,
    content: Option<(K, T)>,
}

#[derive(Debug)]
struct Entry {
    hash: u32,
    slot: u32,
}

impl Handle {
    pub(crate) const FIRST: Handle = Handle { slot: 0, generation: 0 };
    pub(crate) const LAST: Handle = Handle { slot: u32::MAX, generation: u32::MAX };
}

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

impl<K: Key, T> Store<K, T> {
    pub(crate) fn new() -> Store<K, T> {
        Store { chunks: Vec::new(), free: Vec::new(), index: HashTable::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Adds a record whose key is not there yet.
    pub(crate) fn insert(&mut self, key: K, record: T) -> Handle {
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        let place = &mut self.chunks[slot as usize >> CHUNK_BITS][slot as usize & (CHUNK - 1)];
        place.content = Some((key, record));
        let hash = short(key);
        self.index.insert_unique(long(hash), Entry { hash, slot }, |entry| long(entry.hash));
        Handle { slot, generation: place.generation }
    }

    fn new_slot(&mut self) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunks = self.chunks.len();
        let chunk = &mut self.chunks[chunks - 1];
        chunk.push(Place { generation: 0, content: None });
        ((chunks - 1) * CHUNK + chunk.len() - 1) as u32
    }

    pub(crate) fn find(&self, key: K) -> Option<Handle> {
        let hash = short(key);
        let entry = self.index.find(long(hash), |entry| {
            entry.hash == hash && self.place(entry.slot).content.as_ref().is_some_and(|(found, _)| *found == key)
        })?;
        Some(Handle { slot: entry.slot, generation: self.place(entry.slot).generation })
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<(K, &T)> {
        let place = self.chunks.get(handle.slot as usize >> CHUNK_BITS)?.get(handle.slot as usize & (CHUNK - 1))?;
        let (key, record) = place.content.as_ref()?;
        (place.generation == handle.generation).then_some((*key, record))
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<(K, &mut T)> {
        let chunk = self.chunks.get_mut(handle.slot as usize >> CHUNK_BITS)?;
        let place = chunk.get_mut(handle.slot as usize & (CHUNK - 1))?;
        let (key, record) = place.content.as_mut()?;
        (place.generation == handle.generation).then_some((*key, record))
    }

    pub(crate) fn remove(&mut self, handle: Handle) {
        let Some((key, _)) = self.get(handle) else { return };
        let hash = short(key);
        if let Ok(entry) = self.index.find_entry(long(hash), |entry| entry.slot == handle.slot) {
            entry.remove();
        }
        let place = &mut self.chunks[handle.slot as usize >> CHUNK_BITS][handle.slot as usize & (CHUNK - 1)];
        place.content = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(handle.slot);
    }

    fn place(&self, slot: u32) -> &Place<K, T> {
        &self.chunks[slot as usize >> CHUNK_BITS][slot as usize & (CHUNK - 1)]
    }
}

fn short<K: Key>(key: K) -> u32 {
    key.spread() as u32
}

/// The table takes its position from the low bits and a tag from the high ones.
fn long(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Key, Store};

    impl Key for u64 {
        fn spread(self) -> u64 {
            self % 7 // plenty of collisions
        }
    }

    #[test]
    fn records_are_found_by_key_and_handle_until_removed() {
        let mut store = Store::new();
        let handles: Vec<_> = (0..3 * CHUNK as u64).map(|key| store.insert(key, key * 10)).collect();
        for (key, handle) in (0..).zip(&handles) {
            assert_eq!(store.find(key), Some(*handle));
            assert_eq!(store.get(*handle), Some((key, &(key * 10))));
        }
        handles.iter().step_by(2).for_each(|handle| store.remove(*handle));
        assert_eq!(store.len(), handles.len() / 2);
        assert_eq!((store.find(2), store.get(handles[2]), store.find(3)), (None, None, Some(handles[3])));
        let again = store.insert(2, 5);
        assert_eq!(store.get(again), Some((2, &5)));
        assert!(handles.iter().all(|handle| *handle != again), "an old handle must not find a new record");
        assert_eq!(store.chunks.len(), 3, "places are used again");
    }
}
