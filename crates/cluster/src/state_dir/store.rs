//! The files of the state directory: the record, which is only ever replaced as a whole, and a
//! lock, so that two members never share the directory. All functions here block on the disk.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kinfolk_core::signed::{Unverified, verify_item};
use kinfolk_core::{Incarnation, NodeStatus};
use kinfolk_gossip::{Certificates, Verifier};
use kinfolk_transport::NodeIdentity;
use parking_lot::Mutex;

use super::error::StateError;
use crate::record::{BYTES_MAX, Record, Unreadable};

/// The file with the record.
const FILE: &str = "kinfolk.state";
/// The file of a write that is under way. It replaces the record when it is complete.
const NEXT: &str = "kinfolk.state.next";
/// The file that a member locks while it uses the directory. It has no contents.
const LOCK: &str = "kinfolk.lock";
/// How many unusable files of each kind are kept. A further one replaces the oldest.
const ASIDE_MAX: usize = 4;

/// A locked state directory. The lock ends when it is [closed](Self::close) or dropped.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    /// The lock lasts while the file is open. A write holds a clone, so that the lock lasts until
    /// the write ends. `None` after a close.
    lock: Mutex<Option<Arc<File>>>,
}

impl Store {
    /// Opens the directory. Creates it with mode 0700 if it does not exist.
    pub(super) fn open(dir: &Path) -> Result<Self, StateError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(StateError::io(dir, "making it"))?;
        let lock = File::create(dir.join(LOCK)).map_err(StateError::io(dir, "making its lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                // The member starts all the same, but cannot detect another member that uses the
                // directory. What to do: give each member its own directory, or use a file system
                // with locks.
                tracing::warn!(
                    dir = %dir.display(),
                    "cannot lock the state directory: this file system has no locks; make sure that no other \
                     member uses it"
                );
            }
            Err(TryLockError::Error(error)) => return Err(StateError::io(dir, "locking it")(error)),
        }
        Ok(Self { dir: dir.to_owned(), lock: Mutex::new(Some(Arc::new(lock))) })
    }

    /// Reads the record, and verifies the statements in it. Returns `None` if there is none, or if
    /// it cannot be used. In the second case the file is set aside with a warning: a damaged file
    /// must not keep the member from starting.
    pub(super) fn read(
        &self,
        identity: &NodeIdentity,
        clock: Incarnation,
    ) -> Result<Option<(Record, Certificates)>, StateError> {
        let path = self.dir.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::io(&self.dir, "reading its file")(error)),
        };
        let mut bytes = Vec::new();
        // A file longer than any record is truncated here. Its checksum is then wrong.
        file.take(BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(StateError::io(&self.dir, "reading its file"))?;
        let owner = (identity.cluster(), identity.id());
        let why = match Record::from_bytes(&bytes, owner, clock).and_then(|read| verify(read, identity)) {
            Ok(verified) => return Ok(Some(verified)),
            Err(why) => why,
        };
        let kind = match &why {
            Unreadable::Foreign { .. } | Unreadable::Version(_) => "foreign",
            Unreadable::Magic | Unreadable::Checksum | Unreadable::Contents(_) | Unreadable::Forged(_) => {
                "corrupt"
            }
        };
        let aside = self.set_aside(kind).map_err(StateError::io(&self.dir, "setting a file aside"))?;
        // The file is kept as `aside`. The member does not know its seeds and former members. Its
        // incarnation starts at its clock. What to do: see `why`. Give the member a seed if it does
        // not find its group.
        tracing::warn!(
            file = %path.display(), %why, aside = %aside.display(),
            "cannot use the state file; it is set aside, and the member starts without it"
        );
        Ok(None)
    }

    /// Replaces the record. After a crash at any point, the directory holds either the old record
    /// or the new one. When this function returns, it holds the new one.
    pub(super) fn write(&self, record: &Record) -> Result<(), StateError> {
        // A write of an instance that gave the directory up must not replace the record of the
        // next.
        let Some(_lock) = self.lock.lock().clone() else {
            return Err(StateError::io(&self.dir, "writing to it")(io::Error::other("it is closed")));
        };
        self.replace(&record.to_bytes()).map_err(StateError::io(&self.dir, "writing to it"))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.dir.join(NEXT);
        let mut file = File::create(&next)?;
        file.write_all(bytes)?;
        // Before the rename. Otherwise a crash of the machine could leave a record full of zeros.
        file.sync_all()?;
        fs::rename(&next, self.dir.join(FILE))?;
        // The rename itself is durable only after its directory is synchronized.
        File::open(&self.dir)?.sync_all()
    }

    /// Renames the record to a file with the number 1. Older files move up by one number.
    fn set_aside(&self, kind: &str) -> io::Result<PathBuf> {
        let numbered = |number: usize| self.dir.join(format!("{FILE}.{kind}-{number}"));
        // From the highest number down, so that no rename replaces a file that is still to move.
        for number in (1..ASIDE_MAX).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(self.dir.join(FILE), numbered(1))?;
        Ok(numbered(1))
    }

    /// Releases the directory, at once or after the write that is under way. Later writes fail.
    pub(super) fn close(&self) {
        self.lock.lock().take();
    }
}

