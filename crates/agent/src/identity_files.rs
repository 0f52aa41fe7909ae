//! The files of a node's identity: its certificate and key, and the authorities that it trusts.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kinfolk::{ClusterError, IdentityError, NodeIdentity};

use crate::exit::{Failure, Status};

/// At most this many bytes of a file are read: more than the longest bundle of certificates has.
const FILE_BYTES_MAX: u64 = 512 * 1024;

/// The three files of an identity.
#[derive(Debug, Clone)]
pub(crate) struct IdentityFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
}

/// What tells that a file is another one or has other contents. `None` if there is no file.
pub(crate) type Stamp = Option<(SystemTime, u64, u64)>;

impl IdentityFiles {
    /// Reads the files and checks them against each other.
    pub(crate) fn read(&self) -> Result<NodeIdentity, Failure> {
        let cert = text(&self.cert, "certificate", "cert")?;
        let key = text(&self.key, "private key", "key")?;
        let ca = text(&self.ca, "CA certificate", "ca")?;
        NodeIdentity::from_pem(&cert, &key, &ca).map_err(|error| {
            // The three files do not form one valid identity; `error` says why, and which file it
            // is about. What to do: compare the files with each other, or issue a certificate with
            // `kinfolk ca issue`.
            let file = self.culprit(&error).display();
            Failure::new(Status::Identity, format_args!("{error} (file {file})"))
        })
    }

    /// The file that an error is about.
    fn culprit(&self, error: &IdentityError) -> &Path {
        use IdentityError as E;
        match error {
            E::Parse { what: "private key", .. } | E::KeyMismatch { .. } => &self.key,
            E::Parse { what: "CA certificate", .. }
            | E::WrongKeyKind { what: "CA", .. }
            | E::TooMany { what: "CA file", .. }
            | E::NotACa
            | E::UnsupportedExtension { of: "an authority", .. } => &self.ca,
            _ => &self.cert,
        }
    }

    /// Why the library does not take the files.
    pub(crate) fn explain(&self, error: &ClusterError) -> String {
        format!("{error} (file {})", self.cert.display())
    }

    /// The stamps of the files.
    pub(crate) fn stamps(&self) -> [Stamp; 3] {
        use std::os::unix::fs::MetadataExt as _;
        [&self.cert, &self.key, &self.ca].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len(), found.ino()))
        })
    }
}

/// The mode of a file with a key, if it lets other users read the key. `None` also if there is no
/// such file any more.
pub(crate) fn open_mode(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| format!("{mode:04o}"))
}

fn text(path: &Path, what: &str, setting: &str) -> Result<String, Failure> {
    // The file is missing, or this user may not read it. What to do: check the path and the owner
    // of the file, or issue a certificate with `kinfolk ca issue`.
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| {
        let path = path.display();
        let advice = format!("check `{setting}` and the file's owner, or issue it with `kinfolk ca issue`");
        Failure::new(Status::Identity, format_args!("cannot read the {what} {path}: {error}; {advice}"))
    })?;
    Ok(text)
}
