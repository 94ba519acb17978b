//! Calls as an operator sees them: listed, shown, ended, remembered; and what becomes of them when the exchange reloads or stops.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)] // a failure fails the test; above the purity line

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{ANYWHERE, Process, Scratch};

/// An exchange, and 100 who has called 101 and talks.
struct Talking {
    scratch: Scratch,
    exchange: Process,
    address: String,
    passwords: [String; 2],
    caller: Process,
    callee: Process,
}

impl Talking {
    fn new(name: &str, settings: &[&str]) -> Talking {
        let scratch = Scratch::new(name);
        let mut exchange = scratch.start(&[&["serve"], settings, &ANYWHERE[..]].concat());
        let passwords = ["100", "101"].map(|_| exchange.event("account")["password"].as_str().unwrap().to_owned());
        let address = exchange.address();
        let mut callee = scratch.start(&[
            "answer",
            "--as",
            &format!("101:{}@{address}", passwords[1]),
            "--bind",
            "127.0.0.1",
            "--play",
            "silence",
        ]);
        callee.event("registered");
        let mut caller = scratch.start(&[
            "call",
            "101",
            "--as",
            &format!("100:{}@{address}", passwords[0]),
            "--bind",
            "127.0.0.1",
            "--play",
            "silence",
        ]);
        caller.event("answered");
        Talking { scratch, exchange, address, passwords, caller, callee }
    }

    /// What a command says; it must do what it is asked.
    fn ask(&self, arguments: &[&str]) -> Vec<Value> {
        let mut process = self.scratch.start(arguments);
        let mut values = Vec::new();
        loop {
            match process.next() {
                Value::Null => break,
                value => values.push(value),
            }
        }
        assert_eq!(process.exit_code(), 0, "{arguments:?}: {}", process.complaints());
        values
    }

