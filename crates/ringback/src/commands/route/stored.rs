use crate::commands::configured::Configured;
use crate::commands::counter::Missing;
use crate::config;
use crate::console::Console;
use crate::control::Command;
use crate::exit::{Exit, Failure, Outcome};
use clap::Args;
use serde_json::json;
use std::io::Read;
use std::path::PathBuf;

/// Which rule.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The TOML of one [[route]], or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is called, in the place of its `name`; one that is called so already is replaced
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    pub(super) configured: Configured,
}

/// Which rule.
#[derive(Debug, Args)]
pub(super) struct Rm {
    /// Its name, as `route ls` shows it
    name: String,
    #[command(flatten)]
    pub(super) configured: Configured,
}

pub(super) fn add(Add { file, name, configured }: &Add, console: &Console) -> Outcome {
    let (source, mut toml) = (file.display().to_string(), String::new());
    let read = match source.as_str() {
        "-" => std::io::stdin().read_to_string(&mut toml).map(drop),
        _ => std::fs::read_to_string(file).map(|text| toml = text),
    };
    read.map_err(|error| Failure::usage(format!("{source} cannot be read: {error}")))?;
    let own = config::route_name(&source, &toml).map_err(Failure::usage)?;
    let name = name.clone().or(own).filter(|name| !name.is_empty());
    let name = name
        .ok_or_else(|| Failure::usage(format!("{source}: a route that is stored needs a name: add name = \"..\"")))?;
    let mut counter = configured.counter(Missing::Make)?;
    counter.ask(&Command::RouteAdd { name: name.clone(), toml }, drop)?;
    console.tell(format!("route {name} is set{}", counter.place()), || json!({"event": "added", "route": name}));
    Ok(Exit::Done)
}

pub(super) fn remove(Rm { name, configured }: &Rm, console: &Console) -> Outcome {
    let mut counter = configured.counter(Missing::Refuse)?;
    counter.ask(&Command::RouteRm { name: name.clone() }, drop)?;
    console.tell(format!("route {name} is gone{}", counter.place()), || json!({"event": "removed", "route": name}));
    Ok(Exit::Done)
}

pub(super) fn list(configured: &Configured, console: &Console) -> Outcome {
    let mut any = false;
    configured.ask(&Command::RouteLs {}, |route| {
        any = true;
        let text = |key: &str| route[key].as_str().map(str::to_owned);
        let wrong = || format!("{}: left out, it does not fit the configuration", text("route").unwrap_or_default());
        console.tell(text("words").unwrap_or_else(wrong), || route);
    })?;
    if !any {
        console.say("no routes are set beside those of the configuration");
    }
    Ok(Exit::Done)
}
