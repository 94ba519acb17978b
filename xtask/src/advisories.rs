//! `cargo xtask advisories`: is anything known against what we depend on? Asked are the index of crates.io (versions that were
//! withdrawn) and RustSec's database of advisories. What cannot be asked is named, never passed over.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};
use cargo_metadata::semver::{Version, VersionReq};
use serde_json::Value;

use crate::cargo;
use crate::process::tail;

/// RustSec's database.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
/// The lock files of all that is ours.
const LOCKS: [&str; 3] = ["Cargo.lock", "fuzz/Cargo.lock", "bench/Cargo.lock"];

/// What came of asking.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Versions of crates that were asked about.
    pub(crate) asked: usize,
    /// What must not stay.
    pub(crate) problems: Vec<String>,
    /// What one should know.
    pub(crate) notes: Vec<String>,
    /// What could not be asked, and why.
    pub(crate) unchecked: Vec<String>,
}

/// The command: `[--database URL|FOLDER]`. It fails, too, when something could not be asked.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let database = match arguments {
        [] => DATABASE,
        [flag, database] if flag == "--database" => database,
        _ => bail!("advisories takes --database URL|FOLDER, not {arguments:?}"),
    };
    let answers = ask(database)?;
    answers.problems.iter().for_each(|problem| println!("{problem}"));
    answers.notes.iter().for_each(|note| println!("note: {note}"));
    answers.unchecked.iter().for_each(|what| println!("NOT CHECKED: {what}"));
    let good = answers.problems.is_empty() && answers.unchecked.is_empty();
    println!(
        "{} versions asked about: {}",
        answers.asked,
        if good { "nothing is known against them" } else { "see above" }
    );
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks about everything in our lock files, in the usual places.
pub(crate) fn check() -> Result<Answers> {
    ask(DATABASE)
}

fn ask(database: &str) -> Result<Answers> {
    let locked = locked()?;
    let mut answers = Answers { asked: locked.len(), ..Answers::default() };
    match withdrawn(&locked) {
        Ok(problems) => answers.problems.extend(problems),
        Err(error) => answers.unchecked.push(format!("whether versions were withdrawn: {error:#}")),
    }
    match fetch(database) {
        Ok(folder) => known(&folder, &locked, &mut answers)?,
        Err(error) => answers.unchecked.push(format!("RustSec's advisories: {error:#}")),
    }
    Ok(answers)
}

/// A crate of the registry, and its version.
type Locked = BTreeSet<(String, Version)>;

fn locked() -> Result<Locked> {
    let mut all = Locked::new();
    for file in LOCKS {
        let text = fs::read_to_string(cargo::root().join(file)).with_context(|| format!("reading {file}"))?;
        all.extend(locked_in(&text).with_context(|| file.to_owned())?);
    }
    Ok(all)
}

fn locked_in(text: &str) -> Result<Locked> {
    let lock: toml::Table = text.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("a lock file without packages")?;
    let mut all = Locked::new();
    for package in packages {
        let field = |name: &str| package.get(name).and_then(toml::Value::as_str);
        if field("source").is_some_and(|source| source.starts_with("registry+")) {
            let (name, version) = (field("name").context("no name")?, field("version").context("no version")?);
            all.insert((name.to_owned(), version.parse()?));
        }
    }
    ensure!(!all.is_empty(), "it locks nothing");
    Ok(all)
}

