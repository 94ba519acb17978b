//! TCP: framing, connections on demand, and everything a stranger can do to a stream.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod support;

use bytes::Bytes;
use net::{CONNECTION_QUEUE_MAX, ListenConfig, SHARD_QUEUE_MAX, ServeConfig, StreamLimits};
use sip_message::{HEAD_BYTES_MAX, Transport};
use sip_transaction::{ConnectionId, Flow};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Do, LONG, Saw, Stage, loopback, refusal, transactions};

const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";

fn tcp(limits: StreamLimits) -> ServeConfig {
    ServeConfig {
        limits,
        listen: ListenConfig { udp: vec![], tcp: loopback(), ..ListenConfig::default() },
        ..ServeConfig::default()
    }
}

fn stage() -> Stage {
    Stage::new(tcp(StreamLimits::default()))
}

fn connect(stage: &Stage) -> TcpStream {
    patient(TcpStream::connect(stage.address(Transport::Tcp)).expect("connected"))
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    stream
}

fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut buffer = vec![0; count];
    stream.read_exact(&mut buffer).expect("bytes");
    buffer
}

/// Waits for the end of a stream, by a close or a reset.
fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

fn closed(stage: &Stage) -> ConnectionId {
    match stage.next() {
        (_, Saw::Closed(connection)) => connection,
        other => panic!("a close, not {other:?}"),
    }
}

fn flow_to(remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Tcp, local: "127.0.0.1:5060".parse().expect("an address"), remote, connection: None }
}

#[test]
fn messages_come_whole_and_answers_go_back_over_the_same_connection() {
    let stage = stage();
    let mut peer = connect(&stage);
    peer.write_all(&MESSAGE[..20]).expect("written");
    peer.write_all(&MESSAGE[20..]).expect("written");
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, bytes) = stage.packet();
    assert_eq!(bytes, MESSAGE);
    assert_eq!((flow.transport, flow.local), (Transport::Tcp, stage.address(Transport::Tcp)));
    assert_eq!(flow.remote, peer.local_addr().expect("bound"));
    assert_eq!(stage.packet(), (0, flow, Bytes::from_static(MESSAGE)));
    for text in ["one", "two", "three"] {
        stage.tell(0, Do::Send(flow, Bytes::from(text), None));
    }
    assert_eq!(read(&mut peer, 11), b"onetwothree");
    drop(peer);
    assert_eq!(Some(closed(&stage)), flow.connection);
    let [late] = transactions(1)[..] else { unreachable!() };
    stage.tell(0, Do::Send(flow, Bytes::from("late"), Some(late)));
    assert_eq!(stage.next(), (0, Saw::SendFailed(late)));
}

#[test]
fn a_ping_is_answered_with_a_pong() {
    let stage = stage();
    let mut peer = connect(&stage);
    peer.write_all(b"\r\n\r\n").expect("written");
    assert_eq!(read(&mut peer, 2), b"\r\n");
    peer.write_all(b"\r\n").expect("written"); // a pong, which is not answered
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, bytes) = stage.packet();
    assert_eq!(bytes, MESSAGE);
    stage.tell(0, Do::Send(flow, Bytes::from("end"), None));
    assert_eq!(read(&mut peer, 3), b"end");
}

#[test]
fn the_flow_of_an_earlier_run_leads_to_no_connection_of_this_one() {
    let of_earlier_run = {
        let stage = stage();
        connect(&stage).write_all(MESSAGE).expect("written");
        stage.packet().1
    };
    let stage = stage();
    let mut peer = connect(&stage);
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, _) = stage.packet();
    assert_ne!(flow.connection, of_earlier_run.connection);
    let [wrong_number, wrong_place] = transactions(2)[..] else { unreachable!() };
    let other = Flow { remote: of_earlier_run.remote, ..flow };
    for (flow, transaction) in [(of_earlier_run, wrong_number), (other, wrong_place)] {
        stage.tell(0, Do::Send(flow, Bytes::from("x"), Some(transaction)));
        assert_eq!(stage.next(), (0, Saw::SendFailed(transaction)));
    }
}

