use super::Guard;
use super::problem::Problem;
use super::read::Reader;
use super::value::Value;
use routing::Network;
use std::time::Duration;

/// Messages a second that can be configured at most.
const RATE_MAX: u32 = 10_000_000;

/// Offences that can be configured at most.
const FAILURES_MAX: u32 = 100_000;

/// Seconds that anything of the guard's lasts at most (a year).
const GUARD_S_MAX: u32 = 31_536_000;

/// Reads `[guard]`.
pub(super) fn read(reader: &mut Reader<'_>) -> Guard {
    let number = |max: u32| move |value: &Value, key: &str| value.number(key, 1..max + 1);
    let mut seconds = |key| Duration::from_secs(reader.take(key, number(GUARD_S_MAX)).into());
    let (window, ban, ban_max) = (seconds("guard.window_s"), seconds("guard.ban_s"), seconds("guard.ban_max_s"));
    if ban > ban_max {
        let values = ["guard.ban_s", "guard.ban_max_s"].map(|key| reader.file.get(key));
        // At the one that somebody typed.
        let typed = values.into_iter().max_by_key(|value| value.origin).unwrap_or(values[0]);
        let what = format!("guard.ban_s ({}) is more than guard.ban_max_s ({})", ban.as_secs(), ban_max.as_secs());
        reader.problem(typed, what, "raise the one or lower the other");
    }
    Guard {
        enabled: reader.take("guard.enabled", Value::switch),
        allow: reader.take("guard.allow", networks),
        stranger_per_s: reader.take("guard.stranger_per_s", number(RATE_MAX)),
        strangers_per_s: reader.take("guard.strangers_per_s", number(RATE_MAX)),
        failures: reader.take("guard.failures", number(FAILURES_MAX)),
        window,
        ban,
        ban_max,
    }
}

fn networks(value: &Value, key: &str) -> Result<Vec<Network>, Problem> {
    let network = |item: &Value| {
        let text = item.text(key)?;
        Network::parse(&text)
            .map_err(|wanted| item.problem(format!("`{key}` cannot have {text:?}"), format!("{wanted} is needed")))
    };
    value.list(key)?.iter().map(network).collect()
}
