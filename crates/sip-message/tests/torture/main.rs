//! Every message of RFC 4475 and RFC 5118: what the RFC says about it, and what `inspect` says.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a panic is how a test fails, and it reads its own files

mod rfc4475;
mod rfc5118;

use bytes::Bytes;
use sip_message::{Contacts, Host, Message, inspect};
use std::path::PathBuf;

/// File, method of a request or status of a response ("" where not even that can be told), whether it is well-formed, and the
/// status that is owed to its sender by whoever reads it, whatever its role.
const VERDICTS: &[(&str, &str, bool, Option<u16>)] = &[
    ("rfc4475/wsinv", "INVITE", true, None),
    ("rfc4475/intmeth", "!interesting-Method0123456789_*+`.%indeed'~", true, None),
    ("rfc4475/esc01", "INVITE", true, None),
    ("rfc4475/escnull", "REGISTER", true, None),
    ("rfc4475/esc02", "RE%47IST%45R", true, None),
    ("rfc4475/lwsdisp", "OPTIONS", true, None),
    ("rfc4475/longreq", "INVITE", true, None),
    ("rfc4475/dblreq", "REGISTER", true, None),
    ("rfc4475/semiuri", "OPTIONS", true, None),
    ("rfc4475/transports", "OPTIONS", true, None),
    ("rfc4475/mpart01", "MESSAGE", true, None),
    ("rfc4475/unreason", "200", true, None),
    ("rfc4475/noreason", "100", true, None),
    ("rfc4475/badinv01", "INVITE", false, Some(400)),
    ("rfc4475/clerr", "INVITE", false, Some(400)),
    ("rfc4475/ncl", "INVITE", false, Some(400)),
    ("rfc4475/scalar02", "REGISTER", false, Some(400)),
    ("rfc4475/scalarlg", "503", false, None),
    ("rfc4475/quotbal", "INVITE", false, Some(400)),
    ("rfc4475/ltgtruri", "INVITE", false, Some(400)),
    ("rfc4475/lwsruri", "INVITE", false, Some(400)),
    ("rfc4475/lwsstart", "INVITE", false, Some(400)),
    ("rfc4475/trws", "OPTIONS", false, Some(400)),
    ("rfc4475/escruri", "INVITE", false, Some(400)),
    ("rfc4475/baddate", "INVITE", false, Some(400)),
    ("rfc4475/regbadct", "REGISTER", false, Some(400)),
    ("rfc4475/badaspec", "OPTIONS", false, Some(400)),
    ("rfc4475/baddn", "OPTIONS", false, Some(400)),
    ("rfc4475/badvers", "OPTIONS", false, Some(505)),
    ("rfc4475/mismatch01", "OPTIONS", false, Some(400)),
    ("rfc4475/mismatch02", "NEWMETHOD", false, Some(501)),
    ("rfc4475/bigcode", "", false, None),
    ("rfc4475/badbranch", "OPTIONS", true, None),
    ("rfc4475/insuf", "INVITE", false, Some(400)),
    ("rfc4475/unkscm", "OPTIONS", true, Some(416)),
    ("rfc4475/novelsc", "OPTIONS", true, Some(416)),
    ("rfc4475/unksm2", "REGISTER", true, Some(400)),
    ("rfc4475/bext01", "OPTIONS", true, Some(420)),
    ("rfc4475/invut", "INVITE", true, None),
    ("rfc4475/regaut01", "REGISTER", true, None),
    ("rfc4475/multi01", "INVITE", false, Some(400)),
    ("rfc4475/mcl01", "OPTIONS", false, Some(400)),
    ("rfc4475/bcast", "200", true, None),
    ("rfc4475/zeromf", "OPTIONS", true, None),
    ("rfc4475/cparam01", "REGISTER", true, None),
    ("rfc4475/cparam02", "REGISTER", true, None),
    ("rfc4475/regescrt", "REGISTER", true, None),
    ("rfc4475/sdp01", "INVITE", true, None),
    ("rfc4475/inv2543", "INVITE", true, None),
    ("rfc5118/ipv6-good", "REGISTER", true, None),
    ("rfc5118/ipv6-bad", "REGISTER", false, Some(400)),
    ("rfc5118/port-ambiguous", "REGISTER", true, None),
    ("rfc5118/port-unambiguous", "REGISTER", true, None),
    ("rfc5118/via-received-param-with-delim", "BYE", true, None),
    ("rfc5118/via-received-param-no-delim", "OPTIONS", true, None),
    ("rfc5118/ipv6-in-sdp", "INVITE", true, None),
    ("rfc5118/ipv6-in-sdp-as-printed", "INVITE", false, Some(400)),
    ("rfc5118/mult-ip-in-header", "BYE", true, None),
    ("rfc5118/mult-ip-in-sdp", "INVITE", true, None),
    ("rfc5118/ipv4-mapped-ipv6", "INVITE", true, None),
    ("rfc5118/ipv6-bug-abnf-3-colons", "OPTIONS", true, None),
    ("rfc5118/ipv6-correct-abnf-2-colons", "OPTIONS", true, None),
];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture"))
}

fn bytes(name: &str) -> Bytes {
    Bytes::from(std::fs::read(folder().join(format!("{name}.sip"))).unwrap())
}

/// What `inspect` says about a file, which must be what the table has.
fn inspected(name: &str) -> sip_message::Verdict {
    let (_, start, valid, response) = *VERDICTS.iter().find(|verdict| verdict.0 == name).unwrap();
    let verdict = inspect(&bytes(name));
    let status = verdict.status.map(|status| status.to_string());
    assert_eq!(verdict.method.clone().or(status).unwrap_or_default(), start, "{name}: {verdict:?}");
    let kind = match start.bytes().next() {
        None => "",
        Some(b'0'..=b'9') => "response",
        Some(_) => "request",
    };
    assert_eq!((verdict.kind, verdict.valid, verdict.response), (kind, valid, response), "{name}: {verdict:?}");
    verdict
}

/// A message that must be accepted.
fn well_formed(name: &str) -> Message {
    assert!(inspected(name).valid, "{name}");
    Message::parse(bytes(name)).unwrap()
}

/// A message that must not, and why not.
fn malformed(name: &str, why: &str) {
    let verdict = inspected(name);
    assert_eq!((verdict.valid, verdict.error.as_deref()), (false, Some(why)), "{name}");
}

/// The status line that its sender gets, when the parser refuses it by itself.
fn answer(name: &str) -> Option<String> {
    let reply = Message::parse(bytes(name)).unwrap_err().reply("192.0.2.1:5060".parse().unwrap())?;
    Some(String::from_utf8_lossy(&reply).lines().next()?.to_owned())
}

fn contacts(message: &Message) -> Vec<sip_message::NameAddr<'_>> {
    let Contacts::List(list) = message.contacts().unwrap() else { panic!("a list") };
    list
}

fn v6(text: &str) -> Host<'static> {
    Host::V6(text.parse().unwrap())
}

#[test]
fn inspect_says_of_every_torture_message_what_its_rfc_says() {
    let mut files = Vec::new();
    for rfc in ["rfc4475", "rfc5118"] {
        for entry in std::fs::read_dir(folder().join(rfc)).unwrap() {
            files.push(format!("{rfc}/{}", entry.unwrap().path().file_stem().unwrap().to_str().unwrap()));
        }
    }
    files.sort();
    let mut expected: Vec<&str> = VERDICTS.iter().map(|verdict| verdict.0).collect();
    expected.sort_unstable();
    assert_eq!(files, expected, "every file has a verdict, and every verdict a file");
    for name in expected {
        inspected(name);
    }
}
