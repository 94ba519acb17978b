//! What monitors see of a running exchange.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)] // a failure fails the test; above the purity line

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use support::{ANYWHERE, Scratch};

fn get(http: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(http).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {http}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn metric(http: &str, name: &str) -> f64 {
    let text = get(http, "/metrics").1;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

#[test]
fn monitors_see_what_the_exchange_does() {
    let scratch = Scratch::new("monitors");
    let mut exchange = scratch.start(&[&["serve", "--set", "listen.http=127.0.0.1:0"], &ANYWHERE[..]].concat());
    let password = exchange.event("account")["password"].as_str().unwrap().to_owned();
    let ready = exchange.event("ready");
    let listen: Vec<&str> = ready["listen"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let at = |transport: &str| listen.iter().find_map(|one| one.strip_prefix(transport)).unwrap().to_owned();
    let (http, udp) = (at("http:"), at("udp:"));
    assert_eq!(get(&http, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&http, "/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(metric(&http, "ringback_accounts"), 3.0);
    assert_eq!(metric(&http, "ringback_bindings"), 0.0);
    let received = metric(&http, "ringback_datagrams_received_total");
    let account = format!("100:{password}@{udp}");
    assert_eq!(scratch.start(&["register", "--once", "--as", &account]).exit_code(), 0);
    assert_eq!(metric(&http, "ringback_bindings"), 1.0);
    assert!(metric(&http, "ringback_datagrams_received_total") >= received + 2.0);
    // One that somebody chose and cannot be had is an error, which says what to do.
    let mut other = scratch
        .start(&[&["serve", "--data", "other", "--set", &format!("listen.http={http}")], &ANYWHERE[..]].concat());
    assert_eq!(other.exit_code(), 2);
    assert!(other.complaints().contains("listen.http"));
    exchange.signal("-TERM");
    assert_eq!(exchange.exit_code(), 0);
}
