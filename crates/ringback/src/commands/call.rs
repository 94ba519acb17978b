use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::telephone::{AccountFlags, Line, Next, SoundFlags, exit_of};
use clap::Args;
use phone::{AccountId, Answering, CallId, Command, Dial, Event};
use std::time::{Duration, Instant};

/// The only call of this phone.
const CALL: CallId = CallId::Placed(1);
/// What others who call meanwhile hear.
const BUSY_HERE: u16 = 486;

/// How long the other end has to take our goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// The same where nobody has been heard of.
const GOODBYE_TO_NOBODY: Duration = Duration::from_millis(200);

/// Calls somebody: through an exchange, or directly.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: ringback call 101 --as 100:secret@192.0.2.1 --play hello.wav",
    after_help = "The call lasts until somebody hangs up: the other end, Ctrl-C, --duration, or without --duration the end of --play FILE.wav."
)]
pub(crate) struct Arguments {
    /// Whom: sip:user@host, or with --as the user alone
    uri: String,
    #[command(flatten)]
    account: AccountFlags,
    #[command(flatten)]
    sound: SoundFlags,
    /// Gives up when nobody has answered after so long
    #[arg(long, value_name = "S", default_value = "180", value_parser = crate::telephone::seconds)]
    timeout: Duration,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    arguments.account.check_address(&arguments.uri)?;
    let (play, ends) = arguments.sound.source()?;
    let mut line =
        Line::open(&arguments.account, Some(&arguments.sound), false, Answering::Reject(BUSY_HERE), console)?;
    let account = (!arguments.account.accounts().is_empty()).then_some(AccountId(0));
    let record = arguments.sound.record.is_some();
    line.send(Command::Dial(Dial { call: 1, uri: arguments.uri.clone(), account, play, record }));
    let mut state = State::Calling { heard_of: false };
    let mut deadline = Some(Instant::now() + arguments.timeout);
    loop {
        match (line.next(deadline)?, state) {
            (Next::Event(Event::Ringing { call: CALL, .. }), State::Calling { .. }) => {
                state = State::Calling { heard_of: true };
            }
            (Next::Event(Event::Answered { call: CALL, .. }), State::Calling { .. }) => {
                state = State::Talking;
                deadline = arguments.sound.duration.map(|duration| Instant::now() + duration);
                if let Some(digits) = &arguments.sound.dtmf {
                    line.send(Command::SendDtmf { call: CALL, digits: digits.clone() });
                }
            }
            // With nothing more to say, and no word on how long to listen.
            (Next::Event(Event::Played { call: CALL }), State::Talking)
                if ends && arguments.sound.duration.is_none() =>
            {
                line.send(Command::Hangup { call: CALL });
            }
            (Next::Event(Event::Failed { call: CALL, failure }), _) => return Ok(exit_of(&failure)),
            (Next::Event(Event::Ended { call: CALL, .. }), State::Leaving(exit)) => return Ok(exit),
            (Next::Event(Event::Ended { call: CALL, .. }), state) => {
                return Ok(if matches!(state, State::Talking) { Exit::Done } else { Exit::Negative });
            }
            (Next::Event(_), _) => {}
            // It has had its time, or somebody asks twice.
            (Next::Deadline | Next::Interrupted, State::Leaving(exit)) => return Ok(exit),
            (next, before) => {
                line.send(Command::Hangup { call: CALL });
                let (exit, patience) = match (before, next) {
                    (State::Talking, _) => (Exit::Done, GOODBYE),
                    (State::Calling { .. }, Next::Deadline) => {
                        console.complain(format!("nobody answered within {} s", arguments.timeout.as_secs_f64()));
                        (Exit::NobodyAnswered, GOODBYE)
                    }
                    (State::Calling { heard_of: true }, _) => (Exit::Negative, GOODBYE),
                    // Where nothing has come back there is nobody to say goodbye to (RFC 3261 section 9.1).
                    _ => (Exit::Negative, GOODBYE_TO_NOBODY),
                };
                state = State::Leaving(exit);
                deadline = Some(Instant::now() + patience);
            }
        }
    }
}

/// How far the call is.
#[derive(Clone, Copy)]
enum State {
    /// Nobody has answered; whether anybody has been heard of.
    Calling {
        heard_of: bool,
    },
    Talking,
    /// We have hung up, and end with this.
    Leaving(Exit),
}
