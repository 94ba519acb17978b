//! Other people's programs as values: each in its own process group, its output in a file, gone when the value is dropped.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// No program started here outlives this, even when xtask itself is killed.
const PROCESS_SECONDS_MAX: u32 = 1800;
/// The state of a listening socket in the kernel's table.
const TCP_LISTEN: &str = "0A";
const POLL: Duration = Duration::from_millis(10);

/// A place for one test: a folder for its files, a /24 of loopback addresses, and the processes it started.
pub(crate) struct Scope {
    dir: PathBuf,
    /// Another name for it, short enough for a socket in it wherever the workspace is (unix(7): 108 bytes).
    short: PathBuf,
    net: [u8; 2],
    groups: Mutex<Vec<u32>>,
    /// The network namespace that its processes live in; `None`: ours.
    netns: Option<String>,
}

impl Scope {
    /// Empties `dir`; addresses are `127.net.x`, distinct between tests by `index` and (nearly always) between runs by process id.
    pub(crate) fn new(dir: PathBuf, index: u8) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("emptying {}", dir.display()))?;
        }
        fs::create_dir_all(&dir)?;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = std::process::id();
        let short = std::env::temp_dir().join(format!("ringback-{id}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        // One of a process that was killed, which had the same id.
        let _ = fs::remove_file(&short);
        symlink(dir.canonicalize()?, &short).with_context(|| format!("creating {}", short.display()))?;
        let run = 32 + (id % 200) as u8;
        Ok(Self { dir, short, net: [run, index], groups: Mutex::default(), netns: None })
    }

    /// The same folder by its short name.
    pub(crate) fn short_dir(&self) -> &Path {
        &self.short
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The `host`-th address of this test.
    pub(crate) fn ip(&self, host: u8) -> String {
        format!("127.{}.{}.{host}", self.net[0], self.net[1])
    }

    /// Which test of the run this is.
    pub(crate) fn index(&self) -> u8 {
        self.net[1]
    }

    /// The same place with its processes in a network namespace.
    pub(crate) fn inside(mut self, netns: &str) -> Self {
        self.netns = Some(netns.to_owned());
        self
    }

    /// Writes a file into the test's folder and returns where it is.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Starts `command`; what it prints goes to `name.log` (standard output) and `name.err` in the test's folder.
    pub(crate) fn start(&self, name: &str, command: &Command) -> Result<Process> {
        let (out, err) = (self.dir.join(format!("{name}.log")), self.dir.join(format!("{name}.err")));
        let mut limited = match &self.netns {
            // Both programs become the next one, so that the process started is the one that lives there.
            Some(netns) => {
                let mut inside = Command::new("ip");
                inside.args(["netns", "exec", netns, "timeout"]);
                inside
            }
            None => Command::new("timeout"),
        };
        limited.args(["--foreground", "--signal=KILL", &PROCESS_SECONDS_MAX.to_string()]);
        limited.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            if let Some(value) = value {
                limited.env(key, value);
            }
        }
        limited.current_dir(command.get_current_dir().unwrap_or(&self.dir));
        limited.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?).process_group(0);
        let child = limited.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        self.groups.lock().map_err(|_| anyhow!("a test thread panicked"))?.push(child.id());
        Ok(Process { child, name: name.to_owned(), out, err })
    }

    /// Runs `command` to its end and returns its exit code; an error after `within`.
    pub(crate) fn run(&self, name: &str, command: &Command, within: Duration) -> Result<(i32, Process)> {
        let mut process = self.start(name, command)?;
        let code = process.wait(within)?;
        Ok((code, process))
    }

    /// Ends everything the test started: what a watchdog does when the test itself does not.
    pub(crate) fn kill_all(&self) {
        if let Ok(groups) = self.groups.lock() {
            for group in groups.iter() {
                signal_group(*group, "KILL");
            }
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.short);
    }
}

/// A running program; dropping it kills its whole process group.
pub(crate) struct Process {
    child: Child,
    name: String,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// The process group, which is also the id of its leader.
    pub(crate) fn group(&self) -> u32 {
        self.child.id()
    }

    /// Standard output so far.
    pub(crate) fn stdout(&self) -> String {
        read_lossy(&self.out)
    }

    /// Standard error so far.
    pub(crate) fn stderr(&self) -> String {
        read_lossy(&self.err)
    }

    /// Both outputs so far, for searching and for error messages.
    pub(crate) fn output(&self) -> String {
        self.stdout() + &self.stderr()
    }

