//! Sends datagrams to a reflector at an even rate, and prints how many came back and after how long.
//!
//!     sender ADDRESS RATE SECONDS [BYTES]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use bytes::Bytes;
use net::{ReceiveArena, UdpBatch};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize| arguments.get(i).and_then(|a| a.parse::<usize>().ok());
    let to: SocketAddr = arguments.get(1).and_then(|a| a.parse().ok()).expect("an address");
    let (rate, seconds, size) = (number(2).expect("a rate"), number(3).expect("seconds"), number(4).unwrap_or(600));
    let mut socket: UdpBatch = UdpBatch::bind("127.0.0.1:0".parse().expect("loopback"), false).expect("a port");
    let mut arena = ReceiveArena::default();
    let start = Instant::now();
    let (mut sent, mut latencies) = (0, Vec::new());
    // Ends a while after the last was sent, so that the last can come back.
    while start.elapsed() < Duration::from_secs(seconds as u64) + Duration::from_millis(200) {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as usize;
        while sent < due.min(rate * seconds) {
            let mut bytes = vec![b'x'; size];
            bytes[..16].copy_from_slice(&start.elapsed().as_nanos().to_le_bytes());
            let _ = socket.queue(socket.local_address(), to, Bytes::from(bytes), None); // what is too much is lost
            sent += 1;
        }
        socket.flush(|()| ());
        let mut each = |datagram: net::Datagram| {
            let sent_at = u128::from_le_bytes(datagram.bytes[..16].try_into().expect("16 bytes"));
            latencies.push((start.elapsed().as_nanos() - sent_at) as u64 / 1000);
        };
        while socket.receive(&mut arena, &mut each).expect("receive").datagrams > 0 {}
        std::hint::spin_loop();
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies.get(((latencies.len() as f64) * share) as usize).copied().unwrap_or(0);
    println!("{sent} sent, {} came back, p50 {} us, p99 {} us", latencies.len(), at(0.5), at(0.99));
}
