//! The node's certificate and key and the cluster's CA, read from their files and checked against each other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kinfolk::NodeIdentity;

use crate::config::AgentConfig;
use crate::exit::{Failure, Status};

/// The identity that the configuration names.
pub(super) fn read(config: &AgentConfig) -> Result<NodeIdentity, Failure> {
    let cert = text(&config.cert, "certificate", "cert")?;
    let key = text(&config.key, "private key", "key")?;
    let ca = text(&config.ca, "CA certificate", "ca")?;
    NodeIdentity::from_pem(&cert, &key, &ca).map_err(|error| {
        let files =
            format!("(files {}, {}, {})", config.cert.display(), config.key.display(), config.ca.display());
        Failure::new(Status::Identity, format_args!("{error} {files}"))
    })
}

fn text(path: &Path, what: &str, setting: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        let advice = format!("check `{setting}` and the file's owner, or issue it with `kinfolk ca issue`");
        Failure::new(Status::Identity, format_args!("the {what} {path} cannot be read ({error}): {advice}"))
    })
}

/// Warns if other users can read the private key. With it they could speak as this node.
pub(super) fn warn_of_open_key(path: &Path) {
    // A file that has gone since it was read is no danger.
    let Ok(file) = std::fs::metadata(path) else { return };
    let mode = file.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let (path, mode) = (path.display(), format!("{mode:04o}"));
        tracing::warn!(%path, mode, "other users can read the private key; run `chmod 600 {path}`");
    }
}
