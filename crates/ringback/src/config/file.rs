use super::keys::{self, KEYS};
use super::problem::{Problem, Source};
use super::value::{Entry, Kind, Origin, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What was typed: each key's value, still with the place where it stands. Of several, the one that takes precedence.
#[derive(Debug, Default)]
pub(crate) struct ConfigFile {
    values: BTreeMap<&'static str, Value>,
    problems: Vec<Problem>,
}

impl ConfigFile {
    /// The defaults.
    pub(crate) fn new() -> ConfigFile {
        let mut file = ConfigFile::default();
        for key in KEYS {
            let source = Arc::new(Source { name: format!("default of {}", key.name), text: key.default.to_owned() });
            file.values.insert(key.name, Value::from_words(&source, Origin::Default, 0));
        }
        file
    }

    /// Adds a file's text.
    pub(crate) fn add_text(&mut self, name: &str, text: &str) {
        let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
        match DeTable::parse(text) {
            Ok(table) => {
                let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
                if let Kind::Table(entries) = Value::from_toml(&table, &source, Origin::File, 0).kind {
                    self.add_entries("", entries);
                }
            }
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let what = format!("this is not TOML: {}", error.message().trim());
                self.problems.push(Problem { source, span, what, help: String::new() });
            }
        }
    }

    /// Adds those environment variables that are keys: `RINGBACK_LISTEN__UDP` is `listen.udp`.
    ///
    /// Others that begin so, and have no section in their name, are not ours (an orchestrator makes `RINGBACK_PORT`, say).
    pub(crate) fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix("RINGBACK_") else { continue };
            let name = name.to_lowercase().replace("__", ".");
            if keys::find(&name).is_none() && !name.contains('.') {
                continue;
            }
            let whole = format!("{variable}={text}");
            let source = Arc::new(Source { name: "environment".to_owned(), text: whole });
            let value = Value::from_words(&source, Origin::Environment, variable.len() + 1);
            self.add(&name, 0..variable.len(), value);
        }
    }

    /// Adds a `--set KEY=VALUE`.
    pub(crate) fn add_setting(&mut self, setting: &str) {
        let source = Arc::new(Source { name: "--set".to_owned(), text: setting.to_owned() });
        match setting.split_once('=') {
            Some((key, _)) => {
                let value = Value::from_words(&source, Origin::Flag, key.len() + 1);
                self.add(key.trim(), 0..key.len(), value);
            }
            None => self.problems.push(Problem {
                source,
                span: 0..setting.len(),
                what: "a setting has no value".to_owned(),
                help: "--set KEY=VALUE is needed".to_owned(),
            }),
        }
    }

    /// Adds what a flag of its own says about `key`.
    pub(crate) fn add_flag(&mut self, key: &'static str, flag: &str, text: &str) {
        let source = Arc::new(Source { name: "flag".to_owned(), text: format!("{flag} {text}") });
        let span = flag.len() + 1..source.text.len();
        let value = Value { kind: Kind::Text(text.to_owned()), span, source, origin: Origin::Flag };
        self.values.insert(key, value);
    }

    /// The value of a key of [`KEYS`].
    pub(crate) fn get(&self, key: &str) -> &Value {
        self.values.get(key).expect("every key has a default")
    }

    /// What is wrong with the texts themselves, once.
    pub(crate) fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    fn add_entries(&mut self, section: &str, entries: Vec<Entry>) {
        for (name, span, value) in entries {
            let name = if section.is_empty() { name } else { format!("{section}.{name}") };
            self.add(&name, span, value);
        }
    }

    fn add(&mut self, name: &str, span: Range<usize>, value: Value) {
        if let Some(key) = keys::find(name) {
            self.values.insert(key.name, value);
        } else if keys::is_section(name) {
            match value.kind {
                Kind::Table(entries) => self.add_entries(name, entries),
                _ => self.problems.push(value.problem(
                    format!("`{name}` is a section"),
                    format!("write [{name}], and the section's keys in lines below"),
                )),
            }
        } else {
            let what = format!("unknown key `{name}`");
            self.problems.push(Problem { source: value.source, span, what, help: keys::suggest(name) });
        }
    }
}
