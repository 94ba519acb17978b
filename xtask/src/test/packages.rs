//! The Debian packages that the tests run against: installed where that is possible, named where it is not.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// A program that a test starts, and the package that has it.
const NEEDED: [(&str, &str); 4] =
    [("sipp", "sip-tester"), ("sipsak", "sipsak"), ("baresip", "baresip-core"), ("taskset", "util-linux")];

/// The packages whose program is not on the PATH.
pub(crate) fn missing() -> Result<Vec<&'static str>> {
    let path = std::env::var_os("PATH").context("no PATH")?;
    let found = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    Ok(NEEDED.iter().filter(|(program, _)| !found(program)).map(|(_, package)| *package).collect())
}

/// Installs what is missing; an error that says what to install when this user or system cannot.
pub(crate) fn install() -> Result<()> {
    let missing = missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    let root = String::from_utf8_lossy(&Command::new("id").arg("-u").output()?.stdout).trim() == "0";
    if !root || !Path::new("/usr/bin/apt-get").exists() {
        bail!("the tests call real peers; please run: sudo apt-get install --no-install-recommends {wanted}");
    }
    println!("installing {wanted}");
    apt_get(&["update", "-qq"])?;
    let mut install = vec!["install", "-qq", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt_get(&install)?;
    let still = self::missing()?;
    ensure!(still.is_empty(), "installed, and yet missing: {}", still.join(" "));
    Ok(())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()?;
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "apt-get {} failed\n{out}{error}", arguments.join(" "));
    Ok(())
}
