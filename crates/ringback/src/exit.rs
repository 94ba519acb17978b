use std::fmt::Display;
use std::process::ExitCode;

/// How a command ends: what sipsak's users expect of an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: what was asked for is done.
    Done,
    /// 1: a negative answer.
    Negative,
    /// 2: wrong usage or configuration, or a machine that does not let us.
    Usage,
    /// 3: nobody answered.
    NobodyAnswered,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Negative => 1,
            Exit::Usage => 2,
            Exit::NobodyAnswered => 3,
        })
    }
}

/// Why a command did not do what was asked: the exit code, and words that say what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn usage(text: impl Display) -> Failure {
        Failure { exit: Exit::Usage, text: text.to_string() }
    }

    pub(crate) fn negative(text: impl Display) -> Failure {
        Failure { exit: Exit::Negative, text: text.to_string() }
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Failure {
        use store::StoreError::{NoSuchUser, UserExists};
        match error {
            NoSuchUser(_) | UserExists(_) => Failure::negative(error),
            _ => Failure::usage(error),
        }
    }
}

/// What every command returns.
pub(crate) type Outcome = Result<Exit, Failure>;
