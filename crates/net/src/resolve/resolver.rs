use super::locate::{Place, locate, locate_address};
use super::ways::{Plan, Ways};
use crate::dns::{DnsConfig, Names};
use crate::{LocalAddress, system_rng};
use engine::Rng;
use sip_message::{NextHop, Transport};
use sip_transaction::Flow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
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
        let shared = Shared {
            rng: Mutex::new(system_rng()),
            lookups: Arc::new(Semaphore::new(RESOLVES_MAX)),
            under_way: Mutex::default(),
        };
        let names = Arc::new(Names::new(&DnsConfig::default()));
        Resolver { ways: Ways::new(listening, None), names, shared: Arc::new(shared) }
    }

    /// The same, asking other name servers.
    pub fn with_dns(self, config: &DnsConfig) -> Resolver {
        Resolver { names: Arc::new(Names::new(config)), ..self }
    }

    /// The same, for TLS and WebSocket as well, whose connections `plan` plans.
    pub fn with_plan(self, plan: Plan) -> Resolver {
        Resolver { ways: self.ways.planning(plan), ..self }
    }

    /// The flow to a host written as an address, at once; `None` when it is a name.
    pub fn resolve_address(&self, next_hop: &NextHop) -> Option<Vec<Flow>> {
        let ip = next_hop.host.parse().ok()?;
        let place = locate_address(next_hop, ip, self.ways.transports());
        Some(self.flows(place.into_iter().collect(), &next_hop.host))
    }

    /// The flows for a request (RFC 3263 section 4), best first, at most [`FLOWS_MAX`]; none when there is no such server, nothing of ours
    /// reaches it, or it was not found in time.
    pub async fn resolve(&self, next_hop: &NextHop) -> Vec<Flow> {
        if let Some(flows) = self.resolve_address(next_hop) {
            return flows;
        }
        let lead = match self.lead_or_follow(next_hop) {
            Some(Ok(lead)) => lead,
            Some(Err(mut others)) => {
                // An error: who led gave up, which nobody does while it is asked for.
                return others.wait_for(Option::is_some).await.ok().and_then(|found| found.clone()).unwrap_or_default();
            }
            None => return Vec::new(),
        };
        let mut rng = lock(&self.shared.rng).split();
        let located = locate(next_hop, self.ways.transports(), &*self.names, &mut rng, Ways::arrange);
        let places = timeout(RESOLVE_TIME_MAX, located).await.unwrap_or_default();
        let flows = self.flows(places, &next_hop.host);
        lead.found.send_replace(Some(flows.clone()));
        flows
    }

    /// The flows for a response whose way back is lost (RFC 3263 section 5), from the transport and the sent-by of its topmost Via.
    pub async fn resolve_sent_by(&self, transport: Transport, host: &str, port: Option<u16>) -> Vec<Flow> {
        // Section 5 is section 4 for a URI that names its transport: there is no NAPTR in either, and TLS stays TLS.
        let transport = Some(transport);
        self.resolve(&NextHop { secure: false, transport, host: host.to_owned(), port }).await
    }

    fn flows(&self, places: Vec<Place>, domain: &str) -> Vec<Flow> {
        let mut flows: Vec<Flow> = Vec::new();
        let mut seen: Vec<Place> = Vec::new();
        for place in places {
            if flows.len() == FLOWS_MAX {
                break;
            }
            if !seen.contains(&place) {
                seen.push(place);
                flows.extend(self.ways.flow(place, domain));
            }
        }
        flows
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

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        lock(&self.shared.under_way).remove(self.next_hop);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
