//! A whole telephone as one value: accounts, calls with sound, OPTIONS and MESSAGE, to and from an exchange or another phone.
//!
//! It opens no socket, plays on no device and reads no file: packets and time come in, packets, questions and events come out
//! ([`Phone::handle_input`], [`Phone::handle_timeout`], [`Phone::poll_output`], [`Phone::poll_timeout`]). The sound that a call
//! sends is a [`media::Source`]; what it heard is handed over when the call ends.

mod account;
mod calls;
mod command;
mod config;
mod event;
mod io;
mod phone;
mod requests;
mod sound;

pub use account::{Account, AccountId, typed_uri};
pub use command::{CallId, Command, Dial, RequestNumber};
pub use config::{Answering, Config};
pub use event::{Event, Reply};
pub use io::{Answer, Ask, Input, MediaSocket, Output, Ticket};
pub use phone::Phone;
pub use sip_ua::{End, Failure, Party};
