//! The services of the configuration file while the agent runs: their checks, and where programs
//! report for them. The member itself starts with the services (`ClusterConfig::services`).

use std::collections::BTreeMap;

use kinfolk::{Check, CheckHandle, Cluster, Condition, OfferError, ServiceName, Services, Ttl};

use super::command_check;
use crate::api::Reports;
use crate::config::{CheckKind, CheckSetting, ServiceTables};
use crate::span::Span;

/// How many results in a row make the health worse, and how many make it better, if the file says
/// only one of the two: the defaults of [`Check`].
const CHANGES_AFTER: (u32, u32) = (3, 2);

/// The services that the member offers, with their running checks.
pub(super) struct RunningServices {
    cluster: Cluster,
    tables: ServiceTables,
    checks: BTreeMap<ServiceName, RunningCheck>,
    reports: Reports,
}

/// A check, and where programs report for it if it waits for that.
struct RunningCheck {
    handle: CheckHandle,
    ttl: Option<Ttl>,
}

impl RunningServices {
    /// Logs what the member offers, and starts the checks. They end with the member.
    pub(super) fn start(cluster: &Cluster, tables: ServiceTables, reports: Reports) -> Self {
        let (cluster, checks) = (cluster.clone(), BTreeMap::new());
        let mut services = Self { cluster, tables: ServiceTables::default(), checks, reports };
        for (name, setting) in &tables.checks {
            services.start_check(name, setting, None);
        }
        services.tables = tables;
        services.log_offers(&ServiceTables::default());
        services.publish_reports();
        services
    }

    /// The file has these services now, and the member offers them already. A check goes on if its
    /// settings are the same: it keeps what it has found, and the reports for it.
    pub(super) async fn replace(&mut self, tables: ServiceTables) {
        let before = std::mem::replace(&mut self.tables, tables);
        let after = self.tables.clone();
        let is_same = |name: &ServiceName| before.checks.get(name) == after.checks.get(name);
        let (kept, ended) = std::mem::take(&mut self.checks).into_iter().partition(|(name, _)| is_same(name));
        self.checks = kept;
        let mut ended: BTreeMap<_, RunningCheck> = ended;
        for check in ended.values() {
            // Two checks at once could undo what the other found.
            check.handle.stopped().await;
        }
        for (name, setting) in after.checks.iter().filter(|(name, _)| !is_same(name)) {
            let ttl = ended.remove(name).and_then(|check| check.ttl);
            self.start_check(name, setting, ttl);
        }
        for (name, _) in before.offered.iter().filter(|(name, _)| after.offered.get(name.as_str()).is_none())
        {
            // A reload found that the file has the service no more. What to do: nothing.
            tracing::info!(service = %name, "withdrew a service");
        }
        self.log_offers(&before);
        self.publish_reports();
    }

    /// Starts a check. `ttl` has the reports for the check before it.
    fn start_check(&mut self, name: &ServiceName, setting: &CheckSetting, ttl: Option<Ttl>) {
        let (check, ttl) = check(setting, ttl);
        let handle = self
            .cluster
            .check_service(name.as_str(), check)
            .expect("the name of a service is checked when the file is read");
        self.checks.insert(name.clone(), RunningCheck { handle, ttl });
    }

    /// Logs the services that differ from those of `before`.
    fn log_offers(&self, before: &ServiceTables) {
        for (name, service) in
            self.tables.offered.iter().filter(|(name, _)| !before.has_same(&self.tables, name))
        {
            let check = self.tables.checks.get(name).map(|check| kind(&check.kind));
            // The member offers a service of its configuration file. It counts as passing until its
            // check says otherwise. What to do: nothing.
            tracing::info!(service = %name, port = service.port, check, "offers a service");
        }
    }

    fn publish_reports(&self) {
        let with_ttl =
            |(name, check): (&ServiceName, &RunningCheck)| Some((name.clone(), check.ttl.clone()?));
        self.reports.replace(self.checks.iter().filter_map(with_ttl).collect());
    }
}

/// The services that the member offers after a reload: `changed` ones as the file has them now, and
/// the others as they are. A service keeps the health that its check found, as long as it has one.
///
/// # Errors
/// They are over a bound then.
pub(super) fn restated(
    present: &Services,
    changed: &[ServiceName],
    after: &ServiceTables,
) -> Result<Services, OfferError> {
    let mut offered: BTreeMap<_, _> =
        present.iter().map(|(name, service)| (name.clone(), service.clone())).collect();
    for name in changed {
        let before = offered.remove(name).map_or(Condition::Passing, |service| service.condition);
        if let Some(service) = after.offered.get(name.as_str()) {
            let condition = if after.checks.contains_key(name) { before } else { Condition::Passing };
            offered.insert(name.clone(), service.clone().with_condition(condition));
        }
    }
    Services::try_from(offered)
}

fn kind(kind: &CheckKind) -> String {
    match kind {
        CheckKind::Tcp(addr) => format!("tcp {addr}"),
        CheckKind::Http(url) => format!("http {url}"),
        CheckKind::Command(command) => format!("command {}", command.program.display()),
        CheckKind::Ttl(ttl) => format!("ttl {}", Span(*ttl)),
    }
}

/// The check, and where a program reports for it if it waits for that. `before` has the reports for
/// the check that it replaces.
fn check(setting: &CheckSetting, before: Option<Ttl>) -> (Check, Option<Ttl>) {
    let CheckSetting { kind, interval, timeout, failures, successes } = setting.clone();
    let mut check = match kind {
        CheckKind::Tcp(addr) => Check::tcp(addr),
        CheckKind::Http(url) => Check::http(&url).expect("the URL is checked when the file is read"),
        CheckKind::Command(command) => command_check::new(command),
        CheckKind::Ttl(ttl) => {
            let (check, reports) = match before {
                Some(reports) => (reports.check(ttl), reports),
                None => Check::ttl(ttl),
            };
            return (check, Some(reports));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::test_config;

    fn tables(text: &str) -> ServiceTables {
        let needed = "cert = 'a'\nkey = 'b'\nca = 'c'\nlisten = '127.0.0.1:1'\n";
        test_config(&[], &format!("{needed}{text}")).unwrap().services
    }

    #[test]
    fn changed_service_keeps_the_health_that_its_check_found() {
        let before = tables(
            "[services.a]\nport = 1\ncheck = { ttl = '1s' }\n[services.b]\nport = 2\ncheck = { ttl = '1s' }\n\
             [services.c]\nport = 3\n[services.d]\nport = 4\n",
        );
        let down = |service: &kinfolk::Service| service.clone().with_condition(Condition::critical("down"));
        let present = before.offered.iter().map(|(name, service)| (name.clone(), down(service)));
        let present = Services::try_from(present.collect::<BTreeMap<_, _>>()).unwrap();
        let after = tables(
            "[services.a]\nport = 11\ncheck = { ttl = '1s' }\n[services.b]\nport = 2\n[services.d]\nport = 4\n\
             [services.e]\nport = 5\n",
        );
        let changed = ["a", "b", "c", "e"].map(|name| name.parse().unwrap());
        let restated = restated(&present, &changed, &after).unwrap();
        let found: Vec<_> = restated
            .iter()
            .map(|(name, service)| (name.as_str(), service.port, service.condition.note()))
            .collect();
        // `b` has no check any more, so nothing could make it passing again.
        assert_eq!(found, [("a", 11, "down"), ("b", 2, ""), ("d", 4, "down"), ("e", 5, "")]);
    }
}
