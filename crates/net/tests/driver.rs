//! The driver with UDP, timers, shards and its end.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod support;

use bytes::Bytes;
use net::{Direction, Gate, ListenConfig, ListenError, SHARD_QUEUE_MAX, ServeConfig, Tap};
use sip_message::Transport;
use sip_transaction::Flow;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use support::{Do, LONG, Saw, Stage, loopback, refusal, transactions};

fn udp(drivers: usize) -> ServeConfig {
    ServeConfig {
        drivers,
        listen: ListenConfig { udp: loopback(), tcp: vec![], ..ListenConfig::default() },
        ..ServeConfig::default()
    }
}

/// A peer's socket.
fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(LONG)).expect("a timeout");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2000];
    let count = socket.recv(&mut buffer).expect("a datagram");
    buffer[..count].to_vec()
}

#[test]
fn a_datagram_reaches_the_engine_and_its_answer_the_sender() {
    let stage = Stage::new(udp(1));
    let (peer, remote) = peer();
    let local = stage.address(Transport::Udp);
    for keep_alive in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0"] {
        peer.send_to(keep_alive, local).expect("sent");
    }
    peer.send_to(b"hello", local).expect("sent");
    let (_, flow, bytes) = stage.packet();
    assert_eq!(bytes, "hello");
    assert_eq!(flow, Flow { transport: Transport::Udp, local, remote, connection: None });
    stage.tell(0, Do::Send(flow, Bytes::from_static(b"there"), None));
    assert_eq!(receive(&peer), b"there");
    stage.totals_until(|totals| (totals.datagrams_received, totals.keep_alives, totals.datagrams_sent) == (5, 4, 1));
}

#[test]
fn the_deadline_is_kept_and_an_earlier_one_overtakes() {
    let stage = Stage::new(udp(1));
    let late = Instant::now() + Duration::from_secs(3600);
    stage.tell(0, Do::WakeAt(late));
    for _ in 0..5 {
        let due = Instant::now() + Duration::from_millis(15);
        stage.tell(0, Do::WakeAt(due));
        assert_eq!(stage.next(), (0, Saw::Timeout));
        assert!(Instant::now() >= due);
    }
    let missed = Instant::now();
    stage.tell(0, Do::WakeAt(missed));
    assert_eq!(stage.next(), (0, Saw::Timeout));
}

#[test]
fn what_cannot_be_sent_is_told_to_the_transaction() {
    let stage = Stage::new(udp(1));
    let local = stage.address(Transport::Udp);
    let [too_long, no_socket, no_transport] = transactions(3)[..] else { unreachable!() };
    let good = Flow { transport: Transport::Udp, local, remote: local, connection: None };
    stage.tell(0, Do::Send(good, vec![0; 65_508].into(), Some(too_long)));
    assert_eq!(stage.next(), (0, Saw::SendFailed(too_long)));
    let elsewhere = Flow { local: "127.0.0.1:1".parse().expect("an address"), ..good };
    stage.tell(0, Do::Send(elsewhere, Bytes::from_static(b"x"), Some(no_socket)));
    assert_eq!(stage.next(), (0, Saw::SendFailed(no_socket)));
    let tls = Flow { transport: Transport::Tls, ..good };
    stage.tell(0, Do::Send(tls, Bytes::from_static(b"x"), Some(no_transport)));
    assert_eq!(stage.next(), (0, Saw::SendFailed(no_transport)));
    let totals = stage.serving.totals();
    assert_eq!((totals.datagrams_refused, totals.datagrams_unsent), (1, 1));
}

#[test]
fn a_datagram_that_nobody_takes_is_told_to_its_transaction() {
    for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
        let listen =
            ListenConfig { udp: vec![address.parse().expect("an address")], tcp: vec![], ..ListenConfig::default() };
        let stage = Stage::new(ServeConfig { listen, ..ServeConfig::default() });
        let local = stage.address(Transport::Udp);
        let ip = if local.ip().is_unspecified() { "127.0.0.1".parse().expect("an address") } else { local.ip() };
        let local = SocketAddr::new(ip, local.port());
        let nobody = UdpSocket::bind((ip, 0)).expect("a port").local_addr().expect("bound");
        let somebody = UdpSocket::bind((ip, 0)).expect("a port");
        somebody.set_read_timeout(Some(LONG)).expect("a timeout");
        let [short, long, other] = transactions(3)[..] else { unreachable!() };
        let to = |remote: SocketAddr| Flow { transport: Transport::Udp, local, remote, connection: None };
        for (transaction, bytes) in [(short, vec![b's'; 50]), (long, vec![b'l'; 2000])] {
            stage.tell(0, Do::Send(to(nobody), bytes.into(), Some(transaction)));
            assert_eq!(stage.next(), (0, Saw::SendFailed(transaction)), "{address}");
        }
        // What goes elsewhere is not harmed by the errors of others.
        stage.tell(0, Do::Send(to(nobody), Bytes::from("nobody asks"), None));
        stage.tell(0, Do::Send(to(somebody.local_addr().expect("bound")), Bytes::from("x"), Some(other)));
        assert_eq!(receive(&somebody), b"x");
        stage.totals_until(|totals| totals.datagrams_unreachable == 3 && totals.datagrams_refused == 0);
    }
}

