use super::text;
use crate::commands::configured::Configured;
use crate::console::Console;
use crate::control::Command;
use crate::exit::{Exit, Failure, Outcome};
use crate::moment;
use clap::Args;
use serde_json::Value;
use std::time::SystemTime;

/// What a record has, in the order of the columns.
const COLUMNS: [&str; 14] = [
    "id", "call_id", "from", "to", "caller", "callee", "source", "started", "answered", "ended", "talked_s", "end",
    "status", "how",
];

/// Which calls, and how they are shown.
#[derive(Debug, Args)]
#[command(
    after_help = "Works without a running exchange, too. Columns of --csv: id, call_id, from, to, caller, callee, source, started, \
                        answered, ended, talked_s, end, status, how; times are universal time."
)]
pub(super) struct Arguments {
    /// Calls that began since then: 2h, 3d, 2026-11-20, 2026-11-20T09:30 (by the clock of proxy.timezone)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Calls that began before then
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Calls by or to this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u32,
    /// As CSV (RFC 4180) with a heading
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    pub(super) configured: Configured,
}

pub(super) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let (config, _) = arguments.configured.read()?;
    let zone = config.rules.zone();
    let now = SystemTime::now();
    let when = |text: &Option<String>| {
        let moment = text.as_deref().map(|text| moment::parse_since(text, zone, now));
        moment.transpose().map_err(Failure::usage)
    };
    let command = Command::CallsHistory {
        since: when(&arguments.since)?,
        until: when(&arguments.until)?,
        user: arguments.user.clone(),
        limit: arguments.limit,
    };
    if arguments.csv {
        console.tell(COLUMNS.join(","), || Value::Null);
    }
    let mut any = false;
    arguments.configured.ask(&command, |record| {
        any = true;
        if arguments.csv {
            let fields: Vec<String> = COLUMNS.iter().map(|column| field(column, &record[column])).collect();
            return console.tell(fields.join(","), || record);
        }
        let started = record["started"].as_str().and_then(moment::parse_rfc3339);
        let started = started.map_or_else(|| text(&record["started"]), |started| moment::local(zone, started));
        let words =
            format!("{started}  {} -> {}: {}", text(&record["from"]), text(&record["to"]), text(&record["how"]));
        console.tell(words, || record);
    })?;
    if !any && !arguments.csv {
        console.say("no such calls are remembered");
    }
    Ok(Exit::Done)
}

/// A field of CSV. What others have chosen, and a spreadsheet would take for a formula, is made a text.
fn field(column: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => return other.to_string(),
    };
    let chosen = matches!(column, "call_id" | "from" | "to" | "callee" | "how");
    let formula = chosen && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::field;
    use serde_json::json;

    #[test]
    fn fields_are_csv_and_no_formulas() {
        for (column, value, written) in [
            ("from", json!("sip:100@a"), "sip:100@a"),
            ("from", json!("sip:a,\"b\"@a"), "\"sip:a,\"\"b\"\"@a\""),
            ("call_id", json!("=1+1"), "'=1+1"),
            ("call_id", json!("=1,1"), "\"'=1,1\""),
            ("caller", json!("+4930@a"), "+4930@a"),
            ("status", json!(486), "486"),
            ("answered", json!(null), ""),
        ] {
            assert_eq!(field(column, &value), written);
        }
    }
}
