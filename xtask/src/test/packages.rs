//! What the tests run against, other people's programs: installed where that is possible, named where it is not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::peers::browser;
use crate::process::tail;

/// A program that a test starts, and the package that has it.
const NEEDED: [(&str, &str); 18] = [
    ("sipp", "sip-tester"),
    ("sipsak", "sipsak"),
    ("baresip", "baresip-core"),
    ("taskset", "util-linux"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("dnsmasq", "dnsmasq-base"),
    ("openssl", "openssl"),
    ("chromium", "chromium"),
    ("certutil", "libnss3-tools"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("xz", "xz-utils"),
    ("svmap", "sipvicious"),
    ("strace", "strace"),
    ("systemd-analyze", "systemd"),
    ("curl", "curl"),
    ("git", "git"),
];
/// Where administrators' programs are, which is not on everybody's PATH.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The packages of our tests whose program is nowhere to be found.
pub(crate) fn missing() -> Result<Vec<&'static str>> {
    missing_of(&NEEDED)
}

fn missing_of(needed: &[(&str, &'static str)]) -> Result<Vec<&'static str>> {
    let path = std::env::var_os("PATH").context("no PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(MORE_FOLDERS.map(PathBuf::from)).collect();
    let found = |program: &str| folders.iter().any(|folder| folder.join(program).exists());
    Ok(needed.iter().filter(|(program, _)| !found(program)).map(|(_, package)| *package).collect())
}

/// Installs what is missing; an error that says what to install when this user or system cannot.
pub(crate) fn install() -> Result<()> {
    install_programs(&NEEDED)?;
    if browser::missing()? {
        let started = Instant::now();
        println!("fetching JsSIP from npm");
        browser::prepare()?;
        println!("  done ({:.0} s)", started.elapsed().as_secs_f32());
    }
    Ok(())
}

/// Installs those of some programs, each named with its package, that are missing.
pub(crate) fn install_programs(needed: &[(&str, &'static str)]) -> Result<()> {
    let missing = missing_of(needed)?;
    if missing.is_empty() {
        return Ok(());
    }
    install_packages(&missing)?;
    let still = missing_of(needed)?;
    ensure!(still.is_empty(), "installed, and yet missing: {}", still.join(" "));
    Ok(())
}

/// One call of apt-get, as root or through a sudo that asks for nothing.
fn install_packages(missing: &[&str]) -> Result<()> {
    let wanted = missing.join(" ");
    let root = String::from_utf8_lossy(&Command::new("id").arg("-u").output()?.stdout).trim() == "0";
    let sudo = !root && Command::new("sudo").args(["-n", "true"]).output().is_ok_and(|output| output.status.success());
    if !(root || sudo) || !Path::new("/usr/bin/apt-get").exists() {
        bail!("programs of others are needed; please run: sudo apt-get install --no-install-recommends {wanted}");
    }
    let started = Instant::now();
    println!("installing {wanted}");
    apt_get(sudo, &["update", "-qq"])?;
    let mut install = vec!["install", "-qq", "-y", "--no-install-recommends"];
    install.extend(missing);
    apt_get(sudo, &install)?;
    println!("  done ({:.0} s)", started.elapsed().as_secs_f32());
    Ok(())
}

fn apt_get(sudo: bool, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(if sudo { "sudo" } else { "env" });
    command.args(if sudo { ["-n", "env"].as_slice() } else { &[] });
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
    let output = command.output().context("starting apt-get")?;
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "apt-get {} failed\n{}", arguments.join(" "), tail(&format!("{out}{error}")));
    Ok(())
}
