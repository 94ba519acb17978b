use bytes::Bytes;
use routing::Forwards;
use sip_auth::Secrets;
use sip_message::NextHop;
use sip_registrar::{AddressOfRecord, Snapshot};
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::sync::Arc;

/// What happens to an exchange.
#[derive(Debug)]
pub enum Input {
    /// Bytes came that should be one message.
    Packet {
        /// Over this flow.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// What was to be sent for this transaction could not be.
    SendFailed {
        /// The transaction named with it.
        transaction: ClientTransactionId,
    },
    /// The other end of a connection has proved with a certificate that it is these (RFC 5922): domain names, and `sip:` URIs as they
    /// stand there.
    Proved {
        /// The connection.
        connection: ConnectionId,
        /// The names.
        names: Vec<String>,
    },
    /// There is more to do than we manage, or no longer.
    Overloaded(bool),
    /// A connection is gone.
    ConnectionClosed(ConnectionId),
    /// The answer to an [`Ask`].
    Answer(Answer),
}

/// What an exchange wants done, in this order.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Where to.
        flow: Flow,
        /// The message.
        bytes: Bytes,
        /// To be named when it cannot be sent.
        transaction: Option<ClientTransactionId>,
    },
    /// Find this out; the answer comes back as an [`Input`].
    Ask(Ask),
}

/// What an exchange asks of the world.
#[derive(Debug)]
pub enum Ask {
    /// The secrets of a user.
    Credentials {
        /// Names the question.
        ticket: u64,
        /// The user's name.
        user: String,
    },
    /// The bindings of an address-of-record, to forward a request to.
    Bindings {
        /// Names the question.
        ticket: u64,
        /// Whose bindings.
        aor: AddressOfRecord,
    },
    /// A question of the registrar to the location service.
    Registrar(sip_registrar::Ask),
    /// The flows to a host, best first, with the local address that each would leave from.
    Resolve {
        /// Names the question.
        ticket: u64,
        /// Where to.
        next_hop: NextHop,
        /// Whether their order must be the same each time: nothing remembers which was taken (RFC 3263 section 4.4).
        steady: bool,
    },
}

/// What the world says.
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::Credentials`]: `None` for a user who does not exist.
    Credentials {
        /// Of the question.
        ticket: u64,
        /// The user's secrets.
        secrets: Option<Secrets>,
    },
    /// To [`Ask::Bindings`].
    Bindings {
        /// Of the question.
        ticket: u64,
        /// What is bound now.
        snapshot: Snapshot,
        /// Where the user's calls go instead, when there is such a user and they have forwarded some.
        forwards: Option<Arc<Forwards>>,
    },
    /// To [`Ask::Registrar`].
    Registrar(sip_registrar::Answer),
    /// To [`Ask::Resolve`]; no flows when there is no such host.
    Resolved {
        /// Of the question.
        ticket: u64,
        /// Where it is.
        flows: Vec<Flow>,
    },
}