#[test]
fn a_flood_of_pings_is_cut() {
    let stage = stage();
    let mut peer = connect(&stage);
    // As many as fit the queue of pongs, and one more, in one read.
    peer.write_all(&b"\r\n\r\n".repeat(CONNECTION_QUEUE_MAX + 1)).expect("written");
    ends(&mut peer);
    stage.totals_until(|totals| totals.connections_cut == 1);
}

#[test]
fn a_connection_is_opened_when_needed_and_used_again() {
    let stage = stage();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let remote = listener.local_addr().expect("bound");
    stage.tell(0, Do::Send(flow_to(remote), Bytes::from("first"), None));
    stage.tell(0, Do::Send(flow_to(remote), Bytes::from("second"), None));
    let mut peer = patient(listener.accept().expect("a connection").0);
    assert_eq!(read(&mut peer, 11), b"firstsecond");
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, bytes) = stage.packet();
    assert_eq!(bytes, MESSAGE);
    assert_eq!(Flow { connection: None, ..flow }, flow_to(remote));
    stage.tell(0, Do::Send(flow, Bytes::from("third"), None));
    assert_eq!(read(&mut peer, 5), b"third");
    assert_eq!(stage.serving.totals().connected, 1);
    drop(peer);
    assert_eq!(Some(closed(&stage)), flow.connection);
    stage.tell(0, Do::Send(flow_to(remote), Bytes::from("again"), None));
    let mut peer = patient(listener.accept().expect("a connection").0);
    assert_eq!(read(&mut peer, 5), b"again");
}

#[test]
fn a_connection_that_is_refused_fails_every_message_that_waited_for_it() {
    let stage = stage();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let waiting = transactions(3);
    for transaction in &waiting {
        stage.tell(0, Do::Send(flow_to(free), Bytes::from("x"), Some(*transaction)));
    }
    let mut failed: Vec<_> = (0..3).map(|_| stage.next()).collect();
    failed.sort_by_key(|(_, saw)| waiting.iter().position(|t| *saw == Saw::SendFailed(*t)));
    assert_eq!(failed, waiting.iter().map(|t| (0, Saw::SendFailed(*t))).collect::<Vec<_>>());
    stage.totals_until(|totals| totals.connects_failed >= 1 && totals.connected == 0);
    // What was never open is not said to be closed.
    stage.tell(0, Do::WakeAt(Instant::now()));
    assert_eq!(stage.next(), (0, Saw::Timeout));
}

#[test]
fn a_connection_that_nobody_accepts_fails_after_a_while() {
    let stage = Stage::new(tcp(StreamLimits { connect: Duration::from_millis(50), ..StreamLimits::default() }));
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().expect("an address").into()).expect("a port");
    listener.listen(0).expect("listens");
    let remote = listener.local_addr().expect("bound").as_socket().expect("an address");
    let _fills_the_backlog = TcpStream::connect(remote).expect("the one that fits");
    let [transaction] = transactions(1)[..] else { unreachable!() };
    stage.tell(0, Do::Send(flow_to(remote), Bytes::from("x"), Some(transaction)));
    assert_eq!(stage.next(), (0, Saw::SendFailed(transaction)));
}

#[test]
fn a_dripping_stream_is_cut() {
    let stage = Stage::new(tcp(StreamLimits { message: Duration::from_millis(50), ..StreamLimits::default() }));
    let mut peer = connect(&stage);
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, _) = stage.packet();
    // A byte now and then is not enough: the whole message counts.
    peer.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
    let mut drops = MESSAGE.iter().cycle();
    let end = loop {
        let _ = drops.next().map(|byte| peer.write_all(&[*byte]));
        match peer.read(&mut [0]) {
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {}
            other => break other,
        }
    };
    assert!(end.map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |count| count == 0));
    assert_eq!(Some(closed(&stage)), flow.connection);
    stage.totals_until(|totals| totals.connections_cut == 1);
}

#[test]
fn a_connection_that_brings_no_message_is_cut() {
    let stage = Stage::new(tcp(StreamLimits { first_message: Duration::from_millis(50), ..StreamLimits::default() }));
    let mut silent = connect(&stage);
    ends(&mut silent);
    let mut pinging = connect(&stage);
    pinging.write_all(b"\r\n\r\n").expect("written");
    ends(&mut pinging);
    let mut ignored = connect(&stage);
    ignored.write_all(MESSAGE).expect("written");
    ends(&mut ignored);
    stage.totals_until(|totals| totals.connections_cut == 3);
}

