//! Warns of a private key that other users can read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Warns if other users can read the private key. With the key they could act as this node.
pub(super) fn warn_of_open_key(path: &Path) {
    // The key has already been read. If its file was removed since then, nobody can read it.
    let Ok(file) = std::fs::metadata(path) else { return };
    let mode = file.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let (path, mode) = (path.display(), format!("{mode:04o}"));
        // The file's mode lets group or others read the key. What to do: run the `chmod` that the
        // line names; if others may have read the key, issue a new certificate.
        tracing::warn!(%path, mode, "other users can read the private key; run `chmod 600 {path}`");
    }
}
