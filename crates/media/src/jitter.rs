//! The jitter buffer: packets come when they come, sound is played on time.
//!
//! A second of samples on the sender's timeline. Packets are written where their timestamps say, so reordering, doubles and any
//! packet time come out right by themselves; playing takes 20 ms at the read position and makes up what is missing. The
//! delay adapts: it grows when sound came too late to be played, and shrinks when for five seconds all came much too early.

use crate::conceal::Concealer;
use crate::{SAMPLE_RATE_HZ, SAMPLES_PER_MS};

/// Longest delay the buffer grows to; what would wait longer is skipped.
pub const JITTER_DELAY_MS_MAX: u32 = 200;
/// Most samples in one packet (200 ms, RFC 3551 section 4.2); longer ones are not ours.
pub const PAYLOAD_SAMPLES_MAX: usize = 200 * SAMPLES_PER_MS as usize;

/// Samples played at a time.
pub(crate) const FRAME: usize = 20 * SAMPLES_PER_MS as usize;
/// The delay that playing starts with, and does not shrink below.
pub(crate) const DELAY_MS: u32 = 40;

/// More than a second, and a power of two, so that timestamps wrap around it evenly.
const CAPACITY: usize = 8192;
const DELAY_MAX: i32 = (JITTER_DELAY_MS_MAX * SAMPLES_PER_MS) as i32;
/// Packets further from the read position than this begin a new timeline.
const TIMELINE: i32 = SAMPLE_RATE_HZ as i32;
/// Frames between two looks at whether the delay may shrink: five seconds.
const WINDOW_FRAMES: u32 = 250;

#[derive(Debug)]
pub(crate) struct JitterBuffer {
    samples: Box<[i16]>,
    filled: Box<[bool]>,
    /// Timestamp of the next sample to play, and of the one after the newest that came.
    next: u32,
    end: u32,
    started: bool,
    /// Samples to make up before the read position moves on: how the delay grows.
    hold: usize,
    /// The least time that any packet of the window waited, and how far the window is.
    least_margin: i32,
    frames: u32,
    /// Waiting samples, smoothed.
    depth: f64,
    concealer: Concealer,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    pub(crate) samples_heard: u64,
}

impl JitterBuffer {
    pub(crate) fn new() -> Self {
        JitterBuffer {
            samples: vec![0; CAPACITY].into(),
            filled: vec![false; CAPACITY].into(),
            next: 0,
            end: 0,
            started: false,
            hold: 0,
            least_margin: i32::MAX,
            frames: 0,
            depth: f64::from(DELAY_MS * SAMPLES_PER_MS),
            concealer: Concealer::new(),
            late: 0,
            duplicates: 0,
            samples_heard: 0,
        }
    }

    /// The time that sound waits here, smoothed.
    pub(crate) fn delay_ms(&self) -> f64 {
        self.depth / f64::from(SAMPLES_PER_MS)
    }

    /// Another source, or the same one restarted: its timeline begins with its first packet.
    pub(crate) fn restart(&mut self) {
        self.filled.fill(false);
        self.started = false;
    }

    /// Takes the samples of a packet, at most [`PAYLOAD_SAMPLES_MAX`].
    pub(crate) fn insert(&mut self, timestamp: u32, samples: impl ExactSizeIterator<Item = i16>) {
        let length = samples.len() as i32;
        let mut margin = timestamp.wrapping_sub(self.next).cast_signed();
        if !self.started || !(-TIMELINE..TIMELINE - length).contains(&margin) {
            self.filled.fill(false);
            // A later timeline waits as the first one did; for the first, the caller starts playing later.
            self.hold = if self.end == 0 && !self.started { 0 } else { (DELAY_MS * SAMPLES_PER_MS) as usize };
            self.started = true;
            self.next = timestamp;
            self.end = timestamp;
            margin = 0;
            self.least_margin = i32::MAX;
        }
        let newest = timestamp.wrapping_add(length.cast_unsigned());
        let is_newest = newest.wrapping_sub(self.end).cast_signed() > 0;
        if margin < 0 && is_newest {
            // Nothing newer came, so playing has run dry: wait for this packet instead of dropping it.
            self.next = timestamp;
            margin = 0;
        } else if margin + length <= 0 {
            self.late += 1;
            // Overtaken by others that were played: wait that much longer from now on.
            let lateness = (-margin).cast_unsigned() as usize;
            if self.hold == 0 && self.depth + lateness as f64 <= f64::from(DELAY_MAX) {
                self.hold = lateness.next_multiple_of(FRAME);
            }
            return;
        }
        self.least_margin = self.least_margin.min(margin);
        let mut fresh = false;
        for (offset, sample) in samples.enumerate().skip(usize::try_from(-margin).unwrap_or(0)) {
            let place = timestamp.wrapping_add(offset as u32) as usize % CAPACITY;
            fresh |= !self.filled[place];
            self.filled[place] = true;
            self.samples[place] = sample;
        }
        self.duplicates += u64::from(!fresh);
        if is_newest {
            self.end = newest;
        }
        let surplus = self.end.wrapping_sub(self.next).cast_signed() - DELAY_MAX;
        if surplus > 0 {
            self.skip((surplus as usize).next_multiple_of(FRAME));
        }
    }

