//! What a datagram costs in the driver itself: sends every datagram back, and every second prints the processor time per datagram.
//!
//!     taskset -c 0 target/release/examples/reflector 127.0.0.1:5060
//!     taskset -c 1 target/release/examples/sender 127.0.0.1:5060 6000 5
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use bytes::Bytes;
use engine::Now;
use net::{Backend, Engine, Later, ListenConfig, Output, ServeConfig, Shard, serve_engines, thread_cpu_time};
use sip_transaction::{ClientTransactionId, ConnectionId, Flow};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

struct Reflector {
    outputs: VecDeque<(Flow, Bytes)>,
    report_at: Instant,
    cpu: Duration,
    datagrams: u32,
}

impl Engine for Reflector {
    type Ask = ();
    type Answer = ();
    type Event = std::convert::Infallible;
    fn handle_packet(&mut self, _: Now, flow: Flow, bytes: Bytes) {
        self.datagrams += 1;
        self.outputs.push_back((flow, bytes));
    }
    fn handle_send_failed(&mut self, _: Now, _: ClientTransactionId) {}
    fn handle_proved(&mut self, _: Now, _: ConnectionId, _: Vec<String>) {}
    fn handle_connection_closed(&mut self, _: Now, _: ConnectionId) {}
    fn handle_answer(&mut self, _: Now, (): ()) {}
    fn handle_overload(&mut self, _: Now, _: bool) {}
    fn handle_timeout(&mut self, now: Now) {
        let cpu = thread_cpu_time();
        if self.datagrams > 0 {
            let each = (cpu - self.cpu).as_secs_f64() * 1e6 / f64::from(self.datagrams);
            println!("{:>7} datagrams/s  {each:.2} us each", self.datagrams);
        }
        (self.cpu, self.datagrams, self.report_at) = (cpu, 0, now.mono + Duration::from_secs(1));
    }
    fn poll_output(&mut self) -> Option<Output<()>> {
        self.outputs.pop_front().map(|(flow, bytes)| Output::Send { flow, bytes, transaction: None })
    }
    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.report_at)
    }
}

struct Nothing;

impl Backend<Reflector> for Nothing {
    fn handle_ask(&mut self, _: Now, (): (), _: &Later<()>) -> Option<()> {
        None
    }
}

fn main() {
    let address = std::env::args().nth(1).and_then(|a| a.parse().ok()).expect("an address to listen on");
    let config = ServeConfig {
        listen: ListenConfig { udp: vec![address], ..ListenConfig::default() },
        ..ServeConfig::default()
    };
    let reflector = |_: &Shard<'_, ()>| {
        let start = Instant::now();
        (Reflector { outputs: VecDeque::new(), report_at: start, cpu: Duration::ZERO, datagrams: 0 }, Nothing)
    };
    let serving = serve_engines(config, reflector).unwrap_or_else(|error| panic!("{error}"));
    loop {
        let before = serving.totals();
        std::thread::sleep(Duration::from_secs(1));
        let after = serving.totals();
        if after.datagrams_received > before.datagrams_received {
            println!("        {} turns, {} pauses", after.turns - before.turns, after.pauses - before.pauses);
        }
    }
}
