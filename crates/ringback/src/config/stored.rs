//! What is set at run time, checked as the configuration is.

use super::problem::{Problem, Source};
use super::route;
use super::value::{Kind, Origin, Value};
use crate::control;
use crate::exit::Failure;
use routing::{Forwards, NO_ANSWER_AFTER_S, NO_ANSWER_AFTER_S_MAX, Place, Rule, Trunk};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The rule that the TOML of one `[[route]]` says, with or without that heading; else what is wrong with it, with its line.
pub(crate) fn read_route(name: &str, text: &str, trunks: &[Trunk]) -> Result<Rule, String> {
    let table = table(name, text)?;
    let mut problems = Vec::new();
    let rule = route::read(&table, trunks, &mut problems);
    match rule {
        Some(rule) => Ok(Rule { name: Some(name.to_owned()), ..rule }),
        None => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")),
    }
}

/// The name that the TOML of one `[[route]]` gives it.
pub(crate) fn route_name(source: &str, text: &str) -> Result<Option<String>, String> {
    let Kind::Table(entries) = table(source, text)?.kind else { return Ok(None) };
    let name = entries.into_iter().find(|(key, ..)| key == "name");
    name.map(|(_, _, value)| value.text("name")).transpose().map_err(|problem| problem.to_string())
}

fn table(name: &str, text: &str) -> Result<Value, String> {
    let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
    let table = DeTable::parse(text).map_err(|error| {
        let what = format!("this is not TOML: {}", error.message().trim());
        let span = error.span().unwrap_or(0..0);
        Problem { source: source.clone(), span, what, help: String::new() }.to_string()
    })?;
    let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    let value = Value::from_toml(&table, &source, Origin::File, 0);
    let Kind::Table(entries) = &value.kind else { return Ok(value) };
    match &entries[..] {
        [(key, _, routes)] if key == "route" => match &routes.kind {
            Kind::List(routes) if routes.len() == 1 => Ok(routes[0].clone()),
            Kind::List(_) => Err(routes.problem("there are several routes", "one at a time").to_string()),
            _ => Ok(routes.clone()),
        },
        _ => Ok(value),
    }
}

/// Where calls to `user` go instead.
pub(crate) fn read_forwards(user: &str, typed: &control::Forwards) -> Result<Forwards, Failure> {
    let place = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) if text == user => Err(Failure::usage(format!("calls to {user} would go to {user}"))),
        Some(text) => Place::parse(text)
            .map(Some)
            .map_err(|wanted| Failure::usage(format!("calls cannot go to {text:?}: {wanted} is needed"))),
    };
    let after_s = typed.no_answer_after_s.unwrap_or(NO_ANSWER_AFTER_S);
    if !(1..=NO_ANSWER_AFTER_S_MAX).contains(&after_s) {
        return Err(Failure::usage(format!("it can ring for 1 to {NO_ANSWER_AFTER_S_MAX} s, not for {after_s}")));
    }
    Ok(Forwards {
        always: place(&typed.always)?,
        busy: place(&typed.busy)?,
        no_answer: place(&typed.no_answer)?,
        no_answer_after_s: after_s,
        not_registered: place(&typed.not_registered)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{read_forwards, read_route, route_name};
    use crate::control::Forwards;

    #[test]
    fn one_route_is_read_with_or_without_its_heading() {
        let bare = "name = \"night\"\ndo = \"dial\"\nto = \"199\"\n";
        for text in [bare.to_owned(), format!("[[route]]\n{bare}"), format!("[route]\n{bare}")] {
            assert_eq!(read_route("night", &text, &[]).unwrap().name.as_deref(), Some("night"));
            assert_eq!(route_name("-", &text).unwrap().as_deref(), Some("night"));
        }
        for (wrong, said) in [
            ("do = \"dail\"\nto = \"1\"", "did you mean \"dial\"?"),
            ("do = \"dial\"\ntoo = \"1\"", "unknown key `too`"),
            ("do = \"trunk\"\nto = \"alpha\"", "the name of a [[trunk]]"),
            ("do =", "not TOML"),
            ("[[route]]\ndo = \"user\"\n[[route]]\ndo = \"user\"", "one at a time"),
        ] {
            let error = read_route("r", wrong, &[]).unwrap_err();
            assert!(error.contains(said) && error.contains("r:"), "{error}");
        }
    }

    #[test]
    fn forwards_are_checked() {
        let typed = Forwards { busy: Some("101".into()), no_answer_after_s: Some(5), ..Forwards::default() };
        let forwards = read_forwards("100", &typed).unwrap();
        assert_eq!((forwards.busy.unwrap().as_str(), forwards.no_answer_after_s), ("101", 5));
        for (wrong, said) in [
            (Forwards { always: Some("100".into()), ..Forwards::default() }, "would go to 100"),
            (Forwards { always: Some("a b".into()), ..Forwards::default() }, "is needed"),
            (Forwards { no_answer_after_s: Some(0), ..Forwards::default() }, "1 to 180"),
        ] {
            assert!(read_forwards("100", &wrong).unwrap_err().text.contains(said), "{said}");
        }
    }
}
