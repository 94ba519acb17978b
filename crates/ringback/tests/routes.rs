//! Dial rules, as an operator sees them: `config check` and `route test`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // whatever goes wrong in here fails the test

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use support::Scratch;

/// A small office: two carriers, a night service, a voicemail, forwards.
const OFFICE: &str = include_str!("office.toml");

impl Office {
    fn new(name: &str) -> Office {
        Office::with(name, OFFICE)
    }

    fn with(name: &str, text: &str) -> Office {
        let scratch = Scratch::new(name);
        fs::write(scratch.0.join("office.toml"), text).unwrap();
        Office(scratch)
    }

    /// The exit code and what stands on the two streams.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command.args(arguments).args(["--config", "office.toml"]).current_dir(&self.0.0).env_remove("RUST_LOG");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// The exit code and the result of `route test`.
    fn test(&self, arguments: &str) -> (i32, Value) {
        let words: Vec<&str> = ["route", "test", "--json"].into_iter().chain(arguments.split_whitespace()).collect();
        let (code, out, said) = self.run(&words);
        let result = out.lines().last().map(|line| serde_json::from_str(line).unwrap()).unwrap_or_default();
        assert!(code == 2 || result != Value::Null, "{arguments}: {said}");
        (code, result)
    }
}

struct Office(Scratch);

fn uris(result: &Value) -> Vec<&str> {
    result["to"].as_array().unwrap().iter().map(|to| to["uri"].as_str().unwrap()).collect()
}

