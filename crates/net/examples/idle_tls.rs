//! What an idle TLS connection costs: the resident memory of a process that serves them, divided by how many there are.
//!
//! `cargo run --release -p net --example idle_tls [CONNECTIONS]` prints a line of JSON. The other end is a process of its own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::unwrap_used)]

use bytes::Bytes;
use engine::Now;
use net::{
    Backend, Engine, Later, ListenConfig, Output, PemFile, PemPair, Plans, ServeConfig, StreamLimits, Tls, TlsSetup,
    make_local_ca, make_local_certificate, serve_engines,
};
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Connections that are there before measuring begins, so that what is needed once is not counted.
const BEFORE: usize = 100;

const MESSAGE: &[u8] = b"OPTIONS sip:localhost SIP/2.0\r\nContent-Length: 0\r\n\r\n";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [role, address, connections] if role == "clients" => clients(address.parse().unwrap(), connections),
        rest => serve(rest.first().map_or(1000, |count| count.parse().unwrap())),
    }
}

fn limits() -> StreamLimits {
    StreamLimits { connections: 100_000, connections_per_address: 100_000, ..StreamLimits::default() }
}

/// Answers each message, counts them, and says what it was told to say.
struct Echo {
    seen: Arc<AtomicUsize>,
    outputs: VecDeque<Output<()>>,
}

impl Engine for Echo {
    type Ask = ();
    type Answer = Flow;
    type Event = std::convert::Infallible;
    fn handle_packet(&mut self, _: Now, flow: Flow, bytes: Bytes) {
        if self.seen.fetch_add(1, Ordering::Relaxed) < usize::MAX / 2 {
            self.outputs.push_back(Output::Send { flow, bytes, transaction: None });
        }
    }
    fn handle_answer(&mut self, _: Now, flow: Flow) {
        self.outputs.push_back(Output::Send { flow, bytes: Bytes::from_static(MESSAGE), transaction: None });
    }
    fn poll_output(&mut self) -> Option<Output<()>> {
        self.outputs.pop_front()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn handle_send_failed(&mut self, _: Now, _: ClientTransactionId) {}
    fn handle_proved(&mut self, _: Now, _: ConnectionId, _: Vec<String>) {}
    fn handle_connection_closed(&mut self, _: Now, _: ConnectionId) {}
    fn handle_overload(&mut self, _: Now, _: bool) {}
    fn handle_timeout(&mut self, _: Now) {}
}

struct Nothing;

impl Backend<Echo> for Nothing {
    fn handle_ask(&mut self, _: Now, (): (), _: &Later<Flow>) -> Option<Flow> {
        None
    }
}

fn file(name: &str, text: &str) -> PemFile {
    PemFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn serve(connections: usize) {
    let ca = make_local_ca(SystemTime::now()).unwrap();
    let loopback = [Ipv4Addr::LOCALHOST.into()];
    let PemPair { certificate, key } =
        make_local_certificate(&ca, &["localhost".to_owned()], &loopback, SystemTime::now()).unwrap();
    let certificate = Some((file("server.pem", &certificate), file("server.key", &key)));
    let setup = TlsSetup { certificate, without_system_authorities: true, ..TlsSetup::default() };
    let tls = Some(Tls::new(&setup, SystemTime::now()).unwrap().0);
    let listen = ListenConfig { tls: vec![(Ipv4Addr::LOCALHOST, 0).into()], ..ListenConfig::default() };
    let seen = Arc::<AtomicUsize>::default();
    let counter = seen.clone();
    let config = ServeConfig { listen, tls, limits: limits(), ..ServeConfig::default() };
    let serving =
        serve_engines(config, move |_| (Echo { seen: counter.clone(), outputs: VecDeque::new() }, Nothing)).unwrap();
    let address = serving.local_addresses()[0].address;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["clients", &address.to_string(), &connections.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(ca.certificate.as_bytes()).unwrap();
    stdin.write_all(b"\0").unwrap();
    wait(&seen, BEFORE);
    let before = resident_bytes();
    stdin.write_all(b"\0").unwrap();
    wait(&seen, BEFORE + connections);
    let each = (resident_bytes() - before) as f64 / connections as f64 / 1000.0;
    println!("{{\"connections\":{connections},\"kb_per_connection\":{each:.1}}}");
    drop(stdin); // lets the other end go
    child.wait().unwrap();
    serving.stop();
}

/// Waits until so many messages have come, and a moment longer, so that what they needed is given back.
fn wait(seen: &AtomicUsize, count: usize) {
    let start = Instant::now();
    while seen.load(Ordering::Relaxed) < count {
        assert!(start.elapsed() < Duration::from_secs(120), "only {} connections", seen.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500));
}

fn resident_bytes() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4096
}

/// Opens connections, each by a plan of its own: nothing but the local port, which is not used, tells them apart.
fn clients(remote: SocketAddr, connections: &str) {
    let connections: usize = connections.parse().unwrap();
    let mut stdin = std::io::stdin().lock();
    let mut ca = Vec::new();
    let mut byte = [0];
    while stdin.read(&mut byte).unwrap() == 1 && byte[0] != 0 {
        ca.extend(byte);
    }
    let authorities = vec![PemFile { name: "ca.pem".to_owned(), bytes: ca }];
    let setup = TlsSetup { authorities, without_system_authorities: true, ..TlsSetup::default() };
    let tls = Some(Tls::new(&setup, SystemTime::now()).unwrap().0);
    let (sender, ways) = std::sync::mpsc::channel::<(Later<Flow>, Plans)>();
    let config = ServeConfig { tls, limits: limits(), ..ServeConfig::default() };
    let _serving = serve_engines(config, move |shard| {
        let _ = sender.send((shard.later.clone(), shard.plans.clone()));
        // What comes back is only counted: from a number on at which nothing is answered.
        (Echo { seen: Arc::new(AtomicUsize::new(usize::MAX / 2)), outputs: VecDeque::new() }, Nothing)
    })
    .unwrap();
    let (later, plans) = ways.recv().unwrap();
    let open = |range: std::ops::Range<usize>| {
        for number in range {
            let local = (Ipv4Addr::LOCALHOST, number as u16).into();
            let connection = plans.plan(Transport::Tls, local, remote, "localhost");
            assert!(later.try_answer(Flow { transport: Transport::Tls, local, remote, connection }).is_ok());
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    open(0..BEFORE);
    assert_eq!(stdin.read(&mut byte).unwrap(), 1);
    open(BEFORE..BEFORE + connections);
    let _ = stdin.read(&mut byte); // its end
}
