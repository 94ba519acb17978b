use super::words;
use super::{AccountFlags, SoundFlags};
use crate::console::Console;
use crate::exit::Failure;
use crate::{interrupt, wav};
use net::{PhoneShell, PhoneShellConfig, Tls};
use phone::{Command, Event};
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// How soon Ctrl-C is noticed.
const GLANCE: Duration = Duration::from_millis(50);

/// A phone that runs, and whose events are told to whoever watches.
pub(crate) struct Line<'a> {
    shell: PhoneShell,
    tls: Tls,
    console: &'a Console,
    record: Option<PathBuf>,
    recorded: u32,
    interrupts_seen: u32,
}

/// What comes next on a [`Line`].
#[derive(Debug)]
pub(crate) enum Next {
    /// Something happened; it has been told already.
    Event(Event),
    /// Nothing did until the deadline.
    Deadline,
    /// Somebody wants us to stop.
    Interrupted,
}

impl<'a> Line<'a> {
    /// Starts a phone.
    pub(crate) fn open(
        account: &AccountFlags,
        sound: Option<&SoundFlags>,
        awaits_calls: bool,
        answering: phone::Answering,
        console: &'a Console,
    ) -> Result<Line<'a>, Failure> {
        interrupt::watch()?;
        let user = account.account.as_ref().map(|account| account.user.clone());
        let defaults = phone::Config::default();
        let config = phone::Config {
            accounts: account.accounts(),
            user: user.unwrap_or(defaults.user),
            transport: account.transport,
            answering,
            codecs: sound.map_or(defaults.codecs, SoundFlags::codecs),
            ..phone::Config::default()
        };
        let (listen, tap, tls) = (account.listen(awaits_calls), crate::trace::tap(), account.tls()?);
        let shell = PhoneShellConfig { listen, tap, tls: Some(tls.clone()), ..PhoneShellConfig::default() };
        let shell = PhoneShell::start(shell, config).map_err(|error| {
            Failure::usage(format!("{error}\nchoose another local address or port with --bind ADDR:PORT"))
        })?;
        let record = sound.and_then(|sound| sound.record.clone());
        Ok(Line { shell, tls, console, record, recorded: 0, interrupts_seen: 0 })
    }

    /// The local addresses, as `ready` says them.
    pub(crate) fn listen(&self) -> Vec<String> {
        let text = |local: &net::LocalAddress| format!("{}:{}", local.transport.as_param(), local.address);
        self.shell.local_addresses().iter().map(text).collect()
    }

    /// Gives the phone a command.
    pub(crate) fn send(&self, command: Command) {
        if !self.shell.send(command) {
            self.console.error("the phone does not take commands any more");
        }
    }

    /// Waits for what happens next, tells it, and writes what was recorded.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Next, Failure> {
        loop {
            if interrupt::times() > self.interrupts_seen {
                self.interrupts_seen = interrupt::times();
                return Ok(Next::Interrupted);
            }
            let left = deadline.map_or(GLANCE, |deadline| deadline.saturating_duration_since(Instant::now()));
            match self.shell.events().recv_timeout(left.min(GLANCE)) {
                Ok(event) => {
                    match words::is_failure(&event) {
                        true => {
                            self.console.complain(words::in_words(&event));
                            if let Some(why) = self.tls.last_distrust() {
                                self.console
                                    .complain(format!("{why}\nan authority to believe can be given with --ca FILE"));
                            }
                        }
                        false => self.console.say(words::in_words(&event)),
                    }
                    self.console.event(&words::as_json(&event));
                    self.keep(&event)?;
                    return Ok(Next::Event(event));
                }
                Err(RecvTimeoutError::Timeout) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Ok(Next::Deadline);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::negative("the phone has failed (see above)"));
                }
            }
        }
    }

    fn keep(&mut self, event: &Event) -> Result<(), Failure> {
        let (Some(path), Event::Media { recording, .. }) = (&self.record, event) else { return Ok(()) };
        self.recorded += 1;
        wav::write(&numbered(path, self.recorded), recording)
    }
}

/// `a.wav`, `a-2.wav`, `a-3.wav`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number <= 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{number}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::numbered;
    use std::path::Path;

    #[test]
    fn every_recording_has_its_file() {
        let name = |number| numbered(Path::new("d/a.wav"), number);
        assert_eq!([name(1), name(2)], [Path::new("d/a.wav"), Path::new("d/a-2.wav")]);
        assert_eq!(numbered(Path::new("a"), 3), Path::new("a-3"));
    }
}