#[test]
fn config_check_explains_each_rule_in_a_line() {
    let office = Office::new("check");
    let (code, out, said) = office.run(&["config", "check"]);
    assert_eq!((code, said.as_str()), (0, ""), "nothing to warn of");
    for line in [
        "trunk alpha: is reached at sips:sbc.alpha.example, or at sip:sbc2.alpha.example;transport=tcp, is known by its address \
         203.0.113.0/28, and is told and believed who calls",
        "route 1 (emergency): every request to 110 or 112 by one of our users goes to trunk alpha or beta where that does not work; \
         for our users only",
        "route 5 (night): INVITE to 49301234 or +49301234 on mon-fri at 18:00-08:00 goes to 199",
        "route 10 (no premium numbers): INVITE to 00900* or 0900* is refused with 403 Premium numbers are blocked",
        "user 101: what finds them busy goes to 102",
        "user 101: what is not answered after 15 s goes to 199",
        "the configuration is good",
    ] {
        assert!(out.lines().any(|shown| shown == line), "{line}\nis not in\n{out}");
    }
    let (_, out, _) = office.run(&["config", "check", "--json"]);
    let events: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let routes = events.iter().filter(|event| event["event"] == "route");
    assert_eq!(routes.filter_map(|event| event["route"].as_u64()).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert_eq!(events.last(), Some(&json!({"event": "checked", "ok": true})));
}

#[test]
fn config_check_warns_of_what_was_probably_not_meant() {
    let text = r#"
        [proxy]
        mode = "stateless"
        [[trunk]]
        name = "in"
        from = "192.0.2.1"
        trust_identity = true
        [[route]]
        when = { to = "*97" }
        do = "fork"
        to = ["100", "101"]
        [[route]]
        name = "all"
        do = "user"
        [[route]]
        when = { to = "0*" }
        do = "trunk"
        to = "in"
    "#;
    let (code, _, said) = Office::with("warn", text).run(&["config", "check"]);
    assert_eq!(code, 0);
    for words in [
        "route 3 never fires: route 2 (all) takes everything before it",
        r"the star code is written '\*97'",
        "route 3 leads to trunk in, which has no `to`",
        "route 1 needs state",
        "trunk in is trusted over a network",
    ] {
        assert!(said.contains(words), "{words}\nis not in\n{said}");
    }
}

#[test]
fn config_check_reads_the_certificates() {
    let office = Office::with("certificates", "[tls]\nclient_ca = \"nowhere.pem\"\n");
    let (code, _, said) = office.run(&["config", "check"]);
    assert_eq!(code, 2);
    assert!(said.contains("cannot read nowhere.pem"), "{said}");
}

#[test]
fn route_test_says_where_calls_go() {
    let office = Office::new("where");
    let (day, night) = ("--at 2026-11-20T09:30", "--at 2026-11-20T20:30");
    for (arguments, route, to) in [
        // A Friday, by day and by night.
        (
            format!("--from 100 --to 112 {day}"),
            Some(1),
            &["sips:112@sbc.alpha.example", "sip:112@sbc2.alpha.example;transport=tcp", "sip:112@gw.beta.example"][..],
        ),
        (
            format!("--from 100 --to 0015551234 {day}"),
            Some(11),
            &[
                "sip:+15551234@gw.beta.example",
                "sips:+15551234@sbc.alpha.example",
                "sip:+15551234@sbc2.alpha.example;transport=tcp",
            ],
        ),
        (
            format!("--from 100 --to 030999 {day}"),
            Some(12),
            &["sips:+4930999@sbc.alpha.example", "sip:+4930999@sbc2.alpha.example;transport=tcp"],
        ),
        (
            format!("--from 100 --to tel:030-999 {day}"),
            Some(12),
            &["sips:+4930999@sbc.alpha.example", "sip:+4930999@sbc2.alpha.example;transport=tcp"],
        ),
        (
            format!("--from sip:+491@x.example --to +49301234 --source 203.0.113.5 {day}"),
            Some(7),
            &["sip:100@office.example", "sip:101@office.example"],
        ),
        (
            format!("--from sip:+491@x.example --to +49301234 --trunk alpha {night}"),
            Some(5),
            &["sip:199@office.example"],
        ),
        (
            "--from sip:+491@x.example --to +49301234 --trunk alpha --at 2026-11-21T07:00".to_owned(),
            Some(5),
            &["sip:199@office.example"],
        ),
        (
            "--from sip:+491@x.example --to +49301234 --trunk alpha --at 2026-11-21T09:00".to_owned(),
            Some(6),
            &["sip:199@office.example"],
        ),
        (format!("--from 100 --to *97 {day}"), Some(2), &["sip:100@voicemail.office.example"]),
        (format!("--from 100 --to 101 {day}"), None, &["sip:101@office.example"]),
        (format!("--from 100 --to 100@elsewhere.example {day}"), None, &["sip:100@elsewhere.example"]),
    ] {
        let (code, result) = office.test(&arguments);
        assert_eq!((code, result["route"].as_u64(), uris(&result)), (0, route, to.to_vec()), "{arguments}");
    }
}

#[test]
fn route_test_says_what_is_refused_and_why() {
    let office = Office::new("refused");
    for (arguments, status, why) in [
        ("--from 100 --to 0900123", 403, "Premium numbers are blocked"),
        ("--from 100 --to 150", 480, "nobody is called 150 here"),
        ("--from 100 --to sip:0900@sbc.alpha.example", 403, "to a trunk leads a rule or nothing"),
        ("--from 177 --to 100", 407, "177 is none of our users"),
        ("--from sip:a@stranger.example --to 030999", 407, "is not open to everybody"),
        ("--from sip:a@stranger.example --to b@elsewhere.example", 407, "only our users"),
        ("--from 100 --to 0", 484, "nothing is left of the number"),
        ("--from 100 --to 100 --registered no", 480, "no phone of user 100 is there"),
        ("--from 100 --to 103", 480, "round and round"),
    ] {
        let (code, result) = office.test(arguments);
        assert_eq!((code, result["status"].as_u64()), (1, Some(status)), "{arguments}: {result}");
        let words: Vec<&str> = ["route", "test"].into_iter().chain(arguments.split_whitespace()).collect();
        let (_, out, _) = office.run(&words);
        assert!(out.contains(why), "{arguments}: {out}");
    }
}

#[test]
fn route_test_follows_forwards_and_names_what_does_not_fit() {
    let office = Office::new("forwards");
    let (code, out, _) = office.run(&["route", "test", "--from", "100", "--to", "102", "--registered", "no"]);
    assert!(code == 0 && out.contains("user 102 forwards what finds no phone of theirs to 0170555"), "{out}");
    assert!(out.contains("it goes to sips:+49170555@sbc.alpha.example, which is trunk alpha"), "{out}");
    let (code, out, _) = office.run(&["route", "test", "--from", "100", "--to", "101"]);
    assert!(
        code == 0 && out.contains("when busy, it goes to 102") && out.contains("within 15 s, it goes to 199"),
        "{out}"
    );
    let (_, out, _) = office.run(&["route", "test", "--from", "a@stranger.example", "--to", "112"]);
    assert!(out.contains("route 1 (emergency) does not fit: caller") && !out.contains("route 2"), "{out}");
    // Messages are not forwarded.
    let (_, result) = office.test("--from 100 --to 103 --method MESSAGE");
    assert_eq!(uris(&result), ["sip:103@office.example"]);
}

#[test]
fn route_test_makes_the_request_that_its_flags_describe() {
    let text = r#"
        domains = ["office.example"]
        [auth]
        required = false
        [[route]]
        when = { method = "MESSAGE", header = { "X-Line" = "2*", Subject = "hello" } }
        do = "fork"
        to = ["100", "{user}@wrong"]
        [[route]]
        when = { transport = "tls", source = "2001:db8::/32" }
        do = "stateless"
        [[route]]
        when = { registered = true }
        do = "redirect"
        to = ["sip:{user}@a.example", "sip:{user}@b.example"]
    "#;
    let office = Office::with("flags", &text.replace(", \"{user}@wrong\"", ""));
    let base = ["route", "test", "--json", "--from", "x@y.example", "--to", "101"];
    let route = |more: &[&str]| {
        let (code, out, said) = office.run(&[&base[..], more].concat());
        let result: Value = serde_json::from_str(out.lines().last().unwrap_or(&said)).unwrap();
        (code, result["route"].as_u64(), uris(&result).join(" "))
    };
    let gone = ["--registered", "no"];
    let headers = ["--header", "X-Line: 21", "--header", "s: Hello"];
    assert_eq!(
        route(&[&headers[..], &["--method", "MESSAGE"]].concat()),
        (0, Some(1), "sip:100@office.example".into())
    );
    assert_eq!(route(&[&headers[..2], &gone, &["--method", "MESSAGE"]].concat()).1, None);
    assert_eq!(route(&[&headers[..], &gone].concat()).1, None);
    let secure = ["--transport", "TLS", "--source", "2001:db8::9"];
    assert_eq!(route(&secure), (0, Some(2), "sip:101@office.example".into()));
    assert_eq!(route(&[&secure[..], &gone].concat()), (1, Some(2), String::new()));
    assert_eq!(route(&[&secure[..2], &gone].concat()).1, None);
    let (code, out, _) = office.run(&["route", "test", "--from", "100", "--to", "101", "--registered", "yes"]);
    assert!(code == 0 && out.contains("the caller is told 302 Moved Temporarily: <sip:101@a.example>;q=1\n"), "{out}");
    assert!(out.contains("<sip:101@b.example>;q=0.500\n"), "{out}");
    let (code, _, said) = Office::with("place", text).run(&["config", "check"]);
    assert!(code == 2 && said.contains("office.toml:8:22") && said.contains("sip: in front"), "{said}");
}

#[test]
fn route_test_tells_wrong_usage() {
    let office = Office::new("usage");
    for (arguments, words) in [
        ("--from 100 --to 101 --at noon", "2026-11-20T09:30 is needed"),
        ("--from 100 --to 101 --trunk gamma", "there is no trunk \"gamma\""),
        ("--from 100 --to 101 --header X", "NAME: VALUE"),
        ("--from 100 --to sip:a@b:port", "--to"),
        ("--from 100 --to 101 --registered perhaps", "yes"),
        ("--from 100 --to 101 --transport sctp", "udp, tcp, tls, ws or wss"),
        ("--from 100 --to 198", "add --registered yes"),
        ("--from 100", "--to"),
    ] {
        let words_of: Vec<&str> = ["route", "test"].into_iter().chain(arguments.split_whitespace()).collect();
        let (code, _, said) = office.run(&words_of);
        assert!(code == 2 && said.contains(words), "{arguments}: {code} {said}");
    }
}
