//! `ringback calls`: the calls that are, and those that were.

mod history;
mod ladder;

use super::configured::Configured;
use crate::console::Console;
use crate::control::Command;
use crate::exit::{Exit, Outcome};
use crate::moment;
use clap::{Args, Subcommand};
use ladder::Story;
use serde_json::{Value, json};
use std::time::SystemTime;

/// Lists the calls of the running exchange, shows how one went, ends one; and finds those that are over.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback calls ls")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the calls under way
    #[command(before_help = "Example: ringback calls ls --json")]
    Ls(Configured),
    /// Draws what passed in a call, and says in a sentence how it ended or how far it has come
    #[command(before_help = "Example: ringback calls show 0.17")]
    Show(Named),
    /// Ends a call: both ends are told that it was the operator
    #[command(before_help = "Example: ringback calls hangup 0.17")]
    Hangup(Named),
    /// Lists calls that are over, the latest first
    #[command(before_help = "Example: ringback calls history --since 2d --user 100 --csv > calls.csv")]
    History(history::Arguments),
}

#[derive(Debug, Args)]
struct Named {
    /// The call: its ID as `calls ls` shows it, or its Call-ID
    id: String,
    #[command(flatten)]
    configured: Configured,
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> &mut Configured {
        match &mut self.verb {
            Verb::Ls(configured) => configured,
            Verb::Show(named) | Verb::Hangup(named) => &mut named.configured,
            Verb::History(arguments) => &mut arguments.configured,
        }
    }
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    match arguments.verb {
        Verb::Ls(configured) => list(&configured, console),
        Verb::Show(named) => show(named, console),
        Verb::Hangup(Named { id, configured }) => {
            configured.running()?.ask(&Command::CallsHangup { id: id.clone() }, drop)?;
            console.tell(format!("call {id} is ended"), || json!({"event": "hung_up", "call": id}));
            Ok(Exit::Done)
        }
        Verb::History(arguments) => history::run(&arguments, console),
    }
}

fn list(configured: &Configured, console: &Console) -> Outcome {
    let mut any = false;
    let now = SystemTime::now();
    configured.running()?.ask(&Command::CallsLs {}, |call| {
        any = true;
        let began = call["answered"].as_str().or(call["started"].as_str()).and_then(moment::parse_rfc3339);
        let lasts = began.and_then(|began| now.duration_since(began).ok()).unwrap_or_default();
        let words = format!(
            "{:<8} {:<8} {} -> {}  for {}  from {}",
            text(&call["id"]),
            text(&call["state"]),
            text(&call["from"]),
            text(&call["to"]),
            moment::span(lasts),
            text(&call["source"]),
        );
        console.tell(words, || call);
    })?;
    if !any {
        console.say("there are no calls");
    }
    Ok(Exit::Done)
}

fn show(Named { id, configured }: Named, console: &Console) -> Outcome {
    let (config, _) = configured.read()?;
    let mut outcome = Ok(Exit::Done);
    configured.running()?.ask(&Command::CallsShow { call: id }, |value| {
        match serde_json::from_value::<Story>(value.clone()) {
            Ok(story) => console.tell(
                format!("call {}\n\n{}\n{}", story.call_id, story.picture(config.rules.zone()), story.how),
                || value,
            ),
            Err(error) => outcome = Err(crate::exit::Failure::negative(format!("this cannot be drawn: {error}"))),
        }
    })?;
    outcome
}

/// A value in words; nothing where there is none.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
