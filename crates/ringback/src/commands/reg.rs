use super::configured::Configured;
use crate::console::Console;
use crate::control::Command;
use crate::exit::{Exit, Outcome};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

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
    match arguments.verb {
        Verb::Ls(configured) => list(&configured, console),
        Verb::Rm { aor, contact, configured } => {
            let mut removed = 0;
            let command = Command::RegRm { aor: aor.clone(), contact };
            configured.running()?.ask(&command, |value| removed = value["removed"].as_u64().unwrap_or(0))?;
            console.tell(
                format!("{removed} removed of {aor}"),
                || json!({"event": "removed", "aor": aor, "removed": removed}),
            );
            Ok(if removed > 0 { Exit::Done } else { Exit::Negative })
        }
    }
}

fn list(configured: &Configured, console: &Console) -> Outcome {
    let mut any = false;
    configured.running()?.ask(&Command::RegLs {}, |binding| {
        any = true;
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
        console.tell(words, || binding);
    })?;
    if !any {
        console.say("nobody is registered");
    }
    Ok(Exit::Done)
}
