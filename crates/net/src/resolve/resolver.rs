use super::locate::{Place, locate, locate_address};
use super::memory::Memory;
use super::ways::Ways;
use crate::dns::{DnsConfig, Names};
use crate::{LocalAddress, Plans, system_rng};
use engine::Rng;
use sip_message::{NextHop, Transport};
use sip_transaction::Flow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// Lookups of names that may be under way at once in one driver; a further one finds nothing. One that is asked for again while it is
/// under way is one lookup.
pub const RESOLVES_MAX: usize = 256;
/// Flows that one lookup gives; the rest of a domain's servers are left out.
pub const FLOWS_MAX: usize = 16;
/// How long a lookup may take with all its questions: shorter than a transaction lasts (32 s, RFC 3261 section 17.1).
pub const RESOLVE_TIME_MAX: Duration = Duration::from_secs(10);

/// Finds the flows to where a message is to go, by RFC 3263, and for each the local address that would be used.
///
/// Clones share the cache and the limits. Each driver has its own.
#[derive(Debug, Clone)]
pub struct Resolver {
    ways: Ways,
    names: Arc<Names>,
    shared: Arc<Shared>,
}

/// What the clones have in common.
#[derive(Debug)]
struct Shared {
    rng: Mutex<Rng>,
    lookups: Arc<Semaphore>,
    under_way: Mutex<HashMap<NextHop, watch::Receiver<Option<Vec<Flow>>>>>,
    memory: Mutex<Memory>,
}

/// What somebody who looks up a name that is not being looked up yet holds: on every way out it lets the others go on.
struct Lead<'a> {
    shared: &'a Shared,
    next_hop: &'a NextHop,
    found: watch::Sender<Option<Vec<Flow>>>,
    _permit: OwnedSemaphorePermit,
}

impl Resolver {
    /// A resolver for flows from these addresses, which asks the system's name servers and knows no TLS and no WebSocket.
    pub fn new(listening: &[LocalAddress]) -> Resolver {
        let names = Arc::new(Names::new(&DnsConfig::default()));
        Resolver { ways: Ways::new(listening), names, shared: Shared::new() }
    }

    /// The same, asking other name servers.
    pub fn with_dns(self, config: &DnsConfig) -> Resolver {
        Resolver { names: Arc::new(Names::new(config)), shared: Shared::new(), ..self }
    }

    /// The same, for those transports of TLS and WebSocket, too, that connections can be planned of.
    pub fn with_plans(self, plans: &Plans) -> Resolver {
        Resolver { ways: self.ways.planning(plans), shared: Shared::new(), ..self }
    }

    /// What [`Resolver::resolve`] would find, where it need not wait: for a host written as an address, and what it found a moment ago
    /// ([`REMEMBERED_TIME_MAX`]).
    ///
    /// [`REMEMBERED_TIME_MAX`]: crate::REMEMBERED_TIME_MAX
    pub fn resolve_at_once(&self, next_hop: &NextHop) -> Option<Vec<Flow>> {
        if let Some(flows) = lock(&self.shared.memory).get(Instant::now(), next_hop) {
            return Some(flows);
        }
        let ip = next_hop.host.parse().ok()?;
        let place = locate_address(next_hop, ip, self.ways.transports());
        let flows = self.flows(next_hop, place.into_iter().collect());
        lock(&self.shared.memory).put(Instant::now(), next_hop, &flows);
        Some(flows)
    }

