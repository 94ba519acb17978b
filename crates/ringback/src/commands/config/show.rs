use crate::config::keys::{KEYS, Shape};
use crate::config::{ConfigFile, Kind, Origin, Value};
use crate::console::Console;
use serde_json::json;

/// Every key with its value, as TOML that can be read again.
pub(super) fn show(file: &ConfigFile, with_origin: bool, console: &Console) {
    let mut section = "";
    for key in KEYS {
        let value = file.get(key.name);
        let (of, name) = key.name.split_once('.').unwrap_or(("", key.name));
        let origin = origin(value);
        if !console.json && of != section && !of.is_empty() {
            console.tell(format!("\n[{of}]"), || json!({}));
        }
        section = of;
        let mut words = format!("{name} = {}", rendered(value));
        if let Kind::List(users) = &value.kind
            && matches!(key.shape, Shape::Tables(_))
        {
            let tables = users.iter().map(|user| format!("\n[[{name}]]\n{}", table_lines(user)));
            words = tables.collect::<Vec<_>>().join("\n");
        }
        if key.not_yet.is_some() && !words.is_empty() {
            words += "  # not there yet";
        }
        if with_origin && !words.is_empty() {
            words += &format!("  # {origin}");
        }
        if console.json || !words.is_empty() {
            console.tell(words, || json!({"key": key.name, "value": as_json(value), "origin": origin}));
        }
    }
}

fn origin(value: &Value) -> String {
    match value.origin {
        Origin::Default => "default".to_owned(),
        Origin::File => {
            let line = value.source.text[..value.span.start].matches('\n').count() + 1;
            format!("{}:{line}", value.source.name)
        }
        Origin::Environment => "environment".to_owned(),
        Origin::Flag => "flag".to_owned(),
    }
}

/// As TOML, which for these kinds is JSON.
fn rendered(value: &Value) -> String {
    as_json(value).to_string()
}

fn table_lines(value: &Value) -> String {
    let Kind::Table(entries) = &value.kind else { return String::new() };
    let lines = entries.iter().map(|(name, _, entry)| format!("{name} = {}", secret_or(name, entry)));
    lines.collect::<Vec<_>>().join("\n")
}

fn secret_or(name: &str, value: &Value) -> serde_json::Value {
    if name == "password" || name.starts_with("ha1") { json!("(secret)") } else { as_json(value) }
}

fn as_json(value: &Value) -> serde_json::Value {
    match &value.kind {
        Kind::Text(text) => json!(text),
        Kind::Number(number) => json!(number),
        Kind::Switch(on) => json!(on),
        Kind::List(items) => items.iter().map(as_json).collect(),
        Kind::Table(entries) => entries.iter().map(|(name, _, entry)| (name.clone(), secret_or(name, entry))).collect(),
        Kind::Other(what) => json!(what),
    }
}
