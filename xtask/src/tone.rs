//! Test tones: WAV files that hold one sine wave, and how much of it is heard in a recording.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

const RATE_HZ: u32 = 8000;
const AMPLITUDE: f64 = 12_000.0;
/// Recordings are judged in pieces of this length.
const WINDOW_MS: usize = 100;
/// A window holds a tone when this much of the sine's amplitude is found.
const AMPLITUDE_MIN: f64 = 2_000.0;
/// .. and every other tone is weaker by this factor.
const DOMINANCE: f64 = 5.0;
/// The tones that the tests use.
const TONES_HZ: [u32; 3] = [440, 880, 1000];

/// A mono 16-bit WAV at 8 kHz with `seconds` of a sine wave.
pub(crate) fn wav(hz: u32, seconds: u32) -> Vec<u8> {
    let samples = RATE_HZ * seconds;
    let mut file = Vec::with_capacity(44 + samples as usize * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + samples * 2).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&RATE_HZ.to_le_bytes());
    file.extend_from_slice(&(RATE_HZ * 2).to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&(samples * 2).to_le_bytes());
    for n in 0..samples {
        let sample = AMPLITUDE * (TAU * f64::from(hz) * f64::from(n) / f64::from(RATE_HZ)).sin();
        file.extend_from_slice(&(sample as i16).to_le_bytes());
    }
    file
}

/// Fails unless `recording` holds the `hz` tone, alone, for at least `seconds` in all.
pub(crate) fn expect_heard(recording: &Path, hz: u32, seconds: f64) -> Result<()> {
    let bytes = fs::read(recording).with_context(|| format!("reading {}", recording.display()))?;
    let heard = seconds_of_tone(&bytes, hz).with_context(|| format!("in {}", recording.display()))?;
    ensure!(heard >= seconds, "{} holds {heard:.1} s of {hz} Hz, not {seconds} s", recording.display());
    Ok(())
}

/// For how long `hz` is the one dominant tone of a 16-bit WAV file, in windows of [`WINDOW_MS`].
fn seconds_of_tone(file: &[u8], hz: u32) -> Result<f64> {
    let (rate, samples) = read_wav(file)?;
    let window = rate as usize * WINDOW_MS / 1000;
    let good = samples
        .chunks_exact(window)
        .filter(|samples| {
            let wanted = amplitude(samples, hz, rate);
            let loudest_other = TONES_HZ
                .iter()
                .filter(|tone| **tone != hz)
                .map(|tone| amplitude(samples, *tone, rate))
                .fold(0.0, f64::max);
            wanted > AMPLITUDE_MIN && wanted > DOMINANCE * loudest_other
        })
        .count();
    Ok((good * WINDOW_MS) as f64 / 1000.0)
}

/// The amplitude of one frequency (Goertzel).
fn amplitude(samples: &[i16], hz: u32, rate: u32) -> f64 {
    let coefficient = 2.0 * (TAU * f64::from(hz) / f64::from(rate)).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        (before, last) = (last, f64::from(*sample) + coefficient * last - before);
    }
    let power = (last * last + before * before - coefficient * last * before).max(0.0);
    2.0 * power.sqrt() / samples.len() as f64
}

/// Sample rate and the first channel. Lengths in the header are not trusted: a recorder that was killed leaves zeroes there.
fn read_wav(file: &[u8]) -> Result<(u32, Vec<i16>)> {
    let find = |tag: &[u8]| file.windows(4).position(|four| four == tag);
    let (Some(format), Some(data)) = (find(b"fmt "), find(b"data")) else { bail!("not a WAV file") };
    let field = |at: usize, len: usize| file.get(format + at..format + at + len).context("a WAV header cut short");
    let channels = u16::from_le_bytes(field(10, 2)?.try_into()?).max(1);
    let rate = u32::from_le_bytes(field(12, 4)?.try_into()?);
    ensure!(field(22, 2)? == [16, 0] && rate >= 8000, "expected 16-bit samples");
    let body = file.get(data + 8..).unwrap_or_default();
    let samples = body.chunks_exact(2 * usize::from(channels)).map(|frame| i16::from_le_bytes([frame[0], frame[1]]));
    Ok((rate, samples.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_tone_is_found_and_no_other() {
        let file = wav(440, 3);
        assert_eq!(seconds_of_tone(&file, 440).unwrap(), 3.0);
        assert_eq!(seconds_of_tone(&file, 880).unwrap(), 0.0);
    }

    #[test]
    fn silence_and_a_mixture_hold_no_tone() {
        let mut silence = wav(440, 1);
        silence[44..].fill(0);
        assert_eq!(seconds_of_tone(&silence, 440).unwrap(), 0.0);
        let mut both = wav(440, 1);
        for (sample, other) in both[44..].chunks_exact_mut(2).zip(wav(880, 1)[44..].chunks_exact(2)) {
            let sum = i16::from_le_bytes([sample[0], sample[1]]) / 2 + i16::from_le_bytes([other[0], other[1]]) / 2;
            sample.copy_from_slice(&sum.to_le_bytes());
        }
        assert_eq!(seconds_of_tone(&both, 440).unwrap(), 0.0);
    }

    #[test]
    fn a_file_cut_short_is_an_error_not_a_panic() {
        let file = wav(440, 1);
        for len in 0..44 {
            assert!(seconds_of_tone(&file[..len], 440).is_err() || len >= 40);
        }
    }
}
