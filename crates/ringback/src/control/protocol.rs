use crate::exit::{Exit, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Bytes of a command's line: hundreds of accounts at once, or a route of many places, fit.
pub(crate) const COMMAND_BYTES_MAX: usize = 64 << 10;

/// What the other end has to send its next command, or to take the next part of an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the exchange says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// First of all, once: the version of the exchange.
    Ringback(String),
    /// A part of the answer.
    Value(Value),
    /// The end of the answer.
    Done(()),
    /// The same, where the answer is that it cannot be.
    Error {
        /// In words.
        what: String,
        /// What the command ends with: 1 or 2.
        exit: u8,
    },
}

impl Line {
    pub(crate) fn error(failure: Failure) -> Line {
        let exit = if failure.exit == Exit::Usage { 2 } else { 1 };
        Line::Error { what: failure.text, exit }
    }
}

/// What to add to an error where the two are not of one version.
pub(crate) fn mismatch(theirs: &str) -> String {
    match theirs == VERSION {
        true => String::new(),
        false => format!(
            "\nthe exchange that runs is ringback {theirs}, this command is ringback {VERSION}: start the exchange again, or use its own"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, VERSION, mismatch};
    use crate::exit::Failure;

    #[test]
    fn lines_are_objects() {
        let lines = [
            (Line::Ringback("0.1.0".into()), r#"{"ringback":"0.1.0"}"#),
            (Line::Value(serde_json::json!({"a": 1})), r#"{"value":{"a":1}}"#),
            (Line::Done(()), r#"{"done":null}"#),
            (Line::error(Failure::negative("no")), r#"{"error":{"what":"no","exit":1}}"#),
        ];
        for (line, text) in lines {
            assert_eq!(serde_json::to_string(&line).unwrap(), text);
            assert_eq!(serde_json::from_str::<Line>(text).unwrap(), line);
        }
    }

    #[test]
    fn two_versions_are_named_when_they_differ() {
        assert_eq!(mismatch(VERSION), "");
        let said = mismatch("0.0.1");
        assert!(said.contains("ringback 0.0.1,") && said.contains(&format!("ringback {VERSION}:")), "{said}");
    }
}