/// Versions that their makers have taken back.
fn withdrawn(locked: &Locked) -> Result<Vec<String>> {
    let folder = cargo::output_dir()?.join("index");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let names: BTreeSet<&String> = locked.iter().map(|(name, _)| name).collect();
    let wanted = |name: &&String| {
        let file = folder.join(name.as_str());
        format!("url = \"https://index.crates.io/{}\"\noutput = {:?}\n", index_path(name), file)
    };
    let list: String = names.iter().map(wanted).collect();
    let flags = [
        "--silent",
        "--show-error",
        "--fail",
        "--retry",
        "2",
        "--max-time",
        "60",
        "--parallel",
        "--parallel-max",
        "20",
    ];
    let mut curl = Command::new("curl");
    curl.args(flags).args(["--config", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut curl = curl.spawn().context("starting curl")?;
    curl.stdin.take().context("no way to tell curl")?.write_all(list.as_bytes())?;
    let output = curl.wait_with_output()?;
    ensure!(output.status.success(), "{}", last_line(&output.stderr));
    let mut problems = Vec::new();
    for (name, version) in locked {
        let text = fs::read_to_string(folder.join(name)).with_context(|| format!("what the index says of {name}"))?;
        match is_withdrawn(&text, version) {
            Some(false) => {}
            Some(true) => problems.push(format!("{name} {version} was withdrawn (yanked)")),
            None => problems.push(format!("the index does not know {name} {version}")),
        }
    }
    Ok(problems)
}

/// Where the sparse index has what it knows of a crate.
fn index_path(name: &str) -> String {
    let name = name.to_lowercase();
    match name.len() {
        length @ (1 | 2) => format!("{length}/{name}"),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

/// What the index, a line of JSON for each version, says of one.
fn is_withdrawn(index: &str, version: &Version) -> Option<bool> {
    let values = index.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_it = |value: &Value| value["vers"].as_str().and_then(|text| text.parse().ok()).as_ref() == Some(version);
    values.filter(is_it).find_map(|value| value["yanked"].as_bool())
}

/// The database as a folder: a fresh copy, unless it is one.
fn fetch(database: &str) -> Result<PathBuf> {
    if Path::new(database).is_dir() {
        return Ok(database.into());
    }
    let folder = cargo::output_dir()?.join("advisory-db");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut git = Command::new("git");
    git.args([
        "-c",
        "http.lowSpeedLimit=1000",
        "-c",
        "http.lowSpeedTime=20",
        "clone",
        "--quiet",
        "--depth",
        "1",
        database,
    ]);
    let output = git.arg(&folder).env("GIT_TERMINAL_PROMPT", "0").output().context("starting git")?;
    ensure!(output.status.success(), "{database}: {}", last_line(&output.stderr));
    Ok(folder)
}

/// What the database knows of what we have.
fn known(database: &Path, locked: &Locked, answers: &mut Answers) -> Result<()> {
    let crates = database.join("crates");
    ensure!(crates.is_dir(), "{} is no database of advisories", database.display());
    for (name, version) in locked {
        let Ok(files) = fs::read_dir(crates.join(name)) else { continue };
        for file in files.flatten().filter(|file| file.path().extension().is_some_and(|extension| extension == "md")) {
            let text = fs::read_to_string(file.path())?;
            let advisory = Advisory::read(&text).with_context(|| file.path().display().to_string())?;
            if advisory.concerns(version) {
                let line = format!("{name} {version}: {} ({})", advisory.id, advisory.what);
                if advisory.only_a_note { answers.notes.push(line) } else { answers.problems.push(line) }
            }
        }
    }
    Ok(())
}

/// Of an advisory, what decides whether it is about us.
struct Advisory {
    id: String,
    what: String,
    /// That nobody looks after it any more, say: bad, but no hole.
    only_a_note: bool,
    /// It was a mistake.
    withdrawn: bool,
    /// Versions that are not, or not any more, concerned.
    good: Vec<VersionReq>,
}

impl Advisory {
    /// Reads a file of the database: TOML between fences, then a text whose heading says what it is about.
    fn read(text: &str) -> Result<Advisory> {
        let (head, words) = text
            .trim_start()
            .strip_prefix("```toml")
            .and_then(|rest| rest.split_once("\n```"))
            .ok_or_else(|| anyhow!("an advisory that does not begin with TOML"))?;
        let head: toml::Table = head.parse()?;
        let about = head.get("advisory").and_then(toml::Value::as_table).context("no [advisory]")?;
        let id = about.get("id").and_then(toml::Value::as_str).context("no id")?.to_owned();
        let kind = about.get("informational").and_then(toml::Value::as_str);
        let versions = head.get("versions").and_then(toml::Value::as_table).context("no [versions]")?;
        let mut good = Vec::new();
        for list in ["patched", "unaffected"].iter().filter_map(|name| versions.get(*name)?.as_array()) {
            for requirement in list {
                good.push(requirement.as_str().context("a version that is no text")?.parse()?);
            }
        }
        Ok(Advisory {
            id,
            what: words.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("no title").to_owned(),
            only_a_note: matches!(kind, Some("unmaintained" | "notice")),
            withdrawn: about.contains_key("withdrawn"),
            good,
        })
    }

    fn concerns(&self, version: &Version) -> bool {
        !self.withdrawn && !self.good.iter().any(|good| good.matches(version))
    }
}

fn last_line(bytes: &[u8]) -> String {
    tail(&String::from_utf8_lossy(bytes)).lines().last().unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisory(more: &str, versions: &str) -> String {
        format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-1\"\npackage = \"a\"\n{more}\n[versions]\n{versions}\n```\n\n# It is open\n\nWords.\n"
        )
    }

    fn concerns(text: &str, version: &str) -> bool {
        Advisory::read(text).unwrap().concerns(&version.parse().unwrap())
    }

    #[test]
    fn an_advisory_concerns_what_is_neither_mended_nor_was_ever_broken() {
        let text = advisory("", "patched = [\"^1.2.3\", \">= 2.1\"]\nunaffected = [\"< 1.0\"]");
        for (version, concerned) in
            [("0.9.0", false), ("1.0.0", true), ("1.2.2", true), ("1.2.4", false), ("2.0.0", true), ("2.1.0", false)]
        {
            assert_eq!(concerns(&text, version), concerned, "{version}");
        }
        assert!(concerns(&advisory("", "patched = []"), "9.0.0"));
        assert!(!concerns(&advisory("withdrawn = \"2026-01-01\"", "patched = []"), "9.0.0"));
        assert!(Advisory::read("# no head").is_err());
        assert!(Advisory::read(&advisory("", "patched = [1]")).is_err());
    }

    #[test]
    fn a_database_is_asked_about_what_is_locked() {
        let folder = std::env::temp_dir().join(format!("ringback-advisories-{}", std::process::id()));
        let write = |name: &str, text: &str| {
            fs::create_dir_all(folder.join("crates").join(name)).unwrap();
            fs::write(folder.join("crates").join(name).join("RUSTSEC-1.md"), text).unwrap();
        };
        write("a", &advisory("", "patched = [\">= 2.0.0\"]"));
        write("b", &advisory("informational = \"unmaintained\"", "patched = []"));
        write("unused", "unreadable");
        let locked = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Version::new(1, 0, 0))).collect();
        let mut answers = Answers::default();
        known(&folder, &locked(&["a", "b", "c"]), &mut answers).unwrap();
        assert_eq!(answers.problems, ["a 1.0.0: RUSTSEC-1 (It is open)"]);
        assert_eq!(answers.notes, ["b 1.0.0: RUSTSEC-1 (It is open)"]);
        assert!(known(&folder, &locked(&["unused"]), &mut answers).is_err());
        assert!(known(&folder.join("crates"), &locked(&[]), &mut answers).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_index_says_what_was_withdrawn() {
        let index = "{\"name\":\"a\",\"vers\":\"1.0.0\",\"yanked\":true}\n{\"name\":\"a\",\"vers\":\"1.0.1\",\"yanked\":false}\n";
        assert_eq!(is_withdrawn(index, &Version::new(1, 0, 0)), Some(true));
        assert_eq!(is_withdrawn(index, &Version::new(1, 0, 1)), Some(false));
        assert_eq!(is_withdrawn(index, &Version::new(1, 0, 2)), None);
        let paths = ["a", "ab", "abc", "Abcd"].map(index_path);
        assert_eq!(paths, ["1/a", "2/ab", "3/a/abc", "ab/cd/abcd"]);
    }

    #[test]
    fn our_lock_files_are_read() {
        let all = locked().unwrap();
        assert!(all.len() > 200 && all.iter().any(|(name, _)| name == "tokio"));
        assert!(!all.iter().any(|(name, _)| name == "sip-message"), "what is ours is in no registry");
    }
}
