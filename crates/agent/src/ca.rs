//! `kinfolk ca`: the files of a cluster's authority and of its nodes. A key's file is private from its first byte on, and
//! nothing that is there is ever overwritten.

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
const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

/// A file to be made.
struct NewFile {
    path: PathBuf,
    mode: u32,
    text: String,
}

pub(crate) fn run(args: &CaArgs) -> Result<(), Failure> {
    let told = match &args.command {
        CaCommand::Init(args) => init(args)?,
        CaCommand::Issue(args) => issue(args)?,
    };
    stdout().write_all(told.as_bytes()).map_err(|error| Failure::output(&error))
}

fn init(args: &InitArgs) -> Result<String, Failure> {
    let ca = ClusterCa::create(&args.cluster).map_err(|error| Failure::new(Status::Identity, error))?;
    let [cert, key] = [CA_CERT, CA_KEY].map(|name| args.dir.join(name));
    write_all(&[
        NewFile { path: key.clone(), mode: PRIVATE, text: ca.key_pem() },
        NewFile { path: cert.clone(), mode: PUBLIC, text: ca.cert_pem().to_owned() },
    ])?;
    Ok(format!(
        "wrote {}: the certificate of cluster {}, which every node needs\n\
         wrote {}: its private key (mode 0600); whoever has it can let nodes in, so keep it away from them\n\
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
        Failure::new(
            Status::Identity,
            format_args!("the CA in {} cannot be used: {error}", args.dir.display()),
        )
    })?;
    let validity = Duration::from_hours(24) * u32::from(args.days);
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
        let advice = "give the folder that `kinfolk ca init` wrote to";
        Failure::new(Status::Identity, format_args!("{} cannot be read ({error}): {advice}", path.display()))
    })
}

/// Makes all the files or none: those that were made before one failed are removed.
fn write_all(files: &[NewFile]) -> Result<(), Failure> {
    for (made, file) in files.iter().enumerate() {
        if let Err(error) = write(file) {
            for earlier in &files[..made] {
                // What cannot be removed is in the way of the next attempt, which then says so.
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
    let mut made = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&file.path)?;
    made.write_all(file.text.as_bytes())?;
    made.sync_all()
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    if error.kind() == ErrorKind::AlreadyExists {
        let message =
            format!("{path} is there already and is not overwritten: give another folder, or remove it");
        return Failure::new(Status::Failed, message);
    }
    Failure::new(Status::Failed, format_args!("{path} cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_file_cannot_be_made_none_is() {
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
