//! Bad input over real sockets: it is answered with what is wrong, or cut, and the exchange goes on.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::{Needs, Row, World};
use crate::cargo;
use crate::peers::raw::{UdpPeer, be_slow, open_websocket, tcp_write_until_cut, write_until_cut};
use crate::peers::ringback::{self, Setup};
use crate::peers::tls::Client;
use crate::process::{Process, tail};
use crate::usage::memory_kb;

pub(super) const SCENARIOS: &[Row] = &[
    ("malformed_request_gets_a_telling_400", Needs::Ringback, malformed_request),
    ("noise_gets_no_answer_and_does_no_harm", Needs::Ringback, noise),
    ("torture_messages_do_no_harm", Needs::Ringback, torture),
    ("oversized_tcp_message_is_cut", Needs::Ringback, oversized_message),
    ("endless_tcp_header_is_cut", Needs::Ringback, endless_header),
    ("slow_streams_are_cut_whatever_they_speak", Needs::Ringback, slow_streams),
];

/// The most that fits into a UDP datagram over IPv4.
const DATAGRAM_BYTES_MAX: usize = 65_507;
/// No attack may make the exchange hold more than this.
const MEMORY_MB_MAX: u64 = 256;
/// A sender that gives one byte at a time is borne no longer than this.
const SLOW_SECONDS_MAX: u64 = 75;

/// An OPTIONS request from `from` to the exchange at `to`.
fn options(to: &str, from: &str, cseq: &str, more: &str) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from}:5060;branch=z9hG4bK-x;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:x@example.com>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: x@{from}\r\nCSeq: {cseq}\r\n{more}\
         Content-Length: 0\r\n\r\n"
    )
}

fn malformed_request(world: &World) -> Result<()> {
    let _exchange = world.start_exchange()?;
    let (exchange, stranger) = (world.exchange_ip(), world.scope.ip(2));
    let good = options(&exchange, &stranger, "1 OPTIONS", "");
    let cases = [
        (good.replace("CSeq: 1", "CSeq: one"), "CSeq"),
        (good.replace("To: <", "To: \"x <"), "quotes"),
        (good.replace("Length: 0", "Length: 99"), "Content-Length"),
        (good.replace("Forwards: 70", "Forwards: 7x"), "Max-Forwards"),
        (good.replace("OPTIONS sip", "OPTIONS  sip"), "request line"),
        (good.replace("Max-Forwards", "Max Forwards"), "name"),
    ];
    let peer = UdpPeer::bind(&stranger)?;
    for (request, named) in cases {
        let answer = peer.exchange(&exchange, request.as_bytes())?;
        let status = answer.lines().next().unwrap_or_default();
        let telling = status.starts_with("SIP/2.0 400 ") && status.contains(named);
        ensure!(telling, "expected a 400 that names {named}, got {status:?} for\n{request}");
    }
    still_serves(world)
}

fn noise(world: &World) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    let peer = UdpPeer::bind(&world.scope.ip(2))?;
    let request = options(&world.exchange_ip(), &world.scope.ip(2), "1 OPTIONS", "");
    for len in 0..request.len() {
        peer.send(&world.exchange_ip(), &request.as_bytes()[..len])?;
        let noise: Vec<u8> = (0..len).map(|at| (at * 167 + len * 31) as u8).collect();
        peer.send(&world.exchange_ip(), &noise)?;
    }
    ensure!(exchange.running()?, "the exchange ended\n{}", exchange.output());
    still_serves(world)
}

/// Other people's torture messages when they are there (`RINGBACK_CORPUS` or `../shared/corpus`), our own seeds always. After each
/// one the exchange still answers.
fn torture(world: &World) -> Result<()> {
    let mut exchange = world.start_exchange()?;
    let messages = torture_messages(world)?;
    let (attacker, user) = (UdpPeer::bind(&world.scope.ip(3))?, UdpPeer::bind(&world.scope.ip(2))?);
    let to = world.exchange_ip();
    for (number, (name, message)) in messages.iter().enumerate() {
        attacker.send(&to, message).with_context(|| format!("sending {name}"))?;
        let request = options(&to, &world.scope.ip(2), &format!("{} OPTIONS", number + 1), "")
            .replace("z9hG4bK-x", &format!("z9hG4bK-{number}"));
        let answer = user.exchange(&to, request.as_bytes());
        let answer = answer.with_context(|| format!("after {name}\n{}", tail(&exchange.output())))?;
        ensure!(answer.starts_with("SIP/2.0 200 "), "after {name}, OPTIONS got {answer}");
    }
    ensure!(exchange.running()?, "the exchange ended");
    println!("  ({} torture messages)", messages.len());
    small(&exchange)
}

