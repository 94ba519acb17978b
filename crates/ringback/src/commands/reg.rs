use super::configured::Configured;
use crate::console::Console;
use crate::control;
use crate::exit::{Exit, Failure, Outcome};
use clap::{Args, Subcommand};
use serde_json::Value;
use store::DataFolder;

/// Shows who is registered at the running exchange.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback reg ls")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the bindings: contact, transport, expiry, user agent, path
    #[command(before_help = "Example: ringback reg ls --json")]
    Ls(Configured),
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    let Verb::Ls(configured) = arguments.verb;
    let (config, _) = configured.read()?;
    let folder = DataFolder::create(&config.data)?;
    let Some(bindings) = control::ask(&folder, control::REG_LS)? else {
        return Err(Failure::negative(format!(
            "no exchange runs on the data folder {}; start one with `ringback`, or name its folder with --data DIR",
            folder.path().display()
        )));
    };
    for binding in bindings {
        let text = |key: &str| match &binding[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let words = format!(
            "{:<24} {}  {} from {}  {} s  {}",
            text("aor"),
            text("contact"),
            text("transport"),
            text("received_from"),
            text("expires_in_s"),
            text("user_agent")
        );
        console.tell(words, || binding.clone());
    }
    Ok(Exit::Done)
}
