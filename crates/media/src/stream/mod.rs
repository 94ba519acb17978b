//! One negotiated audio stream: packets and time in, packets, events and a recording out.

mod config;
mod control;
mod receive;
mod report;
mod send;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use engine::{Now, Rng};

pub use config::Config;
pub use report::Report;

use crate::digits::{DigitError, DigitSender};
use crate::jitter::{FRAME, JitterBuffer};
use crate::remote::Remote;
use crate::source::{Player, Source};
use control::Control;
use receive::Counts;

/// Most samples that a recording holds: ten minutes; what comes later is not recorded.
pub const RECORD_SAMPLES_MAX: usize = 10 * 60 * crate::SAMPLE_RATE_HZ as usize;

/// Most packets sent at once after a late timeout; what should have gone out before that is left out, in its time.
pub const CATCH_UP_PACKETS_MAX: u32 = 10;

/// Most events that wait for the caller; later ones are dropped and counted.
pub const EVENTS_WAITING_MAX: usize = 64;

/// Frames that are played at once after a late timeout; more would be silence anyway.
const CATCH_UP_FRAMES_MAX: u32 = 50;

const FRAME_TIME: Duration = Duration::from_millis(20);

/// Which of the stream's two local ports a packet leaves from. With one port only, it may leave from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// The port of the session description.
    Rtp,
    /// The port after it.
    Rtcp,
}

/// What a stream wants of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Packet {
        /// From which port.
        component: Component,
        /// Where to.
        to: SocketAddr,
        /// A whole RTP or RTCP packet.
        bytes: Vec<u8>,
    },
    /// This happened.
    Event(Event),
}

/// What happened in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The first packet that was believed, and where it came from.
    FirstPacket {
        /// The remote address, which may not be the signalled one.
        from: SocketAddr,
    },
    /// A keypad digit was pressed at the other end (RFC 4733): once per key press, when it begins.
    DtmfReceived {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// The samples to send have all been sent.
    SourceEnded,
}

/// One audio stream of one call.
///
/// Call [`handle_input`](Self::handle_input) for every datagram on either of its ports, [`handle_timeout`](Self::handle_timeout)
/// when [`poll_timeout`](Self::poll_timeout) says so, and drain [`poll_output`](Self::poll_output) after each.
#[derive(Debug)]
pub struct Stream {
    config: Config,
    rng: Rng,
    start: Now,
    outputs: VecDeque<Output>,
    events_waiting: usize,
    closed: bool,

    // what we send
    player: Player,
    digits: DigitSender,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Whether the next sound is the first after silence.
    talk_spurt: bool,
    next_send: Instant,

    // what we hear
    remote: Remote,
    buffer: JitterBuffer,
    counts: Counts,
    /// When the next frame is played; nothing is before the first packet.
    next_play: Option<Instant>,
    recording: Vec<i16>,

    control: Control,
}

impl Stream {
    /// A stream that sends its first packet at `now`.
    pub fn new(config: Config, mut rng: Rng, now: Now) -> Self {
        let control = Control::new(&config, &mut rng, now);
        Stream {
            player: Player::new(config.source.clone()),
            digits: DigitSender::new(),
            ssrc: rng.next_u32(),
            sequence: rng.next_u32() as u16,
            timestamp: rng.next_u32(),
            talk_spurt: true,
            next_send: now.mono,
            remote: Remote::new(config.remote),
            buffer: JitterBuffer::new(),
            counts: Counts::default(),
            next_play: None,
            recording: Vec::new(),
            control,
            config,
            rng,
            start: now,
            outputs: VecDeque::new(),
            events_waiting: 0,
            closed: false,
        }
    }

    /// Takes a datagram that came to either port. What is not RTP or RTCP of this stream is counted and dropped.
    pub fn handle_input(&mut self, now: Now, from: SocketAddr, bytes: &[u8]) {
        // What was due before this packet came must not see it.
        self.handle_timeout(now);
        if !self.closed {
            self.receive(now, from, bytes);
        }
    }

