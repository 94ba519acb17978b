//! What operators do by command, and that it is in force at once: on a running exchange, or on the data of one that is stopped.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)] // a failure fails the test; above the purity line

mod support;

use serde_json::{Value, json};
use std::fs;
use std::net::UdpSocket;
use std::time::Duration;
use support::{ANYWHERE, Process, Scratch};

/// In which an answer comes that comes at all.
const LONG: Duration = Duration::from_secs(20);
/// In which none comes that was not to come.
const SHORT: Duration = Duration::from_millis(300);

/// Whether an OPTIONS from this machine gets an answer.
fn is_answered(address: &str, within: Duration) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = socket.local_addr().unwrap();
    let options = format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{0}\r\nMax-Forwards: 70\r\nFrom: <sip:a@{from}>;tag=1\r\n\
        To: <sip:{address}>\r\nCall-ID: {0}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        from.port()
    );
    socket.set_read_timeout(Some(within)).unwrap();
    socket.send_to(options.as_bytes(), address).unwrap();
    socket.recv(&mut [0; 2000]).is_ok()
}

impl Scratch {
    fn register(&self, user: &str, password: &str, address: &str) -> i32 {
        self.start(&["register", "--once", "--as", &format!("{user}:{password}@{address}")]).exit_code()
    }

    /// What a command says, and how it ends.
    fn ask(&self, arguments: &[&str]) -> (i32, Vec<Value>, String) {
        let mut process = self.start(arguments);
        let mut values = Vec::new();
        loop {
            match process.next() {
                Value::Null => break,
                value => values.push(value),
            }
        }
        (process.exit_code(), values, process.complaints())
    }

    /// The same where it is done.
    fn done(&self, arguments: &[&str]) -> Vec<Value> {
        let (code, values, said) = self.ask(arguments);
        assert_eq!(code, 0, "{arguments:?}: {said}");
        values
    }

    /// Somebody who answers one call after another.
    fn answering(&self, user: &str, password: &str, address: &str) -> Process {
        let account = format!("{user}:{password}@{address}");
        let mut phone = self.start(&["answer", "--as", &account, "--bind", "127.0.0.1"]);
        phone.event("registered");
        phone
    }

    /// The status that a call ends with; 200 when it was answered.
    fn call(&self, whom: &str, account: &str) -> u64 {
        let arguments =
            ["call", whom, "--as", account, "--bind", "127.0.0.1", "--duration", "0.1", "--play", "silence"];
        let mut phone = self.start(&arguments);
        loop {
            let event = phone.next();
            match event["event"].as_str() {
                Some("answered") => return 200,
                Some("failed") => return event["status"].as_u64().unwrap_or(0),
                _ => assert!(!event.is_null(), "{}", phone.complaints()),
            }
        }
    }
}

#[test]
fn accounts_are_the_same_whether_the_exchange_runs_or_not() {
    let scratch = Scratch::new("desk-users");
    // Stopped: the folder is made.
    let password = scratch.done(&["user", "add", "anna"])[0]["password"].as_str().unwrap().to_owned();
    assert_eq!(scratch.ask(&["user", "add", "anna"]).0, 1);
    let names = || scratch.done(&["user", "ls"]).iter().map(|user| user["user"].to_string()).collect::<Vec<_>>();
    assert_eq!(names(), ["\"anna\""]);
    // Nobody needs the first accounts who has an account; and it is there.
    let mut exchange = scratch.start(&[&["serve"], &ANYWHERE[..]].concat());
    assert_eq!(exchange.next()["event"], "ready");
    exchange.signal("-TERM");
    assert_eq!(exchange.exit_code(), 0);
    let mut exchange = scratch.start(&[&["serve"], &ANYWHERE[..]].concat());
    let address = exchange.address();
    assert_eq!(scratch.register("anna", &password, &address), 0);
    let other = scratch.done(&["user", "add", "berta"])[0]["password"].as_str().unwrap().to_owned();
    assert_eq!(scratch.register("berta", &other, &address), 0);
    let new = scratch.done(&["user", "passwd", "anna"])[0]["password"].as_str().unwrap().to_owned();
    assert_eq!((scratch.register("anna", &password, &address), scratch.register("anna", &new, &address)), (1, 0));
    // Killed: nothing of that is lost.
    exchange.signal("-KILL");
    exchange.exit_code();
    assert_eq!(names(), ["\"anna\"", "\"berta\""]);
    scratch.done(&["user", "rm", "berta"]);
    assert_eq!(scratch.ask(&["user", "show", "berta"]).0, 1);
    let mut exchange = scratch.start(&[&["serve"], &ANYWHERE[..]].concat());
    let address = exchange.address();
    assert_eq!((scratch.register("anna", &new, &address), scratch.register("berta", &other, &address)), (0, 1));
}

