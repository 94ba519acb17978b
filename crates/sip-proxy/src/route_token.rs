use engine::Mac;
use sip_message::{BadValue, Host, Message, NameAddr, Transport};
use sip_transaction::{ConnectionId, Flow};
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};

/// What our Record-Route tells us about a dialog when it comes back in a Route: the flows of both ends, signed.
///
/// It is RFC 5626's flow token for two: each later request of the dialog goes over the flow that its receiver was reached
/// over, through any NAT and over the very connection, and a request that carries a token of ours is known to belong to a
/// dialog that we have let through: the signature covers the Call-ID and the names of both ends, so that whoever was given a token
/// can use it for that one call only, and nobody becomes somebody else in the middle of it. Which way is which is told by the From
/// tag of the request that made the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteToken {
    /// The flow of the end that sent the first request.
    pub caller: Flow,
    /// The flow of the end that it was sent to.
    pub callee: Flow,
    from_tag: u32,
}

/// What the messages of one dialog have in common, as one of them has it.
#[derive(Debug, Clone, Copy)]
pub struct Dialog<'a> {
    call_id: &'a str,
    from_tag: &'a str,
    from: Name<'a>,
    to: Name<'a>,
}

/// Who somebody is: user and host of a URI. Its display name, port and parameters may come and go.
type Name<'a> = Option<(Option<&'a str>, Host<'a>)>;

impl<'a> Dialog<'a> {
    /// As `request` has it, which may be one of either end.
    pub fn of(request: &'a Message) -> Dialog<'a> {
        Dialog::between(request.call_id(), request.from(), request.to())
    }

    /// Of the messages with this Call-ID, From and To.
    pub fn between(
        call_id: &'a str,
        from: Result<NameAddr<'a>, BadValue>,
        to: Result<NameAddr<'a>, BadValue>,
    ) -> Dialog<'a> {
        let name = |address: &Result<NameAddr<'a>, BadValue>| {
            address.as_ref().ok().and_then(|address| address.uri_parsed().ok()).map(|uri| (uri.user, uri.host))
        };
        let from_tag = from.as_ref().ok().and_then(|from| from.tag()).unwrap_or("");
        Dialog { call_id, from_tag, from: name(&from), to: name(&to) }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SIGNATURE_BYTES: usize = 8;

impl RouteToken {
    /// The token of a dialog between two flows, as the request that begins it has it.
    pub fn new(mac: &Mac, caller: Flow, callee: Flow, dialog: &Dialog<'_>) -> RouteToken {
        RouteToken { caller, callee, from_tag: tag_hash(mac, dialog.from_tag) }
    }

    /// The flow that a request of the dialog leaves by.
    pub fn onward(&self, mac: &Mac, dialog: &Dialog<'_>) -> Flow {
        if tag_hash(mac, dialog.from_tag) == self.from_tag { self.callee } else { self.caller }
    }

    /// The token's text for this dialog, fit to be the user part of a URI.
    pub fn write(&self, mac: &Mac, dialog: &Dialog<'_>) -> String {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&self.from_tag.to_be_bytes());
        put_flow(&mut bytes, &self.caller);
        put_flow(&mut bytes, &self.callee);
        let signature = sign(mac, dialog.call_id, dialog.from, dialog.to, &bytes);
        bytes.extend_from_slice(&signature);
        write_text(&bytes)
    }

    /// The token that `text` is, `None` when it is none of ours, or one for another dialog.
    pub fn read(mac: &Mac, dialog: &Dialog<'_>, text: &str) -> Option<RouteToken> {
        let bytes = read_text(text)?;
        let (payload, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
        let mut rest = payload;
        let from_tag = u32::from_be_bytes(take::<4>(&mut rest)?);
        let onward = tag_hash(mac, dialog.from_tag) == from_tag;
        let (caller, callee) = if onward { (dialog.from, dialog.to) } else { (dialog.to, dialog.from) };
        if sign(mac, dialog.call_id, caller, callee, payload) != signature {
            return None;
        }
        Some(RouteToken { caller: take_flow(&mut rest)?, callee: take_flow(&mut rest)?, from_tag })
    }
}

/// Bytes as text that is fit to be the user part of a URI.
pub(crate) fn write_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).for_each(|n| text.push(ALPHABET[(word >> (18 - 6 * n)) as usize & 63] as char));
    }
    text
}

