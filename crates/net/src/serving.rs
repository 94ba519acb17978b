use crate::counters::{Counters, Totals};
use crate::driver::{Driver, DriverParts, shard_queues};
use crate::gate::Gate;
use crate::island::raise_descriptor_limit;
use crate::listen::{Listening, open};
use crate::tap::Tap;
use crate::{Backend, DnsConfig, Engine, Later, ListenConfig, ListenError, LocalAddress, Plans, StreamLimits, Tls};
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

/// Threads that one driver may keep busy with lookups of names.
const LOOKUP_THREADS_MAX: usize = 8;

/// Tells which shard a message belongs to, out of as many as there are drivers; `None`: the one it came to.
pub type Owner = Arc<dyn Fn(&Bytes) -> Option<usize> + Send + Sync>;

/// How to serve.
#[derive(Clone)]
pub struct ServeConfig {
    /// The name of the threads.
    pub name: &'static str,
    /// Where to listen.
    pub listen: ListenConfig,
    /// Drivers, and thus shards: one per core, at least 1.
    pub drivers: usize,
    /// Which shard a message belongs to. Without it (or with one driver) it belongs to the driver it came to.
    pub owner: Option<Owner>,
    /// Limits on streams.
    pub limits: StreamLimits,
    /// What TLS needs; without it, connections with TLS are neither accepted nor opened.
    pub tls: Option<Tls>,
    /// Whether WebSockets are opened: by telephones, never by servers (RFC 7118 section 3).
    pub opens_websockets: bool,
    /// Which name servers are asked.
    pub dns: DnsConfig,
    /// Who decides which sources are let in; without it, all are.
    pub gate: Option<Arc<dyn Gate>>,
    /// Who watches.
    pub tap: Option<Arc<dyn Tap>>,
}

impl Default for ServeConfig {
    fn default() -> Self {
        ServeConfig {
            name: "driver",
            listen: ListenConfig::default(),
            drivers: 1,
            owner: None,
            limits: StreamLimits::default(),
            tls: None,
            opens_websockets: false,
            dns: DnsConfig::default(),
            gate: None,
            tap: None,
        }
    }
}

/// What an engine and its backend are told when they are made.
#[derive(Debug)]
pub struct Shard<'a, Answer> {
    /// The shard's number.
    pub index: usize,
    /// What is listened on.
    pub addresses: &'a [LocalAddress],
    /// The way into the engine.
    pub later: &'a Later<Answer>,
    /// For who finds ways to others.
    pub plans: &'a Plans,
}

/// Drivers that run. Dropped, it stops them, too.
#[derive(Debug)]
pub struct Serving {
    addresses: Vec<LocalAddress>,
    left_out: Vec<ListenError>,
    counters: Vec<Arc<Counters>>,
    drivers: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// Opens the sockets and starts a driver for each shard with the engine and the backend that `make` builds for it, on its own thread.
/// All sockets are open when this returns.
pub fn serve_engines<E, B>(
    config: ServeConfig,
    make: impl Fn(&Shard<'_, E::Answer>) -> (E, B) + Send + Sync + 'static,
) -> Result<Serving, ListenError>
where
    E: Engine + 'static,
    B: Backend<E> + 'static,
{
    let drivers = config.drivers.max(1);
    // With fewer we serve fewer connections; a listener that has none left waits until one is free.
    let _ = raise_descriptor_limit();
    let has_certificate = config.tls.as_ref().is_some_and(Tls::has_certificate);
    let Listening { sockets, addresses, left_out } = open(&config.listen, drivers, has_certificate)?;
    let plans = Plans::new(config.tls.clone(), config.opens_websockets);
    let (shards, inboxes) = shard_queues(drivers);
    let shards: Arc<[_]> = shards.into();
    let make = Arc::new(make);
    let mut serving = Serving { addresses, left_out, counters: Vec::new(), drivers: Vec::new() };
    for (index, (sockets, inboxes)) in sockets.into_iter().zip(inboxes).enumerate() {
        let (stop_sender, stop) = oneshot::channel();
        let counters = Arc::<Counters>::default();
        let parts = DriverParts {
            index,
            sockets,
            limits: config.limits,
            tls: config.tls.clone(),
            plans: plans.for_driver(index),
            shards: shards.clone(),
            inboxes,
            owner: config.owner.clone().filter(|_| drivers > 1),
            gate: config.gate.clone(),
            tap: config.tap.clone(),
            counters: counters.clone(),
            stop,
        };
        let (make, addresses) = (make.clone(), serving.addresses.clone());
        let (later, plans) = (parts.inboxes.later.clone(), parts.plans.clone());
        let (started_sender, started) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name(format!("{}-{index}", config.name)).spawn(move || {
            let shard = Shard { index, addresses: &addresses, later: &later, plans: &plans };
            run(parts, || make(&shard), &started_sender);
        });
        serving.counters.push(counters);
        serving.drivers.push((stop_sender, thread.map_err(ListenError::Start)?));
        match started.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(ListenError::Start(error)),
            Err(_) => return Err(ListenError::Start(io::Error::other("its engine could not be made"))),
        }
    }
    Ok(serving)
}

/// The life of a driver's thread.
fn run<E: Engine + 'static, B: Backend<E> + 'static>(
    parts: DriverParts<E::Answer>,
    make: impl FnOnce() -> (E, B),
    started: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(LOOKUP_THREADS_MAX)
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        let (engine, backend) = make();
        match Driver::new(parts, engine, backend) {
            Ok(driver) => {
                let _ = started.send(Ok(()));
                driver.run().await;
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    });
    // A lookup may hang for many seconds; nobody waits for its result any more.
    runtime.shutdown_background();
}

impl Serving {
    /// What is listened on, in the order of the configuration, UDP first.
    pub fn local_addresses(&self) -> &[LocalAddress] {
        &self.addresses
    }

    /// Why addresses that nobody asked for ([`ListenConfig::optional`]) are not among them.
    pub fn left_out(&self) -> &[ListenError] {
        &self.left_out
    }

    /// What the drivers have counted together.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.counters.iter().for_each(|counters| totals.add(counters));
        totals
    }

    /// Whether all drivers run. One that does not has panicked, and its share of the calls is lost.
    pub fn is_whole(&self) -> bool {
        self.drivers.iter().all(|(_, thread)| !thread.is_finished())
    }

    /// Stops the drivers: each ends its turn, sends what it has, and closes its sockets. Returns when all have.
    pub fn stop(mut self) {
        self.stop_all();
    }

    fn stop_all(&mut self) {
        let (stops, threads): (Vec<_>, Vec<_>) = self.drivers.drain(..).unzip();
        for stop in stops {
            let _ = stop.send(()); // one that has ended already hears nothing
        }
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop_all();
    }
}
