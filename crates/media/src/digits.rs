//! Sending keypad digits as telephone events (RFC 4733 section 2.5).

use std::collections::VecDeque;
use std::fmt;

use rtp::TelephoneEvent;

use crate::SAMPLES_PER_MS;

/// Digits that may wait to be sent; the next one is refused.
pub const DIGITS_QUEUED_MAX: usize = 64;

const SOUNDING: u16 = 100 * SAMPLES_PER_MS as u16;
const PAUSE: u32 = 60 * SAMPLES_PER_MS;
/// -10 dBm0, what a telephone's keypad makes.
const VOLUME: u8 = 10;
/// The last report is sent three times (RFC 4733 section 2.5.1.4).
const END_REPORTS: u8 = 3;

/// Why a digit is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitError {
    /// Not one of `0`-`9`, `*`, `#`, `A`-`D`.
    NotADigit,
    /// The other side does not take telephone events.
    NotNegotiated,
    /// [`DIGITS_QUEUED_MAX`] are waiting.
    QueueFull,
}

impl fmt::Display for DigitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DigitError::NotADigit => "not a keypad digit",
            DigitError::NotNegotiated => "the other side takes no telephone events",
            DigitError::QueueFull => "too many digits are waiting",
        })
    }
}

impl std::error::Error for DigitError {}

/// Where sending is.
///
/// | state    | next packet time                                        |
/// |----------|---------------------------------------------------------|
/// | Idle     | a digit waits: Sounding; else sound                     |
/// | Sounding | a report; at 100 ms the first end report: Ending        |
/// | Ending   | an end report; after three: Pausing                     |
/// | Pausing  | sound; after 60 ms: Idle                                |
#[derive(Debug)]
enum State {
    Idle,
    Sounding { code: u8, start: u32, duration: u16 },
    Ending { code: u8, start: u32, duration: u16, sent: u8 },
    Pausing { left: u32 },
}

#[derive(Debug)]
pub(crate) struct DigitSender {
    queue: VecDeque<u8>,
    state: State,
}

/// What to send instead of sound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EventPacket {
    pub(crate) report: TelephoneEvent,
    /// That of the event's beginning, in all of its packets.
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
}

impl DigitSender {
    pub(crate) fn new() -> Self {
        DigitSender { queue: VecDeque::new(), state: State::Idle }
    }

    pub(crate) fn push(&mut self, digit: char) -> Result<(), DigitError> {
        let code = TelephoneEvent::code_of(digit).ok_or(DigitError::NotADigit)?;
        if self.queue.len() >= DIGITS_QUEUED_MAX {
            return Err(DigitError::QueueFull);
        }
        self.queue.push_back(code);
        Ok(())
    }

    /// What to send for the packet time of `samples` that begins at `timestamp`; `None` for sound.
    pub(crate) fn next(&mut self, timestamp: u32, samples: u32) -> Option<EventPacket> {
        let step = u16::try_from(samples).unwrap_or(u16::MAX);
        let (code, start, duration, sent) = match self.state {
            State::Pausing { left } => {
                self.state = match left.saturating_sub(samples) {
                    0 => State::Idle,
                    left => State::Pausing { left },
                };
                return None;
            }
            State::Idle => (self.queue.pop_front()?, timestamp, step, 0),
            State::Sounding { code, start, duration } => (code, start, duration.saturating_add(step), 0),
            State::Ending { code, start, duration, sent } => (code, start, duration, sent),
        };
        let end = duration >= SOUNDING;
        self.state = match (end, sent + 1) {
            (false, _) => State::Sounding { code, start, duration },
            (true, END_REPORTS) => State::Pausing { left: PAUSE },
            (true, sent) => State::Ending { code, start, duration, sent },
        };
        Some(EventPacket {
            report: TelephoneEvent { event: code, end, volume: VOLUME, duration },
            timestamp: start,
            marker: start == timestamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_is_five_reports_the_last_of_them_thrice_and_a_pause() {
        let mut sender = DigitSender::new();
        sender.push('5').unwrap();
        sender.push('#').unwrap();
        let mut seen = String::new();
        for n in 0..24u32 {
            match sender.next(1000 + n * 160, 160) {
                None => seen.push('.'),
                Some(packet) => {
                    assert_eq!(packet.marker, packet.timestamp == 1000 + n * 160);
                    let digit = packet.report.digit().unwrap();
                    seen.push_str(&format!(
                        "{digit}{}{}",
                        packet.report.duration / 160,
                        if packet.report.end { "!" } else { " " }
                    ));
                }
            }
        }
        assert_eq!(seen, "51 52 53 54 55!55!55!...#1 #2 #3 #4 #5!#5!#5!.......");
    }

    #[test]
    fn what_is_no_digit_or_too_many_is_refused() {
        let mut sender = DigitSender::new();
        assert_eq!(sender.push('x'), Err(DigitError::NotADigit));
        (0..DIGITS_QUEUED_MAX).for_each(|_| sender.push('1').unwrap());
        assert_eq!(sender.push('1'), Err(DigitError::QueueFull));
    }
}
