//! `kinfolk maintenance`: announces a planned absence of an agent's member, ends it, or shows it.

use hyper::Method;

use super::print;
use crate::api::views::{MaintenanceEndedView, MaintenanceRequest, MaintenanceView};
use crate::cli::{MaintenanceAction, MaintenanceArgs};
use crate::client::{Client, block_on};
use crate::exit::Failure;

const PATH: &str = "/v1/maintenance";

pub(crate) fn run(args: &MaintenanceArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    print(&match args.action()? {
        MaintenanceAction::Show => present(&block_on(client.get(PATH))?),
        MaintenanceAction::Begin(length) => {
            let request = MaintenanceRequest { seconds: length.0, note: args.note.clone() };
            begun(&block_on(client.send(Method::PUT, PATH, Some(&request)))?)
        }
        MaintenanceAction::End => {
            let MaintenanceEndedView { name, was } =
                block_on(client.send(Method::DELETE, PATH, None::<&()>))?;
            if was {
                format!("the maintenance of {name} has ended\n")
            } else {
                format!("{name} was not in maintenance\n")
            }
        }
    })
}

/// The present maintenance. Its length is the announced one: its end is not known to the agent's
/// API.
fn present(view: &MaintenanceView) -> String {
    let MaintenanceView { name, seconds, note } = view;
    if *seconds == 0 {
        return format!("{name} is not in maintenance\n");
    }
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    format!("{name} is in maintenance, announced for {}{note}\n", length(*seconds))
}

fn begun(MaintenanceView { name, seconds, note }: &MaintenanceView) -> String {
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    let length = length(*seconds);
    format!("{name} is in maintenance for {length}{note}; `kinfolk maintenance off` ends it earlier\n")
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
        let end = "; `kinfolk maintenance off` ends it earlier\n";
        assert_eq!(line(600, "new kernel"), format!("a is in maintenance for 10m (new kernel){end}"));
        assert_eq!(line(90, ""), format!("a is in maintenance for 90s{end}"));
        assert_eq!(line(7_200, ""), format!("a is in maintenance for 2h{end}"));
        let shown =
            |seconds| present(&MaintenanceView { name: "a".parse().unwrap(), seconds, note: "x".to_owned() });
        assert_eq!(shown(600), "a is in maintenance, announced for 10m (x)\n");
        assert_eq!(shown(0), "a is not in maintenance\n");
    }
}
