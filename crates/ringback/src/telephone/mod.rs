//! What all commands have in common that are a phone: flags, a phone that runs, and its events in words and in JSON.

mod flags;
mod line;
mod words;

pub(crate) use flags::{AccountFlags, Credentials, SoundFlags, seconds};
pub(crate) use line::{Line, Next};
pub(crate) use words::exit_of;
