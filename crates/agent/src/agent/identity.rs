//! The node's certificate and key and the cluster's CA, read from their files and checked against each other.

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
