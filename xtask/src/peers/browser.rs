//! A telephone in a web browser: JsSIP (npm) in a headless Chromium (Debian), told what to do by a page of ours.
//!
//! The page tells a small HTTP server here what happens, and asks it what to do next, so nothing but the browser itself is needed.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::cargo;
use crate::process::{Process, Scope, tail};

const PAGE: &str = include_str!("../../browser/page.html");
const BUNDLE: &str = include_str!("../../browser/bundle.js");
/// What is fetched from the npm registry: the SIP stack, and what makes one file of it.
const PACKAGES: [&str; 2] = ["jssip@3.13.8", "esbuild@0.27.2"];
/// A registry that takes longer than this does not answer.
const NPM_SECONDS_MAX: &str = "300";
/// A question of the page for something to do is answered at least so often.
const POLL: Duration = Duration::from_secs(1);
/// No request of the page is longer.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Whether the bundle must still be made.
pub(crate) fn missing() -> Result<bool> {
    Ok(!bundle()?.exists())
}

/// Fetches JsSIP and makes one file of it, in the target folder.
pub(crate) fn prepare() -> Result<()> {
    let (folder, bundle) = (folder()?, bundle()?);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("bundle.js"), BUNDLE)?;
    let mut install = Command::new("timeout");
    install
        .args([NPM_SECONDS_MAX, "npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix"])
        .arg(&folder)
        .args(PACKAGES);
    run(install.current_dir(&folder))?;
    // Renamed when whole, so that a half-made one is never taken for it.
    let half = bundle.with_extension("half");
    let mut build = Command::new(folder.join("node_modules/.bin/esbuild"));
    build.args(["bundle.js", "--bundle", "--log-level=warning"]).arg(format!("--outfile={}", half.display()));
    run(build.current_dir(&folder))?;
    fs::rename(&half, &bundle)?;
    Ok(())
}

fn folder() -> Result<PathBuf> {
    Ok(cargo::target_dir()?.join("xtask-npm"))
}

fn bundle() -> Result<PathBuf> {
    Ok(folder()?.join(format!("{}.bundle.js", PACKAGES.join("_"))))
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("starting {name}"))?;
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{name} failed\n{}", tail(&format!("{out}{error}")));
    Ok(())
}

/// Who telephones in the browser.
pub(crate) struct Account<'a> {
    /// `wss://..`
    pub(crate) server: &'a str,
    /// `sip:user@domain`
    pub(crate) uri: &'a str,
    pub(crate) password: &'a str,
    /// The certificate of the authority that the browser is to trust, as a PEM file.
    pub(crate) authority: Option<&'a Path>,
}

/// A running browser with one telephone in it.
pub(crate) struct Browser {
    process: Process,
    events: Receiver<Value>,
    /// Told before somebody waited for them.
    early: VecDeque<Value>,
    commands: Arc<Mutex<VecDeque<Value>>>,
}

impl Browser {
    /// Starts one, which begins to register at once.
    pub(crate) fn start(scope: &Scope, account: &Account<'_>) -> Result<Self> {
        let home = scope.dir().join("home");
        fs::create_dir_all(&home)?;
        if let Some(authority) = account.authority {
            trust(&home, authority)?;
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let page = format!("http://{}/?{}", listener.local_addr()?, query(account));
        let (tell, events) = channel();
        let commands = Arc::new(Mutex::new(VecDeque::new()));
        serve(listener, tell, Arc::clone(&commands))?;
        let mut command = Command::new("chromium");
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-dev-shm-usage", "--enable-logging=stderr"]);
        command.arg(format!("--user-data-dir={}", home.join("profile").display())).arg(page).env("HOME", &home);
        let process = scope.start("chromium", &command)?;
        Ok(Self { process, events, early: VecDeque::new(), commands })
    }

    /// Waits until the page has told an event of this kind.
    pub(crate) fn event(&mut self, kind: &str, within: Duration) -> Result<Value> {
        let deadline = Instant::now() + within;
        let mut told = Vec::new();
        loop {
            let event = match self.early.pop_front() {
                Some(event) => event,
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.events.recv_timeout(left).map_err(|_| {
                        anyhow!("the browser told {told:?} and no {kind}\n{}", tail(&self.process.output()))
                    })?
                }
            };
            if event["kind"] == kind {
                return Ok(event);
            }
            told.push(event.to_string());
        }
    }

    /// Sends a MESSAGE and waits until it is known how that went; returns the status.
    pub(crate) fn send_message(&mut self, to: &str, text: &str, within: Duration) -> Result<u64> {
        let command = json!({"do": "message", "to": to, "text": text});
        self.commands.lock().map_err(|_| anyhow!("a test thread panicked"))?.push_back(command);
        let sent = self.event("sent", within)?;
        sent["status"].as_u64().with_context(|| format!("no status in {sent}"))
    }
}

/// Chromium asks the user's NSS database which authorities to trust beside its own.
fn trust(home: &Path, authority: &Path) -> Result<()> {
    let database = home.join(".pki/nssdb");
    fs::create_dir_all(&database)?;
    let name = format!("sql:{}", database.display());
    run(Command::new("certutil").args(["-N", "--empty-password", "-d", &name]))?;
    run(Command::new("certutil").args(["-A", "-n", "ringback", "-t", "C,,", "-d", &name, "-i"]).arg(authority))
}

fn query(account: &Account<'_>) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('=', "%3D");
    format!("server={}&uri={}&password={}", escape(account.server), escape(account.uri), escape(account.password))
}

/// Answers the page until the process ends; a thread for each connection, since questions wait.
fn serve(listener: TcpListener, tell: Sender<Value>, commands: Arc<Mutex<VecDeque<Value>>>) -> Result<()> {
    let bundle = Arc::new(fs::read(bundle()?).context("JsSIP's bundle is missing: cargo xtask test makes it")?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (tell, commands, bundle) = (tell.clone(), Arc::clone(&commands), Arc::clone(&bundle));
            thread::spawn(move || {
                let _ = answer(stream, &tell, &commands, &bundle);
            });
        }
    });
    Ok(())
}

fn answer(stream: TcpStream, tell: &Sender<Value>, commands: &Mutex<VecDeque<Value>>, bundle: &[u8]) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let (request, body) = read_request(&mut reader)?;
    let (kind, content): (&str, Vec<u8>) = match request.split('?').next().unwrap_or_default() {
        "GET /" => ("text/html", PAGE.into()),
        "GET /jssip.js" => ("text/javascript", bundle.into()),
        "POST /event" => {
            let _ = tell.send(serde_json::from_slice(&body)?);
            ("application/json", b"{}".into())
        }
        "GET /command" => ("application/json", next(commands)?.to_string().into()),
        _ => ("text/plain", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&content)?;
    Ok(())
}

/// The next thing to do, or nothing when there is none for a while.
fn next(commands: &Mutex<VecDeque<Value>>) -> Result<Value> {
    let mut next = None;
    let _ = crate::process::eventually("a command", POLL, || {
        next = commands.lock().map_err(|_| anyhow!("a test thread panicked"))?.pop_front();
        Ok(next.is_some())
    });
    Ok(next.unwrap_or_else(|| json!({})))
}

/// Method and path, and the body.
fn read_request(reader: &mut BufReader<TcpStream>) -> Result<(String, Vec<u8>)> {
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut len = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            bail!("a request ended early");
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            len = value.trim().parse()?;
        }
    }
    ensure!(len <= REQUEST_BYTES_MAX, "a request of {len} bytes");
    let mut body = vec![0; len];
    reader.read_exact(&mut body)?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok((format!("{method} {path}"), body))
}
