use std::collections::BTreeSet;
use std::time::Instant;

/// When each node's timers are due: looked up again only for those that something has happened to.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    due: BTreeSet<(Instant, usize)>,
    of: Vec<Clock>,
    touched: Vec<usize>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Clock {
    due: Option<Instant>,
    touched: bool,
}

impl Clocks {
    /// Something has happened to a node.
    pub(crate) fn touch(&mut self, node: usize) {
        if self.of.len() <= node {
            self.of.resize(node + 1, Clock::default());
        }
        if !std::mem::replace(&mut self.of[node].touched, true) {
            self.touched.push(node);
        }
    }

    /// The next node whose clock has to be set.
    pub(crate) fn take_touched(&mut self) -> Option<usize> {
        let node = self.touched.pop()?;
        self.of[node].touched = false;
        Some(node)
    }

    /// Sets the clock of a node.
    pub(crate) fn set(&mut self, node: usize, due: Option<Instant>) {
        let clock = &mut self.of[node];
        if clock.due == due {
            return;
        }
        if let Some(before) = std::mem::replace(&mut clock.due, due) {
            self.due.remove(&(before, node));
        }
        self.due.extend(due.map(|due| (due, node)));
    }

    /// The first moment at which anybody's timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Those whose timers are due, in their order.
    pub(crate) fn due(&self, now: Instant) -> Vec<usize> {
        let mut nodes: Vec<usize> = self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, node)| *node).collect();
        nodes.sort_unstable();
        nodes
    }
}
