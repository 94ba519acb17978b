use crate::Rng;
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

/// A hash table whose order and collisions no stranger can choose, because its hasher is keyed from the engine's [`Rng`].
///
/// Its iteration order must never reach an output.
pub type Table<K, V> = HashMap<K, V, TableKey>;

/// The key of a [`Table`]'s hasher: `Table::with_hasher(TableKey::new(&mut rng))`.
#[derive(Debug, Clone, Copy)]
pub struct TableKey(u64, u64);

impl TableKey {
    /// Draws a key.
    pub fn new(rng: &mut Rng) -> TableKey {
        TableKey(rng.next_u64(), rng.next_u64())
    }
}

impl BuildHasher for TableKey {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// A keyed 128-bit hash of several byte strings (SipHash-2-4): names what it has read without keeping it, and signs our own tokens.
#[derive(Clone, Copy)]
pub struct Mac([u8; 16]);

impl Mac {
    /// A key of the caller's (one that the data folder keeps, or that all shards share).
    pub fn from_key(key: [u8; 16]) -> Mac {
        Mac(key)
    }

    /// Draws a key.
    pub fn new(rng: &mut Rng) -> Mac {
        let mut key = [0; 16];
        rng.fill(&mut key);
        Mac(key)
    }

    /// The hash of `parts`; each part's length counts, so that `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of(&self, parts: &[&[u8]]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        let mut gathered = [0; 256];
        if let Some(length) = gather(parts, &mut gathered) {
            hasher.write(&gathered[..length]);
            return hasher.finish128().as_u128();
        }
        for part in parts {
            hasher.write(&(part.len() as u32).to_le_bytes());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

/// All parts behind each other, each with its length in front, and how long that is; `None` when there is no room. One long write costs
/// the hasher a third of many short ones.
fn gather(parts: &[&[u8]], room: &mut [u8]) -> Option<usize> {
    let mut at = 0;
    for part in parts {
        let end = at + 4 + part.len();
        let place = room.get_mut(at..end)?;
        place[..4].copy_from_slice(&(part.len() as u32).to_le_bytes());
        place[4..].copy_from_slice(part);
        at = end;
    }
    Some(at)
}

impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mac(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_parts_are_hashed_as_short_ones_are() {
        let mac = Mac::from_key([3; 16]);
        let long = [7; 300];
        // The same bytes, once gathered and once not.
        let hash = |bytes: &[u8]| {
            let mut hasher = SipHasher24::new_with_key(&[3; 16]);
            hasher.write(&(bytes.len() as u32).to_le_bytes());
            hasher.write(bytes);
            hasher.finish128().as_u128()
        };
        for length in [0, 1, 251, 252, 253, 300] {
            assert_eq!(mac.of(&[&long[..length]]), hash(&long[..length]), "{length}");
        }
    }

    #[test]
    fn the_borders_between_parts_count() {
        let mac = Mac::from_key([3; 16]);
        assert_eq!(mac.of(&[b"ab", b"c"]), mac.of(&[b"ab", b"c"]));
        assert_ne!(mac.of(&[b"ab", b"c"]), mac.of(&[b"a", b"bc"]));
        assert_ne!(mac.of(&[b"ab", b"c"]), Mac::from_key([4; 16]).of(&[b"ab", b"c"]));
    }
}
