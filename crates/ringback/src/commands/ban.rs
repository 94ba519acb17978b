use super::configured::Configured;
use crate::console::Console;
use crate::control::Command;
use crate::exit::{Exit, Failure, Outcome};
use crate::moment;
use clap::{Args, Subcommand};
use engine::Network;
use serde_json::json;
use std::time::{Duration, SystemTime};

/// Lists, sets and lifts bans: who is not let in.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback ban ls")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists who is banned, until when, and what for
    #[command(before_help = "Example: ringback ban ls --json")]
    Ls(Configured),
    /// Bans an address or a network; addresses that are never banned are in guard.allow
    #[command(before_help = "Example: ringback ban add 198.51.100.0/24 --for 2h --why \"tries passwords\"")]
    Add {
        /// Whom: an address or a network, such as 198.51.100.7 or 2001:db8::/48
        #[arg(value_name = "ADDRESS[/BITS]")]
        source: String,
        /// For how long, as in 90s, 15m, 2h, 3d
        #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = moment::parse_span)]
        length: Duration,
        /// What for: kept, and shown by `ban ls`
        #[arg(long, value_name = "WORDS", default_value = "by command")]
        why: String,
        #[command(flatten)]
        configured: Configured,
    },
    /// Lifts a ban
    #[command(before_help = "Example: ringback ban rm 198.51.100.0/24")]
    Rm {
        /// As `ban ls` shows it
        #[arg(value_name = "ADDRESS[/BITS]")]
        source: String,
        #[command(flatten)]
        configured: Configured,
    },
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> &mut Configured {
        match &mut self.verb {
            Verb::Ls(configured) | Verb::Add { configured, .. } | Verb::Rm { configured, .. } => configured,
        }
    }
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    match arguments.verb {
        Verb::Ls(configured) => list(&configured, console),
        Verb::Add { source, length, why, configured } => {
            let source = network(&source)?;
            let command = Command::BanAdd { source: source.clone(), for_s: length.as_secs(), why };
            configured.ask(&command, drop)?;
            console.tell(
                format!("{source} is banned for {}", moment::span(length)),
                || json!({"event": "banned", "source": source, "for_s": length.as_secs()}),
            );
            Ok(Exit::Done)
        }
        Verb::Rm { source, configured } => {
            let source = network(&source)?;
            configured.ask(&Command::BanRm { source: source.clone() }, drop)?;
            console.tell(format!("{source} is let in again"), || json!({"event": "unbanned", "source": source}));
            Ok(Exit::Done)
        }
    }
}

fn network(text: &str) -> Result<String, Failure> {
    let network = Network::parse(text);
    network
        .map(|network| network.to_string())
        .map_err(|wanted| Failure::usage(format!("{text:?} cannot be banned: {wanted} is needed")))
}

fn list(configured: &Configured, console: &Console) -> Outcome {
    let (config, _) = configured.read()?;
    let now = SystemTime::now();
    let mut any = false;
    configured.ask(&Command::BanLs {}, |ban| {
        any = true;
        let until = ban["until"].as_str().and_then(moment::parse_rfc3339);
        let left = until.and_then(|until| until.duration_since(now).ok()).unwrap_or_default();
        let until = until.map(|until| moment::local(config.rules.zone(), until)).unwrap_or_default();
        let text = |key: &str| ban[key].as_str().unwrap_or_default().to_owned();
        let words = format!("{:<20} for {} more, until {until}: {}", text("source"), moment::span(left), text("why"));
        console.tell(words, || ban);
    })?;
    if !any {
        console.say("nobody is banned");
    }
    Ok(Exit::Done)
}
