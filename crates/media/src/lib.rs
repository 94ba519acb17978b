//! Negotiated streams: what was agreed in SDP becomes packets with sound in them, and back (RFC 3264, RFC 3550).
//!
//! What this crate does not do: it opens no port, plays on no device and reads no file; sound is slices of 16-bit samples at
//! 8 kHz, mono. It does not encrypt, and it does not mix.

pub mod compare;
mod conceal;
mod digits;
pub mod g711;
mod jitter;
pub mod quality;
mod remote;
mod source;
mod stream;

pub use digits::{DIGITS_QUEUED_MAX, DigitError};
pub use jitter::{JITTER_DELAY_MS_MAX, PAYLOAD_SAMPLES_MAX};
pub use remote::SOURCE_CANDIDATES_MAX;
pub use source::{ECHO_SAMPLES_MAX, Source};
pub use stream::{
    CATCH_UP_PACKETS_MAX, Component, Config, EVENTS_WAITING_MAX, Event, Output, RECORD_SAMPLES_MAX, Report, Stream,
};

/// Samples per second of all sound here.
pub const SAMPLE_RATE_HZ: u32 = 8000;

/// Samples in a millisecond.
pub(crate) const SAMPLES_PER_MS: u32 = SAMPLE_RATE_HZ / 1000;
