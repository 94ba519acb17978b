use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::telephone::{AccountFlags, Line, Next, SoundFlags, exit_of};
use clap::Args;
use phone::{AccountId, Answering, CallId, Command, Dial, Event};
use std::time::Instant;

/// The only call of this phone.
const CALL: CallId = CallId::Placed(1);
/// What others who call meanwhile hear.
const BUSY_HERE: u16 = 486;

/// Calls somebody: through an exchange, or directly.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback call sip:101@192.0.2.1 --as 100:secret@192.0.2.1 --play hello.wav")]
pub(crate) struct Arguments {
    /// Whom: sip:user@host, or with --as the user alone
    uri: String,
    #[command(flatten)]
    account: AccountFlags,
    #[command(flatten)]
    sound: SoundFlags,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let (play, ends) = arguments.sound.source()?;
    let mut line =
        Line::open(&arguments.account, Some(&arguments.sound), false, Answering::Reject(BUSY_HERE), console)?;
    let account = (!arguments.account.accounts().is_empty()).then_some(AccountId(0));
    let record = arguments.sound.record.is_some();
    line.send(Command::Dial(Dial { call: 1, uri: arguments.uri.clone(), account, play, record }));
    let mut deadline = None;
    let mut answered = false;
    loop {
        match line.next(deadline)? {
            Next::Event(Event::Answered { call: CALL, .. }) if !answered => {
                answered = true;
                deadline = arguments.sound.duration.map(|duration| Instant::now() + duration);
                if let Some(digits) = &arguments.sound.dtmf {
                    line.send(Command::SendDtmf { call: CALL, digits: digits.clone() });
                }
            }
            // With nothing more to say, and no word on how long to listen.
            Next::Event(Event::Played { call: CALL }) if ends && arguments.sound.duration.is_none() => {
                line.send(Command::Hangup { call: CALL });
            }
            Next::Event(Event::Failed { call: CALL, failure }) => return Ok(exit_of(&failure)),
            Next::Event(Event::Ended { call: CALL, .. }) => {
                return Ok(if answered { Exit::Done } else { Exit::Negative });
            }
            Next::Deadline | Next::Interrupted => {
                deadline = None;
                line.send(Command::Hangup { call: CALL });
            }
            Next::Event(_) => {}
        }
    }
}
