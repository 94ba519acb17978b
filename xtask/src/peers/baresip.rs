//! baresip (Debian): a real telephone, driven over its `ctrl_tcp` module so that tests wait for events, not for time.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::PASSWORD;
use crate::process::{Process, Scope, eventually};
use crate::tone;

const CONTROL_PORT: u16 = 4444;
const START: Duration = Duration::from_secs(15);
const REGISTER: Duration = Duration::from_secs(15);

/// What the callee's side does with a call.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Automatically,
    ByHand,
}

/// How one baresip is set up.
pub(crate) struct Account<'a> {
    /// User name, and the name of its files.
    pub(crate) user: &'a str,
    /// The address it listens on, port 5060.
    pub(crate) ip: &'a str,
    /// The exchange it registers with; `None`: no registration, direct calls only.
    pub(crate) exchange: Option<&'a str>,
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: &'a str,
    pub(crate) answer: Answer,
    /// What its microphone hears.
    pub(crate) tone_hz: u32,
}

/// A running baresip.
pub(crate) struct Baresip {
    process: Process,
    control: TcpStream,
    received: Vec<u8>,
    events: VecDeque<Value>,
    dir: PathBuf,
}

impl Baresip {
    /// Starts one and returns when it is registered (or, without an exchange, when it takes commands).
    pub(crate) fn start(scope: &Scope, account: &Account<'_>) -> Result<Self> {
        Self::start_trusting(scope, account, None)
    }

    /// The same for one that is told of an authority. (Debian's knows no `sip_verify_server` and takes any certificate.)
    pub(crate) fn start_trusting(scope: &Scope, account: &Account<'_>, authority: Option<&Path>) -> Result<Self> {
        let Account { user, ip, .. } = *account;
        let dir = scope.dir().join(user);
        let tone = scope.write(&format!("{user}/tone.wav"), tone::wav(account.tone_hz, 30))?;
        scope.write(&format!("{user}/config"), configuration(ip, &dir, &tone) + &trust(authority))?;
        scope.write(&format!("{user}/accounts"), account_line(account))?;
        scope.write(&format!("{user}/contacts"), "")?;
        let mut command = Command::new("baresip");
        command.args(["-4", "-s", "-f"]).arg(&dir);
        let mut process = scope.start(user, &command)?;
        let control = connect(ip, &mut process)?;
        let mut phone = Self { process, control, received: Vec::new(), events: VecDeque::new(), dir };
        if account.exchange.is_some() {
            phone.wait_registered()?;
        }
        Ok(phone)
    }

    /// Calls `uri`; returns when the command is taken, not when anybody answers.
    pub(crate) fn dial(&mut self, uri: &str) -> Result<()> {
        self.command("dial", uri).map(drop)
    }

    /// Ends or rejects the current call.
    pub(crate) fn hang_up(&mut self) -> Result<()> {
        self.command("hangup", "").map(drop)
    }

    /// Waits for an event of this type (`CALL_ESTABLISHED`, `CALL_INCOMING`, `CALL_CLOSED`, ..) and returns it.
    pub(crate) fn event(&mut self, kind: &str, within: Duration) -> Result<Value> {
        let deadline = Instant::now() + within;
        loop {
            while let Some(event) = self.events.pop_front() {
                if event["type"] == kind {
                    return Ok(event);
                }
            }
            match self.next_message(deadline)? {
                Some(message) => self.events.push_back(message),
                None => bail!("baresip: no {kind} within {within:?}\n{}", crate::process::tail(&self.process.output())),
            }
        }
    }

    /// Everything it printed, with its SIP trace.
    pub(crate) fn trace(&self) -> String {
        self.process.output()
    }

    /// Fails unless what its loudspeaker played holds the `hz` tone for `seconds`. The call must be over.
    pub(crate) fn expect_heard(&self, hz: u32, seconds: f64) -> Result<()> {
        tone::expect_heard(&self.recording()?, hz, seconds)
    }

    /// How many bytes its loudspeaker's recording has by now: grows only while sound arrives.
    pub(crate) fn recorded_bytes(&self) -> u64 {
        self.recording().and_then(|path| Ok(path.metadata()?.len())).unwrap_or(0)
    }

    /// Waits until `seconds` of sound have arrived from the other end.
    pub(crate) fn wait_heard(&self, seconds: u64) -> Result<()> {
        let bytes = seconds * 16_000;
        eventually("sound at baresip's end", Duration::from_secs(seconds + 15), || Ok(self.recorded_bytes() > bytes))
    }

