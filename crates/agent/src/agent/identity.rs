//! Warns of a private key that other users can read.

use std::path::Path;

use crate::identity_files::open_mode;

/// Warns if other users can read the private key. With the key they could act as this node.
pub(super) fn warn_of_open_key(path: &Path) {
    if let Some(mode) = open_mode(path) {
        let path = path.display();
        // The file's mode lets group or others read the key. What to do: run the `chmod` that the
        // line names; if others may have read the key, issue a new certificate.
        tracing::warn!(%path, mode, "other users can read the private key; run `chmod 600 {path}`");
    }
}
