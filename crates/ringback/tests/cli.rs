//! The binary, as a script sees it: arguments in, exit code and two streams out.
#![allow(clippy::unwrap_used)] // whatever goes wrong in here fails the test

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{fs, str};

/// A folder of this test's own, gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("ringback-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn run(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command.args(arguments).current_dir(&self.0).env_remove("RUST_LOG");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Some commands read nothing.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| str::from_utf8(bytes).unwrap().to_owned();
        (status.code().unwrap_or(-1), text(&stdout), text(&stderr))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const INVITE: &str = "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\nMax-Forwards: 70\r\n\
    From: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@10.0.0.1>\r\n\
    Content-Length: 0\r\n\r\n";

#[test]
fn inspect_tells_good_from_bad() {
    let scratch = Scratch::new("inspect");
    let good = scratch.file("good", INVITE);
    let bad = scratch.file("bad", INVITE.replace("Max-Forwards: 70", "Max-Forwards: many"));
    let (code, out, _) = scratch.run(&["inspect", "--json", &good], "");
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value, serde_json::json!({"file": good, "valid": true, "kind": "request", "method": "INVITE"}));
    assert_eq!(code, 0);
    let (code, out, _) = scratch.run(&["--json", "inspect", &good, &bad], "");
    let second: serde_json::Value = serde_json::from_str(out.lines().nth(1).unwrap()).unwrap();
    assert_eq!((code, second["valid"].as_bool(), second["response"].as_u64()), (1, Some(false), Some(400)));
    assert!(second["error"].is_string() && second["offset"].is_u64(), "{second}");
    let (code, out, _) = scratch.run(&["inspect", "-"], "nonsense");
    assert!(code == 1 && out.contains("-: not a SIP message") && out.matches("not a SIP").count() == 1, "{out}");
    let (code, out, _) = scratch.run(&["inspect", "-"], INVITE);
    assert!(code == 0 && out.contains("well-formed INVITE request"), "{out}");
    let (code, _, said) = scratch.run(&["inspect", "no-such-file"], "");
    assert!(code == 2 && said.contains("no-such-file"), "{said}");
}

#[test]
fn wrong_usage_is_2_and_help_begins_with_an_example() {
    let scratch = Scratch::new("usage");
    for arguments in [&["inspect"][..], &["nonsense"], &["--nonsense"], &["--data", "d", "options", "sip:a"]] {
        let (code, out, said) = scratch.run(arguments, "");
        assert!(code == 2 && out.is_empty() && !said.is_empty(), "{arguments:?}: {code} {said}");
    }
    for command in [
        "",
        "serve",
        "demo",
        "user",
        "user add",
        "user ls",
        "user show",
        "user rm",
        "user passwd",
        "user forward",
        "user import",
        "reg",
        "reg ls",
        "reg rm",
        "calls",
        "calls ls",
        "calls show",
        "calls hangup",
        "calls history",
        "ban",
        "ban ls",
        "ban add",
        "ban rm",
        "register",
        "call",
        "answer",
        "message",
        "options",
        "inspect",
        "load",
        "route",
        "route test",
        "route add",
        "route ls",
        "route rm",
        "config",
        "config check",
        "config show",
        "config schema",
        "completions",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let (code, out, _) = scratch.run(&arguments, "");
        assert!(code == 0 && out.starts_with("Example: ringback"), "{command}: {out}");
    }
}

#[test]
fn wrong_configuration_is_2_with_the_line_and_the_key_that_was_meant() {
    let scratch = Scratch::new("config");
    let file = scratch.file("r.toml", "data = \"d\"\ndomians = [\"a\"]\n");
    for command in [&["serve"][..], &["config", "check"], &["user", "ls"], &[]] {
        let arguments: Vec<&str> = command.iter().copied().chain(["--config", &file]).collect();
        let (code, out, said) = scratch.run(&arguments, "");
        assert!(code == 2 && out.is_empty(), "{command:?}: {code}");
        assert!(said.contains("r.toml:2:1") && said.contains("2 | domians") && said.contains("`domains`"), "{said}");
    }
    let (code, _, said) = scratch.run(&["config", "check", "--config", "none.toml"], "");
    assert!(code == 2 && said.contains("none.toml"), "{said}");
    let (code, out, _) = scratch.run(&["config", "check", "--json", "--set", "data=x"], "");
    assert!(code == 0 && out.contains("\"ok\":true"), "{out}");
}

