use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::telephone::{AccountFlags, Line, Next, exit_of};
use clap::Args;
use phone::{AccountId, Answering, Command, Event, RequestNumber};

/// The only request of this phone.
pub(super) const REQUEST: RequestNumber = RequestNumber(1);
const BUSY_HERE: u16 = 486;

/// Asks somebody what they can do: is anybody there?
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback options sip:192.0.2.1")]
pub(crate) struct Arguments {
    /// Whom: sip:host or sip:user@host
    uri: String,
    #[command(flatten)]
    account: AccountFlags,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    arguments.account.check_address(&arguments.uri)?;
    let uri = arguments.uri.clone();
    ask(&arguments.account, console, |account| Command::Options { request: REQUEST, uri, account })
}

/// Sends a request outside of any call; its answer is the exit code.
pub(super) fn ask(
    account: &AccountFlags,
    console: &Console,
    command: impl FnOnce(Option<AccountId>) -> Command,
) -> Outcome {
    let mut line = Line::open(account, None, false, Answering::Reject(BUSY_HERE), console)?;
    line.send(command((!account.accounts().is_empty()).then_some(AccountId(0))));
    loop {
        match line.next(None)? {
            Next::Event(Event::Replied { request: REQUEST, outcome }) => {
                return Ok(match outcome {
                    Ok(reply) if (200..300).contains(&reply.status) => Exit::Done,
                    Ok(_) => Exit::Negative,
                    Err(failure) => exit_of(&failure),
                });
            }
            Next::Interrupted => return Ok(Exit::NobodyAnswered),
            Next::Event(_) | Next::Deadline => {}
        }
    }
}