#[test]
fn a_connection_that_was_answered_may_stay() {
    let stage = Stage::new(tcp(StreamLimits { first_message: Duration::from_millis(300), ..StreamLimits::default() }));
    let (mut answered, mut ignored) = (connect(&stage), connect(&stage));
    answered.write_all(MESSAGE).expect("written");
    let (_, flow, _) = stage.packet();
    stage.tell(0, Do::Send(flow, Bytes::from("here"), None));
    assert_eq!(read(&mut answered, 4), b"here");
    ends(&mut ignored); // it came later, so the other one's time is over, too
    closed(&stage);
    answered.write_all(MESSAGE).expect("written");
    assert_eq!(stage.packet().1, flow);
}

#[test]
fn what_does_not_speak_sip_is_cut_at_once() {
    let stage = stage();
    for bytes in [&b"x\r\n\r\n"[..], b"GET / HTTP/1.1\r\n"] {
        let mut peer = connect(&stage);
        peer.write_all(bytes).expect("written");
        ends(&mut peer);
    }
    stage.totals_until(|totals| totals.connections_cut == 2);
}

#[test]
fn an_idle_connection_is_cut() {
    let stage = Stage::new(tcp(StreamLimits { idle: Duration::from_millis(50), ..StreamLimits::default() }));
    let mut peer = connect(&stage);
    peer.write_all(MESSAGE).expect("written");
    ends(&mut peer);
    stage.totals_until(|totals| totals.connections_cut == 1 && totals.stream_messages_received == 1);
}

#[test]
fn streams_too_long_or_without_sense_are_cut() {
    let stage = stage();
    let endless = vec![b'a'; HEAD_BYTES_MAX + 1];
    let bad: [&[u8]; 3] =
        [&endless, b"X sip:a SIP/2.0\r\nl: 70000\r\n\r\n", b"X sip:a SIP/2.0\r\nContent-Length: many\r\n\r\n"];
    for bytes in bad {
        let mut peer = connect(&stage);
        peer.write_all(bytes).expect("written");
        ends(&mut peer);
    }
    stage.totals_until(|totals| totals.connections_cut == 3 && totals.connections_closed == 3);
}

#[test]
fn there_is_a_most_of_connections_in_all_and_from_one_address() {
    let limits = [
        StreamLimits { connections: 3, ..StreamLimits::default() },
        StreamLimits { connections_per_address: 3, ..StreamLimits::default() },
    ];
    for limits in limits {
        let stage = Stage::new(tcp(limits));
        let mut within: Vec<TcpStream> = (0..3).map(|_| connect(&stage)).collect();
        stage.totals_until(|totals| totals.accepted == 3);
        ends(&mut connect(&stage));
        assert_eq!(stage.serving.totals().connections_refused, 1);
        let [transaction] = transactions(1)[..] else { unreachable!() };
        let to_same = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        stage.tell(0, Do::Send(flow_to(to_same), Bytes::from("x"), Some(transaction)));
        assert_eq!(stage.next(), (0, Saw::SendFailed(transaction)));
        drop(within.pop());
        closed(&stage);
        let mut again = connect(&stage);
        again.write_all(MESSAGE).expect("written");
        assert_eq!(stage.packet().2, MESSAGE);
    }
}

#[test]
fn a_peer_that_does_not_read_is_cut_and_what_it_missed_is_told() {
    let stage = Stage::new(tcp(StreamLimits { write: 10 * LONG, ..StreamLimits::default() }));
    let mut peer = connect(&stage);
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, _) = stage.packet();
    let sent = transactions(10 * CONNECTION_QUEUE_MAX);
    for transaction in &sent {
        // More than the buffers of a loopback connection hold, together.
        stage.tell(0, Do::Send(flow, vec![b'x'; 60_000].into(), Some(*transaction)));
    }
    let (mut failed, mut was_closed) = (0, false);
    while !was_closed {
        match stage.next() {
            (_, Saw::SendFailed(_)) => failed += 1,
            (_, Saw::Closed(connection)) => was_closed = Some(connection) == flow.connection,
            other => panic!("{other:?}"),
        }
    }
    assert!(failed > CONNECTION_QUEUE_MAX, "{failed}");
    stage.totals_until(|totals| totals.connections_cut == 1);
}

