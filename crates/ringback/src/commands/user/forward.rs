use crate::commands::configured::Configured;
use crate::commands::counter::Missing;
use crate::console::Console;
use crate::control::{Command, Forwards};
use crate::exit::{Exit, Failure, Outcome};
use clap::Args;
use serde_json::{Value, json};

/// Whose calls go where. What is not named stays as it is; without any flag it is shown.
#[derive(Debug, Args)]
#[command(after_help = "A TARGET is a user, a number or a SIP URI; an empty one ('') takes a forward away.")]
pub(super) struct Arguments {
    /// The user's name
    name: String,
    /// Every call goes there
    #[arg(long, value_name = "TARGET")]
    always: Option<String>,
    /// What finds the user busy
    #[arg(long, value_name = "TARGET")]
    busy: Option<String>,
    /// What nobody answers
    #[arg(long, value_name = "TARGET")]
    no_answer: Option<String>,
    /// How many seconds it rings before that [default: 20]
    #[arg(long, value_name = "S")]
    after: Option<u32>,
    /// What finds no phone of the user's
    #[arg(long, value_name = "TARGET")]
    not_registered: Option<String>,
    /// Takes all forwards away, before what else is said here
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    pub(super) configured: Configured,
}

pub(super) fn run(arguments: Arguments, console: &Console) -> Outcome {
    let Arguments { name, always, busy, no_answer, after, not_registered, off, configured } = arguments;
    let mut counter = configured.counter(Missing::Refuse)?;
    let mut before = Value::Null;
    counter.ask(&Command::UserShow { name: name.clone() }, |account| before = account["forward"].clone())?;
    let asked =
        off || after.is_some() || [&always, &busy, &no_answer, &not_registered].iter().any(|flag| flag.is_some());
    let there: Forwards = if before.is_null() || off { Forwards::default() } else { read(before)? };
    let place = |flag: Option<String>, there: Option<String>| match flag {
        None => there,
        Some(target) => Some(target).filter(|target| !target.is_empty()),
    };
    let mut forwards = Forwards {
        always: place(always, there.always),
        busy: place(busy, there.busy),
        no_answer: place(no_answer, there.no_answer),
        no_answer_after_s: after.or(there.no_answer_after_s),
        not_registered: place(not_registered, there.not_registered),
    };
    if forwards.no_answer.is_none() {
        if after.is_some() {
            return Err(Failure::usage("--after means nothing without --no-answer"));
        }
        forwards.no_answer_after_s = None;
    }
    let value = json!(forwards);
    if asked {
        counter.ask(&Command::UserForward { name: name.clone(), forwards }, drop)?;
    }
    let lines = words(&value);
    let words = match lines.is_empty() {
        true => format!("calls to {name} go to {name}"),
        false => lines.iter().map(|line| format!("{name}: {line}")).collect::<Vec<_>>().join("\n"),
    };
    console.tell(words + &counter.place(), || json!({"event": "forward", "user": name, "forward": value}));
    Ok(Exit::Done)
}

fn read(value: Value) -> Result<Forwards, Failure> {
    serde_json::from_value(value)
        .map_err(|error| Failure::negative(format!("the exchange cannot be understood: {error}")))
}

/// Forwards in words, a line each.
pub(super) fn words(forward: &Value) -> Vec<String> {
    let target = |key: &str| forward[key].as_str();
    let after_s = forward["no_answer_after_s"].as_u64().unwrap_or(routing::NO_ANSWER_AFTER_S.into());
    let mut lines = Vec::new();
    for (key, cause) in [
        ("always", "every call".to_owned()),
        ("busy", "what finds them busy".to_owned()),
        ("no_answer", format!("what is not answered after {after_s} s")),
        ("not_registered", "what finds no phone of theirs".to_owned()),
    ] {
        lines.extend(target(key).map(|target| format!("{cause} goes to {target}")));
    }
    lines
}
