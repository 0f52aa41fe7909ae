//! `kinfolk ca`: creates, renews, revokes, and shows the files of a cluster's CA and of its nodes.
//!
//! The file of a key is private from its first byte on. No file is ever overwritten: an
//! overwritten key cannot be restored. A renewal keeps the former files.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _, stderr, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kinfolk::{CertificateInfo, ClusterCa, Covered, IdentityError, NodeIdentity, Revoker, Serial};

use crate::cli::{CaArgs, CaCommand, InitArgs, IssueArgs, RevokeArgs, ShowArgs};
use crate::exit::{Failure, Status};
use crate::identity_files::open_mode;

const CA_CERT: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
/// The file mode of certificates: everybody may read them.
const PUBLIC: u32 = 0o644;
/// The file mode of keys: only the owner may read them.
const PRIVATE: u32 = 0o600;

/// At most this many bytes of a file are read: more than the longest bundle of certificates has.
const FILE_BYTES_MAX: u64 = 512 * 1024;
/// The advice for the files of a CA.
const OF_A_CA: &str = "give the folder that `kinfolk ca init` wrote to";

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
        CaCommand::Renew(args) => renew(args)?,
        CaCommand::Revoke(args) => revoke(args)?,
        CaCommand::Show(args) => show(args)?,
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

/// Reads the CA in a folder.
fn authority(dir: &Path) -> Result<ClusterCa, Failure> {
    ClusterCa::from_pem(&read(&dir.join(CA_CERT), OF_A_CA)?, &read_key(dir)?)
        .map_err(|error| unusable(dir, &error))
}

fn unusable(dir: &Path, error: &IdentityError) -> Failure {
    let dir = dir.display();
    match error {
        // The certificate of the CA has expired, so nobody believes what it signs. What to do: make
        // a new CA, and replace the old one (docs/operations.md).
        IdentityError::Expired { name, at, now } => Failure::new(
            Status::Identity,
            format_args!(
                "the CA {name} in {dir} expired at {at}, and it is {now} now; make a new one with `kinfolk ca init`"
            ),
        ),
        // It is a CA of another program, and its name does not say the cluster. What to do: issue
        // certificates with that program; to revoke, add --cluster.
        IdentityError::BadName { found } => Failure::new(
            Status::Identity,
            format_args!(
                "the CA {found:?} in {dir} is not one of `kinfolk ca init`; issue with the program \
                 that made it, and add --cluster to revoke"
            ),
        ),
        // The two files are not a CA: damaged, or of two different CAs. What to do: give the folder
        // that `kinfolk ca init` wrote, or restore its files.
        error => Failure::new(Status::Identity, format_args!("cannot use the CA in {dir}: {error}")),
    }
}

/// Signs a certificate for the node, with a new key.
fn sign(args: &IssueArgs) -> Result<NodeIdentity, Failure> {
    let validity = Duration::from_hours(24) * u32::from(args.days);
    // The CA cannot sign, for example because its own certificate has expired. What to do: make a
    // new CA with `kinfolk ca init`, and issue new certificates to all nodes.
    authority(&args.dir)?.issue(&args.node, validity).map_err(|error| Failure::new(Status::Identity, error))
}

/// The paths of a node's certificate and key.
fn paths(args: &IssueArgs) -> (PathBuf, PathBuf) {
    let out = args.out.as_ref().unwrap_or(&args.dir);
    (out.join(format!("{}.pem", args.node)), out.join(format!("{}-key.pem", args.node)))
}

/// How long the certificate is of use: not longer than its CA.
fn life(args: &IssueArgs, identity: &NodeIdentity) -> String {
    let last = |pem: &str| CertificateInfo::read_pem(pem).ok()?.pop();
    match (last(identity.cert_pem()), last(identity.ca_pem())) {
        (Some(own), Some(ca)) if ca.expires_unix_secs < own.expires_unix_secs => {
            format!("until {}, when the CA expires", ca.valid_until)
        }
        _ if args.days == 1 => "for 1 day".to_owned(),
        _ => format!("for {} days", args.days),
    }
}

