//! The services of the configuration file, at the start of the member: a line of the log for each,
//! and their checks. The member itself starts with the services (`ClusterConfig::services`).

use std::collections::BTreeMap;

use kinfolk::{Check, Cluster, ServiceName, Ttl};

use super::command_check;
use crate::config::{CheckKind, CheckSetting, ServiceTables};
use crate::span::Span;

/// How many results in a row make the health worse, and how many make it better, if the file says
/// only one of the two: the defaults of [`Check`].
const CHANGES_AFTER: (u32, u32) = (3, 2);

/// Logs what the member offers, and starts the checks. They end with the member. Returns where
/// programs report for the checks that wait for it.
pub(super) fn start(cluster: &Cluster, services: ServiceTables) -> BTreeMap<ServiceName, Ttl> {
    for (name, service) in services.offered.iter() {
        let check = services.checks.get(name).map(|check| kind(&check.kind));
        // The member offers a service of its configuration file. It counts as passing until its
        // check says otherwise. What to do: nothing.
        tracing::info!(service = %name, port = service.port, check, "offers a service");
    }
    let mut reported = BTreeMap::new();
    for (name, setting) in services.checks {
        let (check, ttl) = check(setting);
        // The handle could only stop the check earlier than the member.
        let _runs_on = cluster
            .check_service(name.as_str(), check)
            .expect("the name of a service is checked when the file is read");
        reported.extend(ttl.map(|ttl| (name, ttl)));
    }
    reported
}

fn kind(kind: &CheckKind) -> String {
    match kind {
        CheckKind::Tcp(addr) => format!("tcp {addr}"),
        CheckKind::Http(url) => format!("http {url}"),
        CheckKind::Command(command) => format!("command {}", command.program.display()),
        CheckKind::Ttl(ttl) => format!("ttl {}", Span(*ttl)),
    }
}

/// The check, and where a program reports for it if it waits for that.
fn check(setting: CheckSetting) -> (Check, Option<Ttl>) {
    let CheckSetting { kind, interval, timeout, failures, successes } = setting;
    let mut check = match kind {
        CheckKind::Tcp(addr) => Check::tcp(addr),
        CheckKind::Http(url) => Check::http(&url).expect("the URL is checked when the file is read"),
        CheckKind::Command(command) => command_check::new(command),
        CheckKind::Ttl(ttl) => {
            let (check, ttl) = Check::ttl(ttl);
            return (check, Some(ttl));
        }
    };
    if let Some(interval) = interval {
        check = check.every(interval);
    }
    if let Some(timeout) = timeout {
        check = check.within(timeout);
    }
    let (to_worse, to_better) = CHANGES_AFTER;
    (check.changes_after(failures.unwrap_or(to_worse), successes.unwrap_or(to_better)), None)
}