/// The bytes that are written as `text`.
pub(crate) fn read_text(text: &str) -> Option<Vec<u8>> {
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
    Some(bytes)
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

fn sign(mac: &Mac, call_id: &str, caller: Name<'_>, callee: Name<'_>, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let (caller, callee) = (name_hash(mac, caller).to_be_bytes(), name_hash(mac, callee).to_be_bytes());
    (mac.of(&[b"route", call_id.as_bytes(), &caller, &callee, bytes]) as u64).to_be_bytes()
}

/// The case of a host's name makes no difference.
fn name_hash(mac: &Mac, name: Name<'_>) -> u128 {
    let Some((user, host)) = name else { return 0 };
    let user = user.unwrap_or("").as_bytes();
    match host {
        Host::Name(name) => {
            let lower: SmallVec<[u8; 64]> = name.bytes().map(|letter| letter.to_ascii_lowercase()).collect();
            mac.of(&[b"name", user, &lower])
        }
        Host::V4(v4) => mac.of(&[b"v4", user, &v4.octets()]),
        Host::V6(v6) => mac.of(&[b"v6", user, &v6.octets()]),
    }
}

fn tag_hash(mac: &Mac, from_tag: &str) -> u32 {
    mac.of(&[b"from", from_tag.as_bytes()]) as u32
}

pub(crate) fn put_flow(bytes: &mut Vec<u8>, flow: &Flow) {
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

pub(crate) fn take_flow(bytes: &mut &[u8]) -> Option<Flow> {
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

    /// `a;tag=1` is short for an address-of-record of some host.
    fn message(call_id: &str, from: &str, to: &str) -> Message {
        let long = |address: &str| match address.split_once(';') {
            _ if address.contains('<') => address.to_owned(),
            Some((user, tag)) => format!("<sip:{user}@h.x>;{tag}"),
            None => format!("<sip:{address}@h.x>"),
        };
        let text = format!(
            "BYE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\nCSeq: 2 BYE\r\n\r\n",
            long(from),
            long(to)
        );
        Message::parse(text.into()).expect("well-formed")
    }

    #[test]
    fn a_token_brings_back_both_flows_and_tells_the_way() {
        let mac = Mac::from_key([1; 16]);
        let udp = flow(Transport::Udp, "10.0.0.1:5060", "10.0.0.9:5070", None);
        let wss = flow(Transport::Wss, "[2001:db8::1]:443", "[2001:db8::9]:40000", Some(77));
        let (first, back) = (message("1", "a;tag=a1", "b"), message("1", "b;tag=b2", "a;tag=a1"));
        let (first, back) = (Dialog::of(&first), Dialog::of(&back));
        for (caller, callee) in [(udp, udp), (udp, wss), (wss, udp), (wss, wss)] {
            let text = RouteToken::new(&mac, caller, callee, &first).write(&mac, &first);
            for dialog in [&first, &back] {
                let token = RouteToken::read(&mac, dialog, &text).expect("our own");
                assert_eq!((token.caller, token.callee), (caller, callee));
            }
            let token = RouteToken::read(&mac, &back, &text).expect("our own");
            assert_eq!((token.onward(&mac, &first), token.onward(&mac, &back)), (callee, caller));
        }
    }

    #[test]
    fn it_is_good_for_its_call_and_both_its_ends_only() {
        let mac = Mac::from_key([1; 16]);
        let udp = flow(Transport::Udp, "10.0.0.1:5060", "10.0.0.9:5070", None);
        let first = message("1", "<sip:a@h.x>;tag=a1", "<sip:b@[::1]>");
        let text = RouteToken::new(&mac, udp, udp, &Dialog::of(&first)).write(&mac, &Dialog::of(&first));
        for (call_id, from, to, good) in [
            ("1", "\"A\" <sip:a@H.X:5070;x=y>;tag=a1", "<sip:b@[0::1]>;tag=b", true),
            ("1", "<sip:b@[::1]>;tag=b", "<sip:a@h.x>;tag=a1", true),
            ("2", "<sip:a@h.x>;tag=a1", "<sip:b@[::1]>;tag=b", false),
            ("1", "<sip:c@h.x>;tag=a1", "<sip:b@[::1]>;tag=b", false),
            ("1", "<sip:a@h.y>;tag=a1", "<sip:b@[::1]>;tag=b", false),
            ("1", "<sip:h.x>;tag=a1", "<sip:b@[::1]>;tag=b", false),
            ("1", "<tel:a>;tag=a1", "<sip:b@[::1]>;tag=b", false),
            ("1", "<sip:a@h.x>;tag=a1", "<sip:b@[::2]>;tag=b", false),
            ("1", "<sip:a@h.x>;tag=a1", "<sip:b@1.2.3.4>;tag=b", false),
            ("1", "<sip:b@[::1]>;tag=a1", "<sip:a@h.x>;tag=b", false),
            ("1", "<sip:a@h.x>;tag=b", "<sip:b@[::1]>;tag=a1", false),
        ] {
            let later = message(call_id, from, to);
            assert_eq!(RouteToken::read(&mac, &Dialog::of(&later), &text).is_some(), good, "{call_id} {from} {to}");
        }
    }

    /// Ends of two families, as a socket for both shows them, come back as that socket takes them.
    #[test]
    fn an_ipv4_address_beside_an_ipv6_one_comes_back_mapped() {
        let mac = Mac::from_key([1; 16]);
        let mixed = flow(Transport::Udp, "[2001:db8::1]:5060", "10.0.0.9:5070", None);
        let mapped = flow(Transport::Udp, "[2001:db8::1]:5060", "[::ffff:10.0.0.9]:5070", None);
        let request = message("1", "a;tag=a1", "b");
        let dialog = Dialog::of(&request);
        let text = RouteToken::new(&mac, mixed, mixed, &dialog).write(&mac, &dialog);
        let token = RouteToken::read(&mac, &dialog, &text).expect("our own");
        assert_eq!((token.caller, token.callee), (mapped, mapped));
    }

    #[test]
    fn nobody_else_can_make_one() {
        let mac = Mac::from_key([1; 16]);
        let udp = flow(Transport::Udp, "10.0.0.1:5060", "10.0.0.9:5070", None);
        let request = message("1", "a;tag=a1", "b");
        let dialog = Dialog::of(&request);
        let text = RouteToken::new(&mac, udp, udp, &dialog).write(&mac, &dialog);
        assert_eq!(RouteToken::read(&Mac::from_key([2; 16]), &dialog, &text), None);
        for at in 0..text.len() - 1 {
            let mut forged = text.clone();
            let other = if text.as_bytes()[at] == b'Q' { "R" } else { "Q" };
            forged.replace_range(at..=at, other);
            assert_eq!(RouteToken::read(&mac, &dialog, &forged), None, "{at}");
        }
        for junk in ["", "A", "alice", "ü", &"A".repeat(500)] {
            assert_eq!(RouteToken::read(&mac, &dialog, junk), None);
        }
    }
}
