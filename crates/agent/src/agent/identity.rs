//! Reads the node's certificate and key and the cluster's CA, and checks them against each other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kinfolk::NodeIdentity;

use crate::config::AgentConfig;
use crate::exit::{Failure, Status};

/// Reads the identity from the files that the configuration names.
pub(super) fn read(config: &AgentConfig) -> Result<NodeIdentity, Failure> {
    let cert = text(&config.cert, "certificate", "cert")?;
    let key = text(&config.key, "private key", "key")?;
    let ca = text(&config.ca, "CA certificate", "ca")?;
    NodeIdentity::from_pem(&cert, &key, &ca).map_err(|error| {
        // The three files do not form one valid identity; `error` says why. What to do: compare the
        // files with each other, or issue a certificate with `kinfolk ca issue`.
        let files =
            format!("(files {}, {}, {})", config.cert.display(), config.key.display(), config.ca.display());
        Failure::new(Status::Identity, format_args!("{error} {files}"))
    })
}

fn text(path: &Path, what: &str, setting: &str) -> Result<String, Failure> {
    // The file is missing, or this user may not read it. What to do: check the path and the owner
    // of the file, or issue a certificate with `kinfolk ca issue`.
    std::fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        let advice = format!("check `{setting}` and the file's owner, or issue it with `kinfolk ca issue`");
        Failure::new(Status::Identity, format_args!("cannot read the {what} {path}: {error}; {advice}"))
    })
}

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
