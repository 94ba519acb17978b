use super::configured::Configured;
use crate::console::Console;
use crate::exit::Outcome;
use clap::Args;

/// Runs the exchange; also without the word `serve`.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback serve --data /var/lib/ringback")]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) configured: Configured,
}

pub(crate) fn run(arguments: &Arguments, _console: &Console) -> Outcome {
    let (_config, _) = arguments.configured.read()?;
    Ok(crate::exit::Exit::Done)
}
