//! The requests that we send, byte by byte: no formatting machinery, one copy.

use crate::identity::{Identities, Identity, write_hex_of};
use bytes::Bytes;
use sip_message::{HeaderName, Message, Uri};
use std::net::{IpAddr, SocketAddr};

/// Whom calls are from: a domain that nobody is responsible for (RFC 6761 section 6.4), so that nobody asks for credentials.
const CALLER: &str = "sip:load@load.invalid";

/// What both sides say of themselves.
const ABILITIES: &str = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\nSupported: replaces\r\n";

/// Writes requests for one run.
pub(crate) struct Wording {
    pub(crate) identities: Identities,
    callers: String,
    callees: String,
    offer: String,
    scratch: Vec<u8>,
}

/// A REGISTER's variable parts.
pub(crate) struct Registration<'a> {
    pub(crate) identity: Identity,
    pub(crate) user: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) contact: u32,
    /// By how many characters this user's name is shorter than others'.
    pub(crate) shorter: usize,
    pub(crate) cseq: u32,
    pub(crate) expires_s: u32,
    /// The field that answers a challenge.
    pub(crate) credentials: Option<(HeaderName, String)>,
}

impl Wording {
    /// Requests of calls leave from `callers`, those of phones from `callees`.
    pub(crate) fn new(run: String, callers: SocketAddr, callees: SocketAddr) -> Wording {
        Wording {
            identities: Identities::new(run, callers.ip()),
            callers: callers.to_string(),
            callees: callees.to_string(),
            offer: session_description(callers.ip(), 40_000),
            scratch: Vec::with_capacity(2048),
        }
    }

    /// The INVITE of a call to `uri`.
    pub(crate) fn invite(&mut self, call: Identity, uri: &str) -> Bytes {
        self.scratch.clear();
        self.text(&["INVITE ", uri, " SIP/2.0\r\n"]);
        self.via_of_call(call, b'i');
        self.text(&["Max-Forwards: 70\r\nFrom: \"Load\" <", CALLER, ">;tag="]);
        self.identities.write_local(call, &mut self.scratch);
        self.text(&["\r\nTo: <", uri, ">\r\nCall-ID: "]);
        self.identities.write(call, &mut self.scratch);
        self.text(&["\r\nCSeq: 1 INVITE\r\nContact: <sip:load@"]);
        self.scratch.extend_from_slice(self.callers.as_bytes());
        self.text(&[
            ">\r\nUser-Agent: ringback-load/1\r\n",
            ABILITIES,
            "Content-Type: application/sdp\r\nContent-Length: ",
        ]);
        self.decimal(self.offer.len() as u32);
        self.text(&["\r\n\r\n"]);
        self.scratch.extend_from_slice(self.offer.as_bytes());
        self.written()
    }

    /// The ACK to a 2xx (RFC 3261 section 13.2.2.4).
    pub(crate) fn ack(&mut self, call: Identity, answer: &Message) -> Bytes {
        self.in_dialog("ACK", b'a', "1 ACK", call, answer)
    }

    /// The BYE of the dialog that this 2xx has made.
    pub(crate) fn bye(&mut self, call: Identity, answer: &Message) -> Bytes {
        self.in_dialog("BYE", b'b', "2 BYE", call, answer)
    }

    /// A request to the remote target along the route set: the Record-Route of the 2xx, backwards (RFC 3261 section 12.1.2).
    fn in_dialog(&mut self, method: &str, letter: u8, cseq: &str, call: Identity, answer: &Message) -> Bytes {
        self.scratch.clear();
        self.text(&[method, " ", remote_target(answer), " SIP/2.0\r\n"]);
        self.via_of_call(call, letter);
        self.text(&["Max-Forwards: 70\r\n"]);
        let mut routes = Vec::new();
        routes.extend(answer.values(HeaderName::RecordRoute));
        for route in routes.iter().rev() {
            self.text(&["Route: ", route, "\r\n"]);
        }
        self.copy(answer, HeaderName::From);
        self.copy(answer, HeaderName::To);
        self.copy(answer, HeaderName::CallId);
        self.text(&["CSeq: ", cseq, "\r\nContent-Length: 0\r\n\r\n"]);
        self.written()
    }

    /// The ACK to a refusal, made of the refusal alone: the same transaction as the INVITE's (RFC 3261 section 17.1.1.3).
    pub(crate) fn ack_refusal(&mut self, call: Identity, refusal: &Message) -> Bytes {
        self.scratch.clear();
        // Our INVITEs go to the URI that their To names.
        self.text(&["ACK ", refusal.to().map_or("sip:load.invalid", |to| to.uri), " SIP/2.0\r\n"]);
        self.via_of_call(call, b'i');
        self.text(&["Max-Forwards: 70\r\n"]);
        self.copy(refusal, HeaderName::From);
        self.copy(refusal, HeaderName::To);
        self.copy(refusal, HeaderName::CallId);
        self.text(&["CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"]);
        self.written()
    }

