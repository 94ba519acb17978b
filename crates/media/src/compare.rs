//! Whether what was heard is what was said: [`similarity`] for speech, [`goertzel`] for tones.

use std::f64::consts::TAU;

use crate::SAMPLE_RATE_HZ;

/// Most samples of each side that are compared: 30 s; the rest is ignored.
pub const COMPARE_SAMPLES_MAX: usize = 30 * SAMPLE_RATE_HZ as usize;

/// A correlation that two different pieces of speech do not reach, and that one piece reaches through G.711 and a bad network.
pub const SAME_CORRELATION: f64 = 0.8;

const SEGMENT: usize = 160;

/// How alike two recordings are once they are laid over each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// How much later each sound is in what was heard; negative when hearing began in the middle of what was sent.
    pub lag_ms: f64,
    /// The normalised cross-correlation at that lag: 1 is the same but for loudness, 0 nothing in common.
    pub correlation: f64,
    /// Mean of the signal-to-noise ratios of 20 ms pieces, each between -10 and 35 dB, silent ones left out. G.711 alone gives
    /// 30 or more for speech.
    pub segmental_snr_db: f64,
    /// How much of the two lies over each other.
    pub overlap_s: f64,
}

impl Similarity {
    const NOTHING: Similarity = Similarity { lag_ms: 0.0, correlation: 0.0, segmental_snr_db: -10.0, overlap_s: 0.0 };

    /// Whether what was heard is what was sent.
    pub fn is_same(&self) -> bool {
        self.correlation >= SAME_CORRELATION
    }
}

/// Compares at the lag where the two are most alike, of all lags at which at least half of the shorter one is covered.
///
/// Loudness does not matter. Either being empty or silent compares as nothing in common. Takes time in proportion to
/// n log n; only the first [`COMPARE_SAMPLES_MAX`] samples of each count.
pub fn similarity(sent: &[i16], heard: &[i16]) -> Similarity {
    let sent = sent.get(..COMPARE_SAMPLES_MAX).unwrap_or(sent);
    let heard = heard.get(..COMPARE_SAMPLES_MAX).unwrap_or(heard);
    if sent.is_empty() || heard.is_empty() {
        return Similarity::NOTHING;
    }
    let products = cross_products(sent, heard);
    let (sent_energy, heard_energy) = (running_energy(sent), running_energy(heard));
    let shortest = sent.len().min(heard.len()).div_ceil(2) as i64;
    let (mut best, mut best_lag) = (0.0, None);
    for lag in 1 - sent.len() as i64..heard.len() as i64 {
        let (from, to) = overlap(sent, heard, lag);
        if to - from < shortest {
            continue;
        }
        let at = |energy: &[f64], shift: i64| energy[(to + shift) as usize] - energy[(from + shift) as usize];
        let energy = at(&sent_energy, 0) * at(&heard_energy, lag);
        let product = products[lag.rem_euclid(products.len() as i64) as usize];
        let correlation = if energy > 1.0 { product / energy.sqrt() } else { 0.0 };
        if correlation > best {
            (best, best_lag) = (correlation, Some(lag));
        }
    }
    let Some(lag) = best_lag else { return Similarity::NOTHING };
    let (from, to) = overlap(sent, heard, lag);
    let sent = &sent[from as usize..to as usize];
    let heard = &heard[(from + lag) as usize..(to + lag) as usize];
    Similarity {
        lag_ms: lag as f64 * 1000.0 / f64::from(SAMPLE_RATE_HZ),
        correlation: best.min(1.0),
        segmental_snr_db: segmental_snr_db(sent, heard),
        overlap_s: sent.len() as f64 / f64::from(SAMPLE_RATE_HZ),
    }
}

