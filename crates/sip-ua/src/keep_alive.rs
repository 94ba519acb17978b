use crate::agent::Timer;
use crate::{Output, RegistrationId, UserAgent};
use engine::Now;
use std::time::{Duration, Instant};

/// The least and the most seconds between two keep-alives: what RFC 5626 section 4.4.2 finds that NATs keep a UDP mapping for. One
/// rule for all transports, because home routers forget streams, too.
const KEEP_ALIVE_S: (u64, u64) = (24, 29);

impl UserAgent {
    /// Begins to keep the flow of a registration alive. An earlier beginning for the same one no longer counts.
    pub(crate) fn keep_alive_later(&mut self, now: Now, id: RegistrationId) {
        let (least_s, most_s) = KEEP_ALIVE_S;
        let wait = Duration::from_millis(least_s * 1000 + self.rng.below((most_s - least_s) * 1000 + 1));
        let at = now.mono + wait;
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        registration.keep_alive_at = Some(at);
        self.deadlines.set(at, Timer::KeepAlive(id));
    }

    /// The moment has come that was set for a keep-alive.
    pub(crate) fn keep_alive_is_due(&mut self, now: Now, id: RegistrationId, set_for: Instant) {
        let Some(registration) = self.registrations.get(&id) else { return };
        if registration.keep_alive_at != Some(set_for) {
            return;
        }
        // Without a flow there is nothing to keep; the next registration that succeeds begins anew.
        if let Some(flow) = registration.flow {
            self.outputs.push_back(Output::KeepAlive { flow });
            self.keep_alive_later(now, id);
        }
    }
}
