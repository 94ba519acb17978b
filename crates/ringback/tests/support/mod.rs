//! Processes of the binary, and what they say.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// What takes longer has failed, and is killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in RINGBACK_PASSWORD.
pub const PASSWORD: &str = "from the environment";

/// Listens on ports that the system picks.
pub const ANYWHERE: [&str; 4] = ["--set", "listen.udp=127.0.0.1:0", "--set", "listen.tcp=127.0.0.1:0"];

/// A folder of this test's own, gone when the test is over.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("ringback-calls-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn start(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
        command
            .args(arguments)
            .arg("--json")
            .current_dir(&self.0)
            .env_remove("RUST_LOG")
            .env("RINGBACK_PASSWORD", PASSWORD);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (over, watched) = channel::<()>();
        let pid = child.id().to_string();
        std::thread::spawn(move || {
            if watched.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-9", &pid]).status();
            }
        });
        Process { child, out, _over: over }
    }

    /// An exchange with nothing but addresses configured; what comes back are its address and the passwords of 100 and 101.
    pub fn exchange(&self) -> (Process, String, [String; 2]) {
        let mut exchange = self.start(&[&["serve"], &ANYWHERE[..]].concat());
        let passwords = ["100", "101"].map(|user| {
            let account = exchange.event("account");
            assert_eq!(account["user"], user);
            account["password"].as_str().unwrap().to_owned()
        });
        let address = exchange.address();
        (exchange, address, passwords)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct Process {
    pub child: Child,
    /// Lets go of who watches that it does not take too long.
    _over: Sender<()>,
    pub out: BufReader<ChildStdout>,
}

impl Process {
    /// Where an exchange is reached, once it is ready.
    pub fn address(&mut self) -> String {
        self.event("ready")["listen"][0].as_str().unwrap().strip_prefix("udp:").unwrap().to_owned()
    }

    /// The next event of this name; earlier ones of other names are passed over.
    pub fn event(&mut self, name: &str) -> Value {
        let mut passed = String::new();
        loop {
            let value = self.next();
            if value["event"] == name {
                return value;
            }
            assert!(!value.is_null(), "no {name} in\n{passed}\n{}", self.complaints());
            passed += &format!("{value}\n");
        }
    }

    /// The next event; nothing after the last.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        if line.is_empty() { Value::Null } else { serde_json::from_str(&line).unwrap() }
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub fn exit_code(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    pub fn complaints(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
