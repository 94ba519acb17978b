use crate::config::keys::{Field, KEYS, Shape};
use serde_json::{Value, json};

/// A JSON schema of the configuration file.
pub(super) fn schema() -> Value {
    let mut properties = serde_json::Map::new();
    for key in KEYS {
        let mut property = property(key.shape, key.about);
        // The defaults are written in what TOML and JSON have in common.
        property["default"] = serde_json::from_str(key.default).unwrap_or_default();
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

fn property(shape: Shape, about: &str) -> Value {
    let words = || json!({"type": ["string", "array"], "items": {"type": "string"}});
    let mut property = match shape {
        Shape::Text => json!({"type": "string"}),
        Shape::Switch => json!({"type": "boolean"}),
        Shape::Number => json!({"type": "integer"}),
        Shape::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Shape::Numbers => json!({"type": "array", "items": {"type": "integer"}}),
        Shape::Words => words(),
        Shape::Choice(words) => json!({"type": "string", "enum": words}),
        Shape::Map => json!({"type": "object", "additionalProperties": words()}),
        Shape::Table(fields) => table(fields),
        Shape::Tables(fields) => json!({"type": "array", "items": table(fields)}),
    };
    property["description"] = json!(about);
    property
}

fn table(fields: &[Field]) -> Value {
    let properties = fields.iter().map(|field| (field.name.to_owned(), property(field.shape, field.about)));
    let needed: Vec<&str> = fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties.collect::<serde_json::Map<_, _>>(),
        "required": needed,
    })
}