#[test]
fn a_peer_that_takes_nothing_for_too_long_is_cut() {
    let stage = Stage::new(tcp(StreamLimits { write: Duration::from_millis(50), ..StreamLimits::default() }));
    let mut peer = connect(&stage);
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, _) = stage.packet();
    let [stuck] = transactions(1)[..] else { unreachable!() };
    stage.tell(0, Do::Send(flow, vec![b'x'; 50_000_000].into(), Some(stuck)));
    assert_eq!(stage.next(), (0, Saw::SendFailed(stuck)));
    assert_eq!(Some(closed(&stage)), flow.connection);
}

#[test]
fn any_shard_sends_over_any_connection_and_all_hear_of_its_end() {
    let owner: net::Owner = Arc::new(|bytes: &Bytes| Some(usize::from(bytes.last()? - b'a')));
    let stage = Stage::new(ServeConfig { drivers: 3, owner: Some(owner), ..tcp(StreamLimits::default()) });
    let mut peer = connect(&stage);
    let mut flows = Vec::new();
    for shard in 0..3_u8 {
        peer.write_all(b"X sip:a SIP/2.0\r\nl: 1\r\n\r\n").expect("written");
        peer.write_all(&[b'a' + shard]).expect("written");
        let (seen_by, flow, _) = stage.packet();
        assert_eq!(seen_by, usize::from(shard));
        stage.tell(seen_by, Do::Send(flow, Bytes::from("here"), None));
        assert_eq!(read(&mut peer, 4), b"here");
        flows.push(flow);
    }
    assert!(flows.iter().all(|flow| *flow == flows[0]));
    drop(peer);
    let mut told: Vec<_> = (0..3).map(|_| stage.next()).collect();
    told.sort_by_key(|(shard, _)| *shard);
    let end = Saw::Closed(flows[0].connection.expect("a connection"));
    assert_eq!(told, [(0, end.clone()), (1, end.clone()), (2, end)]);
    for (shard, transaction) in transactions(3).into_iter().enumerate() {
        stage.tell(shard, Do::Send(flows[0], Bytes::from("late"), Some(transaction)));
        assert_eq!(stage.next(), (shard, Saw::SendFailed(transaction)));
    }
}

#[test]
fn a_shard_whose_queue_is_full_hears_all_the_same_what_failed_and_what_closed() {
    let owner: net::Owner = Arc::new(|bytes: &Bytes| Some(usize::from(bytes.last()? - b'a')));
    let stage = Stage::new(ServeConfig { drivers: 2, owner: Some(owner), ..tcp(StreamLimits::default()) });
    // Connections of driver 0, whose messages belong to driver 1.
    let mut others = Vec::new();
    let (mut peer, flow) = loop {
        let mut peer = connect(&stage);
        peer.write_all(b"X sip:a SIP/2.0\r\nl: 1\r\n\r\nb").expect("written");
        let (_, flow, _) = stage.packet();
        if flow.connection.is_some_and(|connection| connection.0 >> 48 == 0) {
            break (peer, flow);
        }
        others.push(peer); // its end would be news, too
    };
    let (hold, held) = std::sync::mpsc::channel();
    stage.tell(1, Do::Block(held));
    while stage.next() != (1, Saw::Blocked) {}
    let message = b"X sip:a SIP/2.0\r\nl: 1\r\n\r\nb";
    let writing = std::thread::spawn(move || {
        for _ in 0..SHARD_QUEUE_MAX + 1 {
            peer.write_all(message).expect("written");
        }
    });
    stage.totals_until(|totals| totals.shard_queue_full == 1);
    writing.join().expect("it has written everything and closed");
    // Driver 0 takes the connection out of its table after it has told the other.
    let [late] = transactions(1)[..] else { unreachable!() };
    while stage.next() != (0, Saw::Closed(flow.connection.expect("a connection"))) {}
    drop(hold);
    let besides_packets = || loop {
        match stage.next() {
            (1, Saw::Packet(..)) => {}
            other => break other,
        }
    };
    assert_eq!(besides_packets(), (1, Saw::Closed(flow.connection.expect("a connection"))));
    stage.tell(1, Do::Send(flow, Bytes::from("late"), Some(late)));
    assert_eq!(besides_packets(), (1, Saw::SendFailed(late)));
}

