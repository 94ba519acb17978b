//! Where the sound that we send comes from.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::sync::Arc;

use crate::SAMPLE_RATE_HZ;

/// Most samples that an echo holds back: one second; the oldest go first.
pub const ECHO_SAMPLES_MAX: usize = SAMPLE_RATE_HZ as usize;

/// Peak of a tone: 12 dB below full scale, as loud as loud speech.
const TONE_PEAK: f64 = 8000.0;

/// What a stream sends, at 8 kHz.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Zeros.
    Silence,
    /// A sine of this frequency.
    Tone {
        /// Cycles per second, below 4000.
        hz: f64,
    },
    /// These samples, then silence, or again and again. Shared, so that many streams can play one file.
    Samples {
        /// What to play.
        samples: Arc<[i16]>,
        /// Whether to begin again at the end.
        looped: bool,
    },
    /// What was heard, sent back.
    Echo,
}

/// A source and how far it has been played.
#[derive(Debug)]
pub(crate) struct Player {
    source: Source,
    position: usize,
    /// Turns of the tone, 0 to 1.
    phase: f64,
    /// What was heard and not yet sent back; used by `Echo` only.
    echo: VecDeque<i16>,
    ended: bool,
}

impl Player {
    pub(crate) fn new(source: Source) -> Self {
        Player { source, position: 0, phase: 0.0, echo: VecDeque::new(), ended: false }
    }

    /// Hears a frame, for the echo.
    pub(crate) fn heard(&mut self, samples: &[i16]) {
        if self.source == Source::Echo {
            let surplus = (self.echo.len() + samples.len()).saturating_sub(ECHO_SAMPLES_MAX);
            self.echo.drain(..surplus.min(self.echo.len()));
            self.echo.extend(samples.iter().take(ECHO_SAMPLES_MAX));
        }
    }

    /// Fills a frame; true when the source came to its end in it (once).
    pub(crate) fn fill(&mut self, frame: &mut [i16]) -> bool {
        match &self.source {
            Source::Silence => frame.fill(0),
            Source::Tone { hz } => {
                let step = hz / f64::from(SAMPLE_RATE_HZ);
                for sample in frame {
                    *sample = (TONE_PEAK * (self.phase * TAU).sin()) as i16;
                    self.phase = (self.phase + step).fract();
                }
            }
            Source::Samples { samples, looped } => {
                for place in frame.iter_mut() {
                    if self.position >= samples.len() && *looped {
                        self.position = 0;
                    }
                    *place = samples.get(self.position).copied().unwrap_or(0);
                    self.position = (self.position + 1).min(samples.len());
                }
                let ends = self.position >= samples.len() && !looped && !self.ended;
                self.ended |= ends;
                return ends;
            }
            Source::Echo => {
                // Whole frames only: half a frame now would be a hole in each of two.
                let frame_len = frame.len();
                if self.echo.len() < frame_len {
                    frame.fill(0);
                    return false;
                }
                for (place, sample) in frame.iter_mut().zip(self.echo.drain(..frame_len)) {
                    *place = sample;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_end_once_or_never() {
        let samples: Arc<[i16]> = vec![1, 2, 3, 4, 5].into();
        let mut frame = [0; 3];
        let mut once = Player::new(Source::Samples { samples: samples.clone(), looped: false });
        let mut played = Vec::new();
        let ends: Vec<bool> = (0..4)
            .map(|_| {
                let end = once.fill(&mut frame);
                played.extend(frame);
                end
            })
            .collect();
        assert_eq!((played, ends), (vec![1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0], vec![false, true, false, false]));

        let mut looped = Player::new(Source::Samples { samples, looped: true });
        let mut frame = [0; 12];
        assert!(!looped.fill(&mut frame));
        assert_eq!(frame, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]);
        let mut nothing = Player::new(Source::Samples { samples: Arc::new([]), looped: true });
        assert!(!nothing.fill(&mut frame));
        assert_eq!(frame, [0; 12]);
    }

    #[test]
    fn an_echo_is_whole_frames_and_bounded() {
        let mut echo = Player::new(Source::Echo);
        let mut frame = [9; 4];
        echo.heard(&[1, 2, 3]);
        echo.fill(&mut frame);
        assert_eq!(frame, [0; 4]);
        echo.heard(&[4, 5]);
        echo.fill(&mut frame);
        assert_eq!((frame, echo.echo.len()), ([1, 2, 3, 4], 1));
        for n in 0..ECHO_SAMPLES_MAX as i16 {
            echo.heard(&[n, n]);
        }
        assert_eq!(echo.echo.len(), ECHO_SAMPLES_MAX);
        assert_eq!(echo.echo.back(), Some(&(ECHO_SAMPLES_MAX as i16 - 1)));
    }

    #[test]
    fn a_tone_goes_on_smoothly_from_frame_to_frame() {
        let mut player = Player::new(Source::Tone { hz: 440.0 });
        let mut pieces = Vec::new();
        for _ in 0..10 {
            let mut frame = [0; 160];
            player.fill(&mut frame);
            pieces.extend(frame);
        }
        let mut whole = vec![0; 1600];
        Player::new(Source::Tone { hz: 440.0 }).fill(&mut whole);
        assert_eq!(pieces, whole);
        assert!(crate::compare::goertzel(&whole, 440.0) > 0.99);
    }
}
