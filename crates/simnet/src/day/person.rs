use phone::CallId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A phone and whoever uses it.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) node: usize,
    /// Where the phone is now.
    pub(super) at: SocketAddr,
    /// Where it was, and when the registrar has forgotten that.
    pub(super) was_at: Vec<(SocketAddr, Duration)>,
    /// How often it was switched off: what was planned for an earlier life is not done.
    pub(super) life: u32,
    pub(super) on: bool,
    /// When it was switched on or off last.
    pub(super) switched: Duration,
    /// Until when the registrar has promised to know it.
    pub(super) promised: Option<Duration>,
    /// Since when it has had such promises without a break.
    pub(super) promised_since: Duration,
    /// Since when it has no such promise.
    pub(super) without_since: Duration,
    /// The calls that its phone has told of and not ended.
    pub(super) calls: BTreeMap<CallId, Leg>,
    pub(super) dialled: u32,
}

/// One end of a call.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) began: Duration,
    pub(super) answered: Option<Duration>,
    /// The call as its caller has begun it.
    pub(super) link: Link,
}

/// Who has begun a call, and its number there.
pub(super) type Link = (usize, u32);

impl Person {
    pub(super) fn new(name: String, node: usize, at: SocketAddr) -> Person {
        Person {
            name,
            node,
            at,
            was_at: Vec::new(),
            life: 0,
            on: false,
            switched: Duration::ZERO,
            promised: None,
            promised_since: Duration::ZERO,
            without_since: Duration::ZERO,
            calls: BTreeMap::new(),
            dialled: 0,
        }
    }

    /// Whether the registrar has promised to know where it is.
    pub(super) fn believes(&self, now: Duration) -> bool {
        self.promised.is_some_and(|until| until > now)
    }

    pub(super) fn loses_promise(&mut self, now: Duration) {
        if self.promised.take().is_some() {
            self.without_since = now;
        }
    }
}
