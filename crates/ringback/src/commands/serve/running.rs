use super::Signals;
use super::drain::Draining;
use super::reload::Parts;
use crate::commands::configured::Configured;
use crate::console::Console;
use crate::control;
use crate::desk::Desk;
use crate::exchange::{Certificates, Exchange};
use crate::exit::{Exit, Failure, Outcome};
use engine::Now;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How often files are looked at, what has ended is swept, and what monitors see is made anew.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// An exchange that runs, and what it runs by.
pub(super) struct Running<'a> {
    /// Also with who answers monitors.
    pub(super) exchange: Arc<Exchange>,
    pub(super) desk: Desk,
    pub(super) certificates: Certificates,
    /// What of the configuration was looked at only when it was started.
    pub(super) started: Parts,
    pub(super) configured: &'a Configured,
    /// How long calls under way are waited for.
    pub(super) drain: Duration,
    pub(super) draining: Option<Draining>,
    /// Calls that were under way when nobody would wait any more.
    pub(super) calls_left: usize,
}

impl Running<'_> {
    /// Looks after the exchange until somebody ends it.
    pub(super) async fn tend(
        mut self,
        control: Option<control::Listener>,
        mut signals: Signals,
        console: &Console,
    ) -> Outcome {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let mut unwell = false;
        loop {
            let end = tokio::select! {
                _ = signals.terminate.recv() => self.begin_to_end(console).await,
                _ = signals.interrupt.recv() => self.begin_to_end(console).await,
                _ = signals.hangup.recv() => {
                    self.reload(console).await;
                    false
                }
                () = control::serve_one(control.as_ref(), &self.desk) => continue,
                _ = housekeeping.tick() => self.may_end(console).await,
            };
            if end {
                break;
            }
            self.exchange.seen.calls.store(self.desk.count_calls().await as u64, Relaxed);
            self.refresh_certificates(console);
            if let Some(why) = self.certificates.take_distrust() {
                console.warn(format!("a server was not believed: {why}; tls.ca names CAs to believe"));
            }
            let (now, world) = (Now::read_clocks(), &self.exchange.world);
            world.store.bindings().sweep(now);
            if let Some(line) = world.gate.as_ref().and_then(|gate| gate.tend(now)) {
                console.warn(line);
            }
            self.warn_of_refused(console);
            let health = world.store.health();
            if health.is_well() == unwell {
                // Once when it begins, and once when it is over.
                unwell = !unwell;
                let well = "the store is well again: changes are written down";
                if unwell {
                    console.warn(&health)
                } else {
                    console.say(well)
                }
                console.event(&json!({"event": "store", "well": !unwell, "words": health.to_string()}));
            }
            if !self.exchange.is_whole() {
                let what = "a part of the exchange has failed (see above); it must be started again";
                return Err(Failure::negative(what));
            }
        }
        self.warn_of_refused(console);
        let calls = self.calls_left;
        let rest = if calls > 0 { format!("; {calls} under way go on without us") } else { String::new() };
        console.say(format!("stopped{rest}"));
        console.event(&json!({"event": "stopped", "calls": calls}));
        Ok(Exit::Done)
    }

    fn warn_of_refused(&self, console: &Console) {
        if let Some(line) = self.exchange.world.take_refused() {
            console.warn(line);
        }
    }

    fn refresh_certificates(&mut self, console: &Console) {
        match self.certificates.refresh(Now::read_clocks().wall) {
            None => {}
            Some(Ok(warnings)) => {
                warnings.iter().for_each(|warning| console.warn(warning));
                console.say("the certificate was read again");
                console.event(&json!({"event": "certificate"}));
            }
            Some(Err(failure)) => console.warn(format!("the certificate stays as it is: {}", failure.text)),
        }
    }
}
