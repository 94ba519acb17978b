//! Digest access authentication for SIP, client and server (RFC 3261 section 22, RFC 7616, RFC 8760).
//!
//! This crate knows no users: the server side says who a request claims to be, and its caller fetches that user's
//! [`Secrets`]. It keeps no session either: a nonce proves by its signature that this very engine made it and when, and
//! only the counts of nonces that a right password has been used with are remembered, so that no request counts twice.
//! `Basic` is neither asked for nor accepted (RFC 8760 section 2.6), nor are `-sess` variants and user name hashing.

mod algorithm;
mod answer_fields;
mod client;
mod counts;
mod kind;
mod nonce;
mod secrets;
mod server;
mod target;

pub use algorithm::Algorithm;
pub use client::{ANSWERS_MAX, Credentials, NonceUse, Password, answer};
pub use counts::{COUNT_WINDOW, NONCES_TRACKED_MAX};
pub use kind::Kind;
pub use secrets::Secrets;
pub use server::{Authenticator, Claim, Config, PARAMETER_BYTES_MAX, Verdict};