/// Bindings outlive a restart; those of somebody whose account does not are let go of.
#[test]
fn who_has_no_account_any_more_after_a_restart_is_not_registered() {
    let scratch = Scratch::new("desk-gone");
    scratch.done(&["user", "add", "anna"]);
    fs::write(scratch.0.join("karl.toml"), "[[user]]\nname = \"karl\"\npassword = \"correct horse\"\n").unwrap();
    let with_karl = [&["serve", "--config", "karl.toml"], &ANYWHERE[..]].concat();
    let mut exchange = scratch.start(&with_karl);
    let address = exchange.address();
    let _phone = scratch.answering("karl", "correct horse", &address);
    let registered = || scratch.done(&["reg", "ls"]).len();
    for (arguments, there) in [(with_karl, 1), ([&["serve"], &ANYWHERE[..]].concat(), 0)] {
        exchange.signal("-KILL");
        exchange.exit_code();
        exchange = scratch.start(&arguments);
        exchange.address();
        assert_eq!(registered(), there);
    }
}

#[test]
fn phones_of_another_exchange_register_with_the_passwords_that_they_have() {
    let scratch = Scratch::new("desk-import");
    let ha1 = |name: &str, realm: &str, password: &str| {
        let md5 = sip_auth::Secrets::new(name, realm, password).md5;
        md5.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let file = |name: &str, text: String| {
        fs::write(scratch.0.join(name), text).unwrap();
        name.to_owned()
    };
    let kamailio = file(
        "subscriber.sql",
        format!(
            "INSERT INTO `subscriber` VALUES (1,'alice','old.example','','{}','x'),(2,'bob','old.example','','{}','x');",
            ha1("alice", "old.example", "wonderland"),
            ha1("bob", "old.example", "builder"),
        ),
    );
    let asterisk = file(
        "pjsip.conf",
        format!(
            "[carol]\ntype=auth\nauth_type=md5\nusername=carol\nrealm=old.example\nmd5_cred={}\n[dora]\ntype=auth\nusername=dora\npassword=plain\n",
            ha1("carol", "old.example", "singer"),
        ),
    );
    let (code, values, said) = scratch.ask(&["user", "import", &kamailio, "--from", "kamailio"]);
    assert!(code == 1 && values.is_empty() && said.contains("set auth.realm = \"old.example\""), "{said}");
    let realm = ["--set", "auth.realm=old.example"];
    let mut exchange = scratch.start(&[&["serve"], &realm[..], &ANYWHERE].concat());
    let address = exchange.address();
    // Whoever imports need not know the realm: the exchange does.
    for (file, from) in [(&kamailio, "kamailio"), (&asterisk, "asterisk")] {
        assert_eq!(scratch.done(&["user", "import", file, "--from", from])[0]["imported"], 2);
        let again = &scratch.done(&["user", "import", file, "--from", from])[0];
        assert_eq!((&again["imported"], &again["there"]), (&json!(0), &json!(2)));
    }
    for (name, password) in [("alice", "wonderland"), ("bob", "builder"), ("carol", "singer"), ("dora", "plain")] {
        assert_eq!(scratch.register(name, password, &address), 0, "{name}");
        assert_eq!(scratch.register(name, "another", &address), 1, "{name}");
    }
    exchange.signal("-TERM");
    exchange.exit_code();
    let kept = fs::read(scratch.0.join("ringback-data/ringback.db")).unwrap();
    assert!(!kept.windows(5).any(|bytes| bytes == b"plain"), "no password is stored");
}

#[test]
fn forwards_and_routes_are_in_force_at_once() {
    let scratch = Scratch::new("desk-routes");
    let (mut exchange, address, [of_100, of_101]) = scratch.exchange();
    let _phone = scratch.answering("101", &of_101, &address);
    let account = format!("100:{of_100}@{address}");
    assert_eq!(scratch.call("102", &account), 480);
    scratch.done(&["user", "forward", "102", "--not-registered", "101", "--busy", "199"]);
    assert_eq!(scratch.call("102", &account), 200);
    scratch.done(&["user", "forward", "102", "--not-registered", ""]);
    assert_eq!(scratch.done(&["user", "show", "102"])[0]["forward"], json!({"busy": "199"}));
    assert_eq!(scratch.call("102", &account), 480);
    assert_eq!(scratch.ask(&["user", "forward", "102", "--always", "102"]).0, 2);
    assert_eq!(scratch.ask(&["user", "forward", "nobody", "--always", "101"]).0, 1);
    // A route, with a name of its own or one that it is given.
    let route = |name: &str, text: &str| fs::write(scratch.0.join(name), text).unwrap();
    route("night.toml", "[[route]]\nname = \"night\"\nwhen = { to = \"555\" }\ndo = \"dial\"\nto = \"101\"\n");
    assert_eq!(scratch.call("555", &account), 480);
    scratch.done(&["route", "add", "night.toml"]);
    assert_eq!(scratch.call("555", &account), 200);
    let leads = scratch.done(&["route", "test", "--from", "100", "--to", "555"]);
    assert_eq!(leads.last().unwrap()["name"], "night", "{leads:?}");
    route("day.toml", "when = { to = \"555\" }\ndo = \"reject\"\nstatus = 486\n");
    assert!(scratch.ask(&["route", "add", "day.toml"]).2.contains("needs a name"));
    scratch.done(&["route", "add", "day.toml", "--name", "night"]);
    assert_eq!(scratch.call("555", &account), 486);
    route("wrong.toml", "name = \"wrong\"\ndo = \"dail\"\nto = \"1\"\n");
    let (code, _, said) = scratch.ask(&["route", "add", "wrong.toml"]);
    assert!(code == 2 && said.contains("2 | do = \"dail\"") && said.contains("did you mean \"dial\"?"), "{said}");
    // They are there after a restart, and without an exchange, too.
    exchange.signal("-KILL");
    exchange.exit_code();
    let listed = &scratch.done(&["route", "ls"])[0];
    assert_eq!(
        (&listed["route"], listed["words"].as_str().unwrap().starts_with("route 1 (night)")),
        (&json!("night"), true)
    );
    let at = format!("listen.udp={address}");
    let mut exchange = scratch.start(&["serve", "--set", &at]);
    exchange.address();
    assert_eq!(scratch.call("555", &account), 486);
    scratch.done(&["route", "rm", "night"]);
    assert_eq!((scratch.call("555", &account), scratch.ask(&["route", "rm", "night"]).0), (480, 1));
}

#[test]
fn who_is_banned_is_not_let_in_until_the_ban_is_lifted() {
    let scratch = Scratch::new("desk-bans");
    // By default nobody on this machine is.
    let serve = [&["serve", "--set", "guard.allow=[\"127.0.0.2\"]"], &ANYWHERE[..]].concat();
    let mut exchange = scratch.start(&serve);
    let address = exchange.address();
    assert!(is_answered(&address, LONG));
    scratch.done(&["ban", "add", "127.0.0.1", "--for", "2h", "--why", "tries passwords"]);
    assert!(!is_answered(&address, SHORT));
    let ban = &scratch.done(&["ban", "ls"])[0];
    assert_eq!((&ban["source"], &ban["why"]), (&json!("127.0.0.1"), &json!("tries passwords")));
    for (arguments, code) in [
        (&["ban", "add", "127.0.0.2"][..], 1),
        (&["ban", "add", "0.0.0.0/0"], 1),
        (&["ban", "add", "example.org"], 2),
        (&["ban", "add", "198.51.100.7", "--for", "soon"], 2),
        (&["ban", "rm", "198.51.100.7"], 1),
    ] {
        assert_eq!(scratch.ask(arguments).0, code, "{arguments:?}");
    }
    // It is written down, and can be lifted while nothing runs.
    exchange.signal("-KILL");
    exchange.exit_code();
    assert_eq!(scratch.done(&["ban", "ls"]).len(), 1);
    let mut exchange = scratch.start(&serve);
    let address = exchange.address();
    assert!(!is_answered(&address, SHORT));
    scratch.done(&["ban", "rm", "127.0.0.1"]);
    assert!(is_answered(&address, LONG) && scratch.done(&["ban", "ls"]).is_empty());
}
