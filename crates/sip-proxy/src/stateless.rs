//! The stateless proxy (RFC 3261 section 16.11): nothing is kept, so a retransmission, a CANCEL and an ACK must take the way of the
//! request they belong to by themselves.

use crate::forward::{Copy, forwarded_request, forwarded_response};
use crate::route_token::{put_flow, take_flow};
use crate::{Preprocessed, Proxy, Target, base32};
use engine::Mac;
use sip_message::{HeaderName, MAGIC_COOKIE, MESSAGE_BYTES_MAX, Message, Method, Via};
use sip_transaction::{Flow, Packet, TransactionLayer, reply_flow, stateless_reply_flow};

impl Proxy {
    /// Forwards a request, an ACK or a CANCEL without a transaction, over `flow` to `target`, which must be the same for each
    /// retransmission and for what follows the request hop by hop. What cannot go on is answered with 483, 440 or 513.
    pub fn forward_stateless(
        &mut self,
        layer: &mut TransactionLayer,
        packet: &Packet,
        preprocessed: &Preprocessed,
        target: &Target,
        flow: Flow,
    ) {
        let config = self.config();
        let breadth = config.incoming_breadth(&packet.message);
        if packet.message.max_forwards() == Ok(Some(0)) {
            return refuse(layer, packet, 483);
        }
        if breadth == 0 {
            return refuse(layer, packet, 440);
        }
        let branch = branch(&config.mac, packet);
        let copy = Copy { target: Some(target), flow, breadth, mark: "" };
        let bytes = forwarded_request(packet, preprocessed, &branch, &copy, config);
        if bytes.len() > MESSAGE_BYTES_MAX {
            return refuse(layer, packet, 513);
        }
        layer.send(flow, bytes);
    }

    /// Sends a response back that belongs to a request which was [forwarded](Self::forward_stateless) without a transaction; whether it was
    /// one. It goes over the flow that the request came by, which is in the branch, signed: nobody can have us send anything to anybody
    /// else.
    pub fn handle_stateless_response(&mut self, layer: &mut TransactionLayer, packet: &Packet) -> bool {
        let response = &packet.message;
        let flow = response.top_via().ok().and_then(|via| origin(&self.config().mac, via.branch()?, response));
        let next = response.values(HeaderName::Via).nth(1).and_then(|value| Via::parse(value).ok());
        let (Some(flow), Some(next), Some(bytes)) = (flow, next, forwarded_response(response, &[])) else {
            return false;
        };
        layer.send(reply_flow(flow, &next), bytes);
        true
    }
}

fn refuse(layer: &mut TransactionLayer, packet: &Packet, status: u16) {
    if packet.message.method() != Method::Ack {
        let reply = layer.reply(packet, status).finish();
        layer.send(stateless_reply_flow(packet.flow, &packet.message), reply);
    }
}

/// Behind the magic cookie, what a branch without a transaction begins with; one with a transaction never does.
const PREFIX: char = '-';
const UNIQUE_BYTES: usize = 8;
const SIGNATURE_BYTES: usize = 8;

/// The branch of what is forwarded: the flow it came by, a hash of what is the same in a request, its retransmissions, its CANCEL and the
/// ACK to its refusal, and a signature.
fn branch(mac: &Mac, packet: &Packet) -> String {
    let mut bytes = Vec::with_capacity(64);
    put_flow(&mut bytes, &packet.flow);
    bytes.extend_from_slice(&unique(mac, &packet.message));
    let signature = sign(mac, &packet.message, &bytes);
    bytes.extend_from_slice(&signature);
    format!("{MAGIC_COOKIE}{PREFIX}{}", base32::write(&bytes))
}

/// The flow by which the request came that `response`, whose top branch is `branch`, belongs to.
fn origin(mac: &Mac, branch: &str, response: &Message) -> Option<Flow> {
    let bytes = base32::read(branch.strip_prefix(MAGIC_COOKIE)?.strip_prefix(PREFIX)?)?;
    let (payload, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
    if sign(mac, response, payload) != signature {
        return None;
    }
    let mut rest = payload;
    take_flow(&mut rest).filter(|_| rest.len() == UNIQUE_BYTES)
}

fn sign(mac: &Mac, message: &Message, payload: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let from_tag = message.from_tag().unwrap_or("");
    let number = number(message);
    let parts: [&[u8]; 5] = [b"stateless", payload, message.call_id().as_bytes(), from_tag.as_bytes(), &number];
    (mac.of(&parts) as u64).to_be_bytes()
}

/// What RFC 3261 section 16.11 recommends to hash.
fn unique(mac: &Mac, request: &Message) -> [u8; UNIQUE_BYTES] {
    let via = request.top_via().ok();
    let hash = match via.and_then(|via| via.branch()).filter(|branch| branch.starts_with(MAGIC_COOKIE)) {
        Some(branch) => mac.of(&[b"unique", branch.as_bytes()]),
        None => mac.of(&[
            b"RFC 2543",
            request.values(HeaderName::Via).next().unwrap_or("").as_bytes(),
            request.to_tag().unwrap_or("").as_bytes(),
            request.from_tag().unwrap_or("").as_bytes(),
            request.call_id().as_bytes(),
            &number(request),
            request.request_uri().as_bytes(),
        ]),
    };
    (hash as u64).to_be_bytes()
}

fn number(message: &Message) -> [u8; 4] {
    message.cseq().map_or(0, |cseq| cseq.number).to_be_bytes()
}

#[cfg(test)]
mod tests;
