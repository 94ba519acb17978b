use engine::Mac;
use sip_message::Transport;
use sip_transaction::{ConnectionId, Flow};
use std::net::{IpAddr, SocketAddr};

/// What our Record-Route tells us about a dialog when it comes back in a Route: the flows of both ends, signed.
///
/// It is RFC 5626's flow token for two: each later request of the dialog goes over the flow that its receiver was reached
/// over, through any NAT and over the very connection, and a request that carries a token of ours is known to belong to a
/// dialog that we have let through: the signature covers the Call-ID, so that whoever was given a token can use it for that one
/// call only. Which way is which is told by the From tag of the request that made the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteToken {
    /// The flow of the end that sent the first request.
    pub caller: Flow,
    /// The flow of the end that it was sent to.
    pub callee: Flow,
    from_tag: u32,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SIGNATURE_BYTES: usize = 8;

impl RouteToken {
    /// The token of a dialog between two flows, begun by a request with this From tag.
    pub fn new(mac: &Mac, caller: Flow, callee: Flow, from_tag: &str) -> RouteToken {
        RouteToken { caller, callee, from_tag: tag_hash(mac, from_tag) }
    }

    /// The flow that a request with this From tag leaves by.
    pub fn onward(&self, mac: &Mac, from_tag: &str) -> Flow {
        if tag_hash(mac, from_tag) == self.from_tag { self.callee } else { self.caller }
    }

    /// The token's text for the call with this Call-ID, fit to be the user part of a URI.
    pub fn write(&self, mac: &Mac, call_id: &str) -> String {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&self.from_tag.to_be_bytes());
        put_flow(&mut bytes, &self.caller);
        put_flow(&mut bytes, &self.callee);
        let signature = sign(mac, call_id, &bytes);
        bytes.extend_from_slice(&signature);
        let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            (0..=chunk.len()).for_each(|n| text.push(ALPHABET[(word >> (18 - 6 * n)) as usize & 63] as char));
        }
        text
    }

    /// The token that `text` is, `None` when it is none of ours, or one for another call.
    pub fn read(mac: &Mac, call_id: &str, text: &str) -> Option<RouteToken> {
        /// Two IPv6 flows with connections, and some room.
        const TEXT_MAX: usize = 160;
        if text.len() > TEXT_MAX {
            return None;
        }
        let mut bytes = Vec::with_capacity(text.len());
        for chunk in text.as_bytes().chunks(4) {
            let mut word = 0u32;
            for letter in chunk {
                word = word << 6 | u32::from(value_of(*letter)?);
            }
            word <<= 6 * (4 - chunk.len());
            bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
        }
        let (payload, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
        if sign(mac, call_id, payload) != signature {
            return None;
        }
        let (tag, rest) = payload.split_at_checked(4)?;
        let mut rest = rest;
        let caller = take_flow(&mut rest)?;
        let callee = take_flow(&mut rest)?;
        Some(RouteToken { caller, callee, from_tag: u32::from_be_bytes(tag.try_into().ok()?) })
    }
}

fn value_of(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

fn sign(mac: &Mac, call_id: &str, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
    (mac.of(&[b"route", call_id.as_bytes(), bytes]) as u64).to_be_bytes()
}

fn tag_hash(mac: &Mac, from_tag: &str) -> u32 {
    mac.of(&[b"from", from_tag.as_bytes()]) as u32
}

fn put_flow(bytes: &mut Vec<u8>, flow: &Flow) {
    let v6 = flow.local.is_ipv6() || flow.remote.is_ipv6();
    bytes.push(flow.transport as u8 | u8::from(v6) << 4 | u8::from(flow.connection.is_some()) << 5);
    for address in [flow.local, flow.remote] {
        match address.ip() {
            IpAddr::V4(ip) if !v6 => bytes.extend_from_slice(&ip.octets()),
            IpAddr::V4(ip) => bytes.extend_from_slice(&ip.to_ipv6_mapped().octets()),
            IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
        }
        bytes.extend_from_slice(&address.port().to_be_bytes());
    }
    if let Some(ConnectionId(number)) = flow.connection {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

fn take_flow(bytes: &mut &[u8]) -> Option<Flow> {
    let kind = take::<1>(bytes)?[0];
    let transport =
        *[Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss].get(usize::from(kind & 15))?;
    let mut address = || -> Option<SocketAddr> {
        let ip = if kind & 16 == 0 { IpAddr::from(take::<4>(bytes)?) } else { IpAddr::from(take::<16>(bytes)?) };
        Some(SocketAddr::new(ip, u16::from_be_bytes(take::<2>(bytes)?)))
    };
    let (local, remote) = (address()?, address()?);
    let connection = if kind & 32 == 0 { None } else { Some(ConnectionId(u64::from_be_bytes(take::<8>(bytes)?))) };
    Some(Flow { transport, local, remote, connection })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(transport: Transport, local: &str, remote: &str, connection: Option<u64>) -> Flow {
        let address = |text: &str| text.parse().expect("an address");
        Flow { transport, local: address(local), remote: address(remote), connection: connection.map(ConnectionId) }
    }

    #[test]
    fn a_token_brings_back_both_flows_and_tells_the_way() {
        let mac = Mac::from_key([1; 16]);
        let udp = flow(Transport::Udp, "10.0.0.1:5060", "10.0.0.9:5070", None);
        let wss = flow(Transport::Wss, "[2001:db8::1]:443", "[2001:db8::9]:40000", Some(77));
        for (caller, callee) in [(udp, udp), (udp, wss), (wss, udp), (wss, wss)] {
            let text = RouteToken::new(&mac, caller, callee, "a1").write(&mac, "call");
            let token = RouteToken::read(&mac, "call", &text).expect("our own");
            assert_eq!((token.caller, token.callee), (caller, callee));
            assert_eq!((token.onward(&mac, "a1"), token.onward(&mac, "b2")), (callee, caller));
        }
    }

    /// Ends of two families, as a socket for both shows them, come back as that socket takes them.
    #[test]
    fn an_ipv4_address_beside_an_ipv6_one_comes_back_mapped() {
        let mac = Mac::from_key([1; 16]);
        let mixed = flow(Transport::Udp, "[2001:db8::1]:5060", "10.0.0.9:5070", None);
        let mapped = flow(Transport::Udp, "[2001:db8::1]:5060", "[::ffff:10.0.0.9]:5070", None);
        let text = RouteToken::new(&mac, mixed, mixed, "a1").write(&mac, "call");
        let token = RouteToken::read(&mac, "call", &text).expect("our own");
        assert_eq!((token.caller, token.callee), (mapped, mapped));
    }

    #[test]
    fn nobody_else_can_make_one() {
        let mac = Mac::from_key([1; 16]);
        let udp = flow(Transport::Udp, "10.0.0.1:5060", "10.0.0.9:5070", None);
        let text = RouteToken::new(&mac, udp, udp, "a1").write(&mac, "call");
        assert_eq!(RouteToken::read(&mac, "another call", &text), None);
        assert_eq!(RouteToken::read(&Mac::from_key([2; 16]), "call", &text), None);
        for at in 0..text.len() - 1 {
            let mut forged = text.clone();
            let other = if text.as_bytes()[at] == b'Q' { "R" } else { "Q" };
            forged.replace_range(at..=at, other);
            assert_eq!(RouteToken::read(&mac, "call", &forged), None, "{at}");
        }
        for junk in ["", "A", "alice", "ü", &"A".repeat(500)] {
            assert_eq!(RouteToken::read(&mac, "call", junk), None);
        }
    }
}