/// The share of a recording's energy that is a sine of this frequency, 0 to 1, by Goertzel's method over pieces of 50 ms (so a
/// frequency is told from others 20 Hz away, and gaps or jumps of phase between pieces do not matter). Silence gives 0.
pub fn goertzel(samples: &[i16], hz: f64) -> f64 {
    const PIECE: usize = SAMPLE_RATE_HZ as usize / 20;
    let twice_cos = 2.0 * (TAU * hz / f64::from(SAMPLE_RATE_HZ)).cos();
    let (mut tone, mut all) = (0.0, 0.0);
    for piece in samples.chunks(PIECE) {
        let (mut s1, mut s2, mut energy) = (0.0, 0.0, 0.0);
        for sample in piece {
            let x = f64::from(*sample);
            energy += x * x;
            (s1, s2) = (x + twice_cos * s1 - s2, s1);
        }
        let power = s1 * s1 + s2 * s2 - twice_cos * s1 * s2;
        tone += 2.0 * power / piece.len() as f64;
        all += energy;
    }
    if all > 0.0 { (tone / all).min(1.0) } else { 0.0 }
}

/// The part of `sent` that lies over `heard` when `heard` is `lag` samples later.
fn overlap(sent: &[i16], heard: &[i16], lag: i64) -> (i64, i64) {
    ((-lag).max(0), (sent.len() as i64).min(heard.len() as i64 - lag))
}

/// Sums of squares of all beginnings.
fn running_energy(samples: &[i16]) -> Vec<f64> {
    let mut sums = Vec::with_capacity(samples.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for sample in samples {
        sum += f64::from(*sample) * f64::from(*sample);
        sums.push(sum);
    }
    sums
}

fn segmental_snr_db(sent: &[i16], heard: &[i16]) -> f64 {
    let energy = |s: &[i16]| s.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
    let product: f64 = sent.iter().zip(heard).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let loudness = product / energy(heard).max(1.0);
    let audible = energy(sent) / sent.len().max(1) as f64 / 1000.0;
    let (mut sum, mut count) = (0.0, 0.0);
    for (a, b) in sent.chunks_exact(SEGMENT).zip(heard.chunks_exact(SEGMENT)) {
        let signal = energy(a);
        if signal / SEGMENT as f64 <= audible {
            continue;
        }
        let noise: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - loudness * f64::from(*b)).powi(2)).sum();
        sum += (10.0 * (signal / noise.max(1e-9)).log10()).clamp(-10.0, 35.0);
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { -10.0 }
}

/// For each lag (modulo the length) the sum over n of `sent[n] * heard[n + lag]`, by way of one Fourier transform of both
/// (`sent` as the real part, `heard` as the imaginary one).
fn cross_products(sent: &[i16], heard: &[i16]) -> Vec<f64> {
    let length = (sent.len() + heard.len()).next_power_of_two();
    let mut values: Vec<(f64, f64)> = (0..length)
        .map(|n| {
            let sample = |s: &[i16]| s.get(n).map_or(0.0, |x| f64::from(*x));
            (sample(sent), sample(heard))
        })
        .collect();
    fourier(&mut values);
    let spectrum: Vec<(f64, f64)> = (0..length)
        .map(|k| {
            let ((a, b), (c, d)) = (values[k], values[(length - k) % length]);
            let (sent, heard) = (((a + c) / 2.0, (b - d) / 2.0), ((b + d) / 2.0, (c - a) / 2.0));
            // conj(sent) * heard, conjugated once more so that a forward transform does the inverse's work
            (sent.0 * heard.0 + sent.1 * heard.1, -(sent.0 * heard.1 - sent.1 * heard.0))
        })
        .collect();
    let mut products = spectrum;
    fourier(&mut products);
    products.into_iter().map(|(real, _)| real / length as f64).collect()
}

