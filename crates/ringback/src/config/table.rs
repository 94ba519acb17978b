use super::keys::Field;
use super::problem::Problem;
use super::value::{Kind, Value};
use std::fmt::Display;

/// A table of ours: `[[user]]`, `when = {}`.
pub(super) struct Table<'v> {
    pub(super) value: &'v Value,
    /// What it is in words: "a user".
    what: &'static str,
}

impl<'v> Table<'v> {
    /// Takes a value as a table with these keys. All other keys are problems, with the key that was probably meant.
    pub(super) fn open(
        value: &'v Value,
        what: &'static str,
        fields: &'static [Field],
        problems: &mut Vec<Problem>,
    ) -> Option<Table<'v>> {
        let entries = match value.table(what) {
            Ok(entries) => entries,
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        };
        for (name, span, entry) in entries {
            if fields.iter().all(|field| field.name != name) {
                let nearest = nearest(name, fields.iter().map(|field| field.name));
                let source = entry.source.clone();
                let help = nearest.map_or_else(
                    || format!("{what} has {}", fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                problems.push(Problem {
                    source,
                    span: span.clone(),
                    what: format!("unknown key `{name}` of {what}"),
                    help,
                });
            }
        }
        Some(Table { value, what })
    }

    /// What stands there, if anything does.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        let Kind::Table(entries) = &self.value.kind else { return None };
        entries.iter().find(|(name, ..)| name == key).map(|(.., value)| value)
    }

    /// What `read` makes of what stands there; nothing when nothing does, or after a problem.
    pub(super) fn take<T>(
        &self,
        key: &str,
        problems: &mut Vec<Problem>,
        read: impl FnOnce(&Value, &str) -> Result<T, Problem>,
    ) -> Option<T> {
        match read(self.get(key)?, key) {
            Ok(value) => Some(value),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    /// The same for one text or a list of them, each as `read` sees it.
    pub(super) fn each<T, E: Display>(
        &self,
        key: &str,
        problems: &mut Vec<Problem>,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        self.get(key).map_or(Vec::new(), |value| each(value, key, problems, read))
    }

    /// A text that must be there, with its place.
    pub(super) fn needed(&self, key: &str, problems: &mut Vec<Problem>) -> Option<(String, &'v Value)> {
        match self.get(key) {
            Some(value) => self.take(key, problems, Value::text).map(|text| (text, value)),
            None => {
                problems.push(self.value.problem(format!("{} has no {key}", self.what), format!("add {key} = \"..\"")));
                None
            }
        }
    }
}

/// One text or a list of them, each as `read` sees it.
pub(super) fn each<T, E: Display>(
    value: &Value,
    key: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let items = match value.words(key) {
        Ok(items) => items,
        Err(problem) => {
            problems.push(problem);
            return Vec::new();
        }
    };
    if items.is_empty() {
        problems.push(value.problem(format!("`{key}` is an empty list"), "leave the key out, or put something in"));
    }
    let mut all = Vec::new();
    for item in &items {
        let one = item.text(key).and_then(|text| {
            read(&text)
                .map_err(|wanted| item.problem(format!("`{key}` cannot be {text:?}"), format!("{wanted} is needed")))
        });
        match one {
            Ok(one) => all.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    all
}

/// The name that was probably meant by `typed`.
pub(super) fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let distance = |name: &str| strsim::damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase());
    let close = (typed.len() / 3).max(2);
    names.map(|name| (distance(name), name)).filter(|(distance, _)| *distance <= close).min().map(|(_, name)| name)
}
