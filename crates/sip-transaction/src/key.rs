use crate::{Flow, Packet, flow::reply_flow};
use engine::Mac;
use sip_message::{BadValue, HeaderName, Host, MAGIC_COOKIE, Message, Method, Transport, Via};

/// Which server transaction a request starts or belongs to: found out once, by [`TransactionLayer::identify`](crate::TransactionLayer),
/// and good for that layer alone.
#[derive(Debug, Clone, Copy)]
pub struct RequestIdentity {
    pub(crate) key: TransactionKey,
    /// Of the INVITE that a CANCEL means (RFC 3261 section 9.2); of any other request its own.
    pub(crate) cancels: TransactionKey,
    /// Where its responses go.
    pub(crate) reply_flow: Flow,
    /// The port that they go to when the connection is gone which that flow is (RFC 3261 section 18.2.2).
    pub(crate) sent_by_port: u16,
    /// Whether its branch is unique, as those are that begin with the magic cookie.
    pub(crate) unique: bool,
}

impl RequestIdentity {
    pub(crate) fn of(mac: &Mac, packet: &Packet) -> Result<RequestIdentity, BadValue> {
        let request = &packet.message;
        let via = request.top_via()?;
        let branch = via.branch().filter(|branch| branch.starts_with(MAGIC_COOKIE));
        let key = |method| TransactionKey::of(mac, request, &via, branch, method);
        let (own, cancels) = match request.method() {
            // An ACK belongs to its INVITE.
            Method::Ack | Method::Invite => (key("INVITE"), None),
            Method::Cancel => (key("CANCEL"), Some(key("INVITE"))),
            _ => (key(request.method_text()), None),
        };
        let sent_by_port = via.port.filter(|port| *port > 0).unwrap_or(packet.flow.transport.default_port());
        let (reply_flow, cancels) = (reply_flow(packet.flow, &via), cancels.unwrap_or(own));
        Ok(RequestIdentity { key: own, cancels, reply_flow, sent_by_port, unique: branch.is_some() })
    }

    /// A number that the request shares with its retransmissions and its CANCEL, and with nothing else; nobody outside can choose it.
    pub fn number(&self) -> u64 {
        self.cancels.spread()
    }

    /// Where its responses go (RFC 3261 section 18.2.2).
    pub fn reply_flow(&self) -> Flow {
        self.reply_flow
    }
}

/// What names a server transaction: a keyed hash of the fields that RFC 3261 section 17.2.3 compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TransactionKey(u128);

impl TransactionKey {
    /// 64 bits that nobody outside can choose.
    pub(crate) fn spread(self) -> u64 {
        self.0 as u64
    }

    /// The transaction of this method that `request` is about; `branch` is there when it is unique.
    fn of(mac: &Mac, request: &Message, via: &Via<'_>, branch: Option<&str>, method: &str) -> TransactionKey {
        match branch {
            Some(branch) => {
                let port = via.port.unwrap_or_else(|| via.transport.unwrap_or(Transport::Udp).default_port());
                let port = port.to_be_bytes();
                let mut lower = [0; 64];
                let host: &[u8] = match &via.host {
                    Host::Name(name) => lower_case(name, &mut lower),
                    Host::V4(address) => &address.octets(),
                    Host::V6(address) => &address.octets(),
                };
                TransactionKey(mac.of(&[branch.as_bytes(), host, &port, method.as_bytes()]))
            }
            None => TransactionKey::of_rfc_2543(mac, request, method),
        }
    }

    /// A client without unique branches: everything that its retransmissions have in common.
    ///
    /// The To tag of an INVITE is left out, so that its ACK, which has the response's, is found too: within one Call-ID,
    /// From tag and CSeq number there are no two INVITEs.
    fn of_rfc_2543(mac: &Mac, request: &Message, method: &str) -> TransactionKey {
        let number = request.cseq().map_or(0, |cseq| cseq.number).to_be_bytes();
        let to_tag = if method == "INVITE" { None } else { request.to_tag() };
        TransactionKey(mac.of(&[
            b"RFC 2543",
            request.request_uri().as_bytes(),
            to_tag.unwrap_or("").as_bytes(),
            request.from_tag().unwrap_or("").as_bytes(),
            request.call_id().as_bytes(),
            &number,
            request.values(HeaderName::Via).next().unwrap_or("").as_bytes(),
            method.as_bytes(),
        ]))
    }
}

/// Host names compare without case; one that is too long for the buffer is compared as it stands.
fn lower_case<'a>(name: &'a str, buffer: &'a mut [u8]) -> &'a [u8] {
    match buffer.get_mut(..name.len()) {
        Some(lower) => {
            lower.copy_from_slice(name.as_bytes());
            lower.make_ascii_lowercase();
            lower
        }
        None => name.as_bytes(),
    }
}
