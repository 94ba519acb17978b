//! `ringback config`: what is wrong with the configuration, what it is, what it can be.

mod check;
mod schema;
mod show;

use super::configured::Configured;
use crate::console::Console;
use crate::exchange::check_certificates;
use crate::exit::{Exit, Outcome};
use clap::{Args, Subcommand};
use engine::Now;

/// Checks and shows the configuration.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback config check --config ringback.toml")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what is wrong with the configuration, if anything is, and what its rules do
    #[command(before_help = "Example: ringback config check --config ringback.toml")]
    Check(Configured),
    /// Shows every key and its value
    #[command(before_help = "Example: ringback config show --origin")]
    Show(Show),
    /// Prints a JSON schema of the configuration file
    #[command(before_help = "Example: ringback config schema > ringback.schema.json")]
    Schema,
}

#[derive(Debug, Args)]
struct Show {
    /// Also says where each value comes from
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    configured: Configured,
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> Option<&mut Configured> {
        match &mut self.verb {
            Verb::Check(configured) => Some(configured),
            Verb::Show(show) => Some(&mut show.configured),
            Verb::Schema => None,
        }
    }
}

pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    match arguments.verb {
        Verb::Check(configured) => {
            let (config, _) = configured.read()?;
            let doubts = check_certificates(&config.tls, Now::read_clocks().wall)?;
            check::explain(&config, doubts, console);
        }
        Verb::Show(arguments) => {
            let (_, file) = arguments.configured.read()?;
            show::show(&file, arguments.origin, console);
        }
        Verb::Schema => console.tell(format!("{:#}", schema::schema()), schema::schema),
    }
    Ok(Exit::Done)
}
