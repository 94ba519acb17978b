//! The control socket, as somebody meets it who speaks to it without our commands.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)] // a failure fails the test; above the purity line

mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use support::Scratch;

fn socket(scratch: &Scratch) -> PathBuf {
    scratch.0.join("ringback-data/control.sock")
}

struct Line(BufReader<UnixStream>);

impl Line {
    fn open(scratch: &Scratch) -> Line {
        Line(BufReader::new(UnixStream::connect(socket(scratch)).unwrap()))
    }

    fn next(&mut self) -> Value {
        let mut text = String::new();
        self.0.read_line(&mut text).unwrap();
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    fn say(&mut self, text: &str) {
        // Who is not listened to any more is told why all the same.
        let _ = self.0.get_mut().write_all(format!("{text}\n").as_bytes());
    }
}

#[test]
fn one_object_per_line_in_and_lines_of_json_out() {
    let scratch = Scratch::new("control");
    let (_exchange, ..) = scratch.exchange();
    assert_eq!(fs::metadata(socket(&scratch)).unwrap().permissions().mode() & 0o777, 0o600);
    let mut line = Line::open(&scratch);
    assert_eq!(line.next(), json!({"ringback": env!("CARGO_PKG_VERSION")}));
    line.say(r#"{"command":"user-show","name":"100"}"#);
    assert_eq!(line.next()["value"]["user"], "100");
    assert_eq!(line.next(), json!({"done": null}));
    for (wrong, said, exit) in [
        (r#"{"command":"user-show","name":"nobody"}"#, "there is no user nobody", 1),
        (r#"{"command":"user-show","nmae":"100"}"#, "unknown field `nmae`", 2),
        (r#"{"command":"shutdown"}"#, "unknown variant `shutdown`", 2),
        ("reg ls", "does not understand", 2),
        (r#"{"command":"ban-add","source":"10.0.0.1/8","for_s":60,"why":""}"#, "cannot be banned", 2),
        (r#"{"command":"calls-hangup","id":"7.7"}"#, "there is no call 7.7", 1),
    ] {
        line.say(wrong);
        let answer = line.next();
        let what = answer["error"]["what"].as_str().unwrap();
        assert!(what.contains(said) && answer["error"]["exit"] == exit, "{wrong}: {answer}");
    }
    // A command is as long as it may be, and then the line is closed.
    line.say(&format!(r#"{{"command":"reg-rm","aor":"{}"}}"#, "a".repeat(70_000)));
    assert!(line.next()["error"]["what"].as_str().unwrap().contains("more than 65536 bytes"));
    assert!(line.next().is_null());
}

#[test]
fn one_more_than_may_ask_at_once_is_told_so() {
    let scratch = Scratch::new("control-many");
    let (_exchange, ..) = scratch.exchange();
    let mut lines: Vec<Line> = (0..16).map(|_| Line::open(&scratch)).collect();
    lines.iter_mut().for_each(|line| assert!(line.next()["ringback"].is_string()));
    let mut late = Line::open(&scratch);
    assert!(late.next()["ringback"].is_string());
    assert!(late.next()["error"]["what"].as_str().unwrap().contains("16 commands are under way"));
    let mut listed = scratch.start(&["reg", "ls"]);
    assert_eq!(listed.exit_code(), 1);
    assert!(listed.complaints().contains("16 commands are under way"));
    // Who says nothing for five seconds makes room for others.
    assert!(lines[0].next().is_null());
    while scratch.start(&["reg", "ls"]).exit_code() != 0 {}
}

#[test]
fn an_exchange_of_another_version_is_named() {
    let scratch = Scratch::new("control-version");
    fs::create_dir(scratch.0.join("ringback-data")).unwrap();
    let listener = UnixListener::bind(socket(&scratch)).unwrap();
    let other = std::thread::spawn(move || {
        for greeting in ["{\"ringback\":\"0.0.1\"}\n{\"error\":{\"what\":\"unknown\",\"exit\":2}}\n", "", "nonsense\n"]
        {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(greeting.as_bytes()).unwrap();
        }
    });
    for (code, said) in
        [(2, "unknown\nthe exchange that runs is ringback 0.0.1"), (1, "another version"), (1, "another version")]
    {
        let mut command = scratch.start(&["reg", "ls"]);
        assert_eq!(command.exit_code(), code);
        let complaints = command.complaints();
        assert!(complaints.contains(said) && complaints.contains(env!("CARGO_PKG_VERSION")), "{complaints}");
    }
    other.join().unwrap();
}

#[test]
fn an_exchange_without_a_socket_is_told_from_one_that_is_stopped() {
    let scratch = Scratch::new("control-none");
    let (_exchange, ..) = scratch.exchange();
    fs::remove_file(socket(&scratch)).unwrap();
    let mut command = scratch.start(&["user", "add", "anna"]);
    assert_eq!(command.exit_code(), 1);
    let said = command.complaints();
    assert!(said.contains("is in use by another ringback") && said.contains("does not listen at"), "{said}");
}
