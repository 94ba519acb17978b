//! An engine that does nothing by itself: the test reads what reaches it, and tells it what to do.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use bytes::Bytes;
use engine::{Mac, Now, Rng};
use net::{Backend, Engine, Later, ListenError, LocalAddress, Output, Plans, ServeConfig, Serving, serve_engines};
use sip_message::Transport;
use sip_transaction::{ClientTransactionId, Config, ConnectionId, Flow, TransactionLayer};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Longer than anything takes; a test that waits this long has failed.
pub const LONG: Duration = Duration::from_secs(20);

/// What reached the engine of a shard.
#[derive(Debug, Clone, PartialEq)]
pub enum Saw {
    Packet(Flow, Bytes),
    SendFailed(ClientTransactionId),
    Proved(ConnectionId, Vec<String>),
    Closed(ConnectionId),
    Overloaded(bool),
    Timeout,
    Blocked,
}

/// What the test tells an engine.
#[derive(Debug)]
pub enum Do {
    Send(Flow, Bytes, Option<ClientTransactionId>),
    WakeAt(Instant),
    /// Says so, and holds the driver until the other end of the channel is dropped.
    Block(Receiver<()>),
}

struct Puppet {
    shard: usize,
    saw: Sender<(usize, Saw)>,
    outputs: VecDeque<Output<()>>,
    wake_at: Option<Instant>,
}

impl Puppet {
    fn saw(&self, what: Saw) {
        let _ = self.saw.send((self.shard, what));
    }
}

impl Engine for Puppet {
    type Ask = ();
    type Answer = Do;
    type Event = std::convert::Infallible;
    fn handle_packet(&mut self, _: Now, flow: Flow, bytes: Bytes) {
        self.saw(Saw::Packet(flow, bytes));
    }
    fn handle_send_failed(&mut self, _: Now, transaction: ClientTransactionId) {
        self.saw(Saw::SendFailed(transaction));
    }
    fn handle_proved(&mut self, _: Now, connection: ConnectionId, names: Vec<String>) {
        self.saw(Saw::Proved(connection, names));
    }
    fn handle_connection_closed(&mut self, _: Now, connection: ConnectionId) {
        self.saw(Saw::Closed(connection));
    }
    fn handle_answer(&mut self, _: Now, what: Do) {
        match what {
            Do::Send(flow, bytes, transaction) => self.outputs.push_back(Output::Send { flow, bytes, transaction }),
            Do::WakeAt(at) => self.wake_at = Some(at),
            Do::Block(until_dropped) => {
                self.saw(Saw::Blocked);
                let _ = until_dropped.recv();
            }
        }
    }
    fn handle_overload(&mut self, _: Now, overloaded: bool) {
        self.saw(Saw::Overloaded(overloaded));
    }
    fn handle_timeout(&mut self, now: Now) {
        assert!(self.wake_at.is_some_and(|at| at <= now.mono), "nothing was due");
        self.wake_at = None;
        self.saw(Saw::Timeout);
    }
    fn poll_output(&mut self) -> Option<Output<()>> {
        self.outputs.pop_front()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }
}

struct Strings(Sender<(usize, Later<Do>, Plans)>, usize, Plans);

impl Backend<Puppet> for Strings {
    fn handle_ask(&mut self, _: Now, (): (), later: &Later<Do>) -> Option<Do> {
        let _ = self.0.send((self.1, later.clone(), self.2.clone()));
        None
    }
}

/// A net with puppets for engines.
pub struct Stage {
    pub serving: Serving,
    pub saw: Receiver<(usize, Saw)>,
    strings: Vec<(Later<Do>, Plans)>,
}

impl Stage {
    pub fn new(config: ServeConfig) -> Stage {
        let drivers = config.drivers;
        let ((saw_sender, saw), (strings_sender, strings)) = (channel(), channel());
        let serving = serve_engines(config, move |at| {
            let shard = at.index;
            let outputs = VecDeque::from([Output::Ask(())]);
            let puppet = Puppet { shard, saw: saw_sender.clone(), outputs, wake_at: None };
            (puppet, Strings(strings_sender.clone(), shard, at.plans.clone()))
        })
        .expect("free ports");
        let mut strings: Vec<_> = (0..drivers).map(|_| strings.recv_timeout(LONG).expect("each driver asks")).collect();
        strings.sort_by_key(|(shard, ..)| *shard);
        Stage { serving, saw, strings: strings.into_iter().map(|(_, later, plans)| (later, plans)).collect() }
    }

    pub fn address(&self, transport: Transport) -> SocketAddr {
        let all = self.serving.local_addresses();
        all.iter().find(|local: &&LocalAddress| local.transport == transport).expect("listens").address
    }

    pub fn tell(&self, shard: usize, what: Do) {
        self.strings[shard].0.try_answer(what).expect("room");
    }

    pub fn plans(&self, shard: usize) -> &Plans {
        &self.strings[shard].1
    }

    pub fn next(&self) -> (usize, Saw) {
        self.saw.recv_timeout(LONG).expect("something happens")
    }

    /// The next packet, and the shard that got it.
    pub fn packet(&self) -> (usize, Flow, Bytes) {
        match self.next() {
            (shard, Saw::Packet(flow, bytes)) => (shard, flow, bytes),
            other => panic!("a packet, not {other:?}"),
        }
    }

    pub fn totals_until(&self, holds: impl Fn(net::Totals) -> bool) {
        let start = Instant::now();
        while !holds(self.serving.totals()) {
            assert!(start.elapsed() < LONG, "{:?}", self.serving.totals());
            std::thread::yield_now();
        }
    }
}

pub fn transactions(count: usize) -> Vec<ClientTransactionId> {
    let mut rng = Rng::from_u64(1);
    let mac = Mac::new(&mut rng);
    let mut layer = TransactionLayer::new(Config::new(0, mac), rng);
    (0..count).map(|_| layer.mint_branch().id()).collect()
}

pub fn loopback() -> Vec<SocketAddr> {
    vec!["127.0.0.1:0".parse().expect("an address")]
}

/// Why `config` cannot be served.
pub fn refusal(config: ServeConfig) -> ListenError {
    serve_engines(config, |_| -> (Never, Never) { unreachable!("no port, no engine") }).expect_err("a refusal")
}

/// An engine that is never made.
enum Never {}

impl Engine for Never {
    type Ask = ();
    type Answer = ();
    type Event = std::convert::Infallible;
    fn handle_packet(&mut self, _: Now, _: Flow, _: Bytes) {}
    fn handle_send_failed(&mut self, _: Now, _: ClientTransactionId) {}
    fn handle_proved(&mut self, _: Now, _: ConnectionId, _: Vec<String>) {}
    fn handle_connection_closed(&mut self, _: Now, _: ConnectionId) {}
    fn handle_answer(&mut self, _: Now, (): ()) {}
    fn handle_overload(&mut self, _: Now, _: bool) {}
    fn handle_timeout(&mut self, _: Now) {}
    fn poll_output(&mut self) -> Option<Output<()>> {
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl Backend<Never> for Never {
    fn handle_ask(&mut self, _: Now, (): (), _: &Later<()>) -> Option<()> {
        None
    }
}
