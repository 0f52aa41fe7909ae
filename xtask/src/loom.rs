//! Runs the concurrency models: every `loom_*.rs` under a crate's `src`, built with
//! `--cfg kinfolk_loom`.
//!
//! The cfg has its own name because a global `--cfg loom` would change tokio and the QUIC stack
//! too. The build has its own target directory. In the usual one, each change of the flags would
//! make cargo build everything again.

use std::path::Path;

use anyhow::{Result, ensure};
use cargo_metadata::MetadataCommand;

use crate::cargo_steps::tests_run;
use crate::shell::{self, Output};

/// The preemptions that a model explores in each execution. Two find nearly every known bug, at a
/// small part of the cost of more.
const PREEMPTIONS: &str = "2";
/// With `--full`.
const PREEMPTIONS_FULL: &str = "3";

/// Runs the models of every crate that has models.
///
/// # Errors
/// When no crate has a model, when a crate with models runs no test, or when a model fails. A model
/// that is not compiled proves nothing, so a run without tests is an error.
pub(crate) fn check(full: bool) -> Result<String> {
    let metadata = MetadataCommand::new().current_dir(shell::root()).no_deps().exec()?;
    let mut ran = 0;
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        if has_models(&folder.join("src").into_std_path_buf())? {
            ran += run_models(&package.name, full)?;
        }
    }
    ensure!(ran > 0, "no crate has a loom model; models are tests in files named `src/**/loom_*.rs`");
    Ok(format!("{ran} models"))
}

fn run_models(package: &str, full: bool) -> Result<u64> {
    let mut command = shell::cargo(["test", "--release", "--package", package, "--lib"]);
    command
        .args(["--target-dir", "target/loom", "loom_"])
        .env("RUSTFLAGS", "--cfg kinfolk_loom")
        .env("LOOM_MAX_PREEMPTIONS", if full { PREEMPTIONS_FULL } else { PREEMPTIONS });
    let ran = tests_run(&shell::run_and_read(&mut command, Output::Stdout)?);
    ensure!(
        ran > 0,
        "{package} has loom_*.rs files, but no test whose path contains `loom_` ran; declare the module"
    );
    Ok(ran)
}

/// Whether a file named `loom_*.rs` lies anywhere under the folder.
fn has_models(folder: &Path) -> Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let found = if entry.file_type()?.is_dir() {
            has_models(&entry.path())?
        } else {
            name.starts_with("loom_") && Path::new(&*name).extension().is_some_and(|ext| ext == "rs")
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_without_loom_files_has_no_models() {
        assert!(!has_models(&shell::root().join("xtask/src/layers")).unwrap());
    }
}
