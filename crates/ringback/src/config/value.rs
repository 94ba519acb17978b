use super::problem::{Problem, Source};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::DeValue;

/// Where a setting comes from; a later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Default,
    File,
    Environment,
    Flag,
}

/// What somebody typed, and where.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
    pub(crate) source: Arc<Source>,
    pub(crate) origin: Origin,
}

/// A line of a table: its name, where that stands, and the value.
pub(crate) type Entry = (String, Range<usize>, Value);

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<Value>),
    /// In the order of the text.
    Table(Vec<Entry>),
    /// What no setting is: a date, a fraction.
    Other(&'static str),
}

impl Value {
    /// Takes over a parsed value whose text begins at `offset` of `source`.
    pub(crate) fn from_toml(
        value: &Spanned<DeValue<'_>>,
        source: &Arc<Source>,
        origin: Origin,
        offset: usize,
    ) -> Value {
        let at = |span: Range<usize>| span.start + offset..span.end + offset;
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Boolean(on) => Kind::Switch(*on),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Kind::Number(number),
                Err(_) => Kind::Other("a number beyond all bounds"),
            },
            DeValue::Array(list) => {
                Kind::List(list.iter().map(|item| Value::from_toml(item, source, origin, offset)).collect())
            }
            DeValue::Table(table) => {
                let mut entries: Vec<_> = table
                    .iter()
                    .map(|(key, value)| {
                        let value = Value::from_toml(value, source, origin, offset);
                        (key.get_ref().to_string(), at(key.span()), value)
                    })
                    .collect();
                entries.sort_by_key(|(_, span, _)| span.start);
                Kind::Table(entries)
            }
            DeValue::Float(_) => Kind::Other("a fraction"),
            DeValue::Datetime(_) => Kind::Other("a date"),
        };
        Value { kind, span: at(value.span()), source: source.clone(), origin }
    }

    /// What stands at `offset` of a flag or a variable: TOML, or else plain text.
    pub(crate) fn from_words(source: &Arc<Source>, origin: Origin, offset: usize) -> Value {
        let text = source.text.get(offset..).unwrap_or_default();
        match DeValue::parse(text) {
            Ok(value) => Value::from_toml(&value, source, origin, offset),
            Err(_) => Value {
                kind: Kind::Text(text.to_owned()),
                span: offset..source.text.len(),
                source: source.clone(),
                origin,
            },
        }
    }

    /// A problem that points here.
    pub(crate) fn problem(&self, what: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem { source: self.source.clone(), span: self.span.clone(), what: what.into(), help: help.into() }
    }

    fn wrong_kind(&self, key: &str, wanted: &str) -> Problem {
        let is = match &self.kind {
            Kind::Text(_) => "a text",
            Kind::Number(_) => "a number",
            Kind::Switch(_) => "true or false",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
            Kind::Other(what) => what,
        };
        self.problem(format!("wrong type for `{key}`"), format!("{wanted} is needed here, this is {is}"))
    }

    /// A text. On the command line and in the environment everything is one.
    pub(crate) fn text(&self, key: &str) -> Result<String, Problem> {
        match &self.kind {
            Kind::Text(text) => Ok(text.clone()),
            _ if self.origin >= Origin::Environment => {
                Ok(self.source.text.get(self.span.clone()).unwrap_or_default().to_owned())
            }
            _ => Err(self.wrong_kind(key, "a text in quotes")),
        }
    }

    /// A switch.
    pub(crate) fn switch(&self, key: &str) -> Result<bool, Problem> {
        match self.kind {
            Kind::Switch(on) => Ok(on),
            _ => Err(self.wrong_kind(key, "true or false")),
        }
    }

    /// A number out of `range`.
    pub(crate) fn number(&self, key: &str, range: Range<u32>) -> Result<u32, Problem> {
        let Kind::Number(number) = self.kind else { return Err(self.wrong_kind(key, "a whole number")) };
        let fits = u32::try_from(number).ok().filter(|number| range.contains(number));
        fits.ok_or_else(|| {
            let help = format!("from {} to {}", range.start, range.end - 1);
            self.problem(format!("`{key}` cannot be {number}"), help)
        })
    }

    /// A list; on the command line and in the environment words with commas between them are one, too.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<Value>, Problem> {
        match &self.kind {
            Kind::List(items) => Ok(items.clone()),
            Kind::Text(text) if self.origin >= Origin::Environment => {
                let word = |word: &str| Value { kind: Kind::Text(word.to_owned()), ..self.clone() };
                Ok(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(word).collect())
            }
            _ => Err(self.wrong_kind(key, "a list in [ ]")),
        }
    }

    /// A list of texts, or a single one.
    pub(crate) fn words(&self, key: &str) -> Result<Vec<Value>, Problem> {
        match &self.kind {
            Kind::List(items) => Ok(items.clone()),
            Kind::Text(_) => Ok(vec![self.clone()]),
            _ => Err(self.wrong_kind(key, "a text in quotes, or a list of them in [ ],")),
        }
    }

    /// One of these words.
    pub(crate) fn choice(&self, key: &str, words: &[&str]) -> Result<usize, Problem> {
        let text = self.text(key)?;
        words.iter().position(|word| *word == text).ok_or_else(|| {
            self.problem(format!("`{key}` cannot be {text:?}"), format!("there are {}", words.join(", ")))
        })
    }

    /// A list of addresses to listen on.
    pub(crate) fn addresses(&self, key: &str) -> Result<Vec<SocketAddr>, Problem> {
        let address = |item: &Value| {
            let text = item.text(key)?;
            text.parse().map_err(|_| {
                let help = "an IP address and a port, such as \"0.0.0.0:5060\" or \"[::]:5060\"";
                item.problem(format!("`{key}` has {text:?}, which is no address to listen on"), help)
            })
        };
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for item in &self.list(key)? {
            let address: SocketAddr = address(item)?;
            if address.port() != 0 && addresses.contains(&address) {
                return Err(item.problem(format!("`{key}` has {address} twice"), "once is enough"));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    /// The entries of a table.
    pub(crate) fn table(&self, key: &str) -> Result<&[Entry], Problem> {
        match &self.kind {
            Kind::Table(entries) => Ok(entries),
            _ => Err(self.wrong_kind(key, "a table")),
        }
    }

    /// Whether it says the same as `other`, or nothing at all.
    pub(crate) fn is_or_empty(&self, other: &Value) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Text(a), Kind::Text(b)) => a.is_empty() || a == b,
            (Kind::Number(a), Kind::Number(b)) => a == b,
            (Kind::Switch(a), Kind::Switch(b)) => !a || a == b,
            (Kind::List(a), _) => a.is_empty(),
            _ => false,
        }
    }
}
