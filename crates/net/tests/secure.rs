//! TLS (RFC 3261 section 26, RFC 5922, RFC 5923): who is believed, who is not, and what strangers can do to it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod support;

use bytes::Bytes;
use net::{
    ListenConfig, ListenError, PemFile, PemPair, Plans, ServeConfig, StreamLimits, Tls, TlsSetup, TlsWrong,
    make_local_ca, make_local_certificate,
};
use sip_message::Transport;
use sip_transaction::{ConnectionId, Flow};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use support::{Do, LONG, Saw, Stage, loopback, refusal, transactions};

const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";

fn file(name: &str, text: &str) -> PemFile {
    PemFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn ca() -> PemPair {
    make_local_ca(SystemTime::now()).expect("a certificate authority")
}

/// Shows a certificate of `ca` for `domain`, and believes `ca` alone.
fn setup(ca: &PemPair, domain: &str) -> TlsSetup {
    let addresses = ["127.0.0.1".parse().expect("an address")];
    let pair = make_local_certificate(ca, &[domain.to_owned()], &addresses, SystemTime::now()).expect("a certificate");
    TlsSetup {
        certificate: Some((file("server.pem", &pair.certificate), file("server.key", &pair.key))),
        authorities: vec![file("ca.pem", &ca.certificate)],
        without_system_authorities: true,
        ..TlsSetup::default()
    }
}

fn tls(setup: &TlsSetup) -> Tls {
    let (tls, warnings) = Tls::new(setup, SystemTime::now()).expect("it is in order");
    assert!(warnings.is_empty(), "{warnings:?}");
    tls
}

fn config(tls: &Tls) -> ServeConfig {
    let listen = ListenConfig { tls: loopback(), ..ListenConfig::default() };
    ServeConfig { listen, tls: Some(tls.clone()), ..ServeConfig::default() }
}

fn only_opens(tls: &Tls) -> ServeConfig {
    ServeConfig { tls: Some(tls.clone()), ..ServeConfig::default() }
}

fn flow_to(plans: &Plans, remote: SocketAddr, domain: &str) -> Flow {
    let local = "127.0.0.1:5061".parse().expect("an address");
    let connection = plans.plan(Transport::Tls, local, remote, domain);
    Flow { transport: Transport::Tls, local, remote, connection }
}

#[test]
fn a_message_goes_over_tls_and_its_answer_comes_back() {
    let tls = tls(&setup(&ca(), "b.example"));
    let (a, b) = (Stage::new(only_opens(&tls)), Stage::new(config(&tls)));
    let to = flow_to(a.plans(0), b.address(Transport::Tls), "b.example");
    a.tell(0, Do::Send(to, Bytes::from_static(MESSAGE), None));
    let (_, flow, bytes) = b.packet();
    assert_eq!((flow.transport, &bytes[..]), (Transport::Tls, MESSAGE));
    b.tell(0, Do::Send(flow, Bytes::from_static(MESSAGE), None));
    let (_, back, bytes) = a.packet();
    assert_eq!((back, &bytes[..]), (to, MESSAGE));
}

#[test]
fn a_connection_is_used_again_and_opened_again_after_it_has_ended() {
    let tls = tls(&setup(&ca(), "b.example"));
    let a = Stage::new(only_opens(&tls));
    let b = Stage::new(config(&tls));
    let to = flow_to(a.plans(0), b.address(Transport::Tls), "b.example");
    for _ in 0..2 {
        a.tell(0, Do::Send(to, Bytes::from_static(MESSAGE), None));
        b.packet();
    }
    assert_eq!(flow_to(a.plans(0), b.address(Transport::Tls), "b.example"), to);
    a.totals_until(|totals| totals.connected == 1);
    let address = b.address(Transport::Tls);
    drop(b);
    assert_eq!(a.next(), (0, Saw::Closed(to.connection.expect("planned"))));
    let listen = ListenConfig { tls: vec![address], ..ListenConfig::default() };
    let b = Stage::new(ServeConfig { listen, ..config(&tls) });
    a.tell(0, Do::Send(to, Bytes::from_static(MESSAGE), None));
    assert_eq!(b.packet().2, MESSAGE);
    a.totals_until(|totals| totals.connected == 2);
}

#[test]
fn whoever_has_planned_it_a_connection_is_one_for_all_shards() {
    let tls = tls(&setup(&ca(), "b.example"));
    let a = Stage::new(ServeConfig { drivers: 3, ..only_opens(&tls) });
    let b = Stage::new(config(&tls));
    let flows: Vec<_> = (0..3).map(|shard| flow_to(a.plans(shard), b.address(Transport::Tls), "b.example")).collect();
    assert!(flows.iter().all(|flow| *flow == flows[0]));
    for (shard, flow) in flows.iter().enumerate() {
        a.tell(shard, Do::Send(*flow, Bytes::from_static(MESSAGE), None));
        b.packet();
    }
    assert_eq!(b.serving.totals().accepted, 1);
}

/// Whether a message to `domain` arrives, of who believes `believes` at who shows `shows`.
fn arrives(believes: &Tls, shows: &Tls, domain: &str) -> bool {
    let (a, b) = (Stage::new(only_opens(believes)), Stage::new(config(shows)));
    let to = flow_to(a.plans(0), b.address(Transport::Tls), domain);
    let [transaction] = transactions(1)[..] else { unreachable!() };
    a.tell(0, Do::Send(to, Bytes::from_static(MESSAGE), Some(transaction)));
    loop {
        if let Ok((_, saw)) = b.saw.try_recv() {
            assert!(matches!(saw, Saw::Packet(..)), "{saw:?}");
            return true;
        }
        if let Ok((_, saw)) = a.saw.try_recv() {
            assert_eq!(saw, Saw::SendFailed(transaction));
            a.totals_until(|totals| (totals.connects_failed, totals.connected) == (1, 0));
            assert_eq!(a.serving.totals().connects_distrusted, 1);
            return false;
        }
        std::thread::yield_now();
    }
}

#[test]
fn only_whom_a_believed_certificate_names_is_sent_to() {
    let ours = ca();
    let b = tls(&setup(&ours, "b.example"));
    assert!(arrives(&b, &b, "b.example") && arrives(&b, &b, "B.Example") && arrives(&b, &b, "127.0.0.1"));
    assert!(!arrives(&b, &b, "c.example"));
    assert!(b.last_distrust().is_some_and(|why| why.starts_with("c.example at 127.0.0.1:")));
    assert!(!arrives(&b, &b, "127.0.0.2") && !arrives(&b, &b, "x.b.example"));
    let stranger = tls(&setup(&ca(), "b.example"));
    assert!(!arrives(&b, &stranger, "b.example"));
}

#[test]
fn a_certificate_that_has_expired_is_warned_of_and_not_believed() {
    let ca = ca();
    let addresses = ["127.0.0.1".parse().expect("an address")];
    let long_ago = SystemTime::now() - Duration::from_secs(400 * 24 * 3600);
    let pair = make_local_certificate(&ca, &["b.example".to_owned()], &addresses, long_ago).expect("a certificate");
    let certificate = Some((file("old.pem", &pair.certificate), file("old.key", &pair.key)));
    let good = setup(&ca, "b.example");
    let (old, warnings) =
        Tls::new(&TlsSetup { certificate, ..good.clone() }, SystemTime::now()).expect("it is in order");
    assert_eq!(warnings, ["the certificate in old.pem has expired"]);
    assert!(!arrives(&tls(&good), &old, "b.example"));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let ca = ca();
    let good = setup(&ca, "b.example");
    let (chain, key) = good.certificate.clone().expect("one");
    let wrong = |chain: &PemFile, key: &PemFile| {
        let certificate = Some((chain.clone(), key.clone()));
        let error = Tls::new(&TlsSetup { certificate, ..good.clone() }, SystemTime::now()).expect_err("it is wrong");
        (error.file, error.wrong)
    };
    assert_eq!(wrong(&key, &key), ("server.key".to_owned(), TlsWrong::NoCertificate));
    assert_eq!(wrong(&chain, &chain), ("server.pem".to_owned(), TlsWrong::NoKey));
    assert_eq!(wrong(&chain, &file("other.key", &ca.key)), ("other.key".to_owned(), TlsWrong::OtherKey));
    let cut = PemFile { name: "cut.pem".to_owned(), bytes: chain.bytes[..100].to_vec() };
    assert!(matches!(wrong(&cut, &key), (file, TlsWrong::NotPem(_)) if file == "cut.pem"));
    let garbage = file("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(matches!(wrong(&garbage, &key), (file, TlsWrong::BadCertificate(_)) if file == "bad.pem"));
    let missing = PemFile::read("/nowhere/x.pem".as_ref()).expect_err("it is not there");
    assert!(missing.to_string().starts_with("cannot read /nowhere/x.pem: "), "{missing}");
}

#[test]
fn a_certificate_is_replaced_and_open_connections_live_on() {
    let ca = ca();
    let served = tls(&setup(&ca, "old.example"));
    let b = Stage::new(config(&served));
    let a = Stage::new(only_opens(&tls(&setup(&ca, "x"))));
    let old = flow_to(a.plans(0), b.address(Transport::Tls), "old.example");
    a.tell(0, Do::Send(old, Bytes::from_static(MESSAGE), None));
    b.packet();
    let broken = TlsSetup { certificate: Some((file("x", ""), file("y", ""))), ..setup(&ca, "z") };
    assert!(served.replace(&broken, SystemTime::now()).is_err());
    served.replace(&setup(&ca, "new.example"), SystemTime::now()).expect("it is in order");
    let new = flow_to(a.plans(0), b.address(Transport::Tls), "new.example");
    a.tell(0, Do::Send(new, Bytes::from_static(MESSAGE), None));
    let first = b.packet().1;
    a.tell(0, Do::Send(old, Bytes::from_static(MESSAGE), None));
    assert_ne!(b.packet().1, first);
    assert_eq!(b.serving.totals().accepted, 2);
}

#[test]
fn a_client_that_shows_a_certificate_has_proved_who_it_is_before_its_first_message() {
    let ca = ca();
    let client_authorities = vec![file("ca.pem", &ca.certificate)];
    let serves = tls(&TlsSetup { client_authorities, ..setup(&ca, "b.example") });
    let owner: net::Owner = Arc::new(|_: &Bytes| Some(1));
    let b = Stage::new(ServeConfig { drivers: 2, owner: Some(owner), ..config(&serves) });
    let known = Stage::new(only_opens(&tls(&setup(&ca, "a.example"))));
    let to = |stage: &Stage| flow_to(stage.plans(0), b.address(Transport::Tls), "b.example");
    known.tell(0, Do::Send(to(&known), Bytes::from_static(MESSAGE), None));
    let mut saw: Vec<_> = (0..3).map(|_| b.next()).collect();
    saw.sort_by_key(|(shard, _)| *shard);
    let names = vec!["a.example".to_owned(), "sip:a.example".to_owned()];
    let [(0, first), (1, second), (1, Saw::Packet(flow, _))] = &saw[..] else { panic!("{saw:?}") };
    let proved = Saw::Proved(flow.connection.expect("a connection"), names);
    assert_eq!((first, second), (&proved, &proved));
    // Without one it is served all the same, and has proved nothing.
    let nameless = Stage::new(only_opens(&tls(&TlsSetup { certificate: None, ..setup(&ca, "x") })));
    nameless.tell(0, Do::Send(to(&nameless), Bytes::from_static(MESSAGE), None));
    assert!(matches!(b.next(), (1, Saw::Packet(..))));
    assert_eq!(b.serving.totals().handshakes_failed, 0);
}

#[test]
fn what_is_no_tls_or_takes_too_long_is_dropped_and_nobody_hears_of_it() {
    let tls = tls(&setup(&ca(), "b.example"));
    let limits = StreamLimits { handshake: Duration::from_millis(50), ..StreamLimits::default() };
    let b = Stage::new(ServeConfig { limits, ..config(&tls) });
    let hello_begins = [0x16, 3, 1, 0, 200, 1];
    for bytes in [MESSAGE, b"", &hello_begins] {
        let mut peer = TcpStream::connect(b.address(Transport::Tls)).expect("connected");
        peer.set_read_timeout(Some(LONG)).expect("a timeout");
        peer.write_all(bytes).expect("written");
        let mut rest = Vec::new();
        // An alert, perhaps, or a reset; what counts is that it ends.
        let end = peer.read_to_end(&mut rest);
        assert!(!end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "it is held for {LONG:?}");
    }
    b.totals_until(|totals| totals.handshakes_failed == 3 && totals.connections_closed == 3);
    assert!(b.saw.try_recv().is_err());
}

#[test]
fn a_dripping_handshake_is_cut_however_long_it_goes_on() {
    let tls = tls(&setup(&ca(), "b.example"));
    let limits = StreamLimits { handshake: Duration::from_millis(100), ..StreamLimits::default() };
    let b = Stage::new(ServeConfig { limits, ..config(&tls) });
    let mut peer = TcpStream::connect(b.address(Transport::Tls)).expect("connected");
    peer.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
    let start = Instant::now();
    let _ = peer.write_all(&[0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb]);
    loop {
        let _ = peer.write_all(&[0]);
        match peer.read(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break,
        }
    }
    assert!(start.elapsed() < LONG);
    b.totals_until(|totals| totals.handshakes_failed == 1);
}

#[test]
fn half_open_connections_of_one_address_leave_room_for_others() {
    let tls = tls(&setup(&ca(), "b.example"));
    let limits = StreamLimits { connections_per_address: 8, ..StreamLimits::default() };
    let listen = ListenConfig { tls: loopback(), ws: loopback(), tcp: loopback(), ..ListenConfig::default() };
    let b = Stage::new(ServeConfig { limits, listen, ..config(&tls) });
    let transports = [Transport::Tls, Transport::Ws, Transport::Tcp];
    let half_open: Vec<_> =
        (0..30).map(|i| TcpStream::connect(b.address(transports[i % 3])).expect("the kernel takes them")).collect();
    b.totals_until(|totals| (totals.accepted, totals.connections_refused) == (8, 22));
    // Another address of this machine is somebody else.
    let a = Stage::new(only_opens(&tls));
    let local: SocketAddr = "127.0.0.2:0".parse().expect("an address");
    let remote = b.address(Transport::Tls);
    let connection = a.plans(0).plan(Transport::Tls, local, remote, "b.example");
    let to = Flow { transport: Transport::Tls, local, remote, connection };
    a.tell(0, Do::Send(to, Bytes::from_static(MESSAGE), None));
    assert_eq!(b.packet().2, MESSAGE);
    drop(half_open);
}

#[test]
fn tls_cannot_be_opened_without_somebody_to_look_for() {
    let tls = tls(&setup(&ca(), "b.example"));
    let (a, b) = (Stage::new(only_opens(&tls)), Stage::new(config(&tls)));
    let planned = flow_to(a.plans(0), b.address(Transport::Tls), "b.example");
    let [nameless, forgotten] = transactions(2)[..] else { unreachable!() };
    let elsewhere = ConnectionId(planned.connection.expect("planned").0 + 1);
    for (connection, transaction) in [(None, nameless), (Some(elsewhere), forgotten)] {
        a.tell(0, Do::Send(Flow { connection, ..planned }, Bytes::from_static(MESSAGE), Some(transaction)));
        assert_eq!(a.next(), (0, Saw::SendFailed(transaction)));
    }
}

#[test]
fn optional_addresses_that_cannot_be_had_are_left_out_and_said_to_be() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("bound");
    let listen = ListenConfig { tcp: loopback(), ws: vec![address], tls: loopback(), ..ListenConfig::default() };
    let chosen = ServeConfig { listen: listen.clone(), ..ServeConfig::default() };
    assert!(matches!(refusal(chosen), ListenError::NoCertificate { .. }));
    let optional = vec![Transport::Tls, Transport::Ws];
    let stage = Stage::new(ServeConfig { listen: ListenConfig { optional, ..listen }, ..ServeConfig::default() });
    assert_eq!(stage.serving.local_addresses().len(), 1);
    let left_out = stage.serving.left_out();
    assert!(matches!(left_out, [ListenError::NoCertificate { .. }, ListenError::Taken { .. }]), "{left_out:?}");
}
