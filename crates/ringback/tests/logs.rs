//! What stands in a log, and what never does.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)] // a failure fails the test; above the purity line

mod support;

use serde_json::Value;
use sip_auth::Secrets;
use std::io::Read;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use support::{ANYWHERE, Process, Scratch};

/// Passes messages on between an exchange and the phone that comes to it, and keeps what the phone has said.
fn relay(exchange: SocketAddr) -> (SocketAddr, Arc<Mutex<String>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (socket.local_addr().unwrap(), Arc::<Mutex<String>>::default());
    let to = heard.clone();
    std::thread::spawn(move || {
        let (mut phone, mut buffer) = (exchange, [0; 65_536]);
        // It ends with the test's process.
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let next = if from == exchange {
                phone
            } else {
                phone = from;
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
                exchange
            };
            let _ = socket.send_to(&buffer[..length], next);
        }
    });
    (address, heard)
}

/// Reads all that a process logs, beside whatever else is done.
fn log(process: &mut Process) -> JoinHandle<String> {
    let mut stderr = process.child.stderr.take().unwrap();
    std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an exchange and a phone log of a registration, with everything that may be in no log.
fn registration(name: &str, flags: &[&str]) -> ([String; 2], Vec<String>) {
    let scratch = Scratch::new(name);
    let file = scratch.0.join("r.toml");
    let password = "battery-staple".to_owned();
    std::fs::write(&file, format!("[[user]]\nname = \"100\"\npassword = \"{password}\"\n")).unwrap();
    let mut exchange = scratch.start(&[&["serve", "--config", support::path(&file)], flags, &ANYWHERE[..]].concat());
    let exchange_log = log(&mut exchange);
    let address = exchange.address();
    let (relay, heard) = relay(address.parse().unwrap());
    let account = format!("100:{password}@{address}");
    let mut phone = scratch.start(&["register", "--once", "-vv", "--as", &account, "--via", &format!("sip:{relay}")]);
    let phone_log = log(&mut phone);
    assert_eq!(phone.exit_code(), 0);
    exchange.signal("-TERM");
    let logs = [exchange_log.join().unwrap(), phone_log.join().unwrap()];
    let realm_secrets = Secrets::new("100", "ringback", &password);
    let mut secrets = vec![password, hex(&realm_secrets.md5), hex(&realm_secrets.sha256)];
    let heard = heard.lock().unwrap();
    for proof in ["response=\"", "cnonce=\""] {
        let values = heard.split(proof).skip(1).filter_map(|rest| rest.split('"').next());
        let before = secrets.len();
        secrets.extend(values.map(str::to_owned));
        assert!(secrets.len() > before, "no {proof} was ever sent");
    }
    (logs, secrets)
}

fn check(logs: &[String], secrets: &[String]) {
    for secret in secrets {
        assert!(secret.len() >= 8, "{secret:?} could stand anywhere");
        for log in logs {
            assert!(!log.contains(secret.as_str()), "{secret} is in\n{log}");
        }
    }
}

#[test]
fn no_secret_is_in_a_log_however_much_is_logged() {
    for (name, flags) in [("logs-vv", &["-vv"][..]), ("logs-vvvv", &["-vvvv"])] {
        let (logs, secrets) = registration(name, flags);
        // All of the message is there but that.
        assert!(logs[0].contains("Authorization: Digest username=\"100\""), "{}", logs[0]);
        assert!(logs[0].contains("response=(hidden)"), "{}", logs[0]);
        check(&logs, &secrets);
    }
}

#[test]
fn a_log_in_json_is_an_object_in_each_line_and_has_no_secret() {
    let (logs, secrets) = registration("logs-json", &["-vv", "--set", "log.format=json"]);
    check(&logs, &secrets);
    let lines: Vec<Value> = logs[0].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty());
    for line in &lines {
        let mut keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["fields", "level", "message", "target", "ts"], "{line}");
    }
    let whole = lines.iter().find(|line| line["message"].as_str().unwrap().contains("REGISTER sip:")).unwrap();
    assert_eq!((&whole["level"], &whole["target"]), (&"info".into(), &"ringback::trace".into()), "{whole}");
}
