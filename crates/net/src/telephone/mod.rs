//! A telephone at work: one phone on one driver, with its sockets for sound.

mod engine;
mod media;
mod shell;

pub use media::MEDIA_SOCKETS_MAX;
pub use shell::{EVENTS_MAX, PhoneShell, PhoneShellConfig};
