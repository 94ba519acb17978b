//! Ringback itself, as any other program: its release binary, through the promised command line only.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{PASSWORD, USERS};
use crate::cargo;
use crate::process::{Process, Scope};

const START: Duration = Duration::from_secs(15);

/// The release binary; [`build`] makes it.
pub(crate) fn binary() -> Result<PathBuf> {
    Ok(cargo::target_dir()?.join("release").join("ringback"))
}

/// A command of the binary with `--json`.
pub(crate) fn command(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(arguments).env("NO_COLOR", "1");
    Ok(command)
}

/// What an exchange is to be; [`Setup::on`] is the plain one.
pub(crate) struct Setup<'a> {
    /// What its files are called.
    pub(crate) name: &'a str,
    /// UDP and TCP on port 5060 of it.
    pub(crate) ip: &'a str,
    pub(crate) domain: &'a str,
    /// Further lines of `[listen]`.
    pub(crate) listen: String,
    /// Further sections.
    pub(crate) more: String,
    pub(crate) users: Vec<String>,
}

impl<'a> Setup<'a> {
    /// The accounts of these tests, everything else as it comes.
    pub(crate) fn on(ip: &'a str) -> Self {
        let users = USERS.map(String::from).into();
        Self { name: "ringback", ip, domain: ip, listen: String::new(), more: String::new(), users }
    }

    /// As a configuration file.
    pub(crate) fn text(&self, scope: &Scope) -> String {
        let Self { ip, domain, listen, more, .. } = self;
        let data = self.data(scope);
        // What is not asked for is off: exchanges run side by side.
        let begins = |key: &str| listen.lines().any(|line| line.starts_with(&format!("{key} =")));
        let off: String =
            ["tls", "wss", "http"].into_iter().filter(|key| !begins(key)).map(|key| format!("{key} = []\n")).collect();
        let mut text = format!(
            "data = \"{}\"\ndomains = [\"{domain}\"]\n\n[listen]\nudp = [\"{ip}:5060\"]\ntcp = [\"{ip}:5060\"]\n{listen}{off}\n{more}\n",
            data.display()
        );
        for user in &self.users {
            text += &format!("\n[[user]]\nname = \"{user}\"\npassword = \"{PASSWORD}\"\n");
        }
        text
    }

    /// Its data folder.
    pub(crate) fn data(&self, scope: &Scope) -> PathBuf {
        // (Short, because a socket is in it.)
        scope.short_dir().join(if self.name == "ringback" { "data" } else { self.name })
    }
}

/// The configuration of an exchange on `ip`:5060, UDP and TCP, with the accounts of these tests.
pub(crate) fn configuration(scope: &Scope, ip: &str) -> String {
    Setup::on(ip).text(scope)
}

/// Starts the exchange of this setup; returns when it says `ready`.
pub(crate) fn start(scope: &Scope, setup: &Setup<'_>) -> Result<Process> {
    serve_as(scope, setup.name, &setup.text(scope), None)
}

/// Starts an exchange with this configuration, on any core or on one; returns when it says `ready`.
pub(crate) fn serve(scope: &Scope, configuration: &str, core: Option<u32>) -> Result<Process> {
    serve_as(scope, "ringback", configuration, core)
}

fn serve_as(scope: &Scope, name: &str, configuration: &str, core: Option<u32>) -> Result<Process> {
    let mut process = launch_on(scope, name, configuration, core)?;
    wait_ready(&mut process)?;
    Ok(process)
}

/// Starts an exchange, and does not wait for it to be ready.
pub(crate) fn launch(scope: &Scope, name: &str, configuration: &str) -> Result<Process> {
    launch_on(scope, name, configuration, None)
}

fn launch_on(scope: &Scope, name: &str, configuration: &str, core: Option<u32>) -> Result<Process> {
    let file = scope.write(&format!("{name}.toml"), configuration)?;
    let mut command = match core {
        Some(core) => {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", &core.to_string()]).arg(binary()?);
            pinned
        }
        None => Command::new(binary()?),
    };
    command.args(["serve", "--json", "--config"]).arg(file);
    scope.start(name, &command)
}

/// Waits for the `ready` line.
pub(crate) fn wait_ready(process: &mut Process) -> Result<()> {
    process.wait_until("ready line", START, |output| output.contains("\"event\":\"ready\"").then_some(()))
}
