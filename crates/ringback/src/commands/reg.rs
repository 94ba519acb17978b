use super::configured::Configured;
use crate::console::Console;
use crate::control;
use crate::exit::{Exit, Failure, Outcome};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use store::DataFolder;

/// Shows who is registered at the running exchange, and removes registrations.
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
    /// Removes the bindings of an address, or one of them; its phone comes back when it registers again
    #[command(before_help = "Example: ringback reg rm 101@192.0.2.1")]
    Rm {
        /// Whose: as `reg ls` shows it
        aor: String,
        /// Which one: its contact, as `reg ls` shows it; all without
        contact: Option<String>,
        #[command(flatten)]
        configured: Configured,
    },
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> &mut Configured {
        match &mut self.verb {
            Verb::Ls(configured) | Verb::Rm { configured, .. } => configured,
        }
    }
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    let (configured, command) = match &arguments.verb {
        Verb::Ls(configured) => (configured, control::REG_LS.to_owned()),
        Verb::Rm { aor, contact, configured } => {
            let words = [control::REG_RM, aor].into_iter().chain(contact.as_deref());
            (configured, words.collect::<Vec<_>>().join(" "))
        }
    };
    let (config, _) = configured.read()?;
    let Some(bindings) = control::ask(&DataFolder::at(&config.data), &command)? else {
        return Err(Failure::negative(format!(
            "no exchange runs on the data folder {}; start one with `ringback`, or name its folder with --data DIR",
            config.data.display()
        )));
    };
    if let Verb::Rm { aor, .. } = &arguments.verb {
        let removed = bindings.first().and_then(|value| value["removed"].as_u64()).unwrap_or(0);
        console.tell(
            format!("{removed} removed of {aor}"),
            || json!({"event": "removed", "aor": aor, "removed": removed}),
        );
        return Ok(if removed > 0 { Exit::Done } else { Exit::Negative });
    }
    if bindings.is_empty() {
        console.say("nobody is registered");
    }
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
