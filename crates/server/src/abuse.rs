//! What strangers do that is held against them. Nothing is decided here: who is banned when, others know.

use crate::{Event, Output, Server};
use guard::Offence;
use sip_message::{HeaderName, Message};
use sip_transaction::Packet;
use std::net::IpAddr;

/// Programs that look for other people's exchanges, as they call themselves, in lower case. (sipsak is not one: operators use it.)
const SCANNERS: [&str; 8] =
    ["friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sundayddr", "pplsip", "vaxsipuseragent", "iwar"];

/// The first octets of a STUN message (RFC 8489 section 5), which some phones send to keep a NAT's door open: no SIP, and no offence.
const STUN_FIRST_MAX: u8 = 3;
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

impl Server {
    /// Tells that somebody did what is held against them.
    pub(crate) fn offend(&mut self, source: IpAddr, offence: Offence) {
        self.outputs.push_back(Output::Event(Event::Offence { source: source.to_canonical(), offence }));
    }

    /// Whether a request that begins something is a scanner's, which gets no answer at all: nothing tells them that somebody is here.
    /// Whoever has a dialog here, and a trunk, may call themselves what they like.
    pub(crate) fn is_scanners(&self, packet: &Packet) -> bool {
        calls_itself_scanner(&packet.message) && {
            let admitted = self.look_at(packet, None);
            !admitted.preprocessed.in_known_dialog() && admitted.caller == crate::identity::Caller::Unproved
        }
    }
}

/// Whether the sender names itself a scanner, as a word of its User-Agent.
fn calls_itself_scanner(request: &Message) -> bool {
    let Some(agent) = request.header(HeaderName::UserAgent) else { return false };
    let bytes = agent.as_bytes();
    let begins_word = |at: usize| at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    let candidates =
        bytes.iter().enumerate().filter(|(_, byte)| matches!(**byte | 0x20, b'f' | b's' | b'p' | b'v' | b'i'));
    candidates.filter(|(at, _)| begins_word(*at)).any(|(at, _)| {
        let rest = &bytes[at..];
        SCANNERS.iter().any(|name| {
            rest.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
                && rest.get(name.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
        })
    })
}

/// Whether this is no SIP, and known not to be.
pub(crate) fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first <= STUN_FIRST_MAX) && bytes.get(4..8) == Some(&STUN_COOKIE)
}

#[cfg(test)]
mod tests {
    use super::{calls_itself_scanner, is_stun};
    use sip_message::Message;

    fn is_scanner(agent: &str) -> bool {
        let text = format!(
            "OPTIONS sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nUser-Agent: {agent}\r\n\r\n"
        );
        calls_itself_scanner(&Message::parse(text.into()).expect("well-formed"))
    }

    #[test]
    fn scanners_by_their_names() {
        for (agent, scanner) in [
            ("friendly-scanner", true),
            ("Friendly-Scanner", true),
            ("sipvicious", true),
            ("SIPVicious/0.3.3", true),
            ("sipcli/v1.8", true),
            ("sip-scan", true),
            ("sundayddr", true),
            ("pplsip", true),
            ("VaxSIPUserAgent/3.1", true),
            ("iWar", true),
            ("my friendly-scanner 2", true),
            ("sipsak 0.9.8", false),
            ("kiwari", false),
            ("iWarrior 1.0", false),
            ("sipclient", false),
            ("baresip v3.1.0 (x86_64/Linux)", false),
            ("Yealink SIP-T46S 66.85", false),
            ("", false),
        ] {
            assert_eq!(is_scanner(agent), scanner, "{agent}");
        }
    }

    #[test]
    fn a_stun_request_is_no_message_and_no_offence() {
        assert!(is_stun(b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"));
        assert!(!is_stun(b"\x00\x01\x00\x00") && !is_stun(b"") && !is_stun(b"INVITE sip:a@b SIP/2.0"));
    }
}