    fn recording(&self) -> Result<PathBuf> {
        let files = std::fs::read_dir(&self.dir)?;
        let mut files = files.filter_map(|entry| Some(entry.ok()?.path()));
        files.find(|path| path.to_string_lossy().ends_with("dec.wav")).context("baresip recorded nothing")
    }

    fn wait_registered(&mut self) -> Result<()> {
        let deadline = Instant::now() + REGISTER;
        while !self.command("reginfo", "")?.contains("OK") {
            if Instant::now() > deadline {
                bail!("baresip did not register\n{}", crate::process::tail(&self.process.output()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn command(&mut self, command: &str, parameters: &str) -> Result<String> {
        let text = json!({"command": command, "params": parameters, "token": command}).to_string();
        self.control.write_all(format!("{}:{text},", text.len()).as_bytes())?;
        let deadline = Instant::now() + START;
        loop {
            match self.next_message(deadline)? {
                Some(answer) if answer["response"] == true => {
                    return Ok(answer["data"].as_str().unwrap_or_default().to_owned());
                }
                Some(event) => self.events.push_back(event),
                None => bail!("baresip did not take {command:?}\n{}", crate::process::tail(&self.process.output())),
            }
        }
    }

    /// The next netstring from the control connection, `None` at the deadline.
    fn next_message(&mut self, deadline: Instant) -> Result<Option<Value>> {
        loop {
            if let Some(message) = take_netstring(&mut self.received)? {
                return Ok(Some(message));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.control.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.control.read(&mut chunk) {
                Ok(0) => bail!("baresip ended\n{}", crate::process::tail(&self.process.output())),
                Ok(len) => self.received.extend_from_slice(&chunk[..len]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(error) => return Err(error).context("reading baresip's control connection"),
            }
        }
    }
}

fn connect(ip: &str, process: &mut Process) -> Result<TcpStream> {
    let mut stream = None;
    eventually("baresip's control port", START, || {
        stream = TcpStream::connect((ip, CONTROL_PORT)).ok();
        if stream.is_none() && !process.running()? {
            bail!("baresip ended\n{}", process.output());
        }
        Ok(stream.is_some())
    })?;
    stream.context("connected")
}

fn take_netstring(received: &mut Vec<u8>) -> Result<Option<Value>> {
    let Some(colon) = received.iter().position(|byte| *byte == b':') else { return Ok(None) };
    let len: usize = std::str::from_utf8(&received[..colon])?.parse()?;
    let end = colon + 1 + len;
    if received.len() <= end {
        return Ok(None);
    }
    let message = serde_json::from_slice(&received[colon + 1..end])?;
    received.drain(..=end);
    Ok(Some(message))
}

fn account_line(account: &Account<'_>) -> String {
    let Account { user, transport, .. } = account;
    let answer = match account.answer {
        Answer::Automatically => "auto",
        Answer::ByHand => "manual",
    };
    let (host, interval) = match account.exchange {
        Some(exchange) => (exchange, 600),
        None => (account.ip, 0),
    };
    format!(
        "<sip:{user}@{host};transport={transport}>;auth_user={user};auth_pass={PASSWORD};answermode={answer};\
         regint={interval};audio_codecs=pcmu\n"
    )
}

fn trust(authority: Option<&Path>) -> String {
    let line = |authority: &Path| format!("sip_cafile {}\nsip_verify_server yes\n", authority.display());
    authority.map(line).unwrap_or_default()
}

fn configuration(ip: &str, dir: &Path, tone: &Path) -> String {
    let (dir, tone) = (dir.display(), tone.display());
    format!(
        "poll_method epoll\n\
         sip_listen {ip}:5060\n\
         net_interface {ip}\n\
         audio_player aubridge,nil\n\
         audio_source aufile,{tone}\n\
         audio_alert aubridge,nil2\n\
         rtp_ports 17000-17098\n\
         module_path /usr/lib/baresip/modules\n\
         module g711.so\n\
         module aubridge.so\n\
         module aufile.so\n\
         module sndfile.so\n\
         snd_path {dir}\n\
         module_tmp uuid.so\n\
         module_tmp account.so\n\
         module_app menu.so\n\
         module_app ctrl_tcp.so\n\
         ctrl_tcp_listen {ip}:{CONTROL_PORT}\n"
    )
}
