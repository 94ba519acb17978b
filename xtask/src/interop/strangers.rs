//! What a stranger gets for a forged datagram: one small answer or none, never again, and nothing is sent to anybody else
//! (RFC 3261 section 26.3.2.4). And requests that go round in circles end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::stage::CAROL;
use super::{Needs, Row, World};
use crate::peers::raw::UdpPeer;
use crate::peers::ringback::{self, Setup};
use crate::peers::sipp;

pub(super) const SCENARIOS: &[Row] = &[
    ("strangers_get_one_small_answer_and_nothing_is_forwarded", Needs::Ringback, one_small_answer),
    ("a_loop_of_two_exchanges_ends", Needs::Ringback, loop_of_two),
];

/// Retransmissions would come after 0.5 s, 1.5 s and 3.5 s (timers A, E and G).
const WATCHED: Duration = Duration::from_millis(3700);
/// How much longer than the request an answer may be.
const ANSWER_BYTES_MORE_MAX: usize = 350;
const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "REFER",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "MESSAGE",
    "FROBNICATE",
];

/// A request of `method`; its number makes it one of a kind.
fn request(method: &str, number: usize, uri: &str, from: &str, sender: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {sender}:5060;branch=z9hG4bK-s{number};rport\r\nMax-Forwards: 70\r\n\
         From: <{from}>;tag={number}\r\nTo: <{uri}>\r\nCall-ID: s{number}@{sender}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:x@{sender}>\r\nEvent: presence\r\nContent-Length: 0\r\n\r\n"
    )
}

fn call_id(message: &str) -> &str {
    let line = message.lines().find(|line| line.to_ascii_lowercase().starts_with("call-id:"));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

/// Every method, to the exchange, to a user who is not there, to a user who is (under a name of ours), and to elsewhere.
fn one_small_answer(world: &World) -> Result<()> {
    let exchange = world.start_exchange()?;
    let (ip, stranger, carol, elsewhere) =
        (world.exchange_ip(), world.scope.ip(66), world.scope.ip(CAROL), world.scope.ip(77));
    sipp::register_ok(&world.scope, &ip, "carol", &carol, &format!("{carol}:5060"))?;
    let (outside, ours) = (format!("sip:x@{stranger}"), format!("sip:alice@{ip}"));
    let pairs = [
        (format!("sip:{ip}"), &outside),
        (format!("sip:dave@{ip}"), &outside),
        (format!("sip:nobody@{ip}"), &outside),
        (format!("sip:carol@{ip}"), &ours),
        (format!("sip:x@{elsewhere}"), &outside),
        (format!("sip:x@{elsewhere}"), &ours),
        (format!("sip:x@{elsewhere};transport=tcp"), &outside),
    ];
    let (attacker, watcher, victim) = (UdpPeer::bind(&stranger)?, UdpPeer::bind(&carol)?, UdpPeer::bind(&elsewhere)?);
    let mut sent = BTreeMap::new();
    for (uri, from) in &pairs {
        for method in METHODS {
            let text = request(method, sent.len(), uri, from, &stranger);
            attacker.send(&ip, text.as_bytes())?;
            sent.insert(call_id(&text).to_owned(), (text, Vec::new()));
        }
    }
    let deadline = Instant::now() + WATCHED;
    for answer in attacker.receive_until(deadline)? {
        if let Some((_, answers)) = sent.get_mut(call_id(&answer)) {
            answers.push(answer);
        }
    }
    let now = Instant::now() + Duration::from_millis(50);
    for (who, peer) in [("carol", &watcher), ("somebody elsewhere", &victim)] {
        let forwarded = peer.receive_until(now)?;
        ensure!(forwarded.is_empty(), "{who} was sent what a stranger wrote:\n{}", forwarded.join("\n"));
    }
    let mut faults = Vec::new();
    for (request, answers) in sent.values() {
        let first = request.lines().next().unwrap_or_default();
        if answers.len() > 1 {
            faults.push(format!("{first}: {} answers:\n{}", answers.len(), answers.join("\n")));
        }
        for answer in answers {
            let (asked, got) = (request.len(), answer.len());
            if got > asked + ANSWER_BYTES_MORE_MAX {
                faults.push(format!("{first}: {got} bytes for {asked}:\n{answer}"));
            }
        }
        if first.starts_with("ACK") && !answers.is_empty() {
            faults.push(format!("{first}: an ACK was answered:\n{}", answers.join("\n")));
        }
        if !first.starts_with("ACK") && answers.is_empty() {
            faults.push(format!("{first}: no answer"));
        }
    }
    ensure!(faults.is_empty(), "{}\n{}", faults.join("\n"), exchange.stderr());
    Ok(())
}

/// Each of two exchanges sends calls for nobody in particular to the other.
fn loop_of_two(world: &World) -> Result<()> {
    let (one, other) = (world.scope.ip(1), world.scope.ip(11));
    let towards = |next: &str| {
        format!(
            "[auth]\nrequired = false\n\n[[route]]\nname = \"onward\"\nwhen = {{ to = \"9*\" }}\ndo = \"dial\"\n\
             to = [\"sip:{{user}}@{next}\"]\n"
        )
    };
    let _one = ringback::start(&world.scope, &Setup { more: towards(&other), ..Setup::on(&one) })?;
    let _other = ringback::start(&world.scope, &Setup { name: "other", more: towards(&one), ..Setup::on(&other) })?;
    let caller = UdpPeer::bind(&world.scope.ip(2))?;
    expect_loop_found(&caller, &one, &world.scope.ip(2), &format!("sip:911@{one}"))
}

/// Requests for `uri`, which goes round in circles, end with 482 or 483 (RFC 5393, RFC 3261 section 16.3).
pub(super) fn expect_loop_found(caller: &UdpPeer, exchange: &str, sender: &str, uri: &str) -> Result<()> {
    for (number, method) in ["INVITE", "MESSAGE"].into_iter().enumerate() {
        let text = request(method, number, uri, "sip:x@192.0.2.1", sender);
        caller.send(exchange, text.as_bytes())?;
        let id = call_id(&text);
        let last = caller.wait_for("final answer", Duration::from_secs(20), |answer| {
            call_id(answer) == id && !answer.starts_with("SIP/2.0 1")
        })?;
        let ended = ["SIP/2.0 482 ", "SIP/2.0 483 "].iter().any(|start| last.starts_with(start));
        ensure!(ended, "{method} went round and got\n{last}");
    }
    Ok(())
}
