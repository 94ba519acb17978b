//! The proxy of RFC 3261 section 16: requests go to one or several targets, the best response goes back; with transactions, or without
//! any (section 16.11).
//!
//! What it does not do: it sees no dialog and keeps nothing of a call once its transactions are over; it knows no user, no
//! binding and no password: where a request goes its parent says, asked again for names ([`Ask`]), and whether a sender may send it was
//! decided before. What later requests of a dialog need to find their way (the flows of both ends) is in the Record-Route
//! itself, signed ([`RouteToken`]); what an edge needs to find a phone again is in the Path ([`FlowToken`]).

mod target;

mod preprocess;
mod validate;

mod proxy;
mod stateless;

mod best_response;
mod context;
mod forward;
mod loops;
mod routes;

mod flow_token;
mod route_token;

mod base32;
mod text;

pub use flow_token::FlowToken;
pub use preprocess::{Preprocessed, preprocess};
pub use proxy::{AVOIDED_MAX, Ask, CONTEXTS_MAX, Config, MAX_BREADTH, Proxy};
pub use route_token::{Dialog, RouteToken};
pub use routes::first_route;
pub use target::{Edits, HeaderEdit, Hop, NamedBy, Payer, RING_S_MAX, TARGETS_MAX, Target, TargetSet};
pub use validate::{Checked, Refused, validate};
