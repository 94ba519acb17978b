//! Ringback itself, as any other program: its release binary, through the promised command line only.

use std::fmt::Display;
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

/// The configuration of an exchange on `ip`:5060, UDP and TCP, with the accounts of these tests.
pub(crate) fn configuration(scope: &Scope, ip: &str) -> String {
    configuration_with(scope, ip, USERS)
}

/// The same with these accounts.
pub(crate) fn configuration_with(scope: &Scope, ip: &str, users: impl IntoIterator<Item = impl Display>) -> String {
    let data = scope.dir().join("data");
    let mut text = format!(
        "data = \"{}\"\ndomains = [\"{ip}\"]\n\n[listen]\nudp = [\"{ip}:5060\"]\ntcp = [\"{ip}:5060\"]\n",
        data.display()
    );
    for user in users {
        text += &format!("\n[[user]]\nname = \"{user}\"\npassword = \"{PASSWORD}\"\n");
    }
    text
}

/// Starts an exchange with this configuration, on any core or on one; returns when it says `ready`.
pub(crate) fn serve(scope: &Scope, configuration: &str, core: Option<u32>) -> Result<Process> {
    let file = scope.write("ringback.toml", configuration)?;
    let mut command = match core {
        Some(core) => {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", &core.to_string()]).arg(binary()?);
            pinned
        }
        None => Command::new(binary()?),
    };
    command.args(["serve", "--json", "--config"]).arg(file);
    let mut process = scope.start("ringback", &command)?;
    wait_ready(&mut process)?;
    Ok(process)
}

/// Waits for the `ready` line.
pub(crate) fn wait_ready(process: &mut Process) -> Result<()> {
    process.wait_until("ready line", START, |output| output.contains("\"event\":\"ready\"").then_some(()))
}
