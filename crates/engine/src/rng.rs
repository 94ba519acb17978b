use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng};

/// Chance, given at construction: ChaCha20 keyed by the shell with 256 bits of the system's randomness, or by a test with a printed seed.
#[derive(Debug)]
pub struct Rng(ChaCha20Rng);

impl Rng {
    /// The generator with this 256-bit key.
    pub fn from_seed(seed: [u8; 32]) -> Rng {
        Rng(ChaCha20Rng::from_seed(seed))
    }

    /// The generator that a test asks for by number.
    pub fn from_u64(seed: u64) -> Rng {
        Rng(ChaCha20Rng::seed_from_u64(seed))
    }

    /// An independent generator for a child engine.
    pub fn split(&mut self) -> Rng {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Rng::from_seed(seed)
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills `bytes` with random bits.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A number below `bound` (0 when `bound` is 0). The bias, at most `bound` / 2^64, is of no consequence to timers and choices.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64 }
    }

    /// A random word of `length` characters out of a-z2-7, 5 bits each: for tags, Call-IDs, nonces, passwords.
    pub fn token(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut bits = 0u64;
        let mut left = 0;
        (0..length)
            .map(|_| {
                if left == 0 {
                    bits = self.next_u64();
                    left = 12;
                }
                let letter = ALPHABET[(bits & 31) as usize];
                bits >>= 5;
                left -= 1;
                letter as char
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn one_seed_one_run() {
        assert_eq!(Rng::from_u64(7).token(40), Rng::from_u64(7).token(40));
        assert_ne!(Rng::from_u64(7).token(40), Rng::from_u64(8).token(40));
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut rng = Rng::from_u64(1);
        let mut seen = [false; 5];
        (0..200).for_each(|_| seen[rng.below(5) as usize] = true);
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
    }
}
