//! Who is not let in reaches nothing, and is counted.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod support;

use bytes::Bytes;
use engine::Now;
use net::{Direction, Gate, ListenConfig, ServeConfig, Tap};
use sip_message::Transport;
use sip_transaction::Flow;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;
use support::{Do, LONG, Saw, Stage, loopback};

const FRIEND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Lets everybody in but those whom the test has named.
#[derive(Default)]
struct Shut {
    out: Mutex<Vec<IpAddr>>,
    asked: Mutex<Vec<Instant>>,
}

impl Gate for Shut {
    fn admits(&self, now: Now, remote: SocketAddr) -> bool {
        self.asked.lock().expect("a lock").push(now.mono);
        !self.out.lock().expect("a lock").contains(&remote.ip())
    }
}

impl Shut {
    fn out(&self, who: IpAddr) {
        self.out.lock().expect("a lock").push(who);
    }

    fn open(&self) {
        self.out.lock().expect("a lock").clear();
    }
}

fn stage(gate: &Arc<Shut>, tap: Option<Arc<dyn Tap>>) -> Stage {
    let listen = ListenConfig {
        udp: loopback(),
        tcp: vec!["127.0.0.1:0".parse().expect("an address")],
        ..ListenConfig::default()
    };
    Stage::new(ServeConfig { listen, gate: Some(gate.clone()), tap, ..ServeConfig::default() })
}

fn udp(ip: IpAddr) -> UdpSocket {
    UdpSocket::bind((ip, 0)).expect("a port")
}

#[test]
fn datagrams_of_who_is_not_let_in_reach_neither_engine_nor_tap() {
    struct Count(AtomicUsize);
    impl Tap for Count {
        fn handle_message(&self, _: Now, _: &Flow, _: Direction, _: &[u8]) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (gate, tap) = (Arc::new(Shut::default()), Arc::new(Count(AtomicUsize::new(0))));
    gate.out(STRANGER);
    let stage = stage(&gate, Some(tap.clone()));
    let local = stage.address(Transport::Udp);
    let (friend, stranger) = (udp(FRIEND), udp(STRANGER));
    for i in 0..20_u8 {
        stranger.send_to(&[b'x', i], local).expect("sent");
        friend.send_to(&[b'x', i], local).expect("sent");
        let (_, flow, bytes) = stage.packet();
        assert_eq!((flow.remote.ip(), &bytes[..]), (FRIEND, &[b'x', i][..]));
    }
    stage.totals_until(|totals| (totals.datagrams_received, totals.datagrams_limited) == (40, 20));
    gate.open();
    stranger.send_to(b"now", local).expect("sent");
    assert_eq!(stage.packet().2, "now");
    assert_eq!(tap.0.load(Ordering::Relaxed), 21);
}

#[test]
fn who_knocks_in_vain_does_not_hold_up_those_behind_him() {
    let gate = Arc::new(Shut::default());
    gate.out(STRANGER);
    let stage = stage(&gate, None);
    let local = stage.address(Transport::Udp);
    let (hold, held) = mpsc::channel();
    stage.tell(0, Do::Block(held));
    assert_eq!(stage.next(), (0, Saw::Blocked));
    let (friend, stranger) = (udp(FRIEND), udp(STRANGER));
    // More than may be let in in one turn, and less than any kernel's buffer.
    for _ in 0..400 {
        stranger.send_to(b"x", local).expect("sent");
    }
    friend.send_to(b"y", local).expect("sent");
    drop(hold);
    assert_eq!(stage.packet().2, "y");
    assert_eq!(stage.serving.totals().datagrams_limited, 400);
    // All of them were taken at once: the clock is read once for what one turn brings.
    let asked = gate.asked.lock().expect("a lock");
    assert_eq!((asked.len(), asked.first()), (401, asked.last()));
}

#[test]
fn a_connection_that_is_not_let_in_is_closed_without_a_word() {
    let gate = Arc::new(Shut::default());
    gate.out(FRIEND);
    let stage = stage(&gate, None);
    let mut refused = TcpStream::connect(stage.address(Transport::Tcp)).expect("accepted by the kernel");
    refused.set_read_timeout(Some(LONG)).expect("a timeout");
    assert_eq!(refused.read(&mut [0; 10]).unwrap_or(0), 0);
    stage.totals_until(|totals| (totals.connections_limited, totals.accepted) == (1, 0));
}

#[test]
fn messages_on_a_connection_are_asked_for_one_by_one() {
    let gate = Arc::new(Shut::default());
    let stage = stage(&gate, None);
    let mut stream = TcpStream::connect(stage.address(Transport::Tcp)).expect("accepted");
    let message = |n: u8| format!("OPTIONS sip:{n} SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    let mut say = |n: u8| stream.write_all(message(n).as_bytes()).expect("written");
    say(1);
    assert_eq!(stage.packet().2, Bytes::from(message(1)));
    gate.out(FRIEND);
    say(2);
    say(3);
    stage.totals_until(|totals| totals.stream_messages_limited == 2);
    gate.open();
    say(4);
    assert_eq!(stage.packet().2, Bytes::from(message(4)));
    assert_eq!(stage.serving.totals().stream_messages_received, 4);
}
