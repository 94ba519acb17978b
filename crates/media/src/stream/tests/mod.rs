//! Two streams and a bad network between them, in virtual time.

mod calls;
mod edges;

use std::collections::BTreeMap;

use sdp::{Codec, Direction};

use super::*;

/// What the network does to packets.
#[derive(Clone, Copy, Default)]
struct Link {
    loss_percent: u32,
    double_percent: u32,
    delay_ms: u64,
    /// Each packet is up to this much later, which reorders them.
    jitter_ms: u32,
    /// The second stream is behind a NAT: its packets come from another address than its signalling said.
    nat: bool,
}

struct World {
    now: Now,
    start: Now,
    rng: Rng,
    link: Link,
    streams: [Stream; 2],
    /// Packets on their way by arrival and number: to which stream, from where.
    flying: BTreeMap<(Instant, u64), (usize, SocketAddr, Vec<u8>)>,
    number: u64,
    events: [Vec<Event>; 2],
}

fn address(of: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, of as u8 + 1], 4000))
}

/// Where packets of this stream come from.
fn seen_from(of: usize, component: Component, link: Link) -> SocketAddr {
    let mut from = address(of);
    if link.nat && of == 1 {
        from = SocketAddr::from(([203, 0, 113, 9], 61000));
    }
    from.set_port(from.port() + u16::from(component == Component::Rtcp));
    from
}

fn config(of: usize, source: Source) -> Config {
    let remote = address(1 - of);
    Config {
        remote,
        remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
        rtcp_mux: false,
        codec: Codec::Pcmu,
        payload_type: 0,
        receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
        telephone_event: Some(101),
        telephone_event_receive: Some(101),
        ptime_ms: 20,
        direction: Direction::SendRecv,
        source,
        record: true,
    }
}

impl World {
    fn new(seed: u64, link: Link, configs: [Config; 2]) -> Self {
        let mut rng = Rng::from_u64(seed);
        let now = Now::read_clocks();
        let streams = configs.map(|config| Stream::new(config, rng.split(), now));
        World { now, start: now, rng, link, streams, flying: BTreeMap::new(), number: 0, events: [vec![], vec![]] }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    fn drain(&mut self) {
        for of in 0..2 {
            while let Some(output) = self.streams[of].poll_output() {
                match output {
                    Output::Event(event) => self.events[of].push(event),
                    Output::Packet { component, to, bytes } => {
                        let nat_port = seen_from(1 - of, Component::Rtp, self.link);
                        assert!(to.ip() == address(1 - of).ip() || to.ip() == nat_port.ip(), "a packet to {to}");
                        if self.chance(self.link.loss_percent) {
                            continue;
                        }
                        let copies = 1 + usize::from(self.chance(self.link.double_percent));
                        for _ in 0..copies {
                            let jitter = u64::from(self.rng.next_u32() % (self.link.jitter_ms + 1));
                            let at = self.now.mono + Duration::from_millis(self.link.delay_ms + jitter);
                            let from = seen_from(of, component, self.link);
                            self.flying.insert((at, self.number), (1 - of, from, bytes.clone()));
                            self.number += 1;
                        }
                    }
                }
            }
        }
    }

    fn run_until(&mut self, seconds: f64) {
        let end = self.start.mono + Duration::from_secs_f64(seconds);
        loop {
            self.drain();
            let timers = self.streams.iter().filter_map(Stream::poll_timeout).min();
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let Some(next) = timers.into_iter().chain(arrival).min().filter(|at| *at <= end) else { break };
            self.now = self.start + next.saturating_duration_since(self.start.mono);
            match self.flying.first_entry() {
                Some(entry) if entry.key().0 <= next => {
                    let (to, from, bytes) = entry.remove();
                    self.streams[to].handle_input(self.now, from, &bytes);
                }
                _ => self.streams.iter_mut().for_each(|s| s.handle_timeout(self.now)),
            }
        }
        self.now = self.start + Duration::from_secs_f64(seconds);
    }

    fn digits(&self, of: usize) -> String {
        let digit = |e: &Event| if let Event::DtmfReceived { digit } = e { Some(*digit) } else { None };
        self.events[of].iter().filter_map(digit).collect()
    }
}

/// Something speech-like that nothing else looks like.
fn babble(seed: u64, seconds: usize) -> std::sync::Arc<[i16]> {
    let mut rng = Rng::from_u64(seed);
    let mut last = 0.0;
    (0..seconds * 8000)
        .map(|n| {
            last = last * 0.7 + 0.3 * (f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5);
            (last * ((n as f64 / 1200.0).sin().max(0.0) * 16000.0)) as i16
        })
        .collect()
}