    /// Plays and sends what is due. Late calls are made up for, within [`CATCH_UP_PACKETS_MAX`]; early ones do nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.closed {
            return;
        }
        self.skip_what_is_too_late(now.mono);
        while self.next_due() <= now.mono {
            let due = self.next_due();
            if self.next_play == Some(due) {
                self.play();
                self.next_play = Some(due + FRAME_TIME);
            } else if self.next_send == due {
                self.send_packet();
                self.next_send = due + self.config.packet_time();
            } else {
                self.send_report(now);
            }
        }
    }

    /// The next packet or event, in the order they happened.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if matches!(output, Some(Output::Event(_))) {
            self.events_waiting -= 1;
        }
        output
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next; `None` once closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.closed).then(|| self.next_due())
    }

    /// Queues a keypad digit to be sent.
    ///
    /// # Errors
    /// When it is no digit, the other side takes none, or too many wait.
    pub fn send_dtmf(&mut self, digit: char) -> Result<(), DigitError> {
        if self.config.telephone_event.is_none() {
            return Err(DigitError::NotNegotiated);
        }
        self.digits.push(digit)
    }

    /// Changes what is sent, from now on.
    pub fn set_source(&mut self, source: Source) {
        self.config.source = source.clone();
        self.player = Player::new(source);
    }

    /// What was heard since the last call: 16-bit samples at 8 kHz, gaps concealed; empty unless `record` is on.
    pub fn take_recording(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.recording)
    }

    /// Says goodbye (RTCP BYE) and stops; only what is queued can still be polled.
    pub fn close(&mut self, now: Now) {
        if !self.closed {
            self.send_goodbye(now);
            self.closed = true;
        }
    }

    /// Takes over what a later offer and answer agreed on: address, codec, payload types, direction. Source and recording
    /// go on.
    pub fn update(&mut self, agreed: &sdp::NegotiatedAudio) {
        let resumes = agreed.direction.sends() && !self.config.direction.sends();
        self.config.apply(agreed);
        self.remote.moved(self.config.remote);
        self.control.moved(&self.config);
        self.talk_spurt |= resumes;
    }

    fn next_due(&self) -> Instant {
        let due = self.next_send.min(self.control.next_report);
        self.next_play.map_or(due, |play| due.min(play))
    }

    fn skip_what_is_too_late(&mut self, now: Instant) {
        let packet_time = self.config.packet_time();
        let missed = packets_in(now.saturating_duration_since(self.next_send), packet_time);
        if missed >= CATCH_UP_PACKETS_MAX {
            let skipped = missed - CATCH_UP_PACKETS_MAX + 1;
            self.next_send += packet_time * skipped;
            self.timestamp = self.timestamp.wrapping_add(skipped.wrapping_mul(self.config.packet_samples()));
            self.talk_spurt = true;
        }
        if let Some(next_play) = &mut self.next_play {
            let missed = packets_in(now.saturating_duration_since(*next_play), FRAME_TIME);
            if missed >= CATCH_UP_FRAMES_MAX {
                *next_play += FRAME_TIME * (missed - CATCH_UP_FRAMES_MAX + 1);
            }
        }
    }

    fn play(&mut self) {
        let mut frame = [0; FRAME];
        self.buffer.play(&mut frame);
        self.player.heard(&frame);
        if self.config.record {
            let room = RECORD_SAMPLES_MAX.saturating_sub(self.recording.len());
            self.recording.extend(frame.iter().take(room));
        }
    }

    fn event(&mut self, event: Event) {
        if self.events_waiting < EVENTS_WAITING_MAX {
            self.events_waiting += 1;
            self.outputs.push_back(Output::Event(event));
        } else {
            self.counts.events_dropped += 1;
        }
    }
}

fn packets_in(time: Duration, packet_time: Duration) -> u32 {
    u32::try_from(time.as_nanos() / packet_time.as_nanos()).unwrap_or(u32::MAX)
}