#[test]
fn a_stop_lets_connections_write_what_they_have() {
    let stage = stage();
    let mut peer = connect(&stage);
    peer.write_all(MESSAGE).expect("written");
    let (_, flow, _) = stage.packet();
    const BYTES: usize = 20_000_000; // more than the buffers hold, so that a part waits in our queue
    stage.tell(0, Do::Send(flow, vec![b'x'; BYTES].into(), None));
    stage.totals_until(|totals| totals.stream_messages_sent == 1);
    let reading = std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).map(|_| got.len())
    });
    let Stage { serving, .. } = stage;
    serving.stop();
    assert_eq!(reading.join().expect("no panic").expect("a clean end"), BYTES);
}

#[test]
fn the_port_of_an_earlier_run_is_free_at_once() {
    let stage = stage();
    let address = stage.address(Transport::Tcp);
    let mut peer = connect(&stage);
    peer.write_all(MESSAGE).expect("written");
    stage.packet();
    drop(stage); // closes first, so that its end of the connection lingers
    ends(&mut peer);
    drop(peer);
    let again = Stage::new(ServeConfig {
        listen: ListenConfig { udp: vec![], tcp: vec![address], ..ListenConfig::default() },
        ..ServeConfig::default()
    });
    assert_eq!(again.address(Transport::Tcp), address);
}

#[test]
fn a_listening_port_in_use_is_an_error_that_says_by_what() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let listen = ListenConfig { udp: vec![], tcp: vec![address], ..ListenConfig::default() };
    let error = refusal(ServeConfig { listen, ..ServeConfig::default() });
    assert!(error.to_string().starts_with(&format!("TCP {address} is in use by ")), "{error}");
    assert!(error.to_string().ends_with(&format!("(process {})", std::process::id())), "{error}");
}

#[test]
fn both_families_listen_on_all_addresses_at_one_port() {
    // Below the ports that the system gives to the other tests.
    let all = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
    let free = |port: &u16| {
        all.iter().all(|ip| UdpSocket::bind((*ip, *port)).is_ok() && TcpListener::bind((*ip, *port)).is_ok())
    };
    let port = (30_000..32_000).find(free).expect("a free port");
    let stage = Stage::new(ServeConfig { listen: ListenConfig::any(port), drivers: 2, ..ServeConfig::default() });
    assert_eq!(stage.serving.local_addresses().len(), 4);
    for local in stage.serving.local_addresses() {
        assert_eq!(local.address.port(), port);
        let loopback: IpAddr =
            if local.address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        let to = SocketAddr::new(loopback, port);
        match local.transport {
            Transport::Tcp => TcpStream::connect(to).expect("connected").write_all(MESSAGE).expect("written"),
            _ => {
                let peer = UdpSocket::bind((loopback, 0)).expect("a port");
                assert_eq!(peer.send_to(MESSAGE, to).expect("sent"), MESSAGE.len());
            }
        }
        let (_, flow, bytes) = loop {
            match stage.next() {
                (shard, Saw::Packet(flow, bytes)) => break (shard, flow, bytes),
                (_, other) => assert!(matches!(other, Saw::Closed(_)), "{other:?}"), // of an earlier turn of this loop
            }
        };
        assert_eq!((flow.local, &bytes[..]), (to, MESSAGE));
    }
}

#[test]
fn one_picked_port_serves_both_transports() {
    let listen = ListenConfig { udp: loopback(), tcp: loopback(), ..ListenConfig::default() };
    let stage = Stage::new(ServeConfig { listen, ..ServeConfig::default() });
    assert_eq!(stage.address(Transport::Udp), stage.address(Transport::Tcp));
}
