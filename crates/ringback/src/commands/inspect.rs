use crate::console::Console;
use crate::exit::{Exit, Failure, Outcome};
use clap::Args;
use serde::Serialize;
use sip_message::Verdict;
use std::io::Read;

/// Is this a well-formed SIP message?
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback inspect --json message.txt")]
pub(crate) struct Arguments {
    /// Files with one message each; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
}

/// A verdict as CLI.md promises it.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    valid: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<u16>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let mut exit = Exit::Done;
    for file in &arguments.files {
        let bytes = read(file).map_err(|error| Failure::usage(format!("{file} cannot be read: {error}")))?;
        let verdict = sip_message::inspect(&bytes);
        if !verdict.valid {
            exit = Exit::Negative;
        }
        console.tell(in_words(file, &verdict), || serde_json::json!(report(file, &verdict)));
    }
    Ok(exit)
}

fn read(file: &str) -> std::io::Result<Vec<u8>> {
    if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file)
}

fn report<'a>(file: &'a str, verdict: &'a Verdict) -> Report<'a> {
    Report {
        file,
        valid: verdict.valid,
        kind: verdict.kind,
        method: verdict.method.as_deref(),
        status: verdict.status,
        error: verdict.error.as_deref(),
        offset: verdict.offset,
        response: verdict.response,
    }
}

fn in_words(file: &str, verdict: &Verdict) -> String {
    let is = if verdict.valid { "well-formed" } else { "malformed" };
    let what = match (&verdict.method, verdict.status) {
        (Some(method), _) => format!("{is} {method} request"),
        (None, Some(status)) => format!("{is} {status} response"),
        (None, None) => "not a SIP message".to_owned(),
    };
    let mut words = format!("{file}: {what}");
    if let Some(error) = verdict.error.as_ref().filter(|error| **error != what) {
        words += &format!(": {error}");
    }
    if let Some(offset) = verdict.offset {
        words += &format!(" (at byte {offset})");
    }
    if let Some(response) = verdict.response {
        words += &format!("; a server answers {response} {}", sip_message::reason_phrase(response));
    }
    words
}
