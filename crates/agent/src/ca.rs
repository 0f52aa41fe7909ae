//! `kinfolk ca`: creates the files of a cluster's CA and of its nodes.
//!
//! The file of a key is private from its first byte on. No file is ever overwritten: an
//! overwritten key cannot be restored.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kinfolk::ClusterCa;

use crate::cli::{CaArgs, CaCommand, InitArgs, IssueArgs};
use crate::exit::{Failure, Status};

const CA_CERT: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
/// The file mode of certificates: everybody may read them.
const PUBLIC: u32 = 0o644;
/// The file mode of keys: only the owner may read them.
const PRIVATE: u32 = 0o600;

/// A file to create.
struct NewFile {
    path: PathBuf,
    mode: u32,
    text: String,
}

pub(crate) fn run(args: &CaArgs) -> Result<(), Failure> {
    let report = match &args.command {
        CaCommand::Init(args) => init(args)?,
        CaCommand::Issue(args) => issue(args)?,
    };
    stdout().write_all(report.as_bytes()).map_err(|error| Failure::output(&error))
}

fn init(args: &InitArgs) -> Result<String, Failure> {
    // The system gave no key or no random numbers. What to do: see the error; then try again.
    let ca = ClusterCa::create(&args.cluster).map_err(|error| Failure::new(Status::Identity, error))?;
    let [cert, key] = [CA_CERT, CA_KEY].map(|name| args.dir.join(name));
    // The key first: an existing key stops the command before anything is written.
    write_all(&[
        NewFile { path: key.clone(), mode: PRIVATE, text: ca.key_pem() },
        NewFile { path: cert.clone(), mode: PUBLIC, text: ca.cert_pem().to_owned() },
    ])?;
    Ok(format!(
        "wrote {}: the certificate of cluster {}; every node needs a copy\n\
         wrote {}: the private key of the CA (mode 0600); anyone who has it can add nodes, so keep it away from them\n\
         next: kinfolk ca issue {} NODE\n",
        cert.display(),
        args.cluster,
        key.display(),
        args.dir.display(),
    ))
}

fn issue(args: &IssueArgs) -> Result<String, Failure> {
    let (ca_cert, ca_key) = (args.dir.join(CA_CERT), args.dir.join(CA_KEY));
    let ca = ClusterCa::from_pem(&read(&ca_cert)?, &read(&ca_key)?).map_err(|error| {
        // The two files are not a CA: damaged, or of two different CAs. What to do: give the folder
        // that `kinfolk ca init` wrote, or restore its files.
        Failure::new(Status::Identity, format_args!("cannot use the CA in {}: {error}", args.dir.display()))
    })?;
    let validity = Duration::from_hours(24) * u32::from(args.days);
    // The CA cannot sign, for example because its own certificate has expired. What to do: make a
    // new CA with `kinfolk ca init`, and issue new certificates to all nodes.
    let identity = ca.issue(&args.node, validity).map_err(|error| Failure::new(Status::Identity, error))?;
    let out = args.out.as_ref().unwrap_or(&args.dir);
    let (cert, key) = (out.join(format!("{}.pem", args.node)), out.join(format!("{}-key.pem", args.node)));
    write_all(&[
        NewFile { path: key.clone(), mode: PRIVATE, text: identity.key_pem().to_owned() },
        NewFile { path: cert.clone(), mode: PUBLIC, text: identity.cert_pem().to_owned() },
    ])?;
    let days = if args.days == 1 { "1 day".to_owned() } else { format!("{} days", args.days) };
    Ok(format!(
        "wrote {cert}: the certificate of {name}, valid for {days}\n\
         wrote {key}: its private key (mode 0600)\n\
         next, on that node: kinfolk agent --cert {cert} --key {key} --ca {ca} --listen IP:PORT [--join HOST:PORT]\n",
        cert = cert.display(),
        key = key.display(),
        ca = ca_cert.display(),
        name = identity.name(),
    ))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        // One of the CA's files is missing, or this user may not read it. What to do: give the
        // folder that `kinfolk ca init` wrote to, and run the command as its owner.
        let advice = "give the folder that `kinfolk ca init` wrote to";
        Failure::new(Status::Identity, format_args!("cannot read {}: {error}; {advice}", path.display()))
    })
}

/// Creates all the files or none: if one fails, the files created before it are removed.
fn write_all(files: &[NewFile]) -> Result<(), Failure> {
    for (made, file) in files.iter().enumerate() {
        if let Err(error) = write(file) {
            for earlier in &files[..made] {
                // A file that cannot be removed makes the next attempt fail, which then names it.
                let _left_behind = fs::remove_file(&earlier.path);
            }
            return Err(refused(&file.path, &error));
        }
    }
    Ok(())
}

fn write(file: &NewFile) -> std::io::Result<()> {
    if let Some(folder) = file.path.parent() {
        fs::create_dir_all(folder)?;
    }
    // `create_new` refuses an existing file. The mode is set at the creation, so that no other user
    // can open the key between the creation and a later `chmod`.
    let mut made = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&file.path)?;
    made.write_all(file.text.as_bytes())?;
    // A key exists once. Flush it to the disk before the command reports success.
    made.sync_all()
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    if error.kind() == ErrorKind::AlreadyExists {
        // A file of this name exists. What to do: give another folder, or remove the file if it is
        // no longer needed.
        let message =
            format!("{path} already exists and is not overwritten; give another folder, or remove the file");
        return Failure::new(Status::Failed, message);
    }
    // The folder cannot be written, or the disk is full. What to do: check the folder's permissions
    // and the room on the disk.
    Failure::new(Status::Failed, format_args!("cannot write {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_file_leaves_none_of_the_set() {
        let folder = tempfile::tempdir().unwrap();
        let file =
            |name: &str| NewFile { path: folder.path().join(name), mode: PRIVATE, text: "x".to_owned() };
        fs::write(folder.path().join("b"), "old").unwrap();
        let failure = write_all(&[file("a"), file("b")]).unwrap_err();
        assert!(failure.to_string().contains("is not overwritten"), "{failure}");
        assert!(!folder.path().join("a").exists());
        assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "old");
    }
}
