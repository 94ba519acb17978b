use super::register::take_back;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::telephone::{AccountFlags, Line, Next, SoundFlags, exit_of};
use clap::Args;
use phone::{AccountId, Answering, CallId, Command, Event};
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

/// How long a registration lasts before it is made anew.
const EXPIRES_S: u32 = 3600;

/// Answers calls: of an account, or of whoever calls this machine directly.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: ringback answer --as 101:secret@192.0.2.1 --play echo",
    after_help = "Several calls at a time are answered. With --as it listens on a port that the system picks, without on 5060 (see --bind); \
                  whoever reaches that port directly is answered, too."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    account: AccountFlags,
    #[command(flatten)]
    sound: SoundFlags,
    /// Ends after so many calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    calls: Option<u32>,
    /// Lets it ring so long before the answer
    #[arg(long, value_name = "S", default_value = "0", value_parser = crate::telephone::seconds)]
    after: Duration,
    /// Refuses calls, with this status: 486 is busy, 603 is declined
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(300..700))]
    reject: Option<u16>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let (play, _) = arguments.sound.source()?;
    let record = arguments.sound.record.is_some();
    let answering = match arguments.reject {
        Some(status) => Answering::Reject(status),
        None => Answering::Answer { after: arguments.after, play, record },
    };
    let mut line = Line::open(&arguments.account, Some(&arguments.sound), true, answering, console)?;
    let listen = line.listen();
    console.say(format!("ready: {}", listen.join(" ")));
    console.event(&json!({"event": "ready", "listen": listen}));
    let has_account = arguments.account.account.is_some();
    if has_account {
        line.send(Command::Register { account: AccountId(0), expires_s: EXPIRES_S });
    }
    let mut state = State { registered: false, calls_over: 0, hang_up_at: BTreeMap::new(), stopping: false };
    loop {
        let next = line.next(state.hang_up_at.values().copied().min())?;
        if let Some(exit) = state.handle(next, arguments, &line) {
            let outcome = take_back(&mut line, state.registered)?;
            return Ok(if exit == Exit::Done && has_account { outcome } else { exit });
        }
    }
}

struct State {
    registered: bool,
    calls_over: u32,
    /// Of the calls that are answered: when we hang up, far ahead without --duration.
    hang_up_at: BTreeMap<CallId, Instant>,
    stopping: bool,
}

/// Longer than any call.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl State {
    /// Does what is to be done; an exit code when that was all.
    fn handle(&mut self, next: Next, arguments: &Arguments, line: &Line<'_>) -> Option<Exit> {
        match next {
            Next::Event(Event::RegistrationOk { .. }) => self.registered = true,
            Next::Event(Event::RegistrationFailed { failure, retry_s, .. }) => {
                if !self.registered || retry_s.is_none() {
                    self.registered = false;
                    return Some(exit_of(&failure));
                }
            }
            Next::Event(Event::Answered { call, .. }) => {
                // A later offer and answer within the call is no reason to begin anew.
                if let Entry::Vacant(call_begins) = self.hang_up_at.entry(call) {
                    call_begins.insert(Instant::now() + arguments.sound.duration.unwrap_or(NEVER));
                    if let Some(digits) = &arguments.sound.dtmf {
                        line.send(Command::SendDtmf { call, digits: digits.clone() });
                    }
                }
            }
            Next::Event(Event::Ended { call, .. }) => {
                self.hang_up_at.remove(&call);
                self.calls_over += 1;
            }
            Next::Deadline => {
                let now = Instant::now();
                for (call, at) in self.hang_up_at.iter_mut().filter(|(_, at)| **at <= now) {
                    line.send(Command::Hangup { call: *call });
                    *at = now + NEVER;
                }
            }
            Next::Interrupted if self.stopping => return Some(Exit::Negative),
            Next::Interrupted => {
                self.stopping = true;
                self.hang_up_at.keys().for_each(|call| line.send(Command::Hangup { call: *call }));
            }
            Next::Event(_) => {}
        }
        let enough = arguments.calls.is_some_and(|calls| self.calls_over >= calls);
        ((enough || self.stopping) && self.hang_up_at.is_empty()).then_some(Exit::Done)
    }
}
