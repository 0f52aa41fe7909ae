//! The file of the event log.
//!
//! A full disk costs lines. They are counted, and the file says how many are missing. The agent can
//! open the file again on demand, so an operator rotates the file by moving it away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The state that the agent shares with the thread that writes: a request, and a count.
#[derive(Debug, Default)]
pub(in crate::agent) struct Control {
    reopen: AtomicBool,
    lost: AtomicU64,
}

impl Control {
    /// Makes the thread open the file again before the next line.
    pub(in crate::agent) fn reopen(&self) {
        self.reopen.store(true, Relaxed);
    }

    /// The number of lines that could not be written.
    pub(in crate::agent) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// A writer that can remove its last bytes.
pub(super) trait Sink: Write {
    /// Removes `bytes` bytes from the end.
    fn truncate_by(&mut self, bytes: u64) -> io::Result<()>;
}

impl Sink for File {
    fn truncate_by(&mut self, bytes: u64) -> io::Result<()> {
        let len = self.metadata()?.len();
        self.set_len(len.saturating_sub(bytes))
    }
}

/// A file to which whole lines are appended.
pub(super) struct AppendFile<F = File> {
    file: F,
    path: PathBuf,
    control: Arc<Control>,
    /// The number of lines that are missing at the current end of the file.
    missing: u64,
    /// Whether the file ends with a part of a line that could not be removed.
    ends_in_partial_line: bool,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
    // Append: one file holds the events of all instances of the agent.
}

impl AppendFile {
    pub(super) fn open(path: &Path, control: Arc<Control>) -> io::Result<Self> {
        let (path, missing) = (path.to_owned(), 0);
        Ok(Self { file: open(&path)?, path, control, missing, ends_in_partial_line: false })
    }

    fn reopen(&mut self) {
        let path = self.path.display();
        match open(&self.path) {
            Ok(file) => {
                (self.file, self.ends_in_partial_line) = (file, false);
                // SIGHUP arrived and the new file is open. What to do: nothing.
                tracing::info!(%path, "opened the event log again");
            }
            Err(error) => {
                // SIGHUP arrived, but the path cannot be opened. Events still go to the old file,
                // wherever it was moved. What to do: check the folder and its permissions, then
                // send SIGHUP again.
                tracing::warn!(%path, %error, "cannot open the event log again; the old file stays in use");
            }
        }
    }
}

impl<F: Sink> AppendFile<F> {
    /// Appends one line. If lines are missing, a line that says how many comes before it.
    fn append(&mut self, line: &[u8]) {
        match self.try_append(line) {
            Ok(()) if self.missing > 0 => {
                let (path, lost) = (self.path.display(), std::mem::take(&mut self.missing));
                // A write succeeded after at least one had failed. What to do: nothing.
                tracing::info!(%path, lost, "the event log can be written again; the file says how many events are missing");
            }
            Ok(()) => {}
            Err(error) => {
                // Logged once, not for each line: a full disk loses every line until there is room.
                if self.missing == 0 {
                    let path = self.path.display();
                    // The disk is full, or the file cannot be written for another reason. The agent
                    // goes on and counts what is lost. What to do: make room on the disk.
                    tracing::warn!(%path, %error, "cannot write the event log; events are lost until there is room");
                }
                self.missing += 1;
                self.control.lost.fetch_add(1, Relaxed);
            }
        }
    }

    fn try_append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut text = Vec::with_capacity(line.len() + 64);
        // 64 bytes: room for the line that counts the missing events.
        if self.ends_in_partial_line {
            // The partial line gets an end of its own. Else it would spoil the next line too.
            text.push(b'\n');
        }
        if self.missing > 0 {
            text.extend_from_slice(
                format!("{{\"kind\":\"events_lost\",\"count\":{}}}\n", self.missing).as_bytes(),
            );
        }
        text.extend_from_slice(line);
        let mut written = 0;
        while written < text.len() {
            // `write`, not `write_all`: the count of written bytes is needed to remove them.
            match self.file.write(&text[written..]) {
                Ok(0) => return self.undo(written, io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.undo(written, error),
            }
        }
        self.ends_in_partial_line = false;
        Ok(())
    }

    /// Removes the `written` bytes of a line that could not be written whole, and returns `error`.
    fn undo(&mut self, written: usize, error: io::Error) -> io::Result<()> {
        if written > 0 && self.file.truncate_by(written as u64).is_err() {
            self.ends_in_partial_line = true;
        }
        Err(error)
    }
}

impl Write for AppendFile {
    /// Takes one whole line. An empty line only makes a requested reopening happen.
    ///
    /// It never fails, because the writer thread could do nothing about an error.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.control.reopen.swap(false, Relaxed) {
            self.reopen();
        }
        if !line.is_empty() {
            self.append(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for `room` more bytes.
    struct Disk {
        text: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= fits;
            self.text.extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Disk {
        fn truncate_by(&mut self, bytes: u64) -> io::Result<()> {
            self.text.truncate(self.text.len() - usize::try_from(bytes).unwrap());
            Ok(())
        }
    }

    /// A full disk loses whole lines. The lines are counted, and no partial line stays.
    #[test]
    fn full_disk_loses_counted_whole_lines() {
        let control = Arc::new(Control::default());
        let file = Disk { text: Vec::new(), room: 8 };
        let path = "events".into();
        let ends_in_partial_line = false;
        let mut log =
            AppendFile { file, path, control: Arc::clone(&control), missing: 0, ends_in_partial_line };
        for line in ["{one}\n", "{two}\n", "{three}\n"] {
            log.append(line.as_bytes());
        }
        assert_eq!(control.lost(), 2);
        log.file.room = 1_000;
        log.append(b"{four}\n");
        log.append(b"{five}\n");
        let text = String::from_utf8(log.file.text).unwrap();
        assert_eq!(text, "{one}\n{\"kind\":\"events_lost\",\"count\":2}\n{four}\n{five}\n");
    }

    #[test]
    fn moved_file_is_opened_again_at_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("events"), folder.path().join("events.1"));
        let control = Arc::new(Control::default());
        let mut log = AppendFile::open(&path, Arc::clone(&control)).unwrap();
        log.write_all(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        log.write_all(b"two\n").unwrap();
        control.reopen();
        log.write_all(b"three\n").unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(moved).as_str(), read(path).as_str()), ("one\ntwo\n", "three\n"));
    }
}
