use crate::{ClientTransactionId, Flow, Packet, ServerTransactionId};
use bytes::Bytes;
use std::sync::Arc;

/// What the layer wants done, in this order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send these bytes over this flow. When that fails and `transaction` is there, say so with
    /// [`handle_send_failed`](crate::TransactionLayer::handle_send_failed).
    Send {
        /// Where to.
        flow: Flow,
        /// The whole message.
        bytes: Bytes,
        /// The client transaction that sends; responses have none, since nothing depends on their failure.
        transaction: Option<ClientTransactionId>,
    },
    /// Something for the transaction user (TU).
    Event(Event),
}

/// What the transaction user (TU) gets to know.
#[derive(Debug, Clone)]
pub enum Event {
    /// A new request, other than ACK and CANCEL; the TU answers it with [`respond`](crate::TransactionLayer::respond).
    /// An INVITE gets its 100 after 200 ms when the TU has said nothing by then (RFC 3261 section 17.2.1), another
    /// request after 3.5 s (RFC 4320 section 4.1).
    Request {
        /// Its transaction.
        id: ServerTransactionId,
        /// The request, which its transaction holds, too.
        packet: Arc<Packet>,
    },
    /// A CANCEL: the TU answers `id` with 200 when `cancels` is there, with 481 otherwise, and the INVITE with 487 if it
    /// still can (RFC 3261 section 9.2).
    Cancel {
        /// The transaction of the CANCEL.
        id: ServerTransactionId,
        /// The INVITE that is meant, when we have it.
        cancels: Option<ServerTransactionId>,
        /// The CANCEL.
        packet: Packet,
    },
    /// An ACK that belongs to no INVITE that we refused: it is for a 2xx.
    Ack {
        /// The ACK.
        packet: Packet,
    },
    /// A response: every provisional one, the first final one, and to an INVITE each 2xx, repeated ones too (RFC 6026
    /// section 7.2). Those to a CANCEL are kept back: they decide nothing.
    Response {
        /// The client transaction.
        id: ClientTransactionId,
        /// The response.
        packet: Packet,
    },
    /// Nobody answered (timer B or F, or 64*T1 after a CANCEL): as good as a 408 (RFC 3261 section 8.1.3.1).
    Timeout {
        /// The client transaction, which is gone.
        id: ClientTransactionId,
    },
    /// The request could not be sent: as good as a 503 (RFC 3261 section 8.1.3.1). It may also be the ACK to a final
    /// response which the TU already has.
    SendFailed {
        /// The client transaction, which is gone.
        id: ClientTransactionId,
    },
    /// A refused INVITE was never acknowledged (timer H).
    AckMissing {
        /// The server transaction, which is gone.
        id: ServerTransactionId,
    },
}