#[test]
fn whichever_socket_hears_that_a_datagram_did_not_arrive_its_transaction_is_told() {
    let stage = Stage::new(udp(3));
    let local = stage.address(Transport::Udp);
    for (i, transaction) in transactions(24).into_iter().enumerate() {
        let remote = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        stage.tell(i % 3, Do::Send(flow, Bytes::from(format!("number {i}")), Some(transaction)));
        assert_eq!(stage.next(), (i % 3, Saw::SendFailed(transaction)));
    }
}

#[test]
fn an_error_fails_the_datagram_that_it_quotes_and_no_other_to_that_place() {
    let stage = Stage::new(udp(1));
    let [arrives, does_not] = transactions(2)[..] else { unreachable!() };
    let (somebody, remote) = peer();
    let flow = Flow { transport: Transport::Udp, local: stage.address(Transport::Udp), remote, connection: None };
    stage.tell(0, Do::Send(flow, Bytes::from("one"), Some(arrives)));
    assert_eq!(receive(&somebody), b"one");
    drop(somebody);
    stage.tell(0, Do::Send(flow, Bytes::from("two"), Some(does_not)));
    assert_eq!(stage.next(), (0, Saw::SendFailed(does_not)));
}

/// The last byte says which of three shards a message belongs to.
fn by_last_byte() -> net::Owner {
    Arc::new(|bytes: &Bytes| Some(usize::from(bytes.last().copied().unwrap_or(0)) % 3))
}

#[test]
fn a_datagram_goes_to_the_shard_that_owns_it_whichever_socket_it_came_to() {
    let stage = Stage::new(ServeConfig { owner: Some(by_last_byte()), ..udp(3) });
    let local = stage.address(Transport::Udp);
    for shard in 0..24_u8 {
        let (peer, remote) = peer(); // another port each time, and so another socket
        peer.send_to(&[b'x', shard], local).expect("sent");
        let (seen_by, flow, bytes) = stage.packet();
        assert_eq!((seen_by, flow.remote, &bytes[..]), (usize::from(shard) % 3, remote, &[b'x', shard][..]));
        stage.tell(seen_by, Do::Send(flow, bytes, None));
        assert_eq!(receive(&peer), [b'x', shard]);
    }
    assert!(stage.serving.is_whole());
}

#[test]
fn a_full_queue_to_a_shard_drops_and_counts() {
    let stage = Stage::new(ServeConfig { owner: Some(Arc::new(|_| Some(1))), ..udp(2) });
    let local = stage.address(Transport::Udp);
    let (hold, held) = mpsc::channel();
    stage.tell(1, Do::Block(held));
    assert_eq!(stage.next(), (1, Saw::Blocked));
    // Find a peer whose datagrams the kernel gives to driver 0: driver 1 takes none now.
    let peer = loop {
        let (peer, _) = peer();
        let before = stage.serving.totals().datagrams_received;
        peer.send_to(b"x", local).expect("sent");
        let start = Instant::now();
        while stage.serving.totals().datagrams_received == before && start.elapsed() < Duration::from_millis(200) {
            std::thread::yield_now();
        }
        if stage.serving.totals().datagrams_received > before {
            break peer;
        }
    };
    let before = stage.serving.totals().datagrams_received;
    for sent in 1..=SHARD_QUEUE_MAX as u64 + 64 {
        peer.send_to(b"x", local).expect("sent");
        if sent % 64 == 0 {
            stage.totals_until(|totals| totals.datagrams_received >= before + sent); // the socket's buffer never overflows
        }
    }
    // The one that found the peer is in the queue, too.
    stage.totals_until(|totals| totals.shard_queue_full == 65);
    drop(hold);
    assert_eq!(stage.packet().0, 1);
}

