use super::table::{DRIVER_SHIFT, first_number};
use crate::Tls;
use sip_message::Transport;
use sip_transaction::ConnectionId;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections that may be planned at once in all drivers together; for a further one that is forgotten which was planned, or found
/// planned, longest ago. One that is open goes on.
pub const PLANS_MAX: usize = 8192;

/// In a [`ConnectionId`]: it stands for a plan.
const PLANNED: u64 = 1 << 47;

/// A connection that is opened when the first message goes over it, and again after it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// Whom the other end must prove to be where there is TLS (RFC 5922 section 7.3), and the host that a WebSocket asks for.
    pub(crate) domain: String,
}

/// Gives out numbers of connections before they are opened, so that a flow can stand for "the connection to this address whose other
/// end is this domain". One and the same for all drivers of a process: what one of them has planned, the others find.
#[derive(Debug, Clone)]
pub struct Plans {
    driver: usize,
    /// Whether WebSockets are opened.
    opens_websockets: bool,
    tls: Option<Tls>,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug)]
struct Table {
    next: u64,
    /// Grows with each use.
    clock: u64,
    by_plan: HashMap<Plan, ConnectionId>,
    by_id: HashMap<ConnectionId, (Plan, u64)>,
    by_age: BTreeMap<u64, ConnectionId>,
}

impl Plans {
    /// Those of driver 0.
    pub(crate) fn new(tls: Option<Tls>, opens_websockets: bool) -> Plans {
        let (by_plan, by_id, by_age) = Default::default();
        let table = Table { next: first_number(), clock: 0, by_plan, by_id, by_age };
        Plans { driver: 0, opens_websockets, tls, table: Arc::new(Mutex::new(table)) }
    }

    /// The same as another driver uses them.
    pub(crate) fn for_driver(&self, driver: usize) -> Plans {
        Plans { driver, ..self.clone() }
    }

    /// Whether connections of this transport are opened here.
    pub fn opens(&self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => false,
            Transport::Tcp => true,
            Transport::Tls => self.tls.is_some(),
            Transport::Ws => self.opens_websockets,
            Transport::Wss => self.opens_websockets && self.tls.is_some(),
        }
    }

    /// The connection from `local` to `remote` whose other end shows, where the transport has TLS, a certificate for `domain`: the host of
    /// the URI that is followed, not what DNS made of it (RFC 5922 section 7.3), or an address without brackets. `None`: connections of
    /// this transport are not opened here (TLS without a [`Tls`], WebSocket by a server, UDP).
    ///
    /// It is opened when the first message is sent over it, used as long as it lives, and opened again after. If it cannot be opened, or
    /// its other end does not prove to be `domain`, what was to be sent has failed. May be called from any thread.
    pub fn plan(
        &self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        domain: &str,
    ) -> Option<ConnectionId> {
        if !self.opens(transport) {
            return None;
        }
        let plan = Plan { transport, local, remote, domain: domain.to_ascii_lowercase() };
        Some(self.table().find_or_add(self.driver, plan))
    }

    pub(crate) fn get(&self, connection: ConnectionId) -> Option<Plan> {
        if connection.0 & PLANNED == 0 {
            return None;
        }
        self.table().by_id.get(&connection).map(|(plan, _)| plan.clone())
    }

    pub(crate) fn opens_websockets(&self) -> bool {
        self.opens_websockets
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find_or_add(&mut self, driver: usize, plan: Plan) -> ConnectionId {
        self.clock += 1;
        if let Some(id) = self.by_plan.get(&plan).copied() {
            if let Some((_, used)) = self.by_id.get_mut(&id) {
                self.by_age.remove(used);
                *used = self.clock;
            }
            self.by_age.insert(self.clock, id);
            return id;
        }
        if self.by_id.len() >= PLANS_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
            && let Some((plan, _)) = self.by_id.remove(&oldest)
        {
            self.by_plan.remove(&plan);
        }
        let id = ConnectionId(((driver as u64) << DRIVER_SHIFT) | PLANNED | self.next);
        self.next = (self.next + 1) & (PLANNED - 1);
        self.by_plan.insert(plan.clone(), id);
        self.by_id.insert(id, (plan, self.clock));
        self.by_age.insert(self.clock, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::driver_of;

    const LOCAL: &str = "127.0.0.1:5060";

    fn plan(plans: &Plans, transport: Transport, remote: &str, domain: &str) -> Option<ConnectionId> {
        plans.plan(transport, LOCAL.parse().unwrap(), remote.parse().unwrap(), domain)
    }

    #[test]
    fn the_same_plan_has_the_same_number_whoever_makes_it() {
        let plans = Plans::new(None, true);
        let other = plans.for_driver(3);
        let first = plan(&plans, Transport::Ws, "127.0.0.1:80", "a.example").unwrap();
        assert_eq!(plan(&other, Transport::Ws, "127.0.0.1:80", "A.example"), Some(first));
        assert_eq!(driver_of(first), 0);
        let distinct = [
            plan(&other, Transport::Ws, "127.0.0.1:80", "b.example"),
            plan(&other, Transport::Ws, "127.0.0.1:81", "a.example"),
            plan(&other, Transport::Tcp, "127.0.0.1:80", "a.example"),
        ];
        for (i, id) in distinct.iter().enumerate() {
            assert_eq!(id.map(driver_of), Some(3));
            assert!(*id != Some(first) && !distinct[..i].contains(id));
        }
        assert_eq!(plans.get(first).map(|plan| plan.domain), Some("a.example".to_owned()));
        assert_eq!(plans.get(ConnectionId(7)), None);
    }

    #[test]
    fn what_is_not_opened_cannot_be_planned() {
        let server = Plans::new(None, false);
        for transport in [Transport::Udp, Transport::Tls, Transport::Ws, Transport::Wss] {
            assert_eq!(plan(&server, transport, "127.0.0.1:1", "a"), None, "{transport}");
        }
        assert!(plan(&server, Transport::Tcp, "127.0.0.1:1", "a").is_some());
    }

    #[test]
    fn there_is_a_most_of_plans_and_the_one_not_used_for_longest_goes() {
        let plans = Plans::new(None, false);
        let numbered = |i: usize| plan(&plans, Transport::Tcp, "127.0.0.1:1", &format!("host{i}")).unwrap();
        let (used, unused) = (numbered(0), numbered(1));
        for i in 2..PLANS_MAX {
            numbered(i);
        }
        assert_eq!(numbered(0), used);
        numbered(PLANS_MAX);
        assert!(plans.get(used).is_some() && plans.get(unused).is_none());
        let table = plans.table();
        assert_eq!((table.by_id.len(), table.by_plan.len(), table.by_age.len()), (PLANS_MAX, PLANS_MAX, PLANS_MAX));
    }
}
