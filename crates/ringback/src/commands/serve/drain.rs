use super::running::Running;
use crate::console::Console;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is said what is waited for.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// An exchange that takes no new calls and waits for those under way.
pub(super) struct Draining {
    until: Instant,
    say_again: Instant,
}

impl Running<'_> {
    /// Somebody wants the exchange to end. Whether it is to do so at once: nobody calls, or they have said it before.
    pub(super) async fn begin_to_end(&mut self, console: &Console) -> bool {
        if self.draining.is_some() {
            self.calls_left = self.desk.count_calls().await;
            return true;
        }
        self.desk.drain().await;
        self.exchange.seen.draining.store(true, Relaxed);
        let now = Instant::now();
        self.draining = Some(Draining { until: now + self.drain, say_again: now });
        self.may_end(console).await
    }

    /// Whether an exchange that is draining may end; now and then it says why not.
    pub(super) async fn may_end(&mut self, console: &Console) -> bool {
        let Some(Draining { until, say_again }) = &mut self.draining else { return false };
        let calls = self.desk.count_calls().await;
        let now = Instant::now();
        if calls == 0 || now >= *until {
            self.calls_left = calls;
            return true;
        }
        if now >= *say_again {
            let left = until.duration_since(now).as_secs_f64().ceil();
            let calls_in_words = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
            console.say(format!(
                "no new calls are taken; waiting for {calls_in_words} to end, {left} s at most (a second signal stops at once)"
            ));
            console.event(&json!({"event": "draining", "calls": calls, "left_s": left, "words": format!("waiting for {calls_in_words}")}));
            *say_again = now + SAID_EVERY;
        }
        false
    }
}
