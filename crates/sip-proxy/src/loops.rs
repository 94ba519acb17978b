//! Loop detection by the refined algorithm of RFC 5393 section 4.2.

use crate::{Preprocessed, base32};
use engine::Mac;
use sip_message::{HeaderName, Message};
use sip_transaction::Packet;
use smallvec::SmallVec;

/// What rides in a branch behind the part that names a transaction: a hash of everything that decides where a request goes.
///
/// A request that comes back and has not changed in any of it would go the same way again: it loops. One that has changed spirals, and
/// passes. Nobody without our key can make a mark, so that it is looked for in the Vias as mere text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark(String);

const HASH_BYTES: usize = 6;

impl Mark {
    /// The mark of a request. What decides where it goes: its Request-URI and Route, who sends it (the address, the From, and whether
    /// they have proved who they are), and what extensions it asks for; that it is this request of this dialog keeps marks apart which
    /// collide. The method is not in it, so that a CANCEL would have the same.
    pub(crate) fn of(mac: &Mac, packet: &Packet, preprocessed: &Preprocessed) -> Mark {
        let request = &packet.message;
        let number = request.cseq().map_or(0, |cseq| cseq.number).to_be_bytes();
        let source = packet.flow.remote.ip().to_canonical().to_string();
        let mut parts: SmallVec<[&[u8]; 16]> = SmallVec::new();
        parts.extend([
            b"loop" as &[u8],
            request.request_uri().as_bytes(),
            source.as_bytes(),
            request.header(HeaderName::From).unwrap_or("").as_bytes(),
            request.call_id().as_bytes(),
            &number,
            if preprocessed.proved { b"proved" } else { b"" },
        ]);
        for name in [HeaderName::Route, HeaderName::ProxyRequire] {
            parts.push(name.as_str().as_bytes());
            parts.extend(request.values(name).map(str::as_bytes));
        }
        Mark(format!(".{}", base32::write(&mac.of(&parts).to_be_bytes()[..HASH_BYTES])))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the request has come by here with this very mark.
    pub(crate) fn is_in(&self, request: &Message) -> bool {
        request.values(HeaderName::Via).any(|via| via.contains(self.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use sip_message::Transport;
    use sip_transaction::Flow;

    fn mark(method: &str, uri: &str, from: &str, fields: &str, source: [u8; 4], proved: bool) -> Mark {
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n{fields}From: {from}\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 7 {method}\r\n\r\n"
        );
        let message = Message::parse(Bytes::from(text)).expect("well-formed");
        let (local, remote) = (([10, 0, 0, 1], 5060).into(), (source, 5060).into());
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        let packet = Packet { flow, message };
        let preprocessed = Preprocessed { proved, ..crate::preprocess(&packet, &Mac::from_key([1; 16]), |_| false) };
        Mark::of(&Mac::from_key([1; 16]), &packet, &preprocessed)
    }

    /// RFC 5393 section 4.2.1: it varies with all that is used for routing, and does not with the method.
    #[test]
    fn a_mark_varies_with_what_decides_the_way_and_not_with_the_method() {
        let from = "<sip:a@a>;tag=1";
        let first = mark("INVITE", "sip:b@b", from, "", [10, 0, 0, 2], false);
        assert_eq!(first, mark("INVITE", "sip:b@b", from, "", [10, 0, 0, 2], false));
        assert_eq!(first, mark("CANCEL", "sip:b@b", from, "Subject: x\r\n", [10, 0, 0, 2], false));
        for other in [
            mark("INVITE", "sip:c@b", from, "", [10, 0, 0, 2], false),
            mark("INVITE", "sip:b@b", "<sip:c@a>;tag=1", "", [10, 0, 0, 2], false),
            mark("INVITE", "sip:b@b", from, "Route: <sip:x;lr>\r\n", [10, 0, 0, 2], false),
            mark("INVITE", "sip:b@b", from, "Proxy-Require: x\r\n", [10, 0, 0, 2], false),
            mark("INVITE", "sip:b@b", from, "", [10, 0, 0, 3], false),
            mark("INVITE", "sip:b@b", from, "", [10, 0, 0, 2], true),
        ] {
            assert_ne!(first, other);
        }
    }
}
