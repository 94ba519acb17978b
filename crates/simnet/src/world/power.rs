use super::{Mind, World};
use crate::telephone::Telephone;
use crate::wire::Parcel;

/// What those see who send something to a host that is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// Nothing: the machine is gone.
    Silent,
    /// That nobody listens there: the machine runs, the program does not.
    Refusing,
}

impl World {
    /// Kills an exchange, as `kill -9` does: its streams end, and what it has not made durable is lost.
    pub fn kill(&mut self, name: &str, off: Off) {
        let node = self.find(name);
        self.switch_off(node, off);
    }

    /// Starts an exchange that was killed: it has its keys and what its store has kept.
    pub fn start(&mut self, name: &str) {
        let (now, node) = (self.now, self.find(name));
        self.exchange(name).restart(now);
        self.switch_on(node);
    }

    /// Kills an exchange and starts it at once.
    pub fn restart(&mut self, name: &str) {
        self.kill(name, Off::Refusing);
        self.start(name);
    }

    pub(crate) fn switch_off(&mut self, node: usize, off: Off) {
        self.nodes[node].off = Some(off);
        self.nodes[node].life += 1;
        let at = self.nodes[node].at.ip();
        for (id, other) in self.streams.of(at) {
            self.streams.close(id);
            // Whoever is gone without a word is missed when somebody sends something.
            if let Some(other) = self.addresses.get(&other)
                && off == Off::Refusing
            {
                self.wire.push(self.now.mono + self.link.delay, *other, Parcel::Closed(id));
            }
        }
        self.clocks.touch(node);
    }

    pub(crate) fn switch_on(&mut self, node: usize) {
        self.nodes[node].off = None;
        self.clocks.touch(node);
    }

    /// Takes a phone from its place and puts a new one there, or elsewhere, with the same account and nothing else.
    pub(crate) fn replace_phone(&mut self, node: usize, moves: bool) {
        self.switch_off(node, Off::Refusing);
        if moves {
            let at = self.next_address();
            self.addresses.remove(&self.nodes[node].at.ip());
            self.addresses.insert(at.ip(), node);
            self.nodes[node].at = at;
        }
        let (at, rng) = (self.nodes[node].at, self.rng.split());
        if let Mind::Phone(phone) = &mut self.nodes[node].mind {
            let tables = phone.tables.take();
            **phone = Telephone::new(phone.phone_config.clone(), phone.hz, at, rng);
            phone.tables = tables;
        }
        self.switch_on(node);
    }
}
