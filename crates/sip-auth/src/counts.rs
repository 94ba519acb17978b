use crate::nonce::Nonce;
use engine::{Rng, Table, TableKey};
use std::collections::VecDeque;

/// Nonces whose counts one engine remembers. Beyond them the oldest is forgotten, and with it every nonce made before it
/// that has not been used yet: those are answered as stale, so that nothing forgotten can be used again.
pub const NONCES_TRACKED_MAX: usize = 1 << 17;

/// How far behind the highest count of its nonce a request may come in and still count (once).
pub const COUNT_WINDOW: u32 = 64;

/// Which counts of which nonces have been used with a right password (RFC 7616 section 3.4, `nc`).
pub(crate) struct Counts {
    windows: Table<u64, Window>,
    /// The nonces in `windows`, in the order of their first use.
    order: VecDeque<Nonce>,
    /// A nonce made no later than this, and not in `windows`, may be one that was forgotten.
    forgotten_ms: u64,
    tracked_max: usize,
}

struct Window {
    highest: u32,
    /// Bit `i`: the count `highest - i` was used.
    used: u64,
}

impl Counts {
    pub(crate) fn new(rng: &mut Rng, tracked_max: usize) -> Counts {
        Counts { windows: Table::with_hasher(TableKey::new(rng)), order: VecDeque::new(), forgotten_ms: 0, tracked_max }
    }

    /// Whether this count of this nonce may still be used.
    pub(crate) fn unused(&self, nonce: Nonce, count: u32) -> bool {
        match self.windows.get(&nonce.random) {
            Some(window) => window.unused(count),
            None => nonce.made_ms > self.forgotten_ms,
        }
    }

    /// Uses it; `false` when it may not be.
    pub(crate) fn mark(&mut self, nonce: Nonce, count: u32) -> bool {
        match self.windows.get_mut(&nonce.random) {
            Some(window) => {
                let unused = window.unused(count);
                window.mark(count);
                return unused;
            }
            None if nonce.made_ms <= self.forgotten_ms => return false,
            None => {}
        }
        while self.order.len() >= self.tracked_max {
            self.forget_oldest();
        }
        self.windows.insert(nonce.random, Window { highest: count, used: 1 });
        self.order.push_back(nonce);
        true
    }

    /// Forgets up to two nonces made before `ms`, too old to be accepted anyhow: called once per use, that keeps up.
    pub(crate) fn forget_before(&mut self, ms: u64) {
        for _ in 0..2 {
            if self.order.front().is_some_and(|oldest| oldest.made_ms < ms) {
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.windows.remove(&oldest.random);
            self.forgotten_ms = self.forgotten_ms.max(oldest.made_ms);
        }
    }
}

impl Window {
    fn unused(&self, count: u32) -> bool {
        match self.highest.checked_sub(count) {
            None => true,
            Some(behind) => behind < COUNT_WINDOW && self.used & (1 << behind) == 0,
        }
    }

    fn mark(&mut self, count: u32) {
        if count > self.highest {
            self.used = self.used.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
        } else if let Some(behind) = self.highest.checked_sub(count).filter(|behind| *behind < COUNT_WINDOW) {
            self.used |= 1 << behind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNT_WINDOW, Counts};
    use crate::nonce::Nonce;
    use engine::Rng;
    use std::collections::BTreeSet;

    fn nonce(made_ms: u64) -> Nonce {
        Nonce { made_ms, random: made_ms * 7 }
    }

    #[test]
    fn each_count_is_used_once_in_any_order_inside_the_window() {
        let mut counts = Counts::new(&mut Rng::from_u64(1), 8);
        for (count, fits) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (70, true),
            (7, true),
            (6, false),
            (3, false),
            (u32::MAX, true),
            (70, false),
        ] {
            assert_eq!(counts.unused(nonce(5), count), fits, "{count}");
            assert_eq!(counts.mark(nonce(5), count), fits, "{count}");
        }
    }

    #[test]
    fn the_window_agrees_with_a_set_of_used_counts() {
        let mut rng = Rng::from_u64(2);
        let mut counts = Counts::new(&mut rng, 8);
        let mut used = BTreeSet::new();
        let mut base = 1;
        for _ in 0..5000 {
            base += rng.below(5) as u32;
            let count = base + rng.below(100) as u32;
            let highest = used.last().copied().unwrap_or(0);
            let fits = !used.contains(&count) && count + COUNT_WINDOW > highest;
            assert_eq!(counts.mark(nonce(5), count), fits, "{count}");
            if fits {
                used.insert(count);
            }
        }
    }

    #[test]
    fn a_forgotten_nonce_is_never_used_again() {
        let mut counts = Counts::new(&mut Rng::from_u64(1), 3);
        for made in [10, 11, 12, 13] {
            assert!(counts.mark(nonce(made), 1), "{made}");
        }
        assert_eq!((counts.windows.len(), counts.order.len()), (3, 3));
        assert!(!counts.mark(nonce(10), 1) && !counts.mark(nonce(10), 2), "forgotten");
        assert!(!counts.mark(nonce(9), 1), "made before one that was forgotten");
        assert!(counts.mark(nonce(11), 2), "still there");
    }

    #[test]
    fn forgetting_an_older_nonce_brings_no_newer_one_back() {
        let mut counts = Counts::new(&mut Rng::from_u64(1), 2);
        for made in [20, 10, 30, 31] {
            assert!(counts.mark(nonce(made), 1), "{made}");
        }
        assert!(!counts.mark(nonce(20), 1), "forgotten before 10 was");
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let mut counts = Counts::new(&mut Rng::from_u64(1), 100);
        for made in 10..20 {
            assert!(counts.mark(nonce(made), 1));
            counts.forget_before(made - 3);
        }
        assert_eq!((counts.windows.len(), counts.order.len()), (4, 4));
    }
}