fn issue(args: &IssueArgs) -> Result<String, Failure> {
    let (identity, ca_cert) = (sign(args)?, args.dir.join(CA_CERT));
    let (cert, key) = paths(args);
    write_all(&[
        NewFile { path: key.clone(), mode: PRIVATE, text: identity.key_pem().to_owned() },
        NewFile { path: cert.clone(), mode: PUBLIC, text: identity.cert_pem().to_owned() },
    ])?;
    let life = life(args, &identity);
    Ok(format!(
        "wrote {cert}: the certificate of {name}, valid {life}\n\
         wrote {key}: its private key (mode 0600)\n\
         next, on that node: kinfolk agent --cert {cert} --key {key} --ca {ca} --listen IP:PORT [--join HOST:PORT]\n",
        cert = cert.display(),
        key = key.display(),
        ca = ca_cert.display(),
        name = identity.name(),
    ))
}

/// Writes new files beside the former ones, and then exchanges them. The agent of the node reads
/// them only once they belong together.
fn renew(args: &IssueArgs) -> Result<String, Failure> {
    let (cert, key) = paths(args);
    let before =
        shown(&cert, "give its folder with --out, or issue a first certificate with `kinfolk ca issue`")?;
    let identity = sign(args)?;
    let name = identity.name().to_string();
    if before.iter().all(|before| before.name != name) {
        // The file is the certificate of another node or cluster. What to do: check the folder and
        // the name, or issue a first certificate with `kinfolk ca issue`.
        let found = before.first().map_or("", |before| before.name.as_str());
        let message =
            format!("{} is the certificate of {found} and not of {name}; check the folder", cert.display());
        return Err(Failure::new(Status::Identity, message));
    }
    let next = |path: &Path, ending: &str| path.with_extension(ending);
    for path in [&cert, &key] {
        // A file that an interrupted renewal left behind.
        let _none = fs::remove_file(next(path, "pem.new"));
    }
    write_all(&[
        NewFile { path: next(&key, "pem.new"), mode: PRIVATE, text: identity.key_pem().to_owned() },
        NewFile { path: next(&cert, "pem.new"), mode: PUBLIC, text: identity.cert_pem().to_owned() },
    ])?;
    for path in [&key, &cert] {
        let kept = keep(path, &next(path, "pem.old"));
        kept.and_then(|()| fs::rename(next(path, "pem.new"), path)).map_err(|error| refused(path, &error))?;
    }
    Ok(format!(
        "wrote {cert}: the new certificate of {name}, valid {life}\n\
         wrote {key}: its new private key (mode 0600)\n\
         the former files have the ending .old\n\
         next: copy both to the node; its agent reads them again by itself\n",
        cert = cert.display(),
        key = key.display(),
        life = life(args, &identity),
    ))
}

/// Keeps a file under a second name, in the place of an earlier one. The first name stays: a node
/// that starts before the new file is there finds the former one.
fn keep(path: &Path, old: &Path) -> std::io::Result<()> {
    let _none = fs::remove_file(old);
    match fs::hard_link(path, old) {
        // The key may be on the node alone.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Not each file system can give a file two names.
        Err(_) => fs::rename(path, old),
        Ok(()) => Ok(()),
    }
}

/// Writes a revocation. It changes nothing by itself: a running member must receive it.
fn revoke(args: &RevokeArgs) -> Result<String, Failure> {
    let (cert, key) = (read(&args.dir.join(CA_CERT), OF_A_CA)?, read_key(&args.dir)?);
    let revoker = Revoker::from_pem(&cert, &key, args.cluster.as_ref());
    let revoker = revoker.map_err(|error| unusable(&args.dir, &error))?;
    let note = args.serial.as_ref().map(|serial| unknown_serial(args, serial)).unwrap_or_default();
    let covered = args.serial.clone().map(Covered::Serial);
    let text = revoker.revoke(&args.node, covered, None);
    let file = args.out.clone().unwrap_or_else(|| args.dir.join(format!("{}.revoked.pem", args.node)));
    write_all(&[NewFile { path: file.clone(), mode: PUBLIC, text }])?;
    await_next_second();
    let which = match &args.serial {
        Some(_) => "one certificate".to_owned(),
        None => "all certificates that were issued before now".to_owned(),
    };
    Ok(format!(
        "wrote {file}: it revokes {which} of {node}\n\
         {note}next: kinfolk revoke {file}; any one agent of the cluster takes it, and tells all others\n",
        file = file.display(),
        node = args.node,
    ))
}

