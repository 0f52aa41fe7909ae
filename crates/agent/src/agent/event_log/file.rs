//! The file of the event log. A disk without room costs lines, which are counted, and the file says
//! how many are missing. The file is opened again on demand, so that it can be rotated by moving it
//! away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What the agent asks of the thread that writes, and what that has counted.
#[derive(Debug, Default)]
pub(in crate::agent) struct Control {
    reopen: AtomicBool,
    lost: AtomicU64,
}

impl Control {
    /// Has the file opened again before the next line.
    pub(in crate::agent) fn reopen(&self) {
        self.reopen.store(true, Relaxed);
    }

    /// How many lines could not be written.
    pub(in crate::agent) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// What takes bytes, and can take back the last of them.
pub(super) trait Sink: Write {
    /// Removes so many bytes from the end.
    fn take_back(&mut self, bytes: u64) -> io::Result<()>;
}

impl Sink for File {
    fn take_back(&mut self, bytes: u64) -> io::Result<()> {
        let len = self.metadata()?.len();
        self.set_len(len.saturating_sub(bytes))
    }
}

/// A file that takes whole lines.
pub(super) struct AppendFile<F = File> {
    file: F,
    path: PathBuf,
    control: Arc<Control>,
    /// How many lines are missing where the file ends now.
    missing: u64,
    /// Whether the file ends with a part of a line, which could not be removed.
    is_torn: bool,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl AppendFile {
    pub(super) fn open(path: &Path, control: Arc<Control>) -> io::Result<Self> {
        Ok(Self { file: open(path)?, path: path.to_owned(), control, missing: 0, is_torn: false })
    }

    fn reopen(&mut self) {
        let path = self.path.display();
        match open(&self.path) {
            Ok(file) => {
                (self.file, self.is_torn) = (file, false);
                tracing::info!(%path, "opened the event log again");
            }
            Err(error) => {
                tracing::warn!(%path, %error, "cannot open the event log again; the old file stays in use");
            }
        }
    }
}

impl<F: Sink> AppendFile<F> {
    /// Appends one line, and before it what is missing.
    fn append(&mut self, line: &[u8]) {
        match self.try_append(line) {
            Ok(()) if self.missing > 0 => {
                let (path, lost) = (self.path.display(), std::mem::take(&mut self.missing));
                tracing::info!(%path, lost, "the event log can be written again; the file says how many events are missing");
            }
            Ok(()) => {}
            Err(error) => {
                if self.missing == 0 {
                    let path = self.path.display();
                    tracing::warn!(%path, %error, "cannot write the event log; events are lost until there is room");
                }
                self.missing += 1;
                self.control.lost.fetch_add(1, Relaxed);
            }
        }
    }

    fn try_append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut text = Vec::with_capacity(line.len() + 64);
        if self.is_torn {
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
            match self.file.write(&text[written..]) {
                Ok(0) => return self.give_up(written, io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.give_up(written, error),
            }
        }
        self.is_torn = false;
        Ok(())
    }

    /// Removes what was written of a line that did not fit.
    fn give_up(&mut self, written: usize, error: io::Error) -> io::Result<()> {
        if written > 0 && self.file.take_back(written as u64).is_err() {
            self.is_torn = true;
        }
        Err(error)
    }
}

impl Write for AppendFile {
    /// Takes one whole line, or nothing, which only has the file opened again if that is wanted.
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

    /// A disk with room for so many bytes.
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
        fn take_back(&mut self, bytes: u64) -> io::Result<()> {
            self.text.truncate(self.text.len() - usize::try_from(bytes).unwrap());
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_counted_lines_and_tears_none() {
        let control = Arc::new(Control::default());
        let file = Disk { text: Vec::new(), room: 8 };
        let path = "events".into();
        let mut log = AppendFile { file, path, control: Arc::clone(&control), missing: 0, is_torn: false };
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
    fn a_moved_file_is_opened_again_at_its_path() {
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
