use super::options::{REQUEST, ask};
use crate::console::Console;
use crate::exit::Outcome;
use crate::telephone::AccountFlags;
use clap::Args;
use phone::Command;

/// Sends somebody a text.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback message sip:101@192.0.2.1 \"Lunch?\" --as 100:secret@192.0.2.1")]
pub(crate) struct Arguments {
    /// Whom: sip:user@host, or with --as the user alone
    uri: String,
    /// What it says
    text: String,
    #[command(flatten)]
    account: AccountFlags,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    arguments.account.check_address(&arguments.uri)?;
    let (uri, text) = (arguments.uri.clone(), arguments.text.clone());
    ask(&arguments.account, console, |account| Command::Message { request: REQUEST, uri, account, text })
}
