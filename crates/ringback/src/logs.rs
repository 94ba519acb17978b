//! How the log is written to standard error: lines for people, or one JSON object per line.

use serde_json::{Map, Value, json};
use std::fmt::{self, Debug, Display};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// There is one log, as there is one standard error.
static JSON: AtomicBool = AtomicBool::new(false);

/// From now on there is a log of what `filter` lets through (as RUST_LOG is written), in lines for people.
pub(crate) fn start(filter: &str, color: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    // Fails only if there is a subscriber already, which then serves as well.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(color)
        .event_format(Lines { words: Format::default() })
        .with_writer(std::io::stderr)
        .try_init();
}

/// From now on it is JSON: what the configuration says is known only when there may have been something to log.
pub(crate) fn switch_to_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// Whether it is JSON.
pub(crate) fn are_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// One line of a JSON log.
pub(crate) fn line(level: Level, target: &str, message: impl Display, fields: Map<String, Value>) -> Value {
    let mut ts = String::new();
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut ts));
    json!({"ts": ts, "level": level.as_str().to_lowercase(), "target": target, "message": message.to_string(), "fields": fields})
}

/// Writes an event as a line, of whichever kind they are now.
struct Lines {
    words: Format,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if !are_json() {
            return self.words.format_event(context, to, event);
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let about = event.metadata();
        writeln!(to, "{}", line(*about.level(), about.target(), &fields.message, fields.others))
    }
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.add(field, json!(format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.add(field, json!(value)),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, line, switch_to_json};
    use serde_json::{Map, Value, json};
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use tracing::Level;
    use tracing_subscriber::fmt::format::Format;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_object_in_one_line() {
        let kept = Kept::default();
        let to = kept.clone();
        let log = tracing_subscriber::fmt()
            .event_format(Lines { words: Format::default() })
            .with_writer(move || to.clone())
            .finish();
        switch_to_json();
        tracing::subscriber::with_default(log, || {
            tracing::warn!(target: "here", count = 3u64, who = "a\"b", ok = true, of = ?Some(1), "two\nlines of {}", "it");
        });
        let bytes = kept.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        let fields = json!({"count": 3, "who": "a\"b", "ok": true, "of": "Some(1)"});
        let rest = json!({"ts": value["ts"], "level": "warn", "target": "here", "message": "two\nlines of it", "fields": fields});
        assert_eq!(value, rest);
    }

    #[test]
    fn times_are_what_other_programs_read() {
        let line = line(Level::INFO, "x", "y", Map::new());
        let ts = line["ts"].as_str().unwrap();
        assert!(ts.parse::<jiff::Timestamp>().is_ok() && ts.ends_with('Z'), "{ts}");
    }
}