    /// The flows for a request (RFC 3263 section 4), best first, at most [`FLOWS_MAX`]; none when there is no such server, nothing of ours
    /// reaches it, or it was not found in time.
    pub async fn resolve(&self, next_hop: &NextHop) -> Vec<Flow> {
        if let Some(flows) = self.resolve_at_once(next_hop) {
            return flows;
        }
        if let Some(host) = next_hop.host.strip_suffix('.') {
            return Box::pin(self.resolve(&NextHop { host: host.to_owned(), ..next_hop.clone() })).await;
        }
        let lead = match self.lead_or_follow(next_hop) {
            Some(Ok(lead)) => lead,
            Some(Err(mut others)) => {
                // An error: who led gave up, which nobody does while it is asked for.
                return others.wait_for(Option::is_some).await.ok().and_then(|found| found.clone()).unwrap_or_default();
            }
            None => return Vec::new(),
        };
        let rng = lock(&self.shared.rng).split();
        let flows = self.look_up(next_hop, rng, Ways::arrange).await;
        lock(&self.shared.memory).put(Instant::now(), next_hop, &flows);
        lead.found.send_replace(Some(flows.clone()));
        flows
    }

    /// As [`Resolver::resolve`], for a stateless proxy: the order is the same each time as long as DNS says the same, so that all that
    /// belongs to one transaction goes to one server (RFC 3263 section 4.4).
    pub async fn resolve_steadily(&self, next_hop: &NextHop) -> Vec<Flow> {
        let Ok(_permit) = self.shared.lookups.try_acquire() else { return Vec::new() };
        let arrange = |addresses: &mut [IpAddr]| {
            addresses.sort();
            Ways::arrange(addresses);
        };
        self.look_up(next_hop, Rng::from_u64(0), arrange).await
    }

    /// The flows for a response whose way back is lost (RFC 3263 section 5), from the transport and the sent-by of its topmost Via.
    pub async fn resolve_sent_by(&self, transport: Transport, host: &str, port: Option<u16>) -> Vec<Flow> {
        // Section 5 is section 4 for a URI that names its transport: there is no NAPTR in either, and TLS stays TLS.
        let transport = Some(transport);
        self.resolve(&NextHop { secure: false, transport, host: host.to_owned(), port }).await
    }

    async fn look_up(&self, next_hop: &NextHop, mut rng: Rng, arrange: impl Fn(&mut [IpAddr])) -> Vec<Flow> {
        let located = locate(next_hop, self.ways.transports(), &*self.names, &mut rng, arrange);
        self.flows(next_hop, timeout(RESOLVE_TIME_MAX, located).await.unwrap_or_default())
    }

    fn flows(&self, next_hop: &NextHop, places: Vec<Place>) -> Vec<Flow> {
        let mut flows: Vec<Flow> = Vec::new();
        let mut seen: Vec<Place> = Vec::new();
        for place in places {
            if flows.len() == FLOWS_MAX {
                break;
            }
            if !seen.contains(&place) {
                seen.push(place);
                flows.extend(self.ways.flow(place, &next_hop.host));
            }
        }
        flows
    }

    #[cfg(test)]
    pub(super) fn forget(&self) {
        lock(&self.shared.memory).clear();
    }

    /// The right to look `next_hop` up, or the result of who is doing it; `None` when too many others are looked up.
    fn lead_or_follow<'a>(
        &'a self,
        next_hop: &'a NextHop,
    ) -> Option<Result<Lead<'a>, watch::Receiver<Option<Vec<Flow>>>>> {
        match lock(&self.shared.under_way).entry(next_hop.clone()) {
            Entry::Occupied(others) => Some(Err(others.get().clone())),
            Entry::Vacant(place) => {
                let permit = self.shared.lookups.clone().try_acquire_owned().ok()?;
                let (found, result) = watch::channel(None);
                place.insert(result);
                Some(Ok(Lead { shared: &self.shared, next_hop, found, _permit: permit }))
            }
        }
    }
}

impl Shared {
    fn new() -> Arc<Shared> {
        Arc::new(Shared {
            rng: Mutex::new(system_rng()),
            lookups: Arc::new(Semaphore::new(RESOLVES_MAX)),
            under_way: Mutex::default(),
            memory: Mutex::default(),
        })
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        lock(&self.shared.under_way).remove(self.next_hop);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