/// Cooley and Tukey's transform in place; the length is a power of two.
fn fourier(values: &mut [(f64, f64)]) {
    let length = values.len();
    if length < 2 {
        return;
    }
    let bits = length.trailing_zeros();
    for n in 0..length {
        let reversed = n.reverse_bits() >> (usize::BITS - bits);
        if n < reversed {
            values.swap(n, reversed);
        }
    }
    let turns: Vec<(f64, f64)> = (0..length / 2)
        .map(|n| {
            let (sin, cos) = (-TAU * n as f64 / length as f64).sin_cos();
            (cos, sin)
        })
        .collect();
    let mut half = 1;
    while half < length {
        let stride = length / half / 2;
        for block in values.chunks_exact_mut(half * 2) {
            let (low, high) = block.split_at_mut(half);
            for (n, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let (cos, sin) = turns[n * stride];
                let turned = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                *b = (a.0 - turned.0, a.1 - turned.1);
                *a = (a.0 + turned.0, a.1 + turned.1);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something speech-like: noise in syllables.
    fn babble(seed: u64, samples: usize) -> Vec<i16> {
        let mut rng = engine::Rng::from_u64(seed);
        let mut last = 0.0;
        (0..samples)
            .map(|n| {
                let loudness = (n as f64 / 1200.0).sin().max(0.0) * 12000.0;
                last = last * 0.7 + 0.3 * (f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5);
                (last * loudness) as i16
            })
            .collect()
    }

    #[test]
    fn the_lag_is_found_both_ways_and_loudness_does_not_matter() {
        let sent = babble(1, 16000);
        for lag in [0usize, 1, 333, 4000] {
            let mut heard = vec![0; lag];
            heard.extend(sent.iter().map(|s| s / 2));
            let found = similarity(&sent, &heard);
            assert_eq!(found.lag_ms, lag as f64 / 8.0);
            assert!(found.is_same() && found.correlation > 0.99 && found.segmental_snr_db > 20.0, "{found:?}");
            let found = similarity(&sent, &sent[lag..]);
            assert_eq!((found.lag_ms, found.is_same()), (-(lag as f64) / 8.0, true));
            assert_eq!(found.segmental_snr_db, 35.0);
        }
    }

    #[test]
    fn different_speech_silence_and_nothing_are_not_the_same() {
        let sent = babble(1, 16000);
        let other = similarity(&sent, &babble(2, 16000));
        assert!(!other.is_same() && other.correlation < 0.3, "{other:?}");
        assert_eq!(similarity(&sent, &[0; 8000]), Similarity::NOTHING);
        assert_eq!(similarity(&sent, &[]), Similarity::NOTHING);
        assert_eq!(similarity(&[], &sent), Similarity::NOTHING);
    }

    #[test]
    fn g711_and_a_few_gaps_still_sound_the_same() {
        let sent = babble(3, 24000);
        let mut bytes = Vec::new();
        crate::g711::encode(sdp::Codec::Pcmu, &sent, &mut bytes);
        let mut heard: Vec<i16> = crate::g711::decode(sdp::Codec::Pcmu, &bytes).collect();
        let clean = similarity(&sent, &heard);
        assert!(clean.segmental_snr_db > 25.0, "{clean:?}");
        heard.chunks_mut(160).step_by(20).for_each(|gap| gap.fill(0));
        let holed = similarity(&sent, &heard);
        assert!(holed.is_same() && holed.segmental_snr_db < clean.segmental_snr_db, "{holed:?}");
    }

    #[test]
    fn only_the_first_half_minute_counts() {
        let sent = babble(4, COMPARE_SAMPLES_MAX + 8000);
        assert_eq!(similarity(&sent, &sent).overlap_s, 30.0);
    }

    #[test]
    fn tones_are_told_apart() {
        let tone = |hz: f64| -> Vec<i16> {
            (0..8000).map(|n| (8000.0 * (n as f64 * hz / 8000.0 * TAU).sin()) as i16).collect()
        };
        for hz in [350.0, 440.0, 1000.0, 3000.0] {
            assert!(goertzel(&tone(hz), hz) > 0.95);
            assert!(goertzel(&tone(hz), hz + 100.0) < 0.05);
        }
        assert!(goertzel(&babble(5, 8000), 440.0) < 0.2);
        assert_eq!(goertzel(&[0; 800], 440.0), 0.0);
        assert_eq!(goertzel(&[], 440.0), 0.0);
    }
}