#[test]
fn the_tap_sees_both_ways() {
    struct Seen(mpsc::SyncSender<(Direction, Vec<u8>)>);
    impl Tap for Seen {
        fn handle_message(&self, _: engine::Now, _: &Flow, direction: Direction, bytes: &[u8]) {
            let _ = self.0.try_send((direction, bytes.to_vec()));
        }
    }
    let (sender, seen) = mpsc::sync_channel(10);
    let stage = Stage::new(ServeConfig { tap: Some(Arc::new(Seen(sender))), ..udp(1) });
    let (peer, _) = peer();
    peer.send_to(b"in", stage.address(Transport::Udp)).expect("sent");
    let (_, flow, _) = stage.packet();
    stage.tell(0, Do::Send(flow, Bytes::from_static(b"out"), None));
    assert_eq!(receive(&peer), b"out");
    assert_eq!(seen.recv_timeout(LONG), Ok((Direction::Received, b"in".to_vec())));
    assert_eq!(seen.recv_timeout(LONG), Ok((Direction::Sent, b"out".to_vec())));
}

#[test]
fn a_stop_ends_the_engines_and_frees_the_ports() {
    let stage = Stage::new(udp(2));
    let (peer, remote) = peer();
    let local = stage.address(Transport::Udp);
    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
    (0..100_u8).for_each(|i| stage.tell(usize::from(i % 2), Do::Send(flow, vec![i].into(), None)));
    stage.totals_until(|totals| totals.datagrams_sent > 0);
    let Stage { serving, saw, .. } = stage;
    serving.stop();
    assert!(saw.recv().is_err(), "the engines are gone");
    UdpSocket::bind(local).expect("the port is free again");
    assert_eq!(receive(&peer).len(), 1);
}

#[test]
fn a_port_in_use_is_an_error_that_says_by_what() {
    let (_peer, taken) = peer();
    for drivers in [1, 2] {
        let listen = ListenConfig { udp: vec![taken], tcp: vec![], ..ListenConfig::default() };
        let config = ServeConfig { listen, drivers, ..ServeConfig::default() };
        let error = refusal(config);
        let ListenError::Taken { wanted, holder: Some(holder) } = &error else { panic!("{error:?}") };
        assert_eq!((wanted.address, holder.pid), (taken, std::process::id()));
        assert!(error.to_string().starts_with(&format!("UDP {taken} is in use by ")), "{error}");
    }
}

#[test]
fn an_address_that_is_not_ours_is_refused() {
    let listen = ListenConfig {
        udp: vec!["198.51.100.1:0".parse().expect("an address")],
        tcp: vec![],
        ..ListenConfig::default()
    };
    let config = ServeConfig { listen, ..ServeConfig::default() };
    let error = refusal(config);
    assert!(matches!(error, ListenError::Refused { .. }), "{error:?}");
}

#[test]
fn an_engine_and_the_gate_hear_that_their_driver_is_overloaded_and_that_it_is_so_no_more() {
    #[derive(Default)]
    struct Open(Mutex<Vec<bool>>);
    impl Gate for Open {
        fn admits(&self, _: engine::Now, _: SocketAddr) -> bool {
            true
        }
        fn handle_overload(&self, _: engine::Now, overloaded: bool) {
            self.0.lock().expect("a lock").push(overloaded);
        }
    }
    let gate = Arc::<Open>::default();
    let stage = Stage::new(ServeConfig { gate: Some(gate.clone()), ..udp(1) });
    let (peer, _) = peer();
    let local = stage.address(Transport::Udp);
    // More than any kernel's default lets wait; what does not fit is lost, as it would be.
    let flood = || (0..20_000).for_each(|_| drop(peer.send_to(&[b'x'; 1000], local)));
    let next_but_packets = || loop {
        match stage.next() {
            (_, Saw::Packet(..)) => {}
            (_, other) => break other,
        }
    };
    let start = Instant::now();
    let mut blocked = 0;
    while blocked < 3 || start.elapsed() < 2 * net::OVERLOADED_AFTER {
        let (hold, held) = mpsc::channel();
        stage.tell(0, Do::Block(held));
        match next_but_packets() {
            Saw::Blocked => blocked += 1,
            Saw::Overloaded(true) => break,
            other => panic!("{other:?}"),
        }
        flood();
        while start.elapsed() < blocked * net::OVERLOADED_AFTER {
            std::thread::yield_now();
        }
        drop(hold);
    }
    while next_but_packets() != Saw::Overloaded(false) {}
    assert_eq!(stage.serving.totals().overloads, 1);
    while gate.0.lock().expect("a lock").len() < 2 {
        std::thread::yield_now(); // it is told right after the engine
    }
    assert_eq!(*gate.0.lock().expect("a lock"), [true, false]);
}
