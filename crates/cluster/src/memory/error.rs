//! Why a member cannot use its state directory. It does not start then: to run without the memory that it was told to
//! keep would be worse. What happens later (a full disk) is a warning, see the [module](super).

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a member cannot use its state directory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another process, or another member of this one, holds the directory.
    #[error(
        "the state directory {} is in use by another member: give each its own, and stop the other if it is this one",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The system refused to read or write there.
    #[error(
        "the state directory {} cannot be used, {step}: {cause}; give one that this user may write to",
        dir.display()
    )]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What was tried.
        step: &'static str,
        /// What the system says.
        cause: String,
    },
}

impl StateError {
    /// An error of `step` in `dir`.
    pub(super) fn io(dir: &Path, step: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io { dir: dir.to_owned(), step, cause: error.to_string() }
    }
}
