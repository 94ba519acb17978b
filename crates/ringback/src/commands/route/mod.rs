//! `ringback route`: what would become of a request, and the rules that are set at run time.

mod case;
mod stored;
mod trial;

use super::configured::Configured;
use crate::console::Console;
use crate::exit::Outcome;
use clap::{Args, Subcommand, ValueEnum};
use sip_message::Transport;
use std::net::IpAddr;

/// Tries the dial rules; sets some at run time.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback route test --from 100 --to 0301234 --config ringback.toml")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says which rule fires for a request and where it would go; nothing is sent
    #[command(
        before_help = "Example: ringback route test --from 100 --to 0301234 --at 2026-11-20T20:30",
        after_help = "Exit codes: 0 it leads somewhere; 1 it is refused; 2 wrong usage or configuration."
    )]
    Test(Test),
    /// Sets a rule, in force at once: it is asked after those of the configuration, in the order in which they were first set
    #[command(
        before_help = "Example: ringback route add night.toml          with name, when, do and to as in one [[route]]"
    )]
    Add(stored::Add),
    /// Lists the rules that are set
    #[command(before_help = "Example: ringback route ls")]
    Ls(Configured),
    /// Takes a rule away that is set
    #[command(before_help = "Example: ringback route rm night")]
    Rm(stored::Rm),
}

/// What the request looks like.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Who calls: a user of ours, who then has logged in, or a URI
    #[arg(long, value_name = "WHO")]
    from: String,
    /// Who is called: a number, or a URI
    #[arg(long, value_name = "WHOM")]
    to: String,
    /// The method
    #[arg(long, default_value = "INVITE")]
    method: String,
    /// Where it is sent from
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    source: IpAddr,
    /// Over what it comes
    #[arg(long, default_value = "udp", value_parser = transport)]
    transport: Transport,
    /// Through which trunk it comes [default: the one that sends from --source]
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// When, by the clock of proxy.timezone, as in 2026-11-20T09:30 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Whether the user called is registered [default: yes, unless a rule asks]
    #[arg(long, value_name = "yes|no")]
    registered: Option<YesNo>,
    /// A header field of the request; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    #[command(flatten)]
    configured: Configured,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

impl Arguments {
    pub(crate) fn configured(&mut self) -> &mut Configured {
        match &mut self.verb {
            Verb::Test(test) => &mut test.configured,
            Verb::Add(add) => &mut add.configured,
            Verb::Ls(configured) => configured,
            Verb::Rm(rm) => &mut rm.configured,
        }
    }
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    match &arguments.verb {
        Verb::Test(test) => trial::run(test, console),
        Verb::Add(add) => stored::add(add, console),
        Verb::Ls(configured) => stored::list(configured, console),
        Verb::Rm(rm) => stored::remove(rm, console),
    }
}

fn transport(text: &str) -> Result<Transport, &'static str> {
    Transport::parse(text).ok_or("udp, tcp, tls, ws or wss")
}
