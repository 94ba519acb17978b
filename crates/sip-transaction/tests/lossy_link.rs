//! Two layers and a link that loses, delays, reorders and duplicates: whatever it does, each request has one outcome and
//! nothing is left behind.

mod ladder;

use bytes::Bytes;
use engine::{Now, Rng};
use ladder::{flow, mac, parse, request};
use sip_message::{Builder, Method, Transport};
use sip_transaction::{
    ClientTransactionId, Config, Event, Flow, Output, Packet, ServerTransactionId, TransactionLayer,
};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Default)]
struct Outcome {
    finals: Vec<u16>,
    ends: usize,
    cancelled: bool,
}

/// Things that happen at a time, to side 0 (the clients) or 1 (the servers).
enum Happening {
    Arrive(usize, Bytes),
    Call,
    Cancel(ClientTransactionId),
    Answer(ServerTransactionId, u16),
    /// The TU repeats its 2xx (RFC 3261 section 13.3.1.4; here it never sees an ACK).
    Repeat(ServerTransactionId, Bytes),
}

struct World {
    rng: Rng,
    start: Now,
    ms: u64,
    layers: [TransactionLayer; 2],
    agenda: BTreeMap<(u64, u64), Happening>,
    serial: u64,
    outcomes: BTreeMap<ClientTransactionId, (Method, Outcome)>,
    /// Requests that reached the server's TU, by CSeq text and branch.
    delivered: BTreeMap<String, usize>,
    loss_percent: u64,
}

impl World {
    fn now(&self) -> Now {
        self.start + Duration::from_millis(self.ms)
    }

    fn later(&mut self, ms: u64, happening: Happening) {
        self.serial += 1;
        self.agenda.insert((self.ms + ms, self.serial), happening);
    }

    fn transmit(&mut self, to: usize, bytes: Bytes) {
        for _ in 0..1 + usize::from(self.rng.below(10) == 0) {
            if self.rng.below(100) >= self.loss_percent {
                let delay = 1 + self.rng.below(900);
                self.later(delay, Happening::Arrive(to, bytes.clone()));
            }
        }
    }

