//! A thread that writes the log or the event log.
//!
//! A reader that stalls (a paused terminal, a full pipe) must not stall the member: to the other
//! members a stalled member looks like a crashed one.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::LogFormat;

/// The maximum number of lines that wait to be written. Further lines are dropped and counted; the
/// log then says how many.
const LINES_MAX: usize = 4_096;

/// How long the end of the program waits for lines that are not yet written. The limit is for a
/// reader that has stalled.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

enum Item {
    Line(Vec<u8>),
    /// The sender is dropped when all items before this one are written.
    Flush(SyncSender<()>),
}

/// The sending end of the queue. It never waits.
#[derive(Clone)]
pub(crate) struct Lines {
    queue: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

/// Dropping it waits until the log is written, for at most [`FLUSH_LIMIT`].
pub(crate) struct Flush(SyncSender<Item>);

/// Starts the thread. It ends with the program.
pub(crate) fn start(out: impl Write + Send + 'static, format: LogFormat) -> io::Result<(Lines, Flush)> {
    let (queue, lines) = sync_channel(LINES_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(out, &lines, &counted, format))?;
    Ok((Lines { queue: queue.clone(), lost }, Flush(queue)))
}

fn write_all(mut out: impl Write, lines: &Receiver<Item>, lost: &AtomicU64, format: LogFormat) {
    for item in lines {
        let line = match item {
            Item::Line(line) => line,
            Item::Flush(waiting) => {
                drop(waiting);
                continue;
            }
        };
        // Ignore errors: there is no other place to report that the log cannot be written. An empty
        // line still calls `write`, which makes the event log handle a requested reopening.
        let written = if line.is_empty() { out.write(&line).map(drop) } else { out.write_all(&line) };
        let _unwritten = written.and_then(|()| out.flush());
        let lost = lost.swap(0, Relaxed);
        if lost > 0 {
            let _unwritten = out.write_all(lost_line(lost, format).as_bytes());
        }
    }
}

/// The line that says how many lines are missing.
fn lost_line(lost: u64, format: LogFormat) -> String {
    // It does not go through `tracing`, whose lines take the queue that was full. The reader of the
    // log is slow or stopped. What to do: read the log faster, or log fewer levels.
    let message = "lost lines of the log: they came faster than they were read";
    match format {
        LogFormat::Text => format!("WARN kinfolk::logs: {message} lost={lost}\n"),
        LogFormat::Json => {
            format!(
                "{{\"level\":\"WARN\",\"target\":\"kinfolk::logs\",\"message\":\"{message}\",\"lost\":{lost}}}\n"
            )
        }
    }
}

impl Lines {
    /// Queues one whole line. A full queue drops the line and counts it.
    pub(crate) fn push(&self, line: Vec<u8>) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Item::Line(line)) {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

impl Write for Lines {
    /// Takes one whole line: the subscriber makes one call a line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (written, wait) = sync_channel(0);
        if self.0.try_send(Item::Flush(written)).is_ok() {
            let _: Result<(), RecvTimeoutError> = wait.recv_timeout(FLUSH_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A reader that takes nothing until the gate opens.
    struct Stalled {
        go: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error means that the gate has been dropped, and so is open.
            let _open = self.go.recv();
            self.written.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A stalled reader loses lines and then reads how many. The writing side never waits.
    #[test]
    fn stalled_reader_loses_counted_lines() {
        let (go, gate) = channel();
        let (written, read) = channel();
        let (mut lines, _flush) = start(Stalled { go: gate, written }, LogFormat::Text).unwrap();
        // The thread holds at most one line beyond the queue.
        for _ in 0..LINES_MAX + 10 {
            lines.write_all(b"line\n").unwrap();
        }
        drop(go);
        let all: Vec<u8> = read.iter().take(LINES_MAX + 1).flatten().collect();
        let text = String::from_utf8(all).unwrap();
        let count = text.lines().find_map(|line| line.split_once("lost=")).unwrap().1;
        assert!(["9", "10"].contains(&count), "{count}");
    }

    #[test]
    fn drop_of_flush_waits_for_unwritten_lines() {
        let (written, read) = channel();
        let (go, gate) = channel();
        let (mut lines, flush) = start(Stalled { go: gate, written }, LogFormat::Json).unwrap();
        lines.write_all(b"last\n").unwrap();
        drop(go);
        drop(flush);
        assert_eq!(read.try_recv().unwrap(), b"last\n");
    }
}
