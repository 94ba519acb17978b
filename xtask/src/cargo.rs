//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{Metadata, MetadataCommand};

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A call of the same cargo that runs xtask, in the workspace's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// The whole workspace with its resolved dependencies.
pub(crate) fn metadata() -> Result<&'static Metadata> {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    if METADATA.get().is_none() {
        let found = MetadataCommand::new().current_dir(root()).exec().context("cargo metadata")?;
        let _ = METADATA.set(found);
    }
    METADATA.get().context("cargo metadata")
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> Result<PathBuf> {
    Ok(metadata()?.target_directory.clone().into_std_path_buf())
}

/// Where logs and other output of xtask go.
pub(crate) fn output_dir() -> Result<PathBuf> {
    Ok(target_dir()?.join("xtask"))
}

/// Builds the release binary.
pub(crate) fn build_release() -> Result<()> {
    let status = cargo(&["build", "--release", "--package", "ringback"]).status().context("cargo build")?;
    ensure!(status.success(), "the release build failed");
    Ok(())
}
