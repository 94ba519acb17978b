use super::engine::{PhoneBackend, PhoneEngine};
use super::media::MediaSockets;
use crate::tap::Tap;
use crate::{
    Later, ListenConfig, ListenError, LocalAddress, Resolver, ServeConfig, Serving, Tls, TlsSetup, serve_engines,
    system_rng,
};
use phone::{Command, Event, Input, Phone};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::SystemTime;

/// Events that may wait for their reader; what comes after is lost. A phone makes a few per call.
pub const EVENTS_MAX: usize = 4096;

/// Where a phone lives.
#[derive(Clone)]
pub struct PhoneShellConfig {
    /// Where it listens, and sends from.
    pub listen: ListenConfig,
    /// The ports for sound.
    pub media_ports: RangeInclusive<u16>,
    /// Whom it believes where it speaks TLS; `None`: the system's authorities.
    pub tls: Option<Tls>,
    /// Who watches its messages.
    pub tap: Option<Arc<dyn Tap>>,
}

impl Default for PhoneShellConfig {
    fn default() -> Self {
        PhoneShellConfig { listen: ListenConfig::any(0), media_ports: 10_000..=29_999, tls: None, tap: None }
    }
}

/// A phone that runs on a thread of its own, for use from ordinary code. Dropped, it stops at once: hang up first.
#[derive(Debug)]
pub struct PhoneShell {
    serving: Serving,
    commands: Later<Input>,
    events: Receiver<Event>,
}

impl PhoneShell {
    /// Opens the sockets and lets the phone run.
    pub fn start(config: PhoneShellConfig, phone: phone::Config) -> Result<PhoneShell, ListenError> {
        let (events_sender, events) = sync_channel(EVENTS_MAX);
        let (commands_sender, commands) = channel();
        let PhoneShellConfig { listen, media_ports, tls, tap } = config;
        // Nothing can be wrong with a setup that names no file.
        let tls = tls.or_else(|| Tls::new(&TlsSetup::default(), SystemTime::now()).ok().map(|(tls, _)| tls));
        let serving = ServeConfig { name: "phone", listen, tls, opens_websockets: true, tap, ..ServeConfig::default() };
        let serving = serve_engines(serving, move |shard| {
            let _ = commands_sender.send(shard.later.clone());
            let backend = PhoneBackend {
                resolver: Resolver::new(shard.addresses).with_plans(shard.plans),
                media: MediaSockets::new(media_ports.clone(), system_rng()),
                events: events_sender.clone(),
            };
            (PhoneEngine(Phone::new(phone.clone(), system_rng())), backend)
        })?;
        let commands = commands.recv().map_err(|error| ListenError::Start(std::io::Error::other(error)))?;
        Ok(PhoneShell { serving, commands, events })
    }

    /// Gives the phone a command. `false`: it has stopped, or is choked with input.
    pub fn send(&self, command: Command) -> bool {
        self.commands.try_answer(Input::Command(command)).is_ok()
    }

    /// What the phone has to tell, in order. It ends when the phone has stopped.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Where it listens.
    pub fn local_addresses(&self) -> &[LocalAddress] {
        self.serving.local_addresses()
    }
}
