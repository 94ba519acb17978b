use super::configured::Configured;
use crate::config::keys::{KEYS, Shape, USER_KEYS};
use crate::config::{ConfigFile, Kind, Origin, Value};
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use clap::{Args, Subcommand};
use serde_json::json;

/// Checks and shows the configuration.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback config check --config ringback.toml")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what is wrong with the configuration, if anything is
    #[command(before_help = "Example: ringback config check --config ringback.toml")]
    Check(Configured),
    /// Shows every key and its value
    #[command(before_help = "Example: ringback config show --origin")]
    Show(Show),
    /// Prints a JSON schema of the configuration file
    #[command(before_help = "Example: ringback config schema > ringback.schema.json")]
    Schema,
}

#[derive(Debug, Args)]
struct Show {
    /// Also says where each value comes from
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    configured: Configured,
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> Option<&mut Configured> {
        match &mut self.verb {
            Verb::Check(configured) => Some(configured),
            Verb::Show(show) => Some(&mut show.configured),
            Verb::Schema => None,
        }
    }
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    match arguments.verb {
        Verb::Check(configured) => {
            configured.read()?;
            console.tell("the configuration is good", || json!({"event": "checked", "ok": true}));
        }
        Verb::Show(arguments) => {
            let (_, file) = arguments.configured.read()?;
            show(&file, arguments.origin, console);
        }
        Verb::Schema => console.tell(format!("{:#}", schema()), schema),
    }
    Ok(Exit::Done)
}

fn show(file: &ConfigFile, with_origin: bool, console: &Console) {
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
            && matches!(key.shape, Shape::Tables)
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

fn schema() -> serde_json::Value {
    let mut properties = serde_json::Map::new();
    for key in KEYS {
        let property = property(key.shape, key.about, key.default);
        match key.name.split_once('.') {
            None => properties.insert(key.name.to_owned(), property),
            Some((section, name)) => {
                let empty = || json!({"type": "object", "additionalProperties": false, "properties": {}});
                let section = properties.entry(section).or_insert_with(empty);
                section["properties"][name] = property;
                None
            }
        };
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ringback",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn property(shape: Shape, about: &str, default: &str) -> serde_json::Value {
    // The defaults are written in what TOML and JSON have in common.
    let default: serde_json::Value = serde_json::from_str(default).unwrap_or_default();
    let mut property = match shape {
        Shape::Text => json!({"type": "string"}),
        Shape::Switch => json!({"type": "boolean"}),
        Shape::Number => json!({"type": "integer"}),
        Shape::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Shape::Numbers => json!({"type": "array", "items": {"type": "integer"}}),
        Shape::Choice(words) => json!({"type": "string", "enum": words}),
        Shape::Tables => json!({"type": "array", "items": {"type": "object"}}),
    };
    if let (Shape::Tables, Some(_)) = (shape, about.strip_prefix("accounts")) {
        let keys = USER_KEYS.iter().map(|key| ((*key).to_owned(), json!({"type": "string"})));
        property["items"]["properties"] = serde_json::Value::Object(keys.collect());
        property["items"]["required"] = json!(["name"]);
    }
    property["description"] = json!(about);
    property["default"] = default;
    property
}
