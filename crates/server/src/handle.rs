use crate::Config;
use bytes::Bytes;
use calls::{CallRecord, CallSummary, Id as CallId, Story};
use guard::Offence;
use routing::{Forwards, Limits};
use sip_auth::Secrets;
use sip_message::NextHop;
use sip_registrar::{AddressOfRecord, Snapshot};
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::net::IpAddr;
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
    /// What whoever runs the exchange wants.
    Order(Order),
}

/// What whoever runs the exchange wants of one shard. Where a ticket is named, an [`Event::Report`] with that ticket follows, at once.
#[derive(Debug)]
pub enum Order {
    /// The calls under way: [`Report::Calls`].
    Calls {
        /// Names the order.
        ticket: u64,
    },
    /// How many calls are under way: [`Report::Counted`].
    Count {
        /// Names the order.
        ticket: u64,
    },
    /// End a call: [`Report::HungUp`].
    HangUp {
        /// Names the order.
        ticket: u64,
        /// The call.
        id: CallId,
        /// A value of Reason (RFC 3326) for both ends, or empty.
        reason: String,
    },
    /// What passed in a call: [`Report::Story`].
    Show {
        /// Names the order.
        ticket: u64,
        /// The call: its name, as [`Order::Calls`] has it, or its Call-ID.
        call: String,
    },
    /// Let no new calls begin from now on (`true`), or let them begin again.
    Drain(bool),
    /// Go on with this configuration. Calls, transactions and lookups that are under way end as they began. What shards and phones have
    /// been told already stays until a restart, whatever is said here: the realm, the keys, whether there is TLS, the bytes of the ring.
    Configure(Box<Config>),
}

/// What an order came to.
#[derive(Debug)]
pub enum Report {
    /// The calls of this shard, in the order in which they began.
    Calls(Vec<CallSummary>),
    /// How many calls this shard has.
    Counted(usize),
    /// Whether there was such a call.
    HungUp(bool),
    /// What passed, if this shard knows of such a call.
    Story(Option<Box<Story>>),
}

/// What an exchange tells the world.
#[derive(Debug)]
pub enum Event {
    /// Somebody did what is held against them.
    Offence {
        /// Where it came from.
        source: IpAddr,
        /// What.
        offence: Offence,
    },
    /// Who is at an address has proved who they are, or is a trunk: what comes from there is wanted.
    Known {
        /// Where it came from, or where the trunk was found.
        source: IpAddr,
    },
    /// A user's calls have come to what they may come to, and one more was refused.
    OverLimit {
        /// The user who would have paid.
        user: String,
        /// Which limit, in a sentence.
        why: String,
    },
    /// A call is over.
    Ended(Box<CallRecord>),
    /// What came of an order.
    Report {
        /// Of the order.
        ticket: u64,
        /// What came of it.
        report: Report,
    },
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
    /// Take notice of this.
    Event(Event),
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

/// What is known of a user, besides who they are.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Where their calls go instead, when they have forwarded some.
    pub forwards: Option<Arc<Forwards>>,
    /// What their calls may come to, where that is not [`Config::limits`].
    pub limits: Option<Arc<Limits>>,
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
        /// What the user's calls may come to, where that is not [`Config::limits`].
        limits: Option<Arc<Limits>>,
    },
    /// To [`Ask::Bindings`].
    Bindings {
        /// Of the question.
        ticket: u64,
        /// What is bound now.
        snapshot: Snapshot,
        /// What else is known of the user; `None`: there is none.
        account: Option<Account>,
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
