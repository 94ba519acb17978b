//! The command line (CLI.md): names, flags and words of help. What the commands do is in `commands/`.

use crate::commands::{
    answer, ban, call, calls, completions, config, demo, deploy, inspect, load, man, message, options, reg, register,
    route, serve, user,
};
use crate::console::{self, Console};
use clap::{Parser, Subcommand};

/// One command, a whole telephone exchange, and the phone with it.
#[derive(Debug, Parser)]
#[command(
    version,
    before_help = "Example: ringback          runs an exchange on this machine, prints accounts and where to reach it",
    after_help = "Exit codes: 0 done; 1 a negative answer; 2 wrong usage or configuration; 3 nobody answered."
)]
pub(crate) struct Arguments {
    /// One JSON object per line on standard output; words for people go to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Says only what was asked for, and why something failed
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Logs each SIP message in a line; twice: whole messages (RUST_LOG chooses in detail)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// No colours
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    #[command(flatten)]
    pub(crate) serve: serve::Arguments,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    User(user::Arguments),
    Reg(reg::Arguments),
    Calls(calls::Arguments),
    Ban(ban::Arguments),
    Register(register::Arguments),
    Call(call::Arguments),
    Answer(answer::Arguments),
    Message(message::Arguments),
    Options(options::Arguments),
    Inspect(inspect::Arguments),
    Load(load::Arguments),
    Route(route::Arguments),
    Config(config::Arguments),
    Deploy(deploy::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

impl Arguments {
    pub(crate) fn console(&self) -> Console {
        Console { json: self.json, quiet: self.quiet, color: console::wants_color(self.no_color) }
    }
}
