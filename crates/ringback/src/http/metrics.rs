use super::exposition::{Exposition, Sample};
use crate::exchange::GateTotals;
use net::Totals;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};
use store::Counters;

/// What is counted and measured; whoever runs the exchange fills it in. What nobody counts is left out, not told as nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    /// What the drivers have counted.
    pub(crate) totals: Totals,
    /// Accounts, configured and stored.
    pub(crate) accounts: u64,
    /// Bindings that are kept.
    pub(crate) bindings: u64,
    /// Calls under way, of those that we watch.
    pub(crate) calls: Option<u64>,
    /// Calls that have ended.
    pub(crate) calls_ended: Option<u64>,
    /// Whether no new calls are taken.
    pub(crate) draining: bool,
    /// Who is let in; without a gate, everybody.
    pub(crate) gate: Option<GateTotals>,
    /// What the store has done.
    pub(crate) store: Counters,
    /// Whether changes cannot be kept now.
    pub(crate) store_failing: bool,
}

/// The text of `/metrics`.
pub(super) fn text(numbers: &Numbers, ready: bool) -> String {
    let mut to = Exposition::default();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    to.family("ringback_info", "gauge", "Which Ringback this is; always 1.", &[(&version, &1)]);
    to.gauge("ringback_ready", "Whether new calls are welcome, as /readyz says.", u8::from(ready));
    to.gauge("ringback_draining", "Whether no new calls are taken, before the end.", u8::from(numbers.draining));
    to.gauge("ringback_accounts", "Accounts, configured and stored.", numbers.accounts);
    to.gauge("ringback_bindings", "Bindings that are kept.", numbers.bindings);
    if let Some(calls) = numbers.calls {
        to.gauge("ringback_calls", "Calls under way, of those that are watched.", calls);
    }
    if let Some(ended) = numbers.calls_ended {
        to.counter("ringback_calls_ended_total", "Calls that have ended.", ended);
    }
    if let Some(totals) = &numbers.gate {
        gate(&mut to, totals);
    }
    to.gauge("ringback_store_failing", "Whether changes cannot be kept now.", u8::from(numbers.store_failing));
    store(&mut to, &numbers.store);
    for (name, help, value) in numbers.totals.named() {
        to.counter(&format!("ringback_{name}_total"), help, value);
    }
    process(&mut to);
    to.into_text()
}

fn gate(to: &mut Exposition, totals: &GateTotals) {
    to.gauge("ringback_bans", "Bans in force.", totals.bans_in_force);
    to.counter("ringback_bans_earned_total", "Bans that offences have earned.", totals.bans);
    to.gauge("ringback_sources", "Sources that are remembered for what they send or did.", totals.sources);
    to.gauge("ringback_sources_known", "Sources that have proved who they are.", totals.known);
    let refused: [Sample<'_>; 3] = [
        (&[("why", "limited")], &totals.limited),
        (&[("why", "limited_together")], &totals.limited_together),
        (&[("why", "banned")], &totals.banned),
    ];
    let help = "Datagrams, connections and messages not let in: their source sends too many, all strangers do, or it is banned.";
    to.family("ringback_refused_total", "counter", help, &refused);
    let [credentials, user, malformed, scanner] = &totals.offences;
    let offences: [Sample<'_>; 4] = [
        (&[("offence", "wrong_credentials")], credentials),
        (&[("offence", "unknown_user")], user),
        (&[("offence", "malformed")], malformed),
        (&[("offence", "scanner")], scanner),
    ];
    to.family("ringback_offences_total", "counter", "What counts towards a ban.", &offences);
}

fn store(to: &mut Exposition, store: &Counters) {
    to.counter("ringback_store_groups_total", "Groups of changes written, or tried to.", store.groups);
    to.counter("ringback_store_changes_total", "Changes written.", store.changes);
    to.counter("ringback_store_failures_total", "Changes that could not be written.", store.failures);
    let seconds = store.commit_us as f64 / 1e6;
    to.counter("ringback_store_commit_seconds_total", "Time that writing took.", seconds);
}

