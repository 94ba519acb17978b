//! `cargo xtask tidy`: the rules of the house that a program can check. Each is a test of xtask, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::{cargo, conformance, floors};

/// A file that is longer is asking to be two.
const FILE_LINES_MAX: usize = 500;
/// ARCHITECTURE.md is for reading in one go.
const ARCHITECTURE_LINES_MAX: usize = 200;
/// Only these may look at the world: sockets, clocks, disks. (`now.rs` holds the one function that reads the clocks, for the shell to call.)
const ABOVE_THE_LINE: [&str; 8] = [
    "crates/net",
    "crates/store",
    "crates/engine/src/now.rs",
    "crates/load",
    "crates/ringback",
    "xtask",
    "fuzz",
    "bench",
];
/// Licences that a dependency may be under, as SPDX names them.
const LICENCES: [&str; 13] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
];

/// The command; takes no arguments.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.first() {
        bail!("tidy takes no arguments, not {argument:?}");
    }
    check_all()?;
    println!("tidy: ok");
    Ok(ExitCode::SUCCESS)
}

/// All checks; the error lists everything that is wrong.
pub(crate) fn check_all() -> Result<()> {
    let mut problems = floors::problems(cargo::metadata()?);
    problems.extend(long_files()?);
    problems.extend(left_behind()?);
    problems.extend(line_crossers()?);
    problems.extend(map()?);
    problems.extend(licences()?);
    problems.extend(conformance::problems(&sources()?)?);
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
}

fn long_files() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for (path, text) in sources()? {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{} has {lines} lines, more than {FILE_LINES_MAX}", path.display()));
        }
    }
    Ok(problems)
}

/// Things that were to be done later, and tests that do not run.
fn left_behind() -> Result<Vec<String>> {
    // Written in pieces, so that this file does not find itself.
    let marks = [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME"), concat!("#[ig", "nore")];
    let mut problems = Vec::new();
    for (path, text) in sources()? {
        for (number, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                problems.push(format!("{}:{}: {mark} was left behind", path.display(), number + 1));
            }
        }
    }
    Ok(problems)
}

/// Crates below the purity line that switch off the lint which draws it; their tests and examples may look at the world.
fn line_crossers() -> Result<Vec<String>> {
    let beside =
        |path: &Path| path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "examples");
    let crossing = |path: &Path, text: &str| {
        !beside(path)
            && !ABOVE_THE_LINE.iter().any(|folder| path.starts_with(folder))
            && text.contains("clippy::disallowed_")
    };
    let crossers = sources()?.into_iter().filter(|(path, text)| crossing(path, text));
    Ok(crossers.map(|(path, _)| format!("{} allows what the purity line bans", path.display())).collect())
}

/// ARCHITECTURE.md names every crate folder, and none that does not exist.
fn map() -> Result<Vec<String>> {
    let file = cargo::root().join("ARCHITECTURE.md");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let mut problems = Vec::new();
    let lines = text.lines().count();
    if lines >= ARCHITECTURE_LINES_MAX {
        problems.push(format!("ARCHITECTURE.md has {lines} lines, not under {ARCHITECTURE_LINES_MAX}"));
    }
    let mut folders = BTreeSet::new();
    for entry in fs::read_dir(cargo::root().join("crates"))?.flatten() {
        folders.insert(entry.file_name().to_string_lossy().into_owned());
    }
    let named = named_folders(&text);
    problems.extend(folders.difference(&named).map(|folder| format!("ARCHITECTURE.md does not name crates/{folder}")));
    problems.extend(
        named.difference(&folders).map(|folder| format!("ARCHITECTURE.md names crates/{folder}: no such folder")),
    );
    Ok(problems)
}

/// Every NAME that stands as `crates/NAME` in `text`.
fn named_folders(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| {
        rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap_or_default().to_owned()
    };
    text.split("crates/").skip(1).map(name).filter(|name| !name.is_empty()).collect()
}

fn licences() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for package in &cargo::metadata()?.packages {
        let licence = package.license.as_deref().unwrap_or("none named");
        if !allowed(licence) {
            problems.push(format!("{} {} is under {licence}, which is not in the list", package.name, package.version));
        }
    }
    Ok(problems)
}

/// Whether an SPDX expression leaves a choice that [`LICENCES`] allows. `AND` binds tighter than `OR`; the old `/` means `OR`;
/// brackets are resolved from the inside out.
fn allowed(expression: &str) -> bool {
    let mut expression = expression.replace('/', " OR ");
    while let Some(close) = expression.find(')') {
        let Some(open) = expression[..close].rfind('(') else { return false };
        let inner = if allowed(&expression[open + 1..close]) { "MIT" } else { "forbidden" };
        expression.replace_range(open..=close, inner);
    }
    expression.split(" OR ").any(|choice| choice.split(" AND ").all(|name| LICENCES.contains(&name.trim())))
}

/// Every Rust file of ours: its path from the root, and its text.
fn sources() -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "xtask", "fuzz", "bench"].map(|name| cargo::root().join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && entry.file_name() != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                found.push((path.strip_prefix(cargo::root())?.to_owned(), text));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect_none(problems: Result<Vec<String>>) {
        let problems = problems.unwrap();
        assert!(problems.is_empty(), "{problems:#?}");
    }

    #[test]
    fn no_file_is_too_long() {
        expect_none(long_files());
    }

    #[test]
    fn nothing_was_left_behind() {
        expect_none(left_behind());
    }

    #[test]
    fn nothing_below_the_purity_line_switches_it_off() {
        expect_none(line_crossers());
    }

    #[test]
    fn conformance_tables_name_tests_that_exist() {
        expect_none(conformance::problems(&sources().unwrap()));
    }

    #[test]
    fn the_map_is_true() {
        expect_none(map());
    }

    #[test]
    fn licences_of_dependencies_are_allowed() {
        expect_none(licences());
    }

    #[test]
    fn licence_expressions_are_read_as_spdx_means_them() {
        assert!(allowed("MIT OR GPL-3.0"));
        assert!(allowed("MIT/Apache-2.0"));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!allowed("MIT AND GPL-3.0"));
        assert!(!allowed("(GPL-2.0 OR LGPL-2.1) AND MIT"));
        assert!(!allowed("none named"));
    }

    #[test]
    fn folders_are_found_in_the_map() {
        let named = named_folders("| `crates/sip-message` | and crates/net, see crates/*");
        assert_eq!(named, BTreeSet::from(["net".to_owned(), "sip-message".to_owned()]));
    }
}