#[test]
fn the_configuration_is_shown_with_its_origin_and_without_secrets() {
    let scratch = Scratch::new("show");
    let file = scratch.file("r.toml", "[auth]\nrealm = \"here\"\n[[user]]\nname = \"a\"\npassword = \"geheim\"\n");
    let arguments = ["config", "show", "--origin", "--config", &file, "--set", "proxy.record_route=false"];
    let (code, out, _) = scratch.run(&arguments, "");
    assert_eq!(code, 0);
    assert!(out.contains(&format!("realm = \"here\"  # {file}:2")), "{out}");
    assert!(
        out.contains("record_route = false  # flag") && out.contains("data = \"ringback-data\"  # default"),
        "{out}"
    );
    assert!(!out.contains("geheim"), "{out}");
    // What is shown can be read again, but for the secrets.
    let (_, out, _) = scratch.run(&["config", "show"], "");
    let again = scratch.file("again.toml", out);
    assert_eq!(scratch.run(&["config", "check", "--config", &again], "").0, 0);
    let (code, out, _) = scratch.run(&["config", "schema"], "");
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &schema["properties"]["auth"]["properties"]["realm"]["default"]), (0, &"ringback".into()));
}

#[test]
fn users_are_added_shown_changed_and_removed() {
    let scratch = Scratch::new("user");
    let file = scratch.0.join("ringback-data/ringback.db");
    // Looking makes nothing.
    for arguments in
        [&["user", "ls"][..], &["user", "show", "a"], &["user", "rm", "a"], &["user", "passwd", "a"], &["reg", "ls"]]
    {
        let (code, out, said) = scratch.run(arguments, "");
        assert!(code == 1 && out.is_empty() && said.contains("data folder"), "{arguments:?}: {said}");
    }
    assert!(!scratch.0.join("ringback-data").exists());
    // In front of the command or behind it.
    for arguments in [
        &["--data", "d", "user", "ls"][..],
        &["user", "ls", "--data", "d"],
        &["--data", "e", "user", "ls", "--data", "d"],
    ] {
        let (code, _, said) = scratch.run(arguments, "");
        assert!(code == 1 && said.contains("data folder d;"), "{arguments:?}: {said}");
    }
    let (code, out, _) = scratch.run(&["user", "add", "anna", "--json"], "");
    let added: serde_json::Value = serde_json::from_str(&out).unwrap();
    let password = added["password"].as_str().unwrap();
    assert!(code == 0 && password.len() >= 12, "{out}");
    assert_eq!((mode(&scratch.0.join("ringback-data")), mode(&file)), (0o700, 0o600));
    let contains = |text: &str| fs::read(&file).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(contains("anna") && !contains(password));
    let (code, out, _) = scratch.run(&["user", "passwd", "anna", "--password-stdin"], "pass word\n");
    assert!(code == 0 && !out.contains("pass word"), "{out}");
    assert!(!contains("pass word"));
    assert_eq!(scratch.run(&["user", "add", "anna"], "").0, 1);
    assert_eq!(scratch.run(&["user", "add", "an na"], "").0, 2);
    assert_eq!(scratch.run(&["user", "add", "bert", "--password-stdin"], "").0, 2);
    let (code, out, _) = scratch.run(&["user", "ls"], "");
    assert_eq!((code, out.as_str()), (0, "anna\n"));
    assert_eq!(scratch.run(&["user", "show", "anna"], "").0, 0);
    assert_eq!(scratch.run(&["user", "rm", "anna"], "").0, 0);
    for verb in ["show", "rm", "passwd"] {
        let (code, _, said) = scratch.run(&["user", verb, "anna"], "");
        assert!(code == 1 && said.contains("no user anna"), "{verb}: {said}");
    }
    // What an older version has left is taken over once, and what is damaged is left as it is.
    let old = scratch.0.join("ringback-data/users.toml");
    fs::write(&old, "[[user]]\nname = ").unwrap();
    let serve = ["serve", "--set", "listen.udp=127.0.0.1:0", "--set", "listen.tcp=[]"];
    for arguments in [&["user", "add", "carl"][..], &serve] {
        let (code, _, said) = scratch.run(arguments, "");
        assert!(
            code == 2 && said.contains("users.toml cannot be understood") && said.contains("left as it is"),
            "{said}"
        );
    }
    assert_eq!(fs::read_to_string(&old).unwrap(), "[[user]]\nname = ");
    let digits = |length: usize| "0".repeat(length);
    let user = format!(
        "[[user]]\nname = \"dora\"\nrealm = \"ringback\"\nha1_md5 = \"{}\"\nha1_sha256 = \"{}\"\n",
        digits(32),
        digits(64)
    );
    fs::write(&old, user).unwrap();
    assert_eq!(scratch.run(&["user", "ls"], "").1, "dora\n");
    assert!(!old.exists() && scratch.0.join("ringback-data/users.toml.imported").exists());
    fs::write(&file, "this is no database, and was one").unwrap();
    for arguments in [&["user", "ls"][..], &["calls", "history"], &serve] {
        let (code, _, said) = scratch.run(arguments, "");
        assert!(
            code == 2 && said.contains("ringback.db") && said.contains("left as it is"),
            "{arguments:?}: {code} {said}"
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "this is no database, and was one");
}