/// Under the names that every Prometheus client uses; what this system does not tell is left out.
fn process(to: &mut Exposition) {
    /// USER_HZ, in which Linux tells times to programs, is this on all that we run on.
    const TICKS_PER_S: f64 = 100.0;
    const PAGE_BYTES: u64 = 4096;
    let read = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    // Behind the name in brackets come the fields from the third on (proc(5)).
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok());
    if let (Some(user), Some(system)) = (field(14), field(15)) {
        let seconds = (user + system) as f64 / TICKS_PER_S;
        to.counter("process_cpu_seconds_total", "Processor time used, in seconds.", seconds);
    }
    if let Some(pages) = field(24) {
        to.gauge("process_resident_memory_bytes", "Memory in use, in bytes.", pages * PAGE_BYTES);
    }
    let booted = fs::read_to_string("/proc/stat").unwrap_or_default();
    let booted = booted.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok());
    if let (Some(booted), Some(ticks)) = (booted, field(22)) {
        let seconds = booted + ticks as f64 / TICKS_PER_S;
        to.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", seconds);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        to.gauge("process_open_fds", "File descriptors in use.", descriptors.count());
    }
    let limits = read("limits");
    let most = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    if let Some(most) = most.and_then(|text| text.parse::<u64>().ok()) {
        to.gauge("process_max_fds", "File descriptors that it may use.", most);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    to.gauge(
        "ringback_clock_seconds",
        "This machine's time, in seconds since 1970: nonces and bindings go by it.",
        now,
    );
}

#[cfg(test)]
mod tests {
    use super::{GateTotals, Numbers, text};
    use crate::http::exposition::strict;

    fn value(text: &str, name: &str) -> Option<f64> {
        strict::read(text).unwrap().iter().find(|(series, _)| series == name).map(|(_, value)| *value)
    }

    #[test]
    fn metrics_are_what_a_strict_reader_takes() {
        let mut numbers = Numbers { bindings: 7, ..Numbers::default() };
        numbers.totals.datagrams_received = 1 << 60;
        numbers.gate = Some(GateTotals { banned: 3, offences: [4, 5, 6, 7], ..GateTotals::default() });
        numbers.store.commit_us = 250_000;
        numbers.calls_ended = Some(9);
        let text = text(&numbers, true);
        let value = |name| value(&text, name);
        assert_eq!(value("ringback_bindings"), Some(7.0));
        assert_eq!(value("ringback_ready"), Some(1.0));
        assert_eq!(value("ringback_refused_total{why=\"banned\"}"), Some(3.0));
        assert_eq!(value("ringback_offences_total{offence=\"scanner\"}"), Some(7.0));
        assert_eq!(value("ringback_calls_ended_total"), Some(9.0));
        assert_eq!(value("ringback_calls"), None);
        assert_eq!(value("ringback_datagrams_received_total"), Some((1u64 << 60) as f64));
        assert_eq!(value("ringback_store_commit_seconds_total"), Some(0.25));
        assert!(text.contains("\nringback_datagrams_received_total 1152921504606846976\n"));
    }

    #[test]
    fn each_counter_of_the_drivers_is_there_with_its_words() {
        let numbers = Numbers::default();
        let text = text(&numbers, false);
        for (name, help, _) in numbers.totals.named() {
            assert!(text.contains(&format!("# HELP ringback_{name}_total {help}\n")), "{name}");
        }
    }

    #[test]
    fn what_the_process_uses_is_told() {
        let text = text(&Numbers::default(), false);
        assert!(value(&text, "process_resident_memory_bytes").unwrap() > 100_000.0);
        assert!(value(&text, "process_open_fds").unwrap() > 2.0);
        assert!(value(&text, "process_max_fds").unwrap() > 2.0);
        let (started, now) = (value(&text, "process_start_time_seconds"), value(&text, "ringback_clock_seconds"));
        assert!((-1.0..600.0).contains(&(now.unwrap() - started.unwrap())), "{started:?} {now:?}");
    }
}
