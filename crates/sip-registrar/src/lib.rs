//! The registrar and the location service (RFC 3261 section 10).
//!
//! The [`Registrar`] decides what a REGISTER changes; the [`Location`] holds what has been decided. Neither knows the other:
//! the registrar asks for an address-of-record's bindings and for a change to be committed, and its caller asks a
//! [`Location`], or a database. Nobody is authenticated here, and no domain is known: the caller has done both, and says
//! whose bindings are meant. Several flows of one phone are kept apart (RFC 5626), phones get [`Gruus`] (RFC 5627), a `Path` (RFC 3327) is
//! kept and told; whom a request goes to in the end is the caller's to say, with [`targets_of`].

mod address_of_record;
mod binding;
mod gruu;
mod packed_flow;

mod encoding;
mod location;

mod date;
mod decide;
mod outbound;
mod refused;
mod registrar;
mod request;

pub use address_of_record::{AOR_BYTES_MAX, AddressOfRecord};
pub use binding::{Binding, CALL_ID_BYTES_MAX, CONTACT_BYTES_MAX, PATH_BYTES_MAX, Parts, USER_AGENT_BYTES_MAX};
pub use decide::BINDINGS_PER_AOR_MAX;
pub use encoding::{Damaged, Record};
pub use gruu::{Gruu, Gruus, TEMPORARY_GRUU_BYTES_MAX};
pub use location::{BINDINGS_MAX, Change, Location, Outcome, SWEEP_MAX, Snapshot};
pub use outbound::{InstanceTarget, targets_of};
pub use refused::Refused;
pub use registrar::{
    Answer, Ask, COMMIT_ATTEMPTS_MAX, Config, Output, REQUESTS_PENDING_MAX, REQUESTS_PER_AOR_MAX, Registrar,
};
pub use request::CONTACTS_PER_REQUEST_MAX;
