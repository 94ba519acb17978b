//! The UDP socket by itself, over loopback.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use bytes::Bytes;
use net::{BATCH, Datagram, ReceiveArena, Received, SEND_QUEUE_MAX, UdpBatch};
use std::net::SocketAddr;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

fn bind(address: &str) -> UdpBatch<u32> {
    UdpBatch::bind(address.parse().expect("an address"), false).expect("a free port")
}

fn receive(socket: &UdpBatch<u32>, wanted: usize) -> Vec<Datagram> {
    let mut arena = ReceiveArena::default();
    let mut got = Vec::new();
    while got.len() < wanted && socket.wait(LONG).expect("poll") {
        let before = got.len();
        let received = socket.receive(&mut arena, &mut |datagram| got.push(datagram)).expect("receive");
        assert_eq!(received.datagrams, got.len() - before);
    }
    got
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("an address"), port)
}

#[test]
fn a_wildcard_socket_tells_where_a_datagram_was_sent_to_and_answers_from_there() {
    for (wildcard, from, to) in
        [("0.0.0.0:0", "127.0.0.3", "127.0.0.2"), ("0.0.0.0:0", "127.0.0.1", "127.0.0.1"), ("[::]:0", "::1", "::1")]
    {
        let mut server = bind(wildcard);
        let mut client: UdpBatch<u32> = UdpBatch::bind(at(from, 0), false).expect("a free port");
        let to = at(to, server.local_address().port());
        assert!(server.is_source(to) && !server.is_source(at(from, 1)));
        let other_family = if to.is_ipv4() { "::1" } else { "127.0.0.1" };
        assert!(!server.is_source(at(other_family, to.port())));
        client.queue(client.local_address(), to, Bytes::from_static(b"ping"), None).expect("room");
        assert_eq!(client.flush(|_| ()).sent, 1);
        let got = receive(&server, 1);
        assert_eq!(got, [Datagram { local: to, remote: client.local_address(), bytes: Bytes::from_static(b"ping") }]);
        server.queue(got[0].local, got[0].remote, Bytes::from_static(b"pong"), None).expect("room");
        assert_eq!(server.flush(|_| ()).sent, 1);
        let got = receive(&client, 1);
        assert_eq!(got, [Datagram { local: client.local_address(), remote: to, bytes: Bytes::from_static(b"pong") }]);
    }
}

#[test]
fn more_than_a_batch_arrives_whole_and_in_order() {
    let (server, mut client) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let sent: Vec<Bytes> = (0..3 * BATCH).map(|i| Bytes::from(vec![i as u8; i])).collect();
    for bytes in &sent {
        client.queue(client.local_address(), server.local_address(), bytes.clone(), None).expect("room");
    }
    assert_eq!(client.flush(|_| ()).sent, sent.len());
    let got: Vec<Bytes> = receive(&server, sent.len()).into_iter().map(|datagram| datagram.bytes).collect();
    assert_eq!(got, sent);
    assert_eq!(server.receive(&mut ReceiveArena::default(), &mut |_| ()).expect("receive"), Received::default());
}

#[test]
fn the_largest_datagram_of_udp_fits() {
    for (address, largest) in [("127.0.0.1:0", 65_507), ("[::1]:0", 65_527)] {
        let (server, mut client) = (bind(address), bind(address));
        client.queue(client.local_address(), server.local_address(), vec![7; largest].into(), None).expect("room");
        assert_eq!(client.flush(|_| ()).sent, 1);
        assert_eq!(receive(&server, 1)[0].bytes.len(), largest);
    }
}

#[test]
fn what_cannot_be_sent_is_passed_over_and_its_sender_told() {
    let (server, mut client) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let (from, to) = (client.local_address(), server.local_address());
    for (bytes, tag) in [(10, Some(1)), (65_508, Some(2)), (11, None), (70_000, None), (12, Some(3))] {
        client.queue(from, to, vec![0; bytes].into(), tag).expect("room");
    }
    let mut failed = Vec::new();
    let flushed = client.flush(|tag| failed.push(tag));
    assert_eq!((flushed.sent, flushed.refused, failed.as_slice()), (3, 2, [2].as_slice()));
    let lengths: Vec<usize> = receive(&server, 3).iter().map(|datagram| datagram.bytes.len()).collect();
    assert_eq!(lengths, [10, 11, 12]);
}

#[test]
fn the_error_that_one_datagram_earned_does_not_harm_the_next() {
    let (mut client, server) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let nobody = bind("127.0.0.1:0").local_address();
    let from = client.local_address();
    for to in [nobody, server.local_address()] {
        client.queue(from, to, Bytes::from_static(b"x"), Some(1)).expect("room");
        let mut failed = Vec::new();
        let flushed = client.flush(|tag| failed.push(tag));
        assert_eq!((flushed.sent, flushed.refused, failed.len()), (1, 0, 0));
    }
    assert_eq!(receive(&server, 1).len(), 1);
}

#[test]
fn a_full_send_queue_takes_no_more_and_gives_the_mark_back() {
    let mut socket = bind("127.0.0.1:0");
    let local = socket.local_address();
    for _ in 0..SEND_QUEUE_MAX {
        socket.queue(local, local, Bytes::new(), None).expect("room");
    }
    assert_eq!(socket.queue(local, local, Bytes::new(), Some(9)), Err(Some(9)));
    assert_eq!(socket.queued(), SEND_QUEUE_MAX);
}

/// Sends runs of equal lengths, broken by shorter and longer ones, to two sockets in turns, from a wildcard.
fn send_runs(client: &mut UdpBatch<u32>, to: [SocketAddr; 2], tagged: bool) -> [Vec<Bytes>; 2] {
    let from = at("127.0.0.9", client.local_address().port());
    let mut sent = [Vec::new(), Vec::new()];
    for i in 0..1000 {
        let length = match i % 100 {
            70 => 90,       // the last of its run
            71 => 1400,     // by itself
            80..90 => 1600, // too long to be cut
            95 => 0,
            _ => 400,
        };
        let (place, bytes) = (usize::from(i % 200 >= 150), Bytes::from(vec![i as u8; length]));
        sent[place].push(bytes.clone());
        client.queue(from, to[place], bytes, tagged.then_some(i)).expect("room");
    }
    sent
}

#[test]
fn datagrams_that_travel_together_arrive_one_by_one() {
    // Joined or not at either end; with marks each goes alone.
    for (parted, tagged) in
        [([false, false], false), ([true, false], false), ([false, true], false), ([false, false], true)]
    {
        let mut client = bind("0.0.0.0:0");
        let mut servers = [bind("127.0.0.1:0"), bind("127.0.0.1:0")];
        if parted[0] {
            client.part();
        }
        if parted[1] {
            servers.iter_mut().for_each(UdpBatch::part);
        }
        let sent = send_runs(&mut client, servers.each_ref().map(UdpBatch::local_address), tagged);
        let mut flushed = client.flush(|_| ());
        assert_eq!((flushed.sent, flushed.refused), (1000, 0));
        flushed = client.flush(|_| ());
        assert_eq!(flushed.sent, 0);
        for (server, sent) in servers.iter().zip(sent) {
            let got = receive(server, sent.len());
            assert!(got.iter().all(|datagram| datagram.remote == at("127.0.0.9", client.local_address().port())));
            let got: Vec<Bytes> = got.into_iter().map(|datagram| datagram.bytes).collect();
            assert!(got == sent, "{parted:?} {tagged}");
        }
    }
}
