//! WebSocket (RFC 6455, RFC 7118): what is agreed upon, what is carried, and what is cut.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod support;

use bytes::Bytes;
use net::{CONNECTION_QUEUE_MAX, ListenConfig, ServeConfig, StreamLimits, WEBSOCKET_HEAD_BYTES_MAX};
use sip_message::{MESSAGE_BYTES_MAX, Transport};
use sip_transaction::Flow;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use support::{Do, LONG, Saw, Stage, loopback, transactions};

const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\n\r\n";

/// The request of RFC 7118 section 4.1.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: sip-ws.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://www.example.com\r\nSec-WebSocket-Protocol: sip\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn ws(limits: StreamLimits) -> ServeConfig {
    ServeConfig { limits, listen: ListenConfig { ws: loopback(), ..ListenConfig::default() }, ..ServeConfig::default() }
}

fn stage() -> Stage {
    Stage::new(ws(StreamLimits::default()))
}

fn connect(stage: &Stage) -> TcpStream {
    let stream = TcpStream::connect(stage.address(Transport::Ws)).expect("connected");
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    stream
}

/// The response, to its empty line.
fn response(peer: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.read_exact(&mut byte).expect("a byte");
        bytes.extend(byte);
    }
    String::from_utf8(bytes).expect("text")
}

fn shaken(stage: &Stage) -> TcpStream {
    let mut peer = connect(stage);
    peer.write_all(REQUEST.as_bytes()).expect("written");
    assert!(response(&mut peer).starts_with("HTTP/1.1 101 "));
    peer
}

/// A client's frame, whose mask is 0.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        short @ 0..=125 => vec![0x80 | short as u8],
        long @ 126..=65_535 => [&[0xfe][..], &(long as u16).to_be_bytes()].concat(),
        longer => [&[0xff][..], &(longer as u64).to_be_bytes()].concat(),
    };
    [&[first][..], &length, &[0; 4], payload].concat()
}

fn read(peer: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut buffer = vec![0; count];
    peer.read_exact(&mut buffer).expect("bytes");
    buffer
}

/// What is left until the end.
fn rest(peer: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = peer.read_to_end(&mut rest); // a reset is an end, too
    rest
}

#[test]
fn the_handshake_of_rfc_7118_is_answered_as_there() {
    let stage = stage();
    let mut peer = connect(&stage);
    peer.write_all(REQUEST.as_bytes()).expect("written");
    let response = response(&mut peer).to_ascii_lowercase();
    for line in [
        "http/1.1 101 switching protocols\r\n",
        "upgrade: websocket\r\n",
        "connection: upgrade\r\n",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
        "sec-websocket-protocol: sip\r\n",
    ] {
        assert!(response.contains(line), "{line:?} in {response}");
    }
}

#[test]
fn each_message_is_one_sip_message_and_answers_are_text_where_they_can_be() {
    let stage = stage();
    let mut peer = shaken(&stage);
    peer.write_all(&frame(0x81, MESSAGE)).expect("written");
    let (_, flow, bytes) = stage.packet();
    assert_eq!((flow.transport, &bytes[..]), (Transport::Ws, MESSAGE));
    peer.write_all(&[frame(0x02, &MESSAGE[..9]), frame(0x80, &MESSAGE[9..])].concat()).expect("written");
    assert_eq!(stage.packet(), (0, flow, Bytes::from_static(MESSAGE)));
    stage.tell(0, Do::Send(flow, Bytes::from("text"), None));
    stage.tell(0, Do::Send(flow, Bytes::from(vec![0xff, 0xfe]), None));
    assert_eq!(read(&mut peer, 10), [&[0x81, 4][..], b"text", &[0x82, 2, 0xff, 0xfe]].concat());
}

#[test]
fn pings_are_answered_in_both_ways_and_a_close_with_a_close() {
    let stage = stage();
    let mut peer = shaken(&stage);
    peer.write_all(&[frame(0x89, b"abc"), frame(0x81, b"\r\n\r\n"), frame(0x81, b"\r\n"), frame(0x8a, b"")].concat())
        .expect("written");
    assert_eq!(read(&mut peer, 9), [&[0x8a, 3][..], b"abc", &[0x81, 2], b"\r\n"].concat());
    peer.write_all(&frame(0x88, &1000_u16.to_be_bytes())).expect("written");
    assert_eq!(rest(&mut peer), [0x88, 2, 0x03, 0xe8]);
    assert!(matches!(stage.next(), (0, Saw::Closed(_))));
    assert_eq!(stage.serving.totals().connections_cut, 0);
}

#[test]
fn what_does_not_ask_for_sip_over_websocket_is_told_so_and_dropped() {
    let stage = stage();
    let too_long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(WEBSOCKET_HEAD_BYTES_MAX));
    let cases = [
        (REQUEST.replace("Sec-WebSocket-Protocol: sip\r\n", ""), "HTTP/1.1 400 "),
        (REQUEST.replace("Protocol: sip", "Protocol: xmpp"), "HTTP/1.1 400 "),
        (REQUEST.replace("dGhl", ""), "HTTP/1.1 400 "),
        (REQUEST.replace("GET", "POST"), "HTTP/1.1 400 "),
        ("garbage\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        (too_long, "HTTP/1.1 400 "),
        (REQUEST.replace("Version: 13", "Version: 8"), "HTTP/1.1 426 "),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 426 "),
    ];
    let failures = cases.len() as u64;
    for (request, expected) in cases {
        let mut peer = connect(&stage);
        peer.write_all(request.as_bytes()).expect("written");
        // Of what is not read to its end, the answer may be lost with the connection.
        let answer = String::from_utf8(rest(&mut peer)).expect("text");
        let is_lost = answer.is_empty() && request.len() > WEBSOCKET_HEAD_BYTES_MAX;
        assert!(answer.starts_with(expected) || is_lost, "{answer:?} to {request:.200}");
        assert_eq!(answer.contains("Sec-WebSocket-Version: 13"), expected.contains("426"));
    }
    stage.totals_until(|totals| totals.handshakes_failed == failures);
    assert!(stage.saw.try_recv().is_err());
    let mut several = connect(&stage);
    several.write_all(REQUEST.replace("Protocol: sip", "Protocol: xmpp, sip").as_bytes()).expect("written");
    assert!(response(&mut several).contains("101"));
}

