use super::{Mind, World};
use crate::exchange::Outgoing;
use crate::wire::Parcel;
use std::time::{Duration, Instant};

/// What may happen at one moment; more is a timer that fires without end, or two who answer each other for ever.
const STEPS_PER_MOMENT_MAX: u32 = 10_000;

impl World {
    /// The time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now.mono.duration_since(self.start.mono)
    }

    /// Lets one thing happen, when there is one by `until`: something arrives, or else timers fire.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        while let Some(node) = self.clocks.take_touched() {
            let due = self.due_of(node);
            self.clocks.set(node, due);
        }
        let arrival = self.wire.next();
        let next = arrival.into_iter().chain(self.clocks.next()).min();
        let Some(next) = next.filter(|next| *next <= until) else { return false };
        self.pass(next);
        self.idle_steps += 1;
        if self.idle_steps > STEPS_PER_MOMENT_MAX {
            panic!("time stands still at {:?}, seed {}:\n{}", self.elapsed(), self.seed, self.ladder());
        }
        if arrival.is_some_and(|arrival| arrival <= self.now.mono) {
            if let Some((node, parcel)) = self.wire.pop() {
                self.deliver(node, parcel);
            }
            return true;
        }
        for node in self.clocks.due(next) {
            let outgoing = match &mut self.nodes[node].mind {
                Mind::Exchange(exchange) => exchange.handle_timeout(self.now),
                Mind::Phone(phone) => phone.handle_timeout(self.now, &self.hosts),
                Mind::Script(_) => continue,
            };
            self.carry_out(node, outgoing);
        }
        true
    }

    fn due_of(&self, node: usize) -> Option<Instant> {
        let node = &self.nodes[node];
        match &node.mind {
            _ if node.off.is_some() => None,
            Mind::Exchange(exchange) => exchange.poll_timeout(),
            Mind::Phone(phone) => phone.poll_timeout(self.carries_sound),
            Mind::Script(_) => None,
        }
    }

    /// Lets time pass, and everything happen that is due by then.
    pub fn run_until(&mut self, elapsed: Duration) {
        let until = self.start.mono + elapsed;
        while self.step(until) {}
        self.pass(until);
    }

    /// Lets time pass until nothing is under way and no timer is set; phones, which refresh their registrations for ever, get as long
    /// as any transaction lasts.
    pub fn run_until_quiet(&mut self) {
        let longest = Duration::from_secs(if self.has_phones() { 100 } else { 86_400 });
        let until = self.now.mono + longest;
        while self.step(until) {}
    }

    /// Delivers what has reached this node by now.
    pub(crate) fn deliver_to(&mut self, node: usize) {
        while self.wire.has_for(node, self.now.mono) && self.step(self.now.mono) {}
    }

    pub(super) fn pass(&mut self, to: Instant) {
        if to > self.now.mono {
            self.idle_steps = 0;
            self.now = self.now + to.duration_since(self.now.mono);
        }
    }

    /// The moment so long after the beginning.
    pub(crate) fn moment(&self, elapsed: Duration) -> Instant {
        self.start.mono + elapsed
    }

    fn deliver(&mut self, node: usize, parcel: Parcel) {
        let (now, life) = (self.now, self.nodes[node].life);
        if self.nodes[node].off.is_some() {
            return;
        }
        let outgoing = match (&mut self.nodes[node].mind, parcel) {
            (Mind::Exchange(exchange), Parcel::Packet { flow, bytes }) => exchange.handle_packet(now, flow, bytes),
            (Mind::Exchange(exchange), Parcel::SendFailed { shard, transaction, to }) if to == life => {
                exchange.handle_send_failed(now, shard, transaction)
            }
            (Mind::Exchange(exchange), Parcel::Closed(id)) => exchange.handle_closed(now, id),
            (Mind::Exchange(exchange), Parcel::Ask { shard, ask, to }) if to == life => {
                exchange.answer(now, &self.hosts, shard, ask)
            }
            (Mind::Script(script), Parcel::Packet { flow, bytes }) => {
                script.receive(flow, bytes);
                Vec::new()
            }
            (Mind::Phone(phone), Parcel::Packet { flow, bytes }) => {
                phone.handle(now, &self.hosts, phone::Input::Packet { flow, bytes })
            }
            (Mind::Phone(phone), Parcel::SendFailed { transaction, to, .. }) if to == life => {
                phone.handle(now, &self.hosts, phone::Input::SendFailed { transaction })
            }
            (Mind::Phone(phone), Parcel::Closed(id)) => {
                phone.handle(now, &self.hosts, phone::Input::ConnectionClosed(id))
            }
            (Mind::Phone(phone), Parcel::Media { from, to, bytes }) => {
                phone.handle_media(now, &self.hosts, from, to, bytes)
            }
            (_, Parcel::SendFailed { .. } | Parcel::Ask { .. } | Parcel::Media { .. }) | (Mind::Script(_), _) => {
                Vec::new()
            }
        };
        self.carry_out(node, outgoing);
    }

    /// Does what a node wants done.
    pub(super) fn carry_out(&mut self, node: usize, outgoing: Vec<Outgoing>) {
        self.clocks.touch(node);
        if let Mind::Phone(phone) = &self.nodes[node].mind
            && !phone.events.is_empty()
            && !std::mem::replace(&mut self.nodes[node].has_told, true)
        {
            self.told.push(node);
        }
        for outgoing in outgoing {
            match outgoing {
                Outgoing::Send { flow, bytes, transaction } => self.send(node, flow, bytes, transaction),
                Outgoing::Media { from, to, bytes } => self.send_media(from, to, &bytes),
                Outgoing::Ask { shard, ask } if self.answer_delay.is_zero() => {
                    let Mind::Exchange(exchange) = &mut self.nodes[node].mind else { continue };
                    let outgoing = exchange.answer(self.now, &self.hosts, shard, ask);
                    self.carry_out(node, outgoing);
                }
                Outgoing::Ask { shard, ask } => {
                    let to = self.nodes[node].life;
                    self.wire.push(self.now.mono + self.answer_delay, node, Parcel::Ask { shard, ask, to });
                }
            }
        }
    }
}
