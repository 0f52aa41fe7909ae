//! The exit statuses of the program, and the one line of text that goes with each failure.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

/// The table of exit statuses that `--help` shows.
pub(crate) const STATUS_TABLE: &str = "\
Exit status:
  0  success
  1  the command failed: a demo step, writing a file, an agent that stopped before it could leave, or a request
     that the agent refused
  2  the command line is wrong
  3  a setting is missing or cannot be used
  4  a certificate, key or CA cannot be read or does not fit
  5  an address or port cannot be used
  6  no seed let the agent join
  7  no agent answers at the control socket or the URL, or another agent holds the socket";

/// The reason for the end of the program, as the number that its caller sees. Scripts rely on the
/// numbers, so a number never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Config = 3,
    Identity = 4,
    Address = 5,
    Join = 6,
    Socket = 7,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// A failure that ends the program. Its text is one line: what failed, why, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    message: String,
}

impl Failure {
    /// A failure with this text. Line breaks, which texts from libraries can hold, become spaces,
    /// so that a log or a script always gets one line.
    pub(crate) fn new(status: Status, message: impl fmt::Display) -> Self {
        let message = message.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { status, message }
    }

    /// Standard output cannot be written. If its reader has ended (`| head -1`), it has all that it
    /// wants: the program then ends silently with status 0.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        let status = if error.kind() == ErrorKind::BrokenPipe { Status::Done } else { Status::Failed };
        // The disk is full, or standard output was closed. What to do: make room, or give another
        // output.
        Self::new(status, format_args!("cannot write to standard output: {error}"))
    }

    /// The exit status.
    pub(crate) fn status(&self) -> Status {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_one_line() {
        let failure = Failure::new(Status::Usage, "one\n  two\n\nthree");
        assert_eq!((failure.to_string().as_str(), failure.status()), ("one two three", Status::Usage));
    }

    #[test]
    fn status_table_names_every_status() {
        let last = Status::Socket as u8;
        assert!((0..=last).all(|status| STATUS_TABLE.contains(&format!("\n  {status}  "))));
    }
}
