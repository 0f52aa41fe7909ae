//! How the program ends: one status for each kind of failure, and the one line that goes with it.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

/// The table of statuses as `--help` shows it.
pub(crate) const STATUS_TABLE: &str = "\
Exit status:
  0  all went well
  1  something failed on the way: a step of the demo, writing a file, an agent stopped before it could leave,
     or it refuses what it is asked
  2  a wrong command line
  3  a setting that is missing or cannot be used
  4  a certificate, key or CA that cannot be read or does not fit
  5  an address or port that cannot be used
  6  no seed let the agent join
  7  no agent answers at the control socket, or another one holds it";

/// Why the program ends, as the number that its caller sees.
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

/// A failure that ends the program. Its text is one line, says what is wrong and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    message: String,
}

impl Failure {
    /// A failure with this text; line breaks in it, which only texts from elsewhere can have, become spaces.
    pub(crate) fn new(status: Status, message: impl fmt::Display) -> Self {
        let message = message.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { status, message }
    }

    /// Standard output cannot be written to. If its reader has all that it wants (`| head -1`), the
    /// program ends in silence.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        let status = if error.kind() == ErrorKind::BrokenPipe { Status::Done } else { Status::Failed };
        Self::new(status, format_args!("cannot write to standard output: {error}"))
    }

    /// The status to end with.
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
    fn a_failure_is_one_line_whatever_it_is_made_from() {
        let failure = Failure::new(Status::Usage, "one\n  two\n\nthree");
        assert_eq!((failure.to_string().as_str(), failure.status()), ("one two three", Status::Usage));
    }

    #[test]
    fn the_table_names_every_status() {
        let last = Status::Socket as u8;
        assert!((0..=last).all(|status| STATUS_TABLE.contains(&format!("\n  {status}  "))));
    }
}
