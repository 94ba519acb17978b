use super::keys::LIMITS;
use super::problem::Problem;
use super::read::Reader;
use super::table::Table;
use super::value::Value;
use routing::{AddressPattern, Limits};

/// Reads `[limits]`.
pub(super) fn of_everybody(reader: &mut Reader<'_>) -> Limits {
    Limits {
        calls: reader.take("limits.calls", calls),
        calls_per_hour: reader.take("limits.calls_per_hour", calls_per_hour),
        destinations: reader.take("limits.destinations", destinations),
    }
}

/// Reads the `limits = {}` of a user; what is not there is as with `everybody`.
pub(super) fn of_a_user(value: &Value, everybody: &Limits, problems: &mut Vec<Problem>) -> Limits {
    let Some(table) = Table::open(value, "limits", LIMITS, problems) else { return everybody.clone() };
    Limits {
        calls: table.take("calls", problems, calls).unwrap_or(everybody.calls),
        calls_per_hour: table.take("calls_per_hour", problems, calls_per_hour).unwrap_or(everybody.calls_per_hour),
        destinations: table
            .take("destinations", problems, destinations)
            .unwrap_or_else(|| everybody.destinations.clone()),
    }
}

/// None is a limit, too: who may not call anybody outside.
fn calls(value: &Value, key: &str) -> Result<u32, Problem> {
    value.number(key, 0..Limits::CALLS_MAX + 1)
}

fn calls_per_hour(value: &Value, key: &str) -> Result<u32, Problem> {
    value.number(key, 0..Limits::CALLS_PER_HOUR_MAX + 1)
}

fn destinations(value: &Value, key: &str) -> Result<Vec<AddressPattern>, Problem> {
    // In the environment and on the command line words with commas between them are a list.
    let items = value.list(key).or_else(|_| value.words(key))?;
    let pattern = |item: &Value| {
        let text = item.text(key)?;
        AddressPattern::parse(&text)
            .map_err(|wanted| item.problem(format!("`{key}` cannot have {text:?}"), format!("{wanted} is needed")))
    };
    items.iter().map(pattern).collect()
}