    /// Plays a frame; what did not come is made up.
    pub(crate) fn play(&mut self, frame: &mut [i16; FRAME]) {
        if self.hold > 0 {
            self.hold = self.hold.saturating_sub(FRAME);
            frame.fill_with(|| self.concealer.made_up());
            return;
        }
        self.shrink();
        let waiting = self.end.wrapping_sub(self.next).cast_signed().max(0);
        if waiting > 0 {
            self.depth += (f64::from(waiting) - self.depth) / 32.0;
        }
        for sample in frame.iter_mut() {
            let place = self.next as usize % CAPACITY;
            self.next = self.next.wrapping_add(1);
            *sample = if std::mem::take(&mut self.filled[place]) {
                self.concealer.good(self.samples[place]);
                self.samples_heard += 1;
                self.samples[place]
            } else {
                self.concealer.made_up()
            };
        }
    }

    /// Once per window: leaves out one frame if even the tardiest packet came a frame earlier than the least delay asks.
    fn shrink(&mut self) {
        self.frames += 1;
        if self.frames >= WINDOW_FRAMES {
            let spare = (DELAY_MS * SAMPLES_PER_MS) as i32 + FRAME as i32;
            if self.least_margin != i32::MAX && self.least_margin > spare {
                self.skip(FRAME);
            }
            self.frames = 0;
            self.least_margin = i32::MAX;
        }
    }

    fn skip(&mut self, samples: usize) {
        for _ in 0..samples {
            self.filled[self.next as usize % CAPACITY] = false;
            self.next = self.next.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packet `n` is 160 samples of value n + 1.
    fn packet(buffer: &mut JitterBuffer, n: u32) {
        let start = 0xffff_ff00u32; // wraps within the second packet
        buffer.insert(
            start.wrapping_add(n * 160),
            std::iter::repeat_n(n as i16 + 1, 160).collect::<Vec<_>>().into_iter(),
        );
    }

    /// Runs of "packets that come, then one frame is played"; gives the first sample of each frame.
    fn played(arrivals: &[&[u32]]) -> (Vec<i16>, JitterBuffer) {
        let mut buffer = JitterBuffer::new();
        let mut frame = [0; FRAME];
        let firsts = arrivals.iter().map(|packets| {
            packets.iter().for_each(|n| packet(&mut buffer, *n));
            buffer.play(&mut frame);
            frame[0]
        });
        let firsts = firsts.collect();
        (firsts, buffer)
    }

    #[test]
    fn order_is_restored_and_doubles_vanish() {
        let (firsts, buffer) = played(&[&[0, 2, 1], &[3, 3], &[4], &[5], &[6]]);
        assert_eq!(firsts, [1, 2, 3, 4, 5]);
        assert_eq!((buffer.duplicates, buffer.late, buffer.samples_heard), (1, 0, 800));
    }

    #[test]
    fn a_lost_packet_leaves_the_time_line_alone() {
        let (firsts, buffer) = played(&[&[0, 1], &[], &[3], &[4], &[5]]);
        assert_eq!((firsts[0], firsts[1], firsts[3], firsts[4]), (1, 2, 4, 5));
        assert_eq!(buffer.samples_heard, 640);
    }

    #[test]
    fn an_overtaken_packet_is_dropped_and_makes_the_delay_grow() {
        let (firsts, buffer) = played(&[&[0], &[2], &[3], &[1], &[4], &[5]]);
        assert_eq!(buffer.late, 1);
        assert_eq!((firsts[0], firsts[2]), (1, 3));
        assert_eq!(firsts[5], 4, "two frames of waiting, then on where it was");
    }

    #[test]
    fn running_dry_waits_instead_of_dropping() {
        let (firsts, buffer) = played(&[&[0], &[], &[], &[1], &[2], &[3]]);
        assert_eq!((firsts[3], firsts[4], firsts[5], buffer.late), (2, 3, 4, 0));
    }

    #[test]
    fn a_burst_beyond_the_longest_delay_is_skipped() {
        let burst: Vec<u32> = (0..40).collect();
        let (firsts, buffer) = played(&[&burst]);
        assert_eq!(firsts, [31]);
        assert!(buffer.end.wrapping_sub(buffer.next) <= DELAY_MAX as u32);
    }

    #[test]
    fn too_long_a_delay_shrinks_by_a_frame_per_window() {
        let mut buffer = JitterBuffer::new();
        let mut frame = [0; FRAME];
        (0..8).for_each(|n| packet(&mut buffer, n));
        let before = buffer.end.wrapping_sub(buffer.next);
        // The first window saw the first packets, which came early by nothing.
        for n in 8..8 + 3 * WINDOW_FRAMES {
            packet(&mut buffer, n);
            buffer.play(&mut frame);
        }
        assert_eq!(before - buffer.end.wrapping_sub(buffer.next), 2 * FRAME as u32);
    }

    #[test]
    fn a_new_timeline_waits_as_the_first_did() {
        let mut buffer = JitterBuffer::new();
        let mut frame = [0; FRAME];
        packet(&mut buffer, 0);
        buffer.play(&mut frame);
        packet(&mut buffer, 100_000);
        packet(&mut buffer, 100_001);
        let value = |n: u32| n as i16 + 1;
        buffer.play(&mut frame);
        buffer.play(&mut frame);
        assert_ne!(frame[0], value(100_000));
        buffer.play(&mut frame);
        assert_eq!(frame[0], value(100_000));
    }
}
