//! WAV files: any in, 8 kHz 16-bit mono out.

use crate::exit::Failure;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use media::SAMPLE_RATE_HZ;
use std::io::Read;
use std::path::Path;

/// Reads a file, mixed to one channel and resampled to 8 kHz.
pub(crate) fn read(path: &Path) -> Result<Vec<i16>, Failure> {
    let samples = WavReader::open(path).and_then(decode);
    samples.map_err(|error| Failure::usage(format!("{} cannot be played: {error}", path.display())))
}

/// The samples of a file in memory.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Vec<i16>, hound::Error> {
    decode(WavReader::new(bytes)?)
}

/// Writes 8 kHz, 16 bit, mono.
pub(crate) fn write(path: &Path, samples: &[i16]) -> Result<(), Failure> {
    let spec =
        WavSpec { channels: 1, sample_rate: SAMPLE_RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let write = || {
        let mut writer = WavWriter::create(path, spec)?;
        samples.iter().try_for_each(|sample| writer.write_sample(*sample))?;
        writer.finalize()
    };
    write().map_err(|error| Failure::usage(format!("{} cannot be written: {error}", path.display())))
}

fn decode<R: Read>(mut reader: WavReader<R>) -> Result<Vec<i16>, hound::Error> {
    let spec = reader.spec();
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        SampleFormat::Int => {
            let full = (1i64 << (spec.bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full)).collect::<Result<_, _>>()?
        }
    };
    let channels = usize::from(spec.channels.max(1));
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let resampled = resample(&mono, f64::from(spec.sample_rate) / f64::from(SAMPLE_RATE_HZ));
    Ok(resampled.iter().map(|sample| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect())
}

/// Every `step`th sample: the mean of those it stands for, or on the line between two neighbours. Good enough for telephone sound.
fn resample(samples: &[f32], step: f64) -> Vec<f32> {
    if step == 1.0 || samples.is_empty() {
        return samples.to_vec();
    }
    let at = |index: usize| samples[index.min(samples.len() - 1)];
    let sample = |number: usize| {
        let from = number as f64 * step;
        if step > 1.0 {
            let (first, end) = (from as usize, ((from + step) as usize).min(samples.len()));
            let span = &samples[first.min(end)..end];
            return if span.is_empty() { at(first) } else { span.iter().sum::<f32>() / span.len() as f32 };
        }
        let part = from.fract() as f32;
        at(from as usize) * (1.0 - part) + at(from as usize + 1) * part
    };
    (0..(samples.len() as f64 / step) as usize).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(rate: u32, channels: u16, format: SampleFormat, bits: u16) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for number in 0..rate {
            let value = (number as f32 * 440.0 * TAU / rate as f32).sin() * 0.5;
            for _ in 0..channels {
                match format {
                    SampleFormat::Float => writer.write_sample(value).unwrap(),
                    SampleFormat::Int => writer.write_sample((value * (1i64 << (bits - 1)) as f32) as i32).unwrap(),
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_second_of_a_tone_stays_that_whatever_the_format() {
        let formats = [
            (8000, 1, SampleFormat::Int, 16),
            (8000, 2, SampleFormat::Int, 8),
            (16_000, 1, SampleFormat::Int, 24),
            (44_100, 2, SampleFormat::Int, 16),
            (48_000, 1, SampleFormat::Float, 32),
            (6000, 1, SampleFormat::Int, 16),
        ];
        for (rate, channels, format, bits) in formats {
            let samples = from_bytes(&tone(rate, channels, format, bits)).unwrap();
            let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
            assert_eq!(samples.len(), 8000, "{rate}");
            assert!((15_000..=16_500).contains(&peak), "{rate} {bits}: {peak}");
            assert!(media::compare::goertzel(&samples, 440.0) > 0.95, "{rate}");
        }
        assert!(from_bytes(b"RIFF nonsense").is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let path = std::env::temp_dir().join(format!("ringback-wav-{}.wav", std::process::id()));
        write(&path, &[0, 1, -1, i16::MAX, i16::MIN]).unwrap();
        assert_eq!(read(&path).unwrap(), [0, 1, -1, i16::MAX, i16::MIN]);
        std::fs::remove_file(&path).unwrap();
        assert!(read(&path).is_err());
    }
}
