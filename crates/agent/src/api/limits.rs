//! How many clients the API serves at a time, so that they leave file descriptors for the member.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most clients of the socket, and the most of the TCP port: all clients that may read events,
/// and some for other requests.
const CLIENTS_MAX: u64 = 1_120;
/// The most clients that read events. Each has a task and a socket, and holds about 16 KiB if it
/// stops reading.
const EVENT_CLIENTS_MAX: usize = 1_024;
/// The descriptors that the member itself may need: its own sockets, port checks, health checks,
/// and files.
const RESERVED: u64 = 256;

/// The number of clients that each of two listeners may serve at a time. Raises the limit of open
/// files for this process as far as that needs and the system allows.
pub(super) fn clients_max() -> usize {
    let wanted = RESERVED + 2 * CLIENTS_MAX;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = maximum.unwrap_or(wanted).min(wanted);
    // `None` is no limit.
    let mut files = current.unwrap_or(wanted);
    if files < raised && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
        files = raised;
    }
    let each = files.saturating_sub(RESERVED) / 2;
    usize::try_from(each.clamp(16, CLIENTS_MAX)).expect("it is small")
}

/// The number of clients that may read events at a time: 1,024, or a sixteenth less than all places
/// of a listener, so that some are left for other requests.
pub(super) fn event_clients_max() -> usize {
    EVENT_CLIENTS_MAX.min(clients_max() / 16 * 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_raised_for_the_clients() {
        let clients = clients_max();
        assert!((16..=1_120).contains(&clients), "{clients}");
        assert!(event_clients_max() < clients, "some places are left for other requests");
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(files >= 2 * clients as u64, "{files} files for {clients} clients each");
    }
}
