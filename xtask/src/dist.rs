//! `cargo xtask dist`: the binary that runs on any Linux of this machine's kind, with its manual and completions, as an archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;
use crate::test::{demo, packages};

/// Shells that get completions.
const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// The command; takes no arguments.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.first() {
        bail!("dist takes no arguments, not {argument:?}");
    }
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    add_target(&target)?;
    // SQLite and AWS-LC are C.
    packages::install_programs(&[("musl-gcc", "musl-tools")])?;
    let build = ["build", "--release", "--package", "ringback", "--target", &target];
    ensure!(cargo::cargo(&build).status().context("cargo build")?.success(), "the build for {target} failed");
    let binary = cargo::target_dir()?.join(&target).join("release").join("ringback");
    let bytes = fs::read(&binary).with_context(|| format!("reading {}", binary.display()))?;
    prove_static(&bytes)?;
    println!("static: it asks for no interpreter and no library; {:.1} MB", bytes.len() as f64 / 1e6);
    let logs = cargo::output_dir()?;
    fs::create_dir_all(&logs)?;
    demo(&logs, &binary)?;
    println!("demo: both ends heard the other");
    let archive = pack(&binary, &target)?;
    println!("{}", archive.display());
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that Rust's library for the target is there.
fn add_target(target: &str) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output().context("rustc")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&folder).is_dir() {
        return Ok(());
    }
    println!("adding {target} to the toolchain");
    let added = Command::new("rustup").args(["target", "add", target]).status();
    ensure!(
        added.is_ok_and(|status| status.success()),
        "Rust's library for {target} is not in {folder}, and `rustup target add {target}` has not brought it"
    );
    Ok(())
}

/// An error unless the program can be started by a kernel alone: no interpreter to load it, no library to load with it.
fn prove_static(elf: &[u8]) -> Result<()> {
    /// Types of segments and of entries in the dynamic one (elf(5)).
    const INTERP: u64 = 3;
    const DYNAMIC: u64 = 2;
    const NEEDED: u64 = 1;
    ensure!(elf.starts_with(b"\x7fELF\x02\x01"), "it is no 64-bit little-endian ELF file");
    let number = |at: u64, bytes: usize| -> Result<u64> {
        let field = usize::try_from(at).ok().and_then(|at| elf.get(at..at.checked_add(bytes)?));
        let field = field.context("the ELF file ends early")?;
        Ok(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let (table, entry_bytes, entries) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    ensure!(entries > 0, "it has no segments");
    for entry in (0..entries).map(|index| table + index * entry_bytes) {
        match number(entry, 4)? {
            INTERP => bail!("it is loaded by an interpreter"),
            DYNAMIC => {
                let (offset, bytes) = (number(entry + 8, 8)?, number(entry + 32, 8)?);
                for at in (offset..offset + bytes).step_by(16) {
                    ensure!(number(at, 8)? != NEEDED, "it needs a library");
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The binary with what belongs to it, as `ringback-VERSION-TARGET.tar.gz`.
fn pack(binary: &Path, target: &str) -> Result<PathBuf> {
    let name = format!("ringback-{}-{target}", env!("CARGO_PKG_VERSION"));
    let dist = cargo::target_dir()?.join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("completions"))?;
    fs::copy(binary, folder.join("ringback"))?;
    for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        fs::copy(cargo::root().join(file), folder.join(file)).with_context(|| file.to_owned())?;
    }
    let print = |arguments: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new(binary).args(arguments).output()?;
        ensure!(output.status.success(), "ringback {} failed", arguments.join(" "));
        Ok(output.stdout)
    };
    for shell in SHELLS {
        fs::write(folder.join("completions").join(shell), print(&["completions", shell])?)?;
    }
    let man = folder.join("man");
    print(&["man", "--out", man.to_str().context("a folder that is not UTF-8")?])?;
    // The whole of it in the place of the program's own page.
    fs::write(man.join("ringback.1"), print(&["man"])?)?;
    let archive = dist.join(format!("{name}.tar.gz"));
    let tar = ["--create", "--gzip", "--owner=0", "--group=0", "--sort=name", "--file"];
    let status = Command::new("tar").args(tar).arg(&archive).arg("--directory").arg(&dist).arg(&name).status()?;
    ensure!(status.success(), "tar failed");
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::prove_static;

    /// A file with one segment of this type, and what the dynamic one has.
    fn elf(kind: u8, tag: u8) -> Vec<u8> {
        let mut elf = vec![0; 64 + 56 + 16];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (elf[32], elf[54], elf[56]) = (64, 56, 1);
        (elf[64], elf[64 + 8], elf[64 + 32], elf[120]) = (kind, 120, 16, tag);
        elf
    }

    #[test]
    fn a_static_program_needs_nobody() {
        assert!(prove_static(&elf(1, 0)).is_ok());
        // Static, and wherever in memory it is put.
        assert!(prove_static(&elf(2, 5)).is_ok());
        for other in [elf(3, 0), elf(2, 1), elf(2, 1)[..121].to_vec(), b"#!/bin/sh".to_vec(), Vec::new()] {
            assert!(prove_static(&other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn this_test_is_no_static_program() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(cfg!(target_env = "musl") || prove_static(&own).is_err());
    }
}
