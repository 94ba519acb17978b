//! One command, a whole telephone exchange, and the phone with it.
//!
//! What it does not do: anything itself. It reads the command line and the configuration, puts the other crates together, and
//! says in words and in JSON what happens. One file per command in `commands/`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // above the purity line: this is the shell's front door

mod cli;
mod commands;
mod config;
mod console;
mod control;
mod desk;
mod exchange;
mod exit;
mod http;
mod interrupt;
mod logs;
mod moment;
mod secrets;
mod telephone;
mod trace;
mod wav;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let console = arguments.console();
    console.start_logs(arguments.verbose);
    match commands::run(arguments, &console) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.error(&failure.text);
            failure.exit.into()
        }
    }
}