/// Verifies the statements in a record. Leaves out members whose certificate is missing or not
/// valid any more: nobody would let them in.
fn verify(record: Unverified<Record>, identity: &NodeIdentity) -> Result<(Record, Certificates), Unreadable> {
    let authority = identity.authorities();
    let issued = record.peek().certificates.iter().filter_map(|der| authority.certificate(der).ok());
    let certificates = Certificates::of(issued.map(Arc::new));
    let verifier = Verifier::new(identity, certificates.clone());
    let is_innocent = |item: &Arc<NodeStatus>| match verify_item(&verifier, &**item) {
        Ok(()) => true,
        Err(refusal) => !refusal.is_innocent(),
    };
    let record = record.map(|mut record| {
        record.members.retain(is_innocent);
        record
    });
    let verified = record.verify(&verifier).map_err(|(refusal, _)| Unreadable::Forged(refusal))?;
    Ok((verified.into_inner(), certificates))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use bytes::Bytes;
    use kinfolk_core::{ClusterId, NodeAddr, NodeId, NodeState, Tags};
    use kinfolk_transport::ClusterCa;

    use super::*;

    static CA: LazyLock<ClusterCa> =
        LazyLock::new(|| ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap());

    fn identity(node: &str) -> NodeIdentity {
        CA.issue(&NodeId::new(node).unwrap(), Duration::from_hours(1)).unwrap()
    }

    fn record(node: &str, ceiling: u64) -> Record {
        Record {
            cluster: ClusterId::new("test").unwrap(),
            node: NodeId::new(node).unwrap(),
            ceiling: Incarnation::new(ceiling),
            left: false,
            seeds: Vec::new(),
            members: Vec::new(),
            certificates: Vec::new(),
        }
    }

    fn read(store: &Store, node: &str) -> Option<Record> {
        store.read(&identity(node), Incarnation::new(1)).unwrap().map(|(record, _)| record)
    }

    /// The last statement of a member, as a record has it, and its certificate.
    fn member(node: &str) -> (Arc<NodeStatus>, Bytes) {
        let identity = identity(node);
        let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
        let alive = NodeStatus::alive(identity.id().clone(), addr, Incarnation::new(1), Tags::empty());
        let status = alive.signed(&identity.signer()).with_state(NodeState::Failed).without_description();
        (status.into(), identity.certificate().der().clone())
    }

    #[test]
    fn member_without_a_certificate_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let ((b, certificate), (c, _)) = (member("b"), member("c"));
        let (members, certificates) = (vec![Arc::clone(&b), c], vec![certificate, "junk".into()]);
        store.write(&Record { members, certificates, ..record("a", 1) }).unwrap();
        assert_eq!(read(&store, "a").unwrap().members, [b]);
    }

    #[test]
    fn file_with_a_forged_statement_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let ((b, b_cert), (c, c_cert)) = (member("b"), member("c"));
        let mut forged = NodeStatus::clone(&c);
        forged.addr = NodeAddr::new(([10, 0, 0, 9], 9).into());
        let certificates = vec![b_cert, c_cert];
        let with = |members| Record { members, certificates: certificates.clone(), ..record("a", 1) };
        store.write(&with(vec![Arc::clone(&b), forged.into()])).unwrap();
        assert_eq!(read(&store, "a"), None);
        assert_eq!(files(dir.path())[1..], [format!("{FILE}.corrupt-1")]);
        store.write(&with(vec![b, c])).unwrap();
        assert_eq!(read(&store, "a").unwrap().members.len(), 2);
    }

    fn files(dir: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(name).collect();
        files.sort();
        files
    }

    #[test]
    fn next_instance_reads_the_last_record() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("deep/down");
        let store = Store::open(&dir).unwrap();
        assert_eq!(read(&store, "a"), None);
        store.write(&record("a", 1)).unwrap();
        store.write(&record("a", 2)).unwrap();
        drop(store);
        assert_eq!(read(&Store::open(&dir).unwrap(), "a"), Some(record("a", 2)));
        assert_eq!(files(&dir), [LOCK, FILE], "there is no other file");
    }

    #[test]
    fn interrupted_write_leaves_the_old_record() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.write(&record("a", 1)).unwrap();
        fs::write(dir.path().join(NEXT), b"kinfo").unwrap();
        assert_eq!(read(&store, "a"), Some(record("a", 1)));
        store.write(&record("a", 2)).unwrap();
        assert_eq!(read(&store, "a"), Some(record("a", 2)));
    }

    #[test]
    fn last_four_damaged_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for number in 1..=6 {
            fs::write(dir.path().join(FILE), format!("junk {number}")).unwrap();
            assert_eq!(read(&store, "a"), None);
        }
        let aside = |number: usize| format!("{FILE}.corrupt-{number}");
        let kept = [aside(1), aside(2), aside(3), aside(4)];
        assert_eq!(files(dir.path())[1..], kept);
        let texts = kept.map(|name| fs::read_to_string(dir.path().join(name)).unwrap());
        assert_eq!(texts, ["junk 6", "junk 5", "junk 4", "junk 3"]);
    }

    #[test]
    fn file_of_another_node_is_set_aside_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.write(&record("b", 1)).unwrap();
        assert_eq!(read(&store, "a"), None);
        fs::rename(dir.path().join(format!("{FILE}.foreign-1")), dir.path().join(FILE)).unwrap();
        assert_eq!(read(&store, "b"), Some(record("b", 1)));
    }

    #[test]
    fn locked_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        let in_use = StateError::InUse { dir: dir.path().to_owned() };
        assert_eq!(Store::open(dir.path()).unwrap_err(), in_use);
        first.close();
        let _second = Store::open(dir.path()).unwrap();
        assert!(first.write(&record("a", 1)).is_err(), "a closed store refuses writes");
    }

    #[test]
    fn path_of_a_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let text = Store::open(&file).unwrap_err().to_string();
        assert!(text.contains(&file.display().to_string()) && text.contains("making it"), "{text}");
    }
}
