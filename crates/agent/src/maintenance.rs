//! `kinfolk maintenance`: announces a planned absence of the agent on this machine, or ends it.

use std::io::Write as _;

use crate::cli::MaintenanceArgs;
use crate::control::{self, MaintenanceView, Request, Response};
use crate::exit::{Failure, Status};

pub(crate) fn run(args: &MaintenanceArgs) -> Result<(), Failure> {
    let request = match args.length {
        Some(length) => Request::Maintenance { seconds: length.0, note: args.note.clone() },
        None => Request::EndMaintenance,
    };
    let text = match control::send_request(args.socket.as_deref(), &request)? {
        Response::Maintenance(view) => begun(&view),
        Response::MaintenanceEnded { name, was: true } => format!("the maintenance of {name} has ended\n"),
        Response::MaintenanceEnded { name, was: false } => format!("{name} was not in maintenance\n"),
        // The agent and this command are of different versions. What to do: run the command of the
        // same version as the agent.
        _ => return Err(Failure::new(Status::Socket, control::WRONG_RESPONSE)),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

fn begun(MaintenanceView { name, seconds, note }: &MaintenanceView) -> String {
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    let length = length(*seconds);
    format!("{name} is in maintenance for {length}{note}; `kinfolk maintenance --end` ends it earlier\n")
}

/// The length in the form of `--for`, in the largest unit that needs no fraction.
fn length(seconds: u32) -> String {
    match seconds {
        _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_names_member_length_and_note() {
        let line = |seconds, note: &str| {
            begun(&MaintenanceView { name: "a".parse().unwrap(), seconds, note: note.to_owned() })
        };
        let end = "; `kinfolk maintenance --end` ends it earlier\n";
        assert_eq!(line(600, "new kernel"), format!("a is in maintenance for 10m (new kernel){end}"));
        assert_eq!(line(90, ""), format!("a is in maintenance for 90s{end}"));
        assert_eq!(line(7_200, ""), format!("a is in maintenance for 2h{end}"));
    }
}
