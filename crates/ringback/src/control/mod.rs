//! The control socket in the data folder (mode 0600): JSON, one object per line. The exchange greets with its version; then comes a
//! [`Command`], what it gives, and [`Line::Done`] or [`Line::Error`]; then perhaps the next.

mod client;
mod command;
mod listener;
mod protocol;

pub(crate) use client::Client;
pub(crate) use command::{Account, Command, Forwards, Put, Secrets};
pub(crate) use listener::{Listener, serve_one};
pub(crate) use protocol::COMMAND_BYTES_MAX;
