//! Which files the rules look at: those that git tracks, and those that it would if they were added now.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// The folders that hold Rust code of ours.
const CODE: &[&str] = &["crates", "xtask", "benches", "fuzz"];

/// Rust files, relative to the root, in git's (alphabetical) order.
///
/// # Errors
/// When git is missing or the root is not a git checkout.
pub(crate) fn rust(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = list(root, "*.rs")?;
    files.retain(|file| CODE.iter().any(|folder| file.starts_with(folder)));
    Ok(files)
}

/// Markdown files, relative to the root.
///
/// # Errors
/// When git is missing or the root is not a git checkout.
pub(super) fn markdown(root: &Path) -> Result<Vec<PathBuf>> {
    list(root, "*.md")
}

fn list(root: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    // The gate often runs as another user than the one who cloned; git would refuse to read that checkout.
    git.arg("-c").arg(format!("safe.directory={}", root.display())).current_dir(root);
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern]);
    let output = shell::capture(&mut git).context("tidy asks git which files are ours")?;
    let mut files: Vec<PathBuf> = output.split_terminator('\0').map(PathBuf::from).collect();
    // A tracked file may have been deleted or moved without git having been told.
    files.retain(|file| root.join(file).is_file());
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_file_is_found_and_nothing_under_target() {
        let files = rust(&shell::root()).unwrap();
        assert!(files.iter().any(|file| file == Path::new(file!())));
        assert!(!files.iter().any(|file| file.starts_with("target")));
    }
}
