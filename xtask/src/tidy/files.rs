//! The files that the rules check: those that git tracks, and new files that git does not ignore.
//! So a developer sees findings before the commit.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// The folders with the Rust code of this project.
const CODE: &[&str] = &["crates", "xtask", "benches", "fuzz"];

/// Rust files, relative to the root, in git's order, which is alphabetical.
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
    // The gate often runs as another user than the owner of the checkout. Without this setting git
    // refuses to read such a checkout.
    git.arg("-c").arg(format!("safe.directory={}", root.display())).current_dir(root);
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern]);
    let output = shell::capture(&mut git)
        .context("cannot list the files of this project; install git, and run this in a checkout")?;
    let mut files: Vec<PathBuf> = output.split_terminator('\0').map(PathBuf::from).collect();
    // A tracked file may be deleted or moved already, but not in git's index.
    files.retain(|file| root.join(file).is_file());
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_is_not_listed() {
        let files = rust(&shell::root()).unwrap();
        assert!(files.iter().any(|file| file == Path::new(file!())));
        assert!(!files.iter().any(|file| file.starts_with("target")));
    }
}