    /// What a command says to people.
    fn words(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        let output = command.args(arguments).current_dir(&self.scratch.0).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A call is over for the exchange when it has written it down: soon after its ends have heard of it.
    fn history(&self) -> Vec<Value> {
        loop {
            let calls = self.ask(&["calls", "history"]);
            if !calls.is_empty() {
                return calls;
            }
        }
    }
}

#[test]
fn a_call_is_listed_shown_ended_and_remembered() {
    let mut talking = Talking::new("watched", &[]);
    let calls = talking.ask(&["calls", "ls"]);
    let [call] = &calls[..] else { panic!("one call: {calls:?}") };
    let (id, call_id) = (call["id"].as_str().unwrap(), call["call_id"].as_str().unwrap());
    assert_eq!((&call["state"], call["caller"].as_str().unwrap().split('@').next()), (&json!("answered"), Some("100")));
    for name in [id, call_id] {
        let story = &talking.ask(&["calls", "show", name])[0];
        let labels: Vec<&str> =
            story["ladder"].as_array().unwrap().iter().map(|step| step["label"].as_str().unwrap()).collect();
        for wanted in ["INVITE", "200", "ACK"] {
            assert!(labels.iter().any(|label| label.starts_with(wanted)), "{wanted} is not in {labels:?}");
        }
    }
    let picture = talking.words(&["calls", "show", id]);
    assert!(picture.contains("INVITE") && picture.contains("-->|") && picture.contains("|<--"), "{picture}");
    for secret in &talking.passwords {
        assert!(!picture.contains(secret.as_str()));
    }
    let listed = talking.words(&["calls", "ls"]);
    assert!(listed.starts_with(id) && listed.contains("answered") && listed.contains(" -> "), "{listed}");
    assert_eq!(talking.ask(&["calls", "hangup", id])[0]["event"], "hung_up");
    for phone in [&mut talking.caller, &mut talking.callee] {
        assert_eq!(phone.event("ended")["why"], "peer_hung_up");
    }
    assert!(talking.ask(&["calls", "ls"]).is_empty());
    assert_eq!(talking.scratch.start(&["calls", "hangup", id]).exit_code(), 1);
    let records = talking.history();
    let [record] = &records[..] else { panic!("one record: {records:?}") };
    assert_eq!((&record["call_id"], &record["end"]), (&json!(call_id), &json!("ended by us")));
    let csv = talking.words(&["calls", "history", "--csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("id,call_id,from,to,") && lines[1].contains(call_id), "{csv}");
    for (arguments, found) in [
        (&["--user", "100"][..], 1),
        (&["--user", "102"], 0),
        (&["--since", "1h"], 1),
        (&["--until", "1h"], 0),
        (&["--since", "2020-01-01", "--limit", "1"], 1),
    ] {
        assert_eq!(talking.ask(&[&["calls", "history"], arguments].concat()).len(), found, "{arguments:?}");
    }
    assert_eq!(talking.scratch.start(&["calls", "history", "--since", "yesterday"]).exit_code(), 2);
    // Without an exchange there are no calls, but there were some.
    talking.exchange.signal("-TERM");
    assert_eq!(talking.exchange.exit_code(), 0);
    assert_eq!(talking.ask(&["calls", "history"]).len(), 1);
    assert_eq!(talking.scratch.start(&["calls", "ls"]).exit_code(), 1);
    // Another exchange knows how it ended, and not what passed.
    let mut exchange = talking.scratch.start(&[&["serve"], &ANYWHERE[..]].concat());
    exchange.address();
    let mut shown = talking.scratch.start(&["calls", "show", call_id]);
    assert_eq!(shown.exit_code(), 1);
    let said = shown.complaints();
    assert!(said.contains("is not remembered any more") && said.contains(record["how"].as_str().unwrap()), "{said}");
    let mut both = talking.scratch.start(&["calls", "history", "--csv"]);
    assert_eq!(both.exit_code(), 2, "one form at a time: this is with --json");
}

#[test]
fn who_stops_the_exchange_waits_for_calls_and_says_so() {
    let mut talking = Talking::new("drains", &["--set", "serve.drain_s=60"]);
    talking.exchange.signal("-TERM");
    let draining = talking.exchange.event("draining");
    assert_eq!((draining["calls"].as_u64(), draining["words"].as_str()), (Some(1), Some("waiting for 1 call")));
    // Nobody else may call, phones may register, commands are done.
    let account = format!("100:{}@{}", talking.passwords[0], talking.address);
    let mut late = talking.scratch.start(&["call", "101", "--as", &account, "--bind", "127.0.0.1"]);
    assert_eq!(late.event("failed")["status"], 503);
    assert_eq!(talking.scratch.start(&["register", "--once", "--as", &account]).exit_code(), 0);
    assert_eq!(talking.ask(&["calls", "ls"]).len(), 1);
    talking.caller.signal("-INT");
    assert_eq!(talking.callee.event("ended")["why"], "peer_hung_up");
    assert_eq!(talking.exchange.event("stopped")["calls"], 0);
    assert_eq!(talking.exchange.exit_code(), 0);
    assert_eq!(talking.ask(&["calls", "history"])[0]["end"], "caller hung up");
}

#[test]
fn nobody_waits_longer_than_was_configured_and_a_second_signal_does_not_wait() {
    let mut talking = Talking::new("drains-bounded", &["--set", "serve.drain_s=1"]);
    let before = Instant::now();
    talking.exchange.signal("-INT");
    assert_eq!(talking.exchange.event("stopped")["calls"], 1);
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert_eq!(talking.exchange.exit_code(), 0);
    let mut talking = Talking::new("drains-at-once", &["--set", "serve.drain_s=3600"]);
    talking.exchange.signal("-TERM");
    talking.exchange.event("draining");
    talking.exchange.signal("-INT");
    assert_eq!(talking.exchange.event("stopped")["calls"], 1);
    assert_eq!(talking.exchange.exit_code(), 0);
}

#[test]
fn a_reload_takes_everything_over_that_it_can_and_drops_no_call() {
    let scratch = Scratch::new("reloads-file");
    let file = scratch.0.join("r.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write("");
    let talking = Talking::new("reloads", &["--config", file.to_str().unwrap()]);
    let Talking { mut exchange, scratch: inside, address, passwords, mut caller, mut callee } = talking;
    let account = format!("100:{}@{address}", passwords[0]);
    let call = |whom: &str| {
        let mut phone = inside.start(&["call", whom, "--as", &account, "--bind", "127.0.0.1"]);
        phone.event("failed")["status"].as_u64()
    };
    assert_eq!(call("555"), Some(480));
    write(
        "[registrar]\nmax_expires_s = 3700\n[limits]\ndestinations = [\"0049*\"]\n[proxy]\nmax_breadth = 20\n\
        [[trunk]]\nname = \"out\"\nto = \"sip:127.0.0.1:9\"\n\
        [[route]]\nwhen = { to = \"555\" }\ndo = \"reject\"\nstatus = 410\n\
        [[route]]\nwhen = { to = \"9*\" }\ndo = \"trunk\"\nto = \"out\"\n\
        [[user]]\nname = \"new\"\npassword = \"from the file\"\n",
    );
    exchange.signal("-HUP");
    assert_eq!(exchange.event("reloaded")["restart_for"], json!([]));
    assert_eq!(call("555"), Some(410), "a rule");
    assert_eq!(call("911"), Some(403), "a limit");
    let register = |account: String, more: &[&str]| {
        inside.start(&[&["register", "--once", "--as", &account], more].concat()).exit_code()
    };
    assert_eq!(register(format!("new:from the file@{address}"), &[]), 0, "an account");
    let mut asks_for_more = inside.start(&["register", "--once", "--as", &account, "--expires", "7000"]);
    assert_eq!(asks_for_more.event("registered")["expires_s"], 3700, "the registrar's times");
    // What needs a restart is named, each time.
    write("domains = [\"example.org\"]\n[auth]\nrealm = \"other\"\nrequired = false\n[store]\nkeep_records_days = 1\n");
    for _ in 0..2 {
        exchange.signal("-HUP");
        let event = exchange.event("reloaded");
        assert_eq!(event["restart_for"], json!(["domains", "auth.required", "auth.realm", "store"]));
    }
    assert_eq!(register(account.clone(), &[]), 0, "and stays as it was");
    assert_eq!(call("555"), Some(480), "the rule is gone");
    // What is wrong changes nothing.
    write("[tls]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n[[route]]\ndo = \"reject\"\n");
    exchange.signal("-HUP");
    assert!(exchange.event("reload_failed")["reason"].as_str().unwrap().contains("none.pem"));
    assert_eq!(call("555"), Some(480));
    // And all the while they have talked.
    caller.signal("-INT");
    assert_eq!(callee.event("ended")["why"], "peer_hung_up");
    assert_eq!(caller.exit_code(), 0);
    exchange.signal("-TERM");
    assert_eq!(exchange.exit_code(), 0);
    let said = exchange.complaints();
    assert!(said.contains("a call of user 100 was refused: 100 may not call"), "{said}");
}
