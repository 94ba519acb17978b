use engine::Rng;
use std::time::Duration;

/// What a path does to the datagrams on it. Streams only take the delay.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// How long everything takes.
    pub delay: Duration,
    /// How much longer, at most, some of it takes: datagrams overtake each other.
    pub jitter: Duration,
    /// Of a hundred datagrams, how many are lost.
    pub loss_percent: u8,
    /// Of a hundred, how many come twice.
    pub twice_percent: u8,
}

impl Link {
    /// When a datagram sent now arrives: never, once or twice.
    pub(crate) fn arrivals(&self, rng: &mut Rng) -> Vec<Duration> {
        let hit = |rng: &mut Rng, percent: u8| percent > 0 && rng.below(100) < u64::from(percent);
        let copies = if hit(rng, self.loss_percent) { 0 } else { 1 + usize::from(hit(rng, self.twice_percent)) };
        (0..copies).map(|_| self.delay + Duration::from_micros(rng.below(self.jitter.as_micros() as u64 + 1))).collect()
    }
}