/// Names and bytes of the messages, each of which fits into a datagram.
fn torture_messages(world: &World) -> Result<Vec<(String, Vec<u8>)>> {
    let mut folders = vec![cargo::root().join("fuzz/seeds/parse")];
    let corpus = std::env::var_os("RINGBACK_CORPUS").map(PathBuf::from);
    let torture = corpus.unwrap_or_else(|| cargo::root().join("../shared/corpus")).join("sip-torture");
    if torture.is_dir() {
        let unpack = std::process::Command::new("tar")
            .arg("xJf")
            .arg(torture.join("protos-c07-sample.tar.xz"))
            .current_dir(world.scope.dir())
            .status();
        if unpack.is_ok_and(|status| status.success()) {
            folders.push(world.scope.dir().join("protos-c07-sample"));
        }
        folders.push(torture);
    }
    let mut messages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension == "dat") {
                let mut bytes = std::fs::read(&path)?;
                bytes.truncate(DATAGRAM_BYTES_MAX);
                messages.push((path.display().to_string(), bytes));
            }
        }
    }
    messages.sort();
    Ok(messages)
}

/// The exchange's memory is within bounds.
fn small(exchange: &Process) -> Result<()> {
    let memory_mb = memory_kb(exchange)? / 1024;
    ensure!(memory_mb < MEMORY_MB_MAX, "the exchange holds {memory_mb} MB");
    Ok(())
}

fn oversized_message(world: &World) -> Result<()> {
    let exchange = world.start_exchange()?;
    let head =
        options(&world.exchange_ip(), &world.scope.ip(2), "1 OPTIONS", "").replace("Length: 0", "Length: 999999999");
    cut(world, &exchange, head.as_bytes(), &[b'x'; 65_536], 64 * 1024 * 1024)
}

fn endless_header(world: &World) -> Result<()> {
    let exchange = world.start_exchange()?;
    let head = options(&world.exchange_ip(), &world.scope.ip(2), "1 OPTIONS", "X-Long: ")
        .replace("Content-Length: 0\r\n\r\n", "");
    cut(world, &exchange, head.as_bytes(), &[b'x'; 65_536], 64 * 1024 * 1024)
}

/// The stream ends before the exchange has taken `bytes_max`, and others are served meanwhile and after.
fn cut(world: &World, exchange: &Process, head: &[u8], piece: &[u8], bytes_max: usize) -> Result<()> {
    let within = Duration::from_secs(30);
    let written =
        tcp_write_until_cut(format!("{}:5060", world.exchange_ip()).parse()?, head, piece, Duration::ZERO, within)?;
    ensure!(written < bytes_max, "the exchange took {written} bytes of one message");
    small(exchange)?;
    still_serves(world)
}

/// One byte at a time over TCP, in a TLS handshake, in a WebSocket's and to the operator's port; and in a message over TLS and in a
/// frame of a WebSocket that are open. All side by side.
fn slow_streams(world: &World) -> Result<()> {
    let ip = world.exchange_ip();
    let listen = format!("tls = [\"{ip}:5061\"]\nws = [\"{ip}:8080\"]\nhttp = [\"{ip}:8088\"]\n");
    let setup = Setup { listen, ..Setup::on(&ip) };
    let exchange = ringback::start(&world.scope, &setup)?;
    let (pause, within) = (Duration::from_millis(500), Duration::from_secs(SLOW_SECONDS_MAX));
    let authority = setup.data(&world.scope).join("tls/ca.pem");
    let tls = Client::new(&ip, 5061, &authority)?.open(0, &world.scope.ip(5))?;
    be_slow(&tls.sock, pause)?;
    let websocket = open_websocket(&world.scope.ip(6), format!("{ip}:8080").parse()?)?;
    be_slow(&websocket, pause)?;
    std::thread::scope(|threads| -> Result<()> {
        let mut drips = vec![
            ("TLS", threads.spawn(move || write_until_cut(tls, b"OPTIONS sip:", b"x", within))),
            // A masked frame of text with 8192 bytes (RFC 6455 section 5.2).
            ("WebSocket", threads.spawn(move || write_until_cut(websocket, b"\x81\xfe\x20\x00abcd", b"x", within))),
        ];
        // The head of a TLS record with a ClientHello of 512 bytes.
        let hello: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
        let heads: [(&str, u16, &[u8]); 4] = [
            ("TCP", 5060, b"OPTIONS sip:"),
            ("TLS handshake", 5061, hello),
            ("WebSocket handshake", 8080, b"GET / HTTP/1.1\r\nHost: "),
            ("HTTP", 8088, b"GET /metrics HTTP/1.1\r\nHost: "),
        ];
        for (what, port, head) in heads {
            let to = format!("{ip}:{port}").parse()?;
            drips.push((what, threads.spawn(move || tcp_write_until_cut(to, head, b"x", pause, within))));
        }
        for (what, drip) in drips {
            let cut = drip.join().map_err(|_| anyhow!("a thread panicked"))?;
            cut.with_context(|| format!("a slow {what}"))?;
        }
        Ok(())
    })?;
    small(&exchange)?;
    still_serves(world)
}

/// Somebody else still gets an answer.
fn still_serves(world: &World) -> Result<()> {
    let (exchange, from) = (world.exchange_ip(), world.scope.ip(9));
    let request = options(&exchange, &from, "2 OPTIONS", "").replace("z9hG4bK-x", "z9hG4bK-serves");
    let answer = UdpPeer::bind(&from)?.exchange(&exchange, request.as_bytes())?;
    ensure!(answer.starts_with("SIP/2.0 200 "), "OPTIONS got {answer}");
    Ok(())
}
