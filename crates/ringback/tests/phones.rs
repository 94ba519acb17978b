//! What somebody at a terminal meets who calls, and is not answered as hoped.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)] // a failure fails the test; above the purity line

mod support;

use std::net::UdpSocket;
use std::time::{Duration, Instant};
use support::Scratch;

#[test]
fn a_call_that_nobody_answers_comes_to_an_end() {
    let scratch = Scratch::new("timeout");
    let mut callee = scratch.start(&["answer", "--bind", "127.0.0.1:0", "--after=60"]);
    let uri = callee.event("ready")["listen"][0].as_str().unwrap().replace("udp:", "sip:bob@");
    let mut caller = scratch.start(&["call", &uri, "--bind", "127.0.0.1", "--timeout", "0.5"]);
    assert_eq!(caller.exit_code(), 3);
    assert!(caller.complaints().contains("nobody answered within 0.5 s"));
    assert_eq!(callee.event("ended")["why"], "peer_cancelled");
}

#[test]
fn whoever_presses_ctrl_c_is_not_kept_waiting() {
    let scratch = Scratch::new("ctrl-c");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let uri = format!("sip:bob@{}", silent.local_addr().unwrap());
    let mut caller = scratch.start(&["call", &uri, "--bind", "127.0.0.1"]);
    silent.recv(&mut [0; 2000]).unwrap();
    let pressed = Instant::now();
    caller.signal("-INT");
    assert_eq!(caller.exit_code(), 1);
    assert!(pressed.elapsed() < Duration::from_secs(10), "not the 32 s of a transaction");
}

#[test]
fn what_cannot_be_called_is_wrong_usage_and_says_what_to_write() {
    let scratch = Scratch::new("addresses");
    let (_exchange, address, [password, _]) = scratch.exchange();
    let account = format!("100:{password}@{address}");
    for (arguments, wanted) in [
        (&["call", "101"][..], "--as"),
        (&["call", ""], "no SIP address"),
        (&["call", "tel:101"], "--as"),
        (&["call", "sip:101 x@127.0.0.1"], "no SIP address"),
        (&["options", "http://127.0.0.1"], "no SIP address"),
        (&["options", "sip:[::1"], "no SIP address"),
        (&["message", "101", "hello", "--transport", "sctp"], "tcp"),
        (&["register", "--as", "100:x@127.0.0.1:99999"], "HOST"),
    ] {
        let mut process = scratch.start(arguments);
        assert_eq!(process.exit_code(), 2, "{arguments:?}");
        let said = process.complaints();
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
    // Through an exchange, a telephone number is somebody there; even a quiet command says why it failed.
    for number in ["tel:101", "101"] {
        let mut caller = scratch.start(&["call", number, "--as", &account, "-q"]);
        assert_eq!((caller.event("failed")["status"].as_u64(), caller.exit_code()), (Some(480), 1));
        assert!(caller.complaints().contains("nobody is registered there"));
    }
    let mut loud = scratch.start(&["options", &format!("sip:{address}"), "-vv"]);
    assert_eq!(loud.exit_code(), 0);
    let said = loud.complaints();
    assert!(
        said.contains("-> OPTIONS sip:") && said.contains("<- 200 OK (OPTIONS) from") && said.contains("Max-Forwards:"),
        "{said}"
    );
    let mut wrong = scratch.start(&["register", "--once", "-q", "--as", &format!("100:wrong@{address}")]);
    assert_eq!(wrong.exit_code(), 1);
    assert!(wrong.complaints().contains("not this password"));
}