    fn drain(&mut self) {
        for side in 0..2 {
            while let Some(output) = self.layers[side].poll_output() {
                match output {
                    Output::Send { bytes, .. } => self.transmit(1 - side, bytes),
                    Output::Event(event) => self.event(event),
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Request { id, packet } => {
                let via = packet.message.top_via().expect("a Via");
                *self.delivered.entry(via.branch().expect("a branch").to_owned()).or_default() += 1;
                let invite = packet.message.method() == Method::Invite;
                let (most, status) =
                    (if invite { 20_000 } else { 1000 }, [200, 200, 404, 486][self.rng.below(4) as usize]);
                let delay = self.rng.below(most);
                self.later(delay, Happening::Answer(id, status));
                if invite && self.rng.below(2) == 0 {
                    self.later(delay / 2, Happening::Answer(id, 180));
                }
            }
            Event::Cancel { id, cancels, .. } => {
                self.later(0, Happening::Answer(id, if cancels.is_some() { 200 } else { 481 }));
                if let Some(invite) = cancels {
                    self.later(0, Happening::Answer(invite, 487));
                }
            }
            Event::Response { id, packet } => {
                let (_, outcome) = self.outcomes.get_mut(&id).expect("ours");
                if packet.message.status() >= 200 {
                    outcome.finals.push(packet.message.status());
                }
            }
            Event::Timeout { id } | Event::SendFailed { id } => {
                self.outcomes.get_mut(&id).expect("ours").1.ends += 1;
            }
            Event::Ack { .. } | Event::AckMissing { .. } => {}
        }
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now();
        match happening {
            Happening::Arrive(side, bytes) => {
                let there = flow(Transport::Udp);
                let flow = if side == 0 { there } else { Flow { local: there.remote, remote: there.local, ..there } };
                self.layers[side].handle_packet(now, Packet { flow, message: parse(bytes) });
            }
            Happening::Call => {
                let method = if self.rng.below(2) == 0 { Method::Invite } else { Method::Options };
                let branch = self.layers[0].mint_branch();
                let bytes = request(method.as_str(), &format!("SIP/2.0/UDP 192.0.2.1:5060;rport;branch={branch}"));
                self.outcomes.insert(branch.id(), (method, Outcome::default()));
                self.layers[0].send_request(now, &branch, flow(Transport::Udp), method, bytes);
                if method == Method::Invite && self.rng.below(4) == 0 {
                    let delay = self.rng.below(10_000);
                    self.later(delay, Happening::Cancel(branch.id()));
                }
            }
            Happening::Cancel(id) => {
                self.outcomes.get_mut(&id).expect("ours").1.cancelled = true;
                self.layers[0].cancel_client(now, id, None);
            }
            Happening::Answer(id, status) => {
                let Some(request) = self.layers[1].request_of(id) else { return };
                let bytes = Builder::reply(&request.message, status, request.flow.remote).to_tag("b").finish();
                self.layers[1].respond(now, id, status, bytes.clone());
                if status == 200 {
                    for after in [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500] {
                        self.later(after, Happening::Repeat(id, bytes.clone()));
                    }
                }
            }
            Happening::Repeat(id, bytes) => self.layers[1].respond(now, id, 200, bytes),
        }
    }

    fn run(&mut self) {
        loop {
            let timeout = self.layers.iter().filter_map(TransactionLayer::poll_timeout).min();
            let timeout = timeout.map(|due| due.duration_since(self.start.mono).as_millis() as u64);
            let next = self.agenda.keys().next().copied();
            match (timeout, next) {
                (None, None) => return,
                (due, Some(key)) if due.is_none_or(|due| key.0 <= due) => {
                    self.ms = key.0;
                    let happening = self.agenda.remove(&key).expect("just seen");
                    self.happen(happening);
                }
                (due, _) => {
                    self.ms = due.unwrap_or(self.ms);
                    let now = self.now();
                    self.layers.iter_mut().for_each(|layer| layer.handle_timeout(now));
                }
            }
            self.drain();
        }
    }
}

fn check(seed: u64, loss_percent: u64) {
    let mut rng = Rng::from_u64(seed);
    let layers = [0, 1].map(|shard| TransactionLayer::new(Config::new(shard, mac()), rng.split()));
    let mut world = World {
        rng,
        start: Now::read_clocks(),
        ms: 0,
        layers,
        agenda: BTreeMap::new(),
        serial: 0,
        outcomes: BTreeMap::new(),
        delivered: BTreeMap::new(),
        loss_percent,
    };
    for _ in 0..200 {
        let at = world.rng.below(60_000);
        world.later(at, Happening::Call);
    }
    world.run();
    let context = format!("seed {seed}, {loss_percent} % lost");
    for (method, outcome) in world.outcomes.values() {
        let Outcome { finals, ends, cancelled } = outcome;
        let whole = match (method, finals.as_slice()) {
            (_, []) => *ends == 1,
            (Method::Invite, [first, more @ ..]) if *first == 200 => {
                *ends == 0 && more.iter().all(|status| *status == 200)
            }
            (_, [_]) => *ends == 0,
            _ => false,
        };
        assert!(whole, "{context}: {method} has {outcome:?}");
        assert!(*cancelled || !finals.contains(&487), "{context}: {outcome:?}");
        assert!(loss_percent > 10 || *ends == 0, "{context}: {method} had no outcome: {outcome:?}");
    }
    assert!(world.delivered.values().all(|times| *times == 1), "{context}: a duplicate went up");
    assert_eq!(world.layers.map(|layer| layer.len()), [0, 0], "{context}");
    assert_eq!(loss_percent == 100, world.delivered.is_empty(), "{context}");
}

#[test]
fn one_outcome_for_each_request() {
    for seed in 0..20 {
        for loss_percent in [0, 10, 30, 100] {
            check(seed, loss_percent);
        }
    }
}
