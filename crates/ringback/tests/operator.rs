//! What an operator does to a running exchange.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a failure fails the test; above the purity line

mod support;

use std::fs;
use support::{ANYWHERE, Scratch};

#[test]
fn who_is_removed_or_has_a_new_password_is_not_registered_any_more() {
    let scratch = Scratch::new("removed");
    let (_exchange, address, passwords) = scratch.exchange();
    for (user, password) in ["100", "101"].iter().zip(&passwords) {
        let account = format!("{user}:{password}@{address}");
        assert_eq!(scratch.start(&["register", "--once", "--as", &account]).exit_code(), 0);
    }
    let registered = || {
        let mut list = scratch.start(&["reg", "ls"]);
        let mut names = Vec::new();
        while let Some(aor) = list.next()["aor"].as_str() {
            names.push(aor.split('@').next().unwrap().to_owned());
        }
        names
    };
    assert_eq!(registered(), ["100", "101"]);
    assert_eq!(scratch.start(&["user", "rm", "100"]).exit_code(), 0);
    assert_eq!(registered(), ["101"]);
    assert_eq!(scratch.start(&["user", "add", "eva"]).exit_code(), 0);
    assert_eq!(registered(), ["101"]);
    assert_eq!(scratch.start(&["user", "passwd", "101"]).exit_code(), 0);
    assert!(registered().is_empty());
}

#[test]
fn bindings_are_removed_by_hand() {
    let scratch = Scratch::new("reg-rm");
    let (_exchange, address, [password, _]) = scratch.exchange();
    let account = format!("100:{password}@{address}");
    for _ in 0..2 {
        assert_eq!(scratch.start(&["register", "--once", "--as", &account]).exit_code(), 0);
    }
    let first = scratch.start(&["reg", "ls"]).next();
    let (aor, contact) = (first["aor"].as_str().unwrap(), first["contact"].as_str().unwrap());
    for (arguments, removed) in
        [(&["reg", "rm", aor, contact][..], 1), (&["reg", "rm", aor], 1), (&["reg", "rm", aor], 0)]
    {
        let mut process = scratch.start(arguments);
        assert_eq!((process.next()["removed"].as_u64(), process.exit_code()), (Some(removed), i32::from(removed == 0)));
    }
}

#[test]
fn a_hangup_reads_the_configuration_again() {
    let scratch = Scratch::new("hangup");
    let file = scratch.0.join("r.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    let user = |name: &str, password: &str| format!("[[user]]\nname = \"{name}\"\npassword = \"{password}\"\n");
    write(&user("alice", "the first one"));
    let mut exchange = scratch.start(&[&["serve", "--config", file.to_str().unwrap()], &ANYWHERE[..]].concat());
    let address = exchange.address();
    // (And of a password that is in no command line.)
    let code = |who: &str| scratch.start(&["register", "--once", "--as", &format!("{who}@{address}")]).exit_code();
    assert_eq!((code("alice:the first one"), code("alice:the second one")), (0, 1));
    write(&user("alice", "the second one"));
    exchange.signal("-HUP");
    assert_eq!(exchange.event("reloaded")["restart_for"], serde_json::json!([]));
    assert_eq!((code("alice:the first one"), code("alice:the second one")), (1, 0));
    // Whoever changes accounts need not know of the file.
    let mut changed = scratch.start(&["user", "add", "alice"]);
    assert_eq!(changed.exit_code(), 1);
    assert!(changed.complaints().contains("SIGHUP"));
    write("domians = []\n");
    exchange.signal("-HUP");
    let failed = exchange.event("reload_failed");
    assert!(failed["reason"].as_str().unwrap().contains("`domains`"), "{failed}");
    assert_eq!(code("alice:the second one"), 0);
    write(&format!("[registrar]\nmax_expires_s = 5000\n{}", user("bob", support::PASSWORD)));
    exchange.signal("-HUP");
    assert_eq!(exchange.event("reloaded")["restart_for"], serde_json::json!([]));
    assert_eq!((code("alice:the second one"), code("bob")), (1, 0));
    exchange.signal("-TERM");
    assert_eq!(exchange.exit_code(), 0);
}

#[test]
fn a_reload_shows_another_certificate_and_keeps_the_connections_that_are_open() {
    let scratch = Scratch::new("hangup-tls");
    let now = std::time::SystemTime::now();
    let file = |name: &str, text: &str| {
        let path = scratch.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let settings = ["first", "second"].map(|name| {
        let authority = net::make_local_ca(now).unwrap();
        let ours = ["127.0.0.1".parse().unwrap()];
        let pair = net::make_local_certificate(&authority, &[], &ours, now).unwrap();
        let (pem, key) = (file(&format!("{name}.pem"), &pair.certificate), file(&format!("{name}.key"), &pair.key));
        let text = format!("[tls]\ncertificate = \"{pem}\"\nkey = \"{key}\"\n");
        (file(&format!("{name}-ca.pem"), &authority.certificate), text)
    });
    let [(first_ca, first), (second_ca, second)] = &settings;
    let config = file("r.toml", first);
    let tls = ["--set", "listen.tls=127.0.0.1:0"];
    let mut exchange = scratch.start(&[&["serve", "--config", &config], &tls[..], &ANYWHERE].concat());
    let passwords = ["100", "101"].map(|_| exchange.event("account")["password"].as_str().unwrap().to_owned());
    let ready = exchange.event("ready");
    let at = |name: &str| {
        let all = ready["listen"].as_array().unwrap().iter();
        all.filter_map(|one| one.as_str()?.strip_prefix(name)).next().unwrap().to_owned()
    };
    let (udp, tls) = (at("udp:"), at("tls:"));
    let believed = |ca: &str| {
        let uri = format!("sip:{tls}");
        scratch.start(&["options", &uri, "--transport", "tls", "--ca", ca]).exit_code() == 0
    };
    assert!(believed(first_ca) && !believed(second_ca));
    let account = format!("101:{}@{tls}", passwords[1]);
    let mut phone = scratch.start(&[
        "answer",
        "--as",
        &account,
        "--transport",
        "tls",
        "--ca",
        first_ca,
        "--bind",
        "127.0.0.1",
        "--play",
        "silence",
    ]);
    phone.event("registered");
    file("r.toml", second);
    exchange.signal("-HUP");
    assert_eq!(exchange.event("reloaded")["restart_for"], serde_json::json!([]));
    assert!(believed(second_ca) && !believed(first_ca));
    // Over the connection that was there before.
    let account = format!("100:{}@{udp}", passwords[0]);
    let mut caller = scratch.start(&["call", "101", "--as", &account, "--bind", "127.0.0.1", "--duration", "0.1"]);
    caller.event("answered");
    assert_eq!(caller.exit_code(), 0);
    assert_eq!(phone.event("ended")["why"], "peer_hung_up");
}
