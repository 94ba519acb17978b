//! Every message of RFC 4475 and RFC 5118 (`crates/sip-message/tests/torture`), sent to a running exchange.
#![allow(clippy::disallowed_methods)] // it reads the messages from their files

use bytes::Bytes;
use simnet::run;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the exchange answers to those that the RFCs want answered, or dropped, by whatever element they come to.
const ANSWERS: &[(&str, Option<u16>)] = &[
    ("badinv01", Some(400)),
    ("clerr", Some(400)),
    ("ncl", Some(400)),
    ("scalar02", Some(400)),
    ("scalarlg", None),
    ("quotbal", Some(400)),
    ("ltgtruri", Some(400)),
    ("lwsruri", Some(400)),
    ("lwsstart", Some(400)),
    ("trws", Some(400)),
    ("escruri", Some(400)),
    ("regbadct", Some(400)),
    ("badaspec", Some(400)),
    ("baddn", Some(400)),
    ("badvers", Some(505)),
    ("mismatch01", Some(400)),
    ("mismatch02", Some(501)),
    ("bigcode", None),
    ("insuf", Some(400)),
    ("unkscm", Some(416)),
    ("novelsc", Some(416)),
    ("bext01", Some(420)),
    ("multi01", Some(400)),
    ("mcl01", Some(400)),
    ("bcast", None),
    ("unreason", None),
    ("noreason", None),
    ("zeromf", Some(483)),
    ("dblreq", Some(200)),
    ("cparam01", Some(200)),
    ("cparam02", Some(200)),
    ("regescrt", Some(200)),
    ("regaut01", Some(200)),
    ("ipv6-bad", Some(400)),
    ("ipv6-in-sdp-as-printed", Some(400)),
];

/// Well-formed as far as an exchange reads it, but answered with a 400 for what it asks (RFC 4475 section 3.3.4).
const REFUSED_BY_THE_REGISTRAR: &str = "unksm2";

#[test]
fn torture_messages_get_the_answers_that_their_rfcs_want() {
    let answers: BTreeMap<&str, Option<u16>> = ANSWERS.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut sent = 0;
    for rfc in ["rfc4475", "rfc5118"] {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../sip-message/tests/torture")).join(rfc);
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let got = answers_of(&ours(std::fs::read(&path).expect("a message")));
            let right = match answers.get(&*name) {
                Some(expected) => got == expected.iter().copied().collect::<Vec<_>>(),
                None => name == REFUSED_BY_THE_REGISTRAR || !got.contains(&400),
            };
            if !right {
                wrong.push(format!("{name}: {got:?}, not {:?}", answers.get(&*name)));
            }
            sent += 1;
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(sent, 62);
}

/// The message with the domain of this exchange, which is as long.
fn ours(mut message: Vec<u8>) -> Bytes {
    let (theirs, ours) = (b"example.com", b"example.org");
    for at in 0..message.len().saturating_sub(theirs.len()) {
        if message[at..].starts_with(theirs) {
            message[at..at + ours.len()].copy_from_slice(ours);
        }
    }
    Bytes::from(message)
}

/// The final answers that a stranger gets to a message.
fn answers_of(message: &Bytes) -> Vec<u16> {
    let mut world = run(
        "given exchange trusts everybody, bob registered
         stranger -> exchange OPTIONS exchange
         exchange -> stranger 200",
        1,
    );
    let before = world.trace.len();
    world.inject("stranger", "exchange", false, message.clone());
    world.run_until_quiet();
    assert_eq!(world.leaks(), "");
    let to_stranger = world.trace.iter().skip(before).filter(|entry| entry.to == "stranger");
    let mut finals: Vec<u16> = to_stranger.filter_map(|entry| entry.what().split(' ').next()?.parse().ok()).collect();
    finals.retain(|status| *status >= 200);
    finals.dedup();
    finals
}