#[test]
fn a_slow_handshake_is_cut() {
    let limits = StreamLimits { handshake: Duration::from_millis(50), ..StreamLimits::default() };
    let stage = Stage::new(ws(limits));
    let mut peer = connect(&stage);
    peer.write_all(&REQUEST.as_bytes()[..100]).expect("written");
    assert_eq!(rest(&mut peer), b"");
    stage.totals_until(|totals| totals.handshakes_failed == 1);
}

#[test]
fn a_dripping_frame_is_cut_and_pings_in_between_do_not_help() {
    let stage = Stage::new(ws(StreamLimits { message: Duration::from_millis(50), ..StreamLimits::default() }));
    let mut peer = shaken(&stage);
    peer.write_all(&frame(0x81, MESSAGE)).expect("written");
    stage.packet();
    peer.write_all(&frame(0x01, b"OPTIONS ")).expect("written");
    peer.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
    let ping = frame(0x89, b"");
    loop {
        let _ = peer.write_all(&ping);
        match peer.read(&mut [0; 2]) {
            Ok(2) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break,
        }
    }
    stage.totals_until(|totals| totals.connections_cut == 1);
}

#[test]
fn frames_too_long_or_without_sense_are_cut_and_told_why() {
    let stage = stage();
    let too_long = frame(0x81, &vec![b'x'; MESSAGE_BYTES_MAX + 1]);
    let cases: [(&[u8], u16); 4] = [
        (&too_long, 1009),
        (b"OPTIONS sip:a SIP/2.0\r\n\r\n", 1002),
        (&[0x81, 1, b'x'], 1002), // not masked
        (&frame(0x81, &[0xff]), 1007),
    ];
    for (bytes, code) in cases {
        let mut peer = shaken(&stage);
        let _ = peer.write_all(bytes);
        let end = rest(&mut peer);
        let is_lost = end.is_empty() && code == 1009; // with the part that was not read
        assert!(is_lost || end == [&[0x88, 2][..], &code.to_be_bytes()].concat(), "{end:?}");
    }
    stage.totals_until(|totals| totals.connections_cut == 4);
    let mut longest = shaken(&stage);
    longest.write_all(&frame(0x81, &vec![b'x'; MESSAGE_BYTES_MAX])).expect("written");
    loop {
        match stage.next() {
            (_, Saw::Packet(_, bytes)) => break assert_eq!(bytes.len(), MESSAGE_BYTES_MAX),
            (_, other) => assert!(matches!(other, Saw::Closed(_)), "{other:?}"),
        }
    }
}

#[test]
fn a_flood_of_pings_is_cut() {
    let stage = stage();
    let mut peer = shaken(&stage);
    let _ = peer.write_all(&frame(0x89, b"").repeat(CONNECTION_QUEUE_MAX + 1));
    rest(&mut peer);
    stage.totals_until(|totals| totals.connections_cut == 1);
}

#[test]
fn a_connection_that_brings_no_message_is_cut() {
    let stage = Stage::new(ws(StreamLimits { first_message: Duration::from_millis(50), ..StreamLimits::default() }));
    let mut pinging = shaken(&stage);
    pinging.write_all(&frame(0x89, b"")).expect("written");
    rest(&mut pinging);
    stage.totals_until(|totals| totals.connections_cut == 1);
}

#[test]
fn a_telephone_opens_websockets_and_a_server_does_not() {
    let served = stage();
    let local = "127.0.0.1:5060".parse().expect("an address");
    let remote = served.address(Transport::Ws);
    let phone = Stage::new(ServeConfig { opens_websockets: true, ..ServeConfig::default() });
    let connection = phone.plans(0).plan(Transport::Ws, local, remote, "localhost");
    assert!(connection.is_some());
    let to = Flow { transport: Transport::Ws, local, remote, connection };
    phone.tell(0, Do::Send(to, Bytes::from_static(MESSAGE), None));
    let (_, flow, bytes) = served.packet();
    assert_eq!(bytes, MESSAGE);
    served.tell(0, Do::Send(flow, Bytes::from_static(MESSAGE), None));
    assert_eq!(phone.packet(), (0, to, Bytes::from_static(MESSAGE)));
    let server = stage();
    assert_eq!(server.plans(0).plan(Transport::Ws, local, remote, "localhost"), None);
    let [transaction] = transactions(1)[..] else { unreachable!() };
    let unplanned = Flow { connection: None, ..to };
    server.tell(0, Do::Send(unplanned, Bytes::from_static(MESSAGE), Some(transaction)));
    assert_eq!(server.next(), (0, Saw::SendFailed(transaction)));
}

#[test]
fn a_stop_says_goodbye() {
    let stage = stage();
    let mut peer = shaken(&stage);
    stage.totals_until(|totals| totals.accepted == 1);
    let Stage { serving, .. } = stage;
    serving.stop();
    assert_eq!(rest(&mut peer), [0x88, 2, 0x03, 0xe9]);
}
