//! The errors of the state directory at the start. A member with such an error does not start: it
//! would lose the record that its configuration asks for. A later failure, such as a full disk, is
//! only a warning (see the [module](super)).

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a member cannot use its state directory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another process, or another member in this process, holds the state directory.
    ///
    /// What to do: give each member its own directory. If another process runs this same member,
    /// stop it.
    #[error(
        "the state directory {} is in use by another member; give this member its own directory, or stop \
         the other one",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The operating system refused an operation on the state directory.
    ///
    /// What to do: give a directory that exists or can be created, and to which the user of this
    /// process may write. Check that the disk has space.
    #[error(
        "the state directory {} cannot be used: {step} failed: {cause}; give a directory to which this \
         user may write",
        dir.display()
    )]
    Io {
        /// The directory.
        dir: PathBuf,
        /// The operation that failed.
        step: &'static str,
        /// The error of the system.
        cause: String,
    },
}

impl StateError {
    /// Converts an I/O error of `step` in `dir`.
    pub(super) fn io(dir: &Path, step: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io { dir: dir.to_owned(), step, cause: error.to_string() }
    }
}
