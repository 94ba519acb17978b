//! SIP messages as bytes with known positions (RFC 3261 sections 7, 19, 20 and 25).
//!
//! This crate does not decide anything: it knows no transaction, no dialog, no route, and what a body means is not its
//! business. A message is the bytes that came, one pass over which has found the start line and the header fields; a
//! field's value is parsed when someone asks for it. What we do not know goes through byte for byte.

mod auth_value;
mod builder;
mod caller_preferences;
mod edit;
mod framer;
mod header_name;
mod header_rules;
mod inspect;
mod malformed;
mod message;
mod method;
mod multipart;
mod name_addr;
mod next_hop;
mod params;
mod parse;
mod redact;
mod retry_after;
mod session_id;
mod session_timer;
mod status;
mod telephone;
mod text;
mod transport;
mod uri;
mod uri_comparison;
mod via;
mod violation;

pub use auth_value::AuthValue;
pub use builder::Builder;
pub use caller_preferences::{CallerPreferences, FEATURES_MAX, PREFERENCES_MAX};
pub use edit::Edit;
pub use framer::{Frame, FrameError, Framer, HEAD_BYTES_MAX};
pub use header_name::HeaderName;
pub use header_rules::{HEADER_RULES, HeaderRule, Presence, ProxyMay, Where};
pub use inspect::{Verdict, inspect};
pub use malformed::{BadValue, Defect, Malformed};
pub use message::{CSeq, Field, Message, split_commas};
pub use method::Method;
pub use multipart::{PARTS_MAX, Part};
pub use name_addr::{Contacts, NameAddr};
pub use next_hop::NextHop;
pub use params::Params;
pub use parse::{HEADERS_MAX, MESSAGE_BYTES_MAX};
pub use redact::without_secrets;
pub use retry_after::RetryAfter;
pub use session_id::SessionId;
pub use session_timer::{Refresher, SessionExpires};
pub use status::reason_phrase;
pub use telephone::TelephoneNumber;
pub use text::{push_number, unescape, unfold, unquote};
pub use transport::Transport;
pub use uri::{Host, Scheme, Uri};
pub use via::{MAGIC_COOKIE, Via};
pub use violation::Violation;
