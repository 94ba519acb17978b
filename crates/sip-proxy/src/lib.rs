//! The transaction-stateful proxy of RFC 3261 section 16: requests go to one or several targets, the best response goes back.
//!
//! What it does not do: it sees no dialog and keeps nothing of a call once its transactions are over; it knows no user, no
//! binding and no password: where a request goes is an [`Ask`] that its parent answers, and whether a sender may send it was
//! decided before. What later requests of a dialog need to find their way (the flows of both ends) is in the Record-Route
//! itself, signed ([`RouteToken`]).

mod proxy;

mod base32;
mod best_response;
mod context;
mod flow_token;
mod forward;
mod loops;
mod preprocess;
mod route_token;
mod routes;
mod stateless;
mod target;
mod text;
mod validate;

pub use flow_token::FlowToken;
pub use preprocess::{Preprocessed, preprocess};
pub use proxy::{AVOIDED_MAX, Ask, CONTEXTS_MAX, Config, MAX_BREADTH, Proxy};
pub use route_token::{Dialog, RouteToken};
pub use target::{Edits, HeaderEdit, Hop, RING_S_MAX, TARGETS_MAX, Target, TargetSet};
pub use validate::{Refused, validate};