/// A line that says so if the folder has certificates of the node, and none with this number: it
/// may be mistyped. Empty otherwise.
fn unknown_serial(args: &RevokeArgs, serial: &Serial) -> String {
    let files = ["pem", "pem.old"].map(|ending| args.dir.join(format!("{}.{ending}", args.node)));
    let of_file = |path: &PathBuf| CertificateInfo::read_pem(&read(path, "").ok()?).ok();
    let known: Vec<CertificateInfo> = files.iter().filter_map(of_file).flatten().collect();
    // Two digits for each byte. A zero before the number does not count.
    let bytes = serial.as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let wanted: Vec<u8> = bytes.skip_while(|digit| *digit == 0).collect();
    let is_it = |info: &CertificateInfo| {
        let digits =
            info.serial.chars().filter_map(|digit| digit.to_digit(16)).skip_while(|digit| *digit == 0);
        digits.eq(wanted.iter().map(|digit| u32::from(*digit)))
    };
    if known.is_empty() || known.iter().any(is_it) {
        return String::new();
    }
    let (node, dir) = (&args.node, args.dir.display());
    format!(
        "note: no certificate of {node} in {dir} has this serial number; check it with `kinfolk ca show`\n"
    )
}

/// Waits until the present second is over. A revocation covers what was issued in the same second,
/// and a script may issue the new certificate at once.
fn await_next_second() {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let past = Duration::from_nanos(since_epoch.subsec_nanos().into());
    thread::sleep(Duration::from_secs(1).saturating_sub(past));
}

/// What the certificates in a file say. `advice` is for a file that cannot be read.
fn shown(path: &Path, advice: &str) -> Result<Vec<CertificateInfo>, Failure> {
    CertificateInfo::read_pem(&read(path, advice)?).map_err(|error| {
        // The file has no certificate, or a damaged one. What to do: give the file of a certificate
        // in PEM.
        Failure::new(Status::Identity, format_args!("cannot show {}: {error}", path.display()))
    })
}

fn show(args: &ShowArgs) -> Result<String, Failure> {
    let lines = |info: &CertificateInfo| {
        let kind = if info.is_authority { "authority" } else { "name" };
        format!(
            "{kind:<12} {}\nserial       {}\nissued by    {}\nkey          {}\nvalid from   {}\nvalid until  {}\n\
             fingerprint  {}\n",
            info.name,
            info.serial,
            info.issuer,
            info.key,
            info.valid_from,
            info.valid_until,
            info.fingerprint
        )
    };
    Ok(shown(&args.file, "give a file with certificates in PEM")?
        .iter()
        .map(lines)
        .collect::<Vec<String>>()
        .join("\n"))
}

/// Reads the key of the CA in a folder. Warns if other users can read it too.
fn read_key(dir: &Path) -> Result<String, Failure> {
    let path = dir.join(CA_KEY);
    let key = read(&path, OF_A_CA)?;
    if let Some(mode) = open_mode(&path) {
        let path = path.display();
        // The command succeeds in any case, so there is nobody to tell of a failed write.
        let _unread = writeln!(
            stderr(),
            "kinfolk: other users can read the key of the CA (mode {mode}), and with it add nodes; run `chmod 600 \
             {path}`"
        );
    }
    Ok(key)
}

fn read(path: &Path, advice: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| {
        // One of the files is missing, or this user may not read it. What to do: follow the advice
        // in the message, and run the command as the owner of the file.
        Failure::new(Status::Identity, format_args!("cannot read {}: {error}; {advice}", path.display()))
    })?;
    Ok(text)
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
