use crate::console::Console;
use crate::exit::{Exit, Failure, Outcome};
use crate::telephone::{AccountFlags, Line, Next, exit_of};
use clap::Args;
use phone::{AccountId, Answering, Command, Event};
use std::time::{Duration, Instant};

/// How long we wait for an exchange to take a registration back.
const GOODBYE: Duration = Duration::from_secs(5);
/// Busy here: nobody is at this phone to answer.
const BUSY_HERE: u16 = 486;

/// Registers an account, and keeps it registered.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback register --as 100:secret@192.0.2.1 --once")]
pub(crate) struct Arguments {
    #[command(flatten)]
    account: AccountFlags,
    /// For how long at a time, in seconds
    #[arg(long, value_name = "S", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    expires: u32,
    /// Registers once and ends; the registration stays until it expires, though nobody is there to be called
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    if arguments.account.account.is_none() {
        return Err(Failure::usage("who registers? give --as USER:PASS@DOMAIN"));
    }
    let mut line = Line::open(&arguments.account, None, true, Answering::Reject(BUSY_HERE), console)?;
    line.send(Command::Register { account: AccountId(0), expires_s: arguments.expires });
    let mut registered = false;
    loop {
        match line.next(None)? {
            Next::Event(Event::RegistrationOk { .. }) if arguments.once => return Ok(Exit::Done),
            Next::Event(Event::RegistrationOk { .. }) => registered = true,
            Next::Event(Event::RegistrationFailed { failure, retry_s, .. }) => {
                // Who has been registered may be so again; a first attempt that fails is the answer.
                if !registered || retry_s.is_none() {
                    return Ok(exit_of(&failure));
                }
            }
            Next::Interrupted => return take_back(&mut line, registered),
            Next::Event(_) | Next::Deadline => {}
        }
    }
}

/// Says goodbye to the exchange, if it knows us.
pub(super) fn take_back(line: &mut Line<'_>, registered: bool) -> Outcome {
    if registered {
        line.send(Command::Unregister { account: AccountId(0) });
        let deadline = Instant::now() + GOODBYE;
        while !matches!(
            line.next(Some(deadline))?,
            Next::Event(Event::Unregistered { .. }) | Next::Deadline | Next::Interrupted
        ) {}
    }
    Ok(if registered { Exit::Done } else { Exit::Negative })
}
