use media::SAMPLE_RATE_HZ;
use media::compare::similarity;

/// Samples that are compared at a time: a syllable or two.
const PIECE: usize = SAMPLE_RATE_HZ as usize / 4;
/// By how much a piece may be heard later or earlier. A jitter buffer that adapts shifts what follows, which nobody hears.
const SHIFT_MAX: usize = SAMPLE_RATE_HZ as usize / 2;

/// How much what was heard is like what was said, 0 to 1: each piece where it fits best, louder ones counting more.
///
/// What was said in the last half second may not have been heard yet, and does not count.
pub(super) fn likeness(said: &[i16], heard: &[i16]) -> f64 {
    let pieces = said.len().min(heard.len().saturating_sub(SHIFT_MAX)) / PIECE;
    let (mut alike, mut whole) = (0.0, 0.0);
    for from in (0..pieces).map(|piece| piece * PIECE) {
        let piece = &said[from..from + PIECE];
        let around = &heard[from.saturating_sub(SHIFT_MAX)..heard.len().min(from + PIECE + SHIFT_MAX)];
        let energy: f64 = piece.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        whole += energy;
        alike += energy * similarity(piece, around).correlation.max(0.0);
    }
    if whole > 0.0 { alike / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::likeness;
    use crate::commands::demo::SPEECH;
    use crate::wav;

    #[test]
    fn shifts_do_not_matter_and_other_words_do() {
        let [one, other] = SPEECH.map(|(_, bytes)| wav::from_bytes(bytes).unwrap());
        assert!(likeness(&one, &one) > 0.99);
        // 100 ms of nothing before, and 60 ms more in the middle.
        let shifted = [&[0; 800][..], &one[..12_000], &[0; 480], &one[12_000..]].concat();
        assert!(likeness(&one, &shifted) > 0.95, "{}", likeness(&one, &shifted));
        for different in [&other[..], &one.iter().rev().copied().collect::<Vec<_>>(), &[0; 30_000], &[]] {
            assert!(likeness(&one, different) < 0.7, "{}", likeness(&one, different));
        }
        // Half of it missing.
        let half = [&one[..12_000], &[0; 12_000]].concat();
        assert!(likeness(&one, &half) < 0.8, "{}", likeness(&one, &half));
    }
}
