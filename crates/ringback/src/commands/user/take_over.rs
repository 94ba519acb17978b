use super::import::{self, From, Target};
use crate::commands::configured::Configured;
use crate::commands::counter::Missing;
use crate::console::Console;
use crate::control::{Account, COMMAND_BYTES_MAX, Command, Put};
use crate::exit::{Exit, Failure, Outcome};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

/// Bytes that an account takes in a command, besides its name and its realm, which may have to be escaped.
const ACCOUNT_BYTES: usize = 300;

/// Of which exchange, and whom.
#[derive(Debug, Args)]
#[command(
    after_help = "HA1 values are taken over as they are, and are good for the realm that they were made for: auth.realm must be that one. \
                        Plain passwords become HA1 values and are not kept. Exit code 1 where somebody could not be taken over, who is named."
)]
pub(super) struct Arguments {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is a file of
    #[arg(long)]
    from: From,
    /// Only the accounts of this domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Gives those who are there already the passwords of the file; they stay as they are without
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    pub(super) configured: Configured,
}

pub(super) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let text = text(arguments)?;
    let mut counter = arguments.configured.counter(Missing::Make)?;
    let ours = counter.ours()?;
    let target = Target { realm: &ours.realm, algorithms: &ours.algorithms, domain: arguments.domain.as_deref() };
    let import = import::read(&text, arguments.from, &target)?;
    let (mut there, mut configured) = (BTreeSet::new(), BTreeSet::new());
    counter.ask(&Command::UserLs {}, |account| {
        let names = if account["from"] == "configuration" { &mut configured } else { &mut there };
        names.extend(account["user"].as_str().map(str::to_owned));
    })?;
    for skipped in &import.skipped {
        console.warn(skipped);
        console.event(&json!({"event": "skipped", "line": skipped.line, "user": skipped.name, "why": skipped.why}));
    }
    let stays =
        |account: &Account| configured.contains(&account.name) || (!arguments.replace && there.contains(&account.name));
    let (stayed, new): (Vec<Account>, Vec<Account>) = import.accounts.into_iter().partition(stays);
    for accounts in new.chunks(at_once(&ours.realm)) {
        counter.ask(&Command::UserPut { accounts: accounts.to_vec(), put: Put::Either }, drop)?;
    }
    let mut words = format!("{} imported", new.len());
    if !stayed.is_empty() {
        words += &format!(", {} there already and left as they are", stayed.len());
    }
    if !import.skipped.is_empty() {
        words += &format!(", {} not possible (see above)", import.skipped.len());
    }
    words += &counter.place();
    console.tell(
        words,
        || json!({"event": "imported", "imported": new.len(), "there": stayed.len(), "skipped": import.skipped.len()}),
    );
    Ok(if import.skipped.is_empty() { Exit::Done } else { Exit::Negative })
}

/// How many accounts fit into one command.
fn at_once(realm: &str) -> usize {
    let each = ACCOUNT_BYTES + store::NAME_BYTES_MAX + 6 * realm.len();
    ((COMMAND_BYTES_MAX - ACCOUNT_BYTES) / each).max(1)
}

fn text(arguments: &Arguments) -> Result<String, Failure> {
    let path = &arguments.file;
    let mut bytes = Vec::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut bytes).map(drop),
        _ => std::fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    // What is not UTF-8 is in columns that nobody asks for, or a name that is refused.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
