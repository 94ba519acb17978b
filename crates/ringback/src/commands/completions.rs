use crate::cli;
use crate::exit::{Exit, Outcome};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;

/// Prints what teaches a shell to complete our commands.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback completions bash > /etc/bash_completion.d/ringback")]
pub(crate) struct Arguments {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut cli::Arguments::command(), "ringback", &mut script);
    // A reader who has gone away is no reason to fail.
    let _ = std::io::stdout().write_all(&script);
    Ok(Exit::Done)
}
