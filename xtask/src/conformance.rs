//! The conformance tables in docs/rfc: every row is done, not applicable or to do, and a done one names tests that exist.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use crate::cargo;

/// What a table's head must be.
const HEAD: &str = "| Clause | Rule | State | Test |";

/// RFCs that must have a table.
const TABLES: [&str; 7] = ["3261", "3263", "3581", "5393", "5626", "6026", "7118"];

/// Everything that is wrong with the tables. A test is named `crate::function`: the function that bears the `#[test]`, or, of the
/// crate `interop`, the scenario.
pub(crate) fn problems(sources: &[(std::path::PathBuf, String)]) -> Result<Vec<String>> {
    let tests = tests(sources);
    let folder = cargo::root().join("docs/rfc");
    let mut problems = Vec::new();
    for rfc in TABLES {
        if !folder.join(format!("rfc{rfc}.md")).exists() {
            problems.push(format!("docs/rfc/rfc{rfc}.md is missing"));
        }
    }
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("rfc") {
            let text = fs::read_to_string(entry.path())?;
            problems
                .extend(table_problems(&text, &tests).into_iter().map(|problem| format!("docs/rfc/{name}: {problem}")));
        }
    }
    Ok(problems)
}

/// The tests of each crate.
type Tests = BTreeMap<String, Vec<String>>;

fn tests(sources: &[(std::path::PathBuf, String)]) -> Tests {
    let mut tests = Tests::new();
    for (path, text) in sources {
        let mut parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let owner = match (parts.next().as_deref(), parts.next(), parts.next(), parts.next()) {
            (Some("crates"), Some(name), ..) => name,
            (Some("xtask"), _, Some(folder), _) if folder == "interop" => folder,
            (Some(other), ..) => other.to_owned(),
            (None, ..) => continue,
        };
        let found = if owner == "interop" { scenarios(text) } else { marked_functions(text) };
        tests.entry(owner).or_default().extend(found);
    }
    tests
}

/// The functions of scenarios, and their names, which stand before what they need.
fn scenarios(text: &str) -> Vec<String> {
    let mut pieces: Vec<&str> = text.split("Needs::").collect();
    pieces.pop();
    let names = pieces.into_iter().filter_map(|before| before.rsplit('"').nth(1));
    text.lines().filter_map(function).chain(names).map(str::to_owned).collect()
}

/// The functions that bear a `#[test]` of some kind.
fn marked_functions(text: &str) -> Vec<String> {
    let mut marked = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(name) = function(line)
            && std::mem::take(&mut marked)
        {
            found.push(name.to_owned());
        }
    }
    found
}

fn function(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let modifiers = ["", "pub", "pub(crate)", "pub(super)", "async", "pub(crate) async"];
    modifiers.contains(&before.trim()).then(|| rest.split(['(', '<']).next())?
}

fn table_problems(text: &str, tests: &Tests) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rows = 0;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        if line.starts_with("|---") || line == HEAD {
            continue;
        }
        rows += 1;
        let mut problem = |what: String| problems.push(format!("line {}: {what}", number + 1));
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [clause, _, state, test] = cells[..] else {
            problem(format!("a row has four cells, not {}", cells.len()));
            continue;
        };
        let named: Vec<&str> = match state {
            "done" => test.split([',', ';']).map(|name| name.trim_matches([' ', '`'])).collect(),
            _ => test.split('`').skip(1).step_by(2).collect(),
        };
        let named: Vec<&str> = named.into_iter().filter(|name| !name.is_empty()).collect();
        match state {
            "done" if named.is_empty() => problem(format!("{clause} is done, but names no test")),
            "done" | "todo" => {}
            state if state.starts_with("n/a: ") => {}
            other => problem(format!("{clause}: {other:?} is neither done, todo nor `n/a: why`")),
        }
        for name in named {
            let known = name.rsplit_once("::").is_some_and(|(owner, function)| {
                let owner = owner.split("::").next().unwrap_or(owner).replace('_', "-");
                tests.get(&owner).is_some_and(|tests| tests.iter().any(|test| test == function))
            });
            if !known {
                problem(format!("{clause}: there is no test {name}"));
            }
        }
    }
    if rows == 0 {
        problems.push("there is no table".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_row_names_tests_that_exist() {
        let source = |path: &str, text: &str| (std::path::PathBuf::from(path), text.to_owned());
        let tests = tests(&[
            source("crates/sip-proxy/src/x.rs", "#[test]\nfn loops_end() {\n}\nfn helper() {}"),
            source("crates/simnet/tests/ladders/x.rs", "#[tokio::test(start_paused = true)]\nasync fn calls() {"),
            source(
                "xtask/src/interop/x.rs",
                "(\"forks_over_tcp\", Needs::X, forking),\npub(super) fn forking(a: u8) {",
            ),
        ]);
        let table = |row: &str| table_problems(&format!("{HEAD}\n|---|---|---|---|\n{row}\n"), &tests);
        for good in [
            "| 16.3 | loops | done | `sip-proxy::loops_end`, `simnet::calls` |",
            "| 16.3 | loops | done | `sip_proxy::proxy::tests::loops_end`; `interop::forking` |",
            "| 16.3 | loops | done | sip-proxy::loops_end, interop::forks_over_tcp |",
            "| 16.3 | loops | n/a: we have none |  |",
            "| 16.3 | loops | todo |  |",
        ] {
            assert_eq!(table(good), [""; 0], "{good}");
        }
        for bad in [
            "| 16.3 | loops | done |  |",
            "| 16.3 | loops | done | `sip-proxy::helper` |",
            "| 16.3 | loops | done | `simnet::loops_end` |",
            "| 16.3 | loops | done | `forking` |",
            "| 16.3 | loops | perhaps |  |",
            "| 16.3 | loops | n/a |  |",
            "| 16.3 | done | `simnet::calls` |",
        ] {
            assert_eq!(table(bad).len(), 1, "{bad}");
        }
        assert_eq!(table_problems("words", &tests).len(), 1);
    }
}
