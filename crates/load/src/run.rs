use crate::generator::{Generator, Outgoing, Side};
use crate::report::Effort;
use crate::{LoadConfig, LoadError, Progress, Report};
use engine::Rng;
use net::{ReceiveArena, UdpBatch, thread_cpu_time};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// From one batch to the next.
pub const TICK: Duration = Duration::from_millis(1);

/// Between two reports of progress.
const PROGRESS: Duration = Duration::from_secs(1);

/// Batches read from one socket in a tick, before what they call for is sent.
const BATCHES_PER_TICK: usize = 32;

/// Runs the load in this thread, to its end. `on_progress` is called about once a second and can end the run early; what is in
/// progress then counts as failed.
///
/// It ends when `total` are over, or `timeout` is; a few seconds more go into removing what was registered.
pub fn run(
    config: &LoadConfig,
    mut on_progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Report, LoadError> {
    config.check()?;
    let ip = match config.bind {
        Some(ip) => ip,
        None => local_ip(config.target).map_err(LoadError::Socket)?,
    };
    let mut wire = Wire::open(ip).map_err(LoadError::Socket)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| LoadError::Socket(std::io::Error::other(error.to_string())))?;
    let cpu_before = thread_cpu_time();
    let mut now = Instant::now();
    let addresses = (wire.callers.local_address(), wire.callees.local_address());
    let mut generator = Generator::new(config, now, addresses, Rng::from_seed(seed));
    let mut tick_late_max = Duration::ZERO;
    let mut next_tick = now;
    let mut next_progress = now + PROGRESS;
    loop {
        wire.receive(now, &mut generator).map_err(LoadError::Socket)?;
        generator.handle_timeout(now);
        wire.send(&mut generator);
        if let Some(outcome) = generator.outcome() {
            let effort = Effort { cpu: thread_cpu_time() - cpu_before, tick_late_max };
            return outcome.map(|()| Report::new(config, generator.tally(), &effort));
        }
        if now >= next_progress {
            next_progress = now + PROGRESS;
            if on_progress(&progress(&generator, now)).is_break() {
                generator.stop(now);
            }
        }
        next_tick += TICK;
        now = Instant::now();
        if now < next_tick {
            std::thread::sleep(next_tick - now);
            now = Instant::now();
        }
        let late = now.saturating_duration_since(next_tick);
        tick_late_max = tick_late_max.max(late);
        if late > TICK {
            next_tick = now; // what is missed is not made up for: one long tick instead of many empty ones
        }
    }
}

fn progress(generator: &Generator, now: Instant) -> Progress {
    let tally = generator.tally();
    Progress {
        elapsed: generator.elapsed(now),
        begun: tally.begun,
        in_progress: tally.in_progress(),
        ok: tally.ok,
        failed: tally.failed(),
        retransmissions: tally.retransmissions,
    }
}

/// The two sockets.
struct Wire {
    callers: UdpBatch,
    callees: UdpBatch,
    arena: ReceiveArena,
}

impl Wire {
    fn open(ip: IpAddr) -> std::io::Result<Wire> {
        Ok(Wire {
            callers: UdpBatch::bind(SocketAddr::new(ip, 0), false)?,
            callees: UdpBatch::bind(SocketAddr::new(ip, 0), false)?,
            arena: ReceiveArena::default(),
        })
    }

    fn receive(&mut self, now: Instant, generator: &mut Generator) -> std::io::Result<()> {
        for (side, socket) in [(Side::Callees, &self.callees), (Side::Callers, &self.callers)] {
            for _ in 0..BATCHES_PER_TICK {
                let mut each = |datagram: net::Datagram| {
                    generator.handle_packet(now, side, datagram.remote, datagram.bytes);
                };
                if !socket.receive(&mut self.arena, &mut each)?.more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// What a full queue drops, the retransmissions bring back.
    fn send(&mut self, generator: &mut Generator) {
        for Outgoing { side, to, bytes } in generator.take_outgoing() {
            let socket = match side {
                Side::Callers => &mut self.callers,
                Side::Callees => &mut self.callees,
            };
            let _ = socket.queue(socket.local_address(), to, bytes, None);
        }
        self.callers.flush(|()| {});
        self.callees.flush(|()| {});
    }
}

/// The address from which the system would send to `target`. No datagram is sent.
fn local_ip(target: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(target)?;
    Ok(socket.local_addr()?.ip())
}
