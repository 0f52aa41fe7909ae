//! The state directory: one file that is only ever replaced whole, and a lock, so that two members never share it.
//! Everything here waits for the disk.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kinfolk_core::{ClusterId, Incarnation, NodeId};
use parking_lot::Mutex;

use super::error::StateError;
use crate::record::{BYTES_MAX, Record, Unreadable};

/// The record.
const FILE: &str = "kinfolk.state";
/// The record that is being written.
const NEXT: &str = "kinfolk.state.next";
/// What is locked while a member uses the directory. Its contents mean nothing.
const LOCK: &str = "kinfolk.lock";
/// How many files of each kind are set aside; one more replaces the oldest.
const ASIDE_MAX: usize = 4;

/// A state directory that is ours alone until it is [closed](Self::close) or dropped.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    /// The lock, which lasts as long as the file is open; a write under way keeps it to its end. `None` once closed.
    lock: Mutex<Option<Arc<File>>>,
}

impl Store {
    /// Opens the directory, and makes it (mode 0700) if it is not there.
    pub(super) fn open(dir: &Path) -> Result<Self, StateError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(StateError::io(dir, "making it"))?;
        let lock = File::create(dir.join(LOCK)).map_err(StateError::io(dir, "making its lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(dir = %dir.display(), "this file system has no locks; make sure that no other member uses this state directory");
            }
            Err(TryLockError::Error(error)) => return Err(StateError::io(dir, "locking it")(error)),
        }
        Ok(Self { dir: dir.to_owned(), lock: Mutex::new(Some(Arc::new(lock))) })
    }

    /// The record that is there; `None` if there is none, or none that can be used: then it is set aside with a warning.
    pub(super) fn read(
        &self,
        owner: (&ClusterId, &NodeId),
        clock: Incarnation,
    ) -> Result<Option<Record>, StateError> {
        let path = self.dir.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::io(&self.dir, "reading its file")(error)),
        };
        let mut bytes = Vec::new();
        // What is longer than any record has its end cut off here, and so the wrong checksum.
        file.take(BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(StateError::io(&self.dir, "reading its file"))?;
        let why = match Record::from_bytes(&bytes, owner, clock) {
            Ok(record) => return Ok(Some(record)),
            Err(why) => why,
        };
        let kind = match &why {
            Unreadable::Foreign { .. } | Unreadable::Version(_) => "foreign",
            Unreadable::Mark | Unreadable::Checksum | Unreadable::Contents(_) => "corrupt",
        };
        let aside = self.set_aside(kind).map_err(StateError::io(&self.dir, "setting aside a file"))?;
        tracing::warn!(
            file = %path.display(), %why, aside = %aside.display(),
            "the state file cannot be used and is set aside; starting without it"
        );
        Ok(None)
    }

    /// Replaces the record: whatever happens, either the old one or the new one is there afterwards, and once this has
    /// returned it is the new one.
    pub(super) fn write(&self, record: &Record) -> Result<(), StateError> {
        let Some(_lock) = self.lock.lock().clone() else {
            return Err(StateError::io(&self.dir, "writing to it")(io::Error::other("it is closed")));
        };
        self.replace(&record.to_bytes()).map_err(StateError::io(&self.dir, "writing to it"))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.dir.join(NEXT);
        let mut file = File::create(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&next, self.dir.join(FILE))?;
        File::open(&self.dir)?.sync_all()
    }

    /// The newest one set aside has number 1.
    fn set_aside(&self, kind: &str) -> io::Result<PathBuf> {
        let numbered = |number: usize| self.dir.join(format!("{FILE}.{kind}-{number}"));
        for number in (1..ASIDE_MAX).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(self.dir.join(FILE), numbered(1))?;
        Ok(numbered(1))
    }

    /// Gives the directory up for another member, at once or after the write that is under way. Later writes fail.
    pub(super) fn close(&self) {
        self.lock.lock().take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(node: &str, ceiling: u64) -> Record {
        Record {
            cluster: ClusterId::new("town").unwrap(),
            node: NodeId::new(node).unwrap(),
            ceiling: Incarnation::new(ceiling),
            left: false,
            seeds: Vec::new(),
            members: Vec::new(),
        }
    }

    fn read(store: &Store, node: &str) -> Option<Record> {
        let owner = (&ClusterId::new("town").unwrap(), &NodeId::new(node).unwrap());
        store.read(owner, Incarnation::new(1)).unwrap()
    }

    fn files(dir: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(name).collect();
        files.sort();
        files
    }

    #[test]
    fn the_record_last_written_is_what_the_next_life_reads() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("deep/down");
        let store = Store::open(&dir).unwrap();
        assert_eq!(read(&store, "a"), None);
        store.write(&record("a", 1)).unwrap();
        store.write(&record("a", 2)).unwrap();
        drop(store);
        assert_eq!(read(&Store::open(&dir).unwrap(), "a"), Some(record("a", 2)));
        assert_eq!(files(&dir), [LOCK, FILE], "nothing else is left behind");
    }

    #[test]
    fn a_write_that_was_cut_off_leaves_the_record_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.write(&record("a", 1)).unwrap();
        fs::write(dir.path().join(NEXT), b"kinfo").unwrap();
        assert_eq!(read(&store, "a"), Some(record("a", 1)));
        store.write(&record("a", 2)).unwrap();
        assert_eq!(read(&store, "a"), Some(record("a", 2)));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_the_last_four_are_kept() {
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
    fn the_file_of_another_node_is_set_aside_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.write(&record("b", 1)).unwrap();
        assert_eq!(read(&store, "a"), None);
        fs::rename(dir.path().join(format!("{FILE}.foreign-1")), dir.path().join(FILE)).unwrap();
        assert_eq!(read(&store, "b"), Some(record("b", 1)));
    }

    #[test]
    fn a_directory_has_one_user_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        let in_use = StateError::InUse { dir: dir.path().to_owned() };
        assert_eq!(Store::open(dir.path()).unwrap_err(), in_use);
        first.close();
        let _second = Store::open(dir.path()).unwrap();
        assert!(first.write(&record("a", 1)).is_err(), "who gave it up writes no more");
    }

    #[test]
    fn what_is_no_directory_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let text = Store::open(&file).unwrap_err().to_string();
        assert!(text.contains(&file.display().to_string()) && text.contains("making it"), "{text}");
    }
}