    /// A REGISTER of one contact.
    ///
    /// All those of one kind have the same length, and so have their answers if they are made alike: the kernel carries those to one address
    /// for a fraction of what others cost ([`net::UdpBatch`]).
    pub(crate) fn register(&mut self, registration: &Registration<'_>) -> Bytes {
        let Registration { identity, user, domain, contact, shorter, cseq, expires_s, .. } = *registration;
        self.scratch.clear();
        self.text(&["REGISTER sip:", domain, " SIP/2.0\r\nVia: SIP/2.0/UDP "]);
        self.scratch.extend_from_slice(self.callees.as_bytes());
        self.text(&[";rport;branch=z9hG4bK"]);
        self.identities.write_local(identity, &mut self.scratch);
        self.text(&["-"]);
        write_hex_of(cseq, 8, &mut self.scratch);
        // In the answer the name stands three times, in the request once more than that.
        self.filling(3 * shorter);
        self.text(&["\r\nMax-Forwards: 70\r\nFrom: <sip:", user, "@", domain, ">;tag="]);
        self.identities.write_local(identity, &mut self.scratch);
        self.text(&["\r\nTo: <sip:", user, "@", domain, ">\r\nCall-ID: "]);
        self.identities.write(identity, &mut self.scratch);
        self.text(&["\r\nCSeq: "]);
        self.decimal(cseq);
        self.text(&[" REGISTER\r\nContact: <sip:", user, "-"]);
        self.decimal(contact);
        self.text(&["@"]);
        self.scratch.extend_from_slice(self.callees.as_bytes());
        self.text(&[">;expires="]);
        self.decimal(expires_s);
        self.text(&["\r\nUser-Agent: ringback-load/1"]);
        self.filling(shorter);
        self.text(&["\r\n", ABILITIES]);
        if let Some((name, value)) = &registration.credentials {
            self.text(&[name.as_str(), ": ", value, "\r\n"]);
        }
        self.text(&["Content-Length: 0\r\n\r\n"]);
        self.written()
    }

    fn via_of_call(&mut self, call: Identity, letter: u8) {
        self.text(&["Via: SIP/2.0/UDP "]);
        self.scratch.extend_from_slice(self.callers.as_bytes());
        self.text(&[";rport;branch=z9hG4bK"]);
        self.identities.write_local(call, &mut self.scratch);
        self.scratch.push(letter);
        self.text(&["\r\n"]);
    }

    fn copy(&mut self, message: &Message, name: HeaderName) {
        self.text(&[name.as_str(), ": ", message.header(name).unwrap_or(""), "\r\n"]);
    }

    fn text(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.scratch.extend_from_slice(part.as_bytes()));
    }

    fn filling(&mut self, bytes: usize) {
        self.scratch.resize(self.scratch.len() + bytes, b'0');
    }

    fn decimal(&mut self, number: u32) {
        write_decimal(number, &mut self.scratch);
    }

    fn written(&mut self) -> Bytes {
        Bytes::copy_from_slice(&self.scratch)
    }
}

/// The URI that the other side wants requests of the dialog sent to.
fn remote_target(answer: &Message) -> &str {
    let contact = answer.values(HeaderName::Contact).next().and_then(|value| sip_message::NameAddr::parse(value).ok());
    contact.map_or("sip:load.invalid", |contact| contact.uri)
}

/// Where a request of the dialog is sent (RFC 3261 section 8.1.2): to the first route or the remote target when that names an
/// address, else to `target`, which has brought us here.
pub(crate) fn next_hop(answer: &Message, target: SocketAddr) -> SocketAddr {
    let last = answer.values(HeaderName::RecordRoute).last().and_then(|value| sip_message::NameAddr::parse(value).ok());
    let uri = Uri::parse(last.map_or_else(|| remote_target(answer), |route| route.uri));
    let address = uri.ok().and_then(|uri| Some(SocketAddr::new(uri.host.ip()?, uri.port.unwrap_or(5060))));
    address.filter(|address| address.is_ipv4() == target.is_ipv4()).unwrap_or(target)
}

/// What a phone would offer: some 300 bytes.
pub(crate) fn session_description(ip: IpAddr, port: u16) -> String {
    let version = if ip.is_ipv4() { 4 } else { 6 };
    format!(
        "v=0\r\no=load 2890844526 2890844526 IN IP{version} {ip}\r\ns=call\r\nc=IN IP{version} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 96 9 8 0 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Writes a number in decimal.
pub(crate) fn write_decimal(number: u32, out: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut first = digits.len();
    let mut rest = number;
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}