    /// Waits until `found` says that the output has what is looked for; an error after `within` or when the program ends first.
    pub(crate) fn wait_until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut found: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.child.try_wait()?;
            let output = self.output();
            if let Some(it) = found(&output) {
                return Ok(it);
            }
            if let Some(status) = ended {
                bail!("{} ended ({status}) without {what}\n{}", self.name, tail(&output));
            }
            if Instant::now() > deadline {
                bail!("{}: no {what} within {within:?}\n{}", self.name, tail(&output));
            }
            sleep(POLL);
        }
    }

    /// Waits until the output contains `needle`.
    pub(crate) fn wait_for(&mut self, needle: &str, within: Duration) -> Result<()> {
        self.wait_until(&format!("{needle:?}"), within, |output| output.contains(needle).then_some(()))
    }

    /// Waits for the end; the exit code, or -1 when a signal ended it.
    pub(crate) fn wait(&mut self, within: Duration) -> Result<i32> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code().unwrap_or(-1));
            }
            if Instant::now() > deadline {
                bail!("{} still runs after {within:?}\n{}", self.name, tail(&self.output()));
            }
            sleep(POLL);
        }
    }

    /// Waits for the end and insists on exit code `want`.
    pub(crate) fn wait_code(&mut self, want: i32, within: Duration) -> Result<()> {
        let code = self.wait(within)?;
        if code != want {
            bail!("{} exited with {code}, not {want}\n{}", self.name, tail(&self.output()));
        }
        Ok(())
    }

    /// True until the program has ended.
    pub(crate) fn running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits until a UDP socket is bound to `ip:port` where this program lives.
    pub(crate) fn wait_udp_bound(&mut self, ip: &str, port: u16) -> Result<()> {
        self.wait_socket("udp", ip, port, |_| true)
    }

    /// Waits until TCP connections are accepted there.
    pub(crate) fn wait_tcp_listening(&mut self, ip: &str, port: u16) -> Result<()> {
        self.wait_socket("tcp", ip, port, |state| state == TCP_LISTEN)
    }

    fn wait_socket(&mut self, table: &str, ip: &str, port: u16, good: impl Fn(&str) -> bool) -> Result<()> {
        let file = format!("/proc/{}/net/{table}", self.child.id());
        eventually(&format!("a {table} socket on {ip}:{port}"), Duration::from_secs(10), || {
            let there = rows(&file, ip, port)?.iter().any(|state| good(state));
            if !there && !self.running()? {
                bail!("{} ended\n{}", self.name, tail(&self.output()));
            }
            Ok(there)
        })
    }

    /// Sends `signal` ("TERM", "INT", ..) to the program alone (`timeout` passes it on, once).
    pub(crate) fn signal(&self, signal: &str) {
        shell_kill(&format!("-{signal} {}", self.child.id()));
    }

    /// Ends the whole group at once, with no chance to tidy up, and returns when its ports are free again.
    pub(crate) fn kill(&mut self) {
        let group = self.child.id();
        signal_group(group, "KILL");
        let _ = self.child.wait();
        let gone = || Ok(crate::usage::members(group).is_ok_and(|members| members.is_empty()));
        let _ = eventually("the end of a process group", Duration::from_secs(5), gone);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal_group(group: u32, signal: &str) {
    shell_kill(&format!("-{signal} -{group}"));
}

/// The shell's own `kill`, so that no `unsafe` and no package is needed.
fn shell_kill(arguments: &str) {
    let _ = Command::new("sh")
        .args(["-c", &format!("kill {arguments}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Polls `ready` until it holds; an error that names `what` after `within`.
pub(crate) fn eventually(what: &str, within: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + within;
    while !ready()? {
        if Instant::now() > deadline {
            bail!("{what}: not within {within:?}");
        }
        sleep(POLL);
    }
    Ok(())
}

/// Waits until none has: the kernel may take a moment longer than the process that had it.
pub(crate) fn wait_udp_free(ip: &str, port: u16) -> Result<()> {
    eventually(&format!("the end of the UDP socket on {ip}:{port}"), Duration::from_secs(10), || {
        Ok(rows("/proc/net/udp", ip, port)?.is_empty())
    })
}

/// The states of the sockets with this local address in the kernel's table.
fn rows(table: &str, ip: &str, port: u16) -> Result<Vec<String>> {
    let octets: std::net::Ipv4Addr = ip.parse()?;
    let wanted = format!("{:08X}:{port:04X}", u32::from_ne_bytes(octets.octets()));
    let table = fs::read_to_string(table).unwrap_or_default();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|row| row.get(1) == Some(&wanted.as_str()));
    Ok(ours.filter_map(|row| Some((*row.get(3)?).to_owned())).collect())
}

/// The last lines of `text`, for an error message.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn read_lossy(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
