use engine::Mac;
use sip_message::{HeaderName, Host, MAGIC_COOKIE, Message, Method, Transport, Via};

/// What names a server transaction: a keyed hash of the fields that RFC 3261 section 17.2.3 compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TransactionKey(u128);

impl TransactionKey {
    /// 64 bits that nobody outside can choose.
    pub(crate) fn spread(self) -> u64 {
        self.0 as u64
    }

    /// The transaction that `request` starts or belongs to. An ACK belongs to its INVITE.
    pub(crate) fn of(mac: &Mac, request: &Message, via: &Via<'_>) -> TransactionKey {
        let method = if request.method() == Method::Ack { "INVITE" } else { request.method_text() };
        TransactionKey::of_method(mac, request, via, method)
    }

    /// The INVITE that the CANCEL `request` means (section 9.2).
    pub(crate) fn of_cancelled(mac: &Mac, request: &Message, via: &Via<'_>) -> TransactionKey {
        TransactionKey::of_method(mac, request, via, "INVITE")
    }

    fn of_method(mac: &Mac, request: &Message, via: &Via<'_>, method: &str) -> TransactionKey {
        match via.branch() {
            Some(branch) if branch.starts_with(MAGIC_COOKIE) => {
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
            _ => TransactionKey::of_rfc_2543(mac, request, method),
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
