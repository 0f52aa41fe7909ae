//! Local health checks: each asks a program at an interval, and sets the condition of a service, or
//! of the member, when enough answers in a row agree.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Condition, Health, Note};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::cluster::Cluster;
use crate::error::ClusterError;
use crate::task::BackgroundTask;

/// The least time between two looks at the reports of a program. Each look may cost a statement to
/// all members, so a program that reports without end must not cause one each time.
const REPORTS_TAKEN_EVERY: Duration = Duration::from_millis(100);

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckOutcome {
    /// It works.
    Passing,
    /// It works, and an operator should look at it.
    Warning(String),
    /// It does not work.
    Critical(String),
}

impl CheckOutcome {
    fn condition(self) -> Condition {
        match self {
            Self::Passing => Condition::Passing,
            Self::Warning(note) => Condition::Warning(Note::new(&note)),
            Self::Critical(note) => Condition::Critical(Note::new(&note)),
        }
    }
}

type Asked = Pin<Box<dyn Future<Output = CheckOutcome> + Send>>;
type Ask = Box<dyn Fn() -> Asked + Send>;

/// A health check. It runs in a task of its own: one that hangs is given up at its time limit, and
/// delays nothing else.
pub struct Check {
    ask: Ask,
    interval: Duration,
    timeout: Duration,
    to_worse: u32,
    to_better: u32,
    /// The reports that it looks at without waiting for its interval, if it has some.
    reports: Option<watch::Receiver<Reported>>,
}

/// The last report of a program, and when it came.
type Reported = (Instant, CheckOutcome);

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interval, timeout, to_worse, to_better, .. } = self;
        let mut shown = f.debug_struct("Check");
        shown.field("interval", interval).field("timeout", timeout);
        shown.field("to_worse", to_worse).field("to_better", to_better).finish_non_exhaustive()
    }
}

impl Check {
    /// A check by a function, such as a query of the database.
    pub fn with<F>(ask: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = CheckOutcome> + Send + 'static,
    {
        Self {
            ask: Box::new(move || Box::pin(ask())),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            to_worse: 3,
            to_better: 2,
            reports: None,
        }
    }

    /// A check that opens a TCP connection and closes it again.
    pub fn tcp(addr: SocketAddr) -> Self {
        Self::with(move || async move {
            match TcpStream::connect(addr).await {
                Ok(_) => CheckOutcome::Passing,
                Err(error) => CheckOutcome::Critical(format!("cannot connect to {addr}: {error}")),
            }
        })
    }

    /// A check of a program that reports by itself, through the returned [`Ttl`]. It is critical
    /// when the program has not reported for `ttl`, and from the first missing report on.
    pub fn ttl(ttl: Duration) -> (Self, Ttl) {
        let reported = Ttl { last: Arc::new(watch::Sender::new((Instant::now(), CheckOutcome::Passing))) };
        (reported.check(ttl), reported)
    }

    /// How often it asks. Default 10 s; at least 10 ms.
    #[must_use]
    pub fn every(self, interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_millis(10)), ..self }
    }

    /// After this time without an answer the outcome is critical. Default 2 s.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How many outcomes in a row make the condition worse, and how many make it better. Default 3
    /// and 2; 0 counts as 1.
    #[must_use]
    pub fn changes_after(self, to_worse: u32, to_better: u32) -> Self {
        Self { to_worse: to_worse.max(1), to_better: to_better.max(1), ..self }
    }

    /// Asks once. The future does not borrow the check, so that the function need not be `Sync`.
    pub(super) fn outcome(&self) -> impl Future<Output = CheckOutcome> + Send + use<> {
        let (asked, limit) = ((self.ask)(), self.timeout);
        let late = move |_| CheckOutcome::Critical(format!("no answer within {limit:?}"));
        async move { timeout(limit, asked).await.unwrap_or_else(late) }
    }
}

/// The reports of a program, for [`Check::ttl`]. Clones report for the same check.
#[derive(Debug, Clone)]
pub struct Ttl {
    last: Arc<watch::Sender<Reported>>,
}

impl Ttl {
    /// The program works.
    pub fn passing(&self) {
        self.report(CheckOutcome::Passing);
    }

    /// Reports how the program works. The check takes the report at once, or within 100 ms of the
    /// report before it.
    pub fn report(&self, outcome: CheckOutcome) {
        self.last.send_replace((Instant::now(), outcome));
    }

    /// Another check of the same reports, with its own `ttl`. The last report counts for it too, so
    /// a check can be replaced by one with another time, and the program need not report at once.
    pub fn check(&self, ttl: Duration) -> Check {
        let (last, reports) = (self.last.subscribe(), self.last.subscribe());
        let ask = move || {
            let (at, outcome) = last.borrow().clone();
            let outcome = if at.elapsed() <= ttl {
                outcome
            } else {
                CheckOutcome::Critical(format!("no report for {ttl:?}"))
            };
            std::future::ready(outcome)
        };
        let check = Check::with(ask).every((ttl / 4).max(Duration::from_millis(10))).changes_after(1, 1);
        Check { reports: Some(reports), ..check }
    }
}

/// How many outcomes in a row agree.
#[derive(Debug)]
struct Streak {
    health: Health,
    next: Option<(Health, u32)>,
}

impl Streak {
    /// Takes an outcome. Returns whether the condition changes with it. Within one health only the
    /// note of the change is told.
    fn takes(&mut self, found: Health, to_worse: u32, to_better: u32) -> bool {
        if found == self.health {
            self.next = None;
            return false;
        }
        let so_far = self.next.filter(|(health, _)| *health == found).map_or(0, |(_, count)| count);
        let needed = if found > self.health { to_worse } else { to_better };
        if so_far + 1 < needed {
            self.next = Some((found, so_far + 1));
            return false;
        }
        (self.health, self.next) = (found, None);
        true
    }
}

/// A running check. Dropping it changes nothing: the check runs until it is
/// [stopped](Self::stop), or the member shuts down.
#[derive(Debug)]
pub struct CheckHandle {
    task: Arc<BackgroundTask>,
}

impl CheckHandle {
    /// Stops the check. The condition stays as it is. An outcome that it has just found may still
    /// change the condition.
    pub fn stop(&self) {
        self.task.signal_stop();
    }

    /// Stops the check, and waits for its end. Afterwards it changes the condition no more, so
    /// another check may take its place.
    ///
    /// # Cancel safety
    /// The check is stopped even if the future is dropped.
    pub async fn stopped(&self) {
        self.task.stop().await;
    }
}

impl Cluster {
    /// Runs a check whose outcomes set the condition of a service that this member offers. The
    /// service keeps the health that it has until the check changes that; a new offer is passing.
    /// While this member does not offer the service, outcomes change nothing.
    ///
    /// # Errors
    /// [`ClusterError::Name`] if the name is not a DNS label.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn offer(cluster: &kinfolk::Cluster) -> Result<(), kinfolk::ClusterError> {
    /// use kinfolk::{Check, Service};
    /// cluster.offer("db", Service::new(5432)).await?;
    /// cluster.check_service("db", Check::tcp(([127, 0, 0, 1], 5432).into()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn check_service(&self, name: &str, check: Check) -> Result<CheckHandle, ClusterError> {
        kinfolk_core::ServiceName::new(name)?;
        Ok(self.run_check(Some(name.to_owned()), check))
    }

    /// Runs a check whose outcomes set the condition of this member, which counts for all its
    /// services.
    pub fn check_member(&self, check: Check) -> CheckHandle {
        self.run_check(None, check)
    }

    fn run_check(&self, service: Option<String>, mut check: Check) -> CheckHandle {
        // A check that replaces another one begins with what that one found. It would otherwise
        // take a critical service for a passing one, and never call it passing again.
        let begun = service.as_ref().map_or(Health::Passing, |name| self.checked_health(name));
        let cluster = self.weak();
        let task = Arc::new(BackgroundTask::start(async move {
            let mut streak = Streak { health: begun, next: None };
            let mut ticks = interval(check.interval);
            // After a pause one outcome is enough; a burst would count one moment many times.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let looked = Instant::now();
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = reported(&mut check.reports, looked + REPORTS_TAKEN_EVERY) => {}
                }
                let condition = check.outcome().await.condition();
                if !streak.takes(condition.health(), check.to_worse, check.to_better) {
                    continue;
                }
                let Some(cluster) = cluster.upgrade() else { return };
                let set = match &service {
                    Some(name) => cluster.set_service_condition(name, condition).await,
                    None => cluster.set_condition(condition).await,
                };
                if let Err(error) = set {
                    // The service was withdrawn, or this member has left. What to do: nothing, if
                    // that was intended; else offer the service again.
                    tracing::debug!(service, %error, "cannot set the condition that a check found");
                }
            }
        }));
        self.inner.tasks.add_shared(&task);
        CheckHandle { task }
    }

    /// The health that checks found for a service of this member. A maintenance is no finding.
    fn checked_health(&self, service: &str) -> Health {
        let about = self.inner.description.get();
        let health = about.services.get(service).map(|offered| offered.condition.health());
        health.filter(|health| *health != Health::Maintenance).unwrap_or(Health::Passing)
    }
}

/// Waits for the next report, and until `from`. It never ends without reports.
async fn reported(reports: &mut Option<watch::Receiver<Reported>>, from: Instant) {
    let Some(reports) = reports else { return std::future::pending().await };
    if reports.changed().await.is_err() {
        // The program that reported has dropped its handle; only the interval is left.
        return std::future::pending().await;
    }
    sleep_until(from).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use Health::{Critical, Passing, Warning};

    #[test]
    fn health_changes_after_outcomes_in_a_row() {
        let mut streak = Streak { health: Passing, next: None };
        let mut takes = |found| streak.takes(found, 3, 2);
        assert_eq!([Critical, Critical, Passing].map(&mut takes), [false; 3]);
        assert_eq!([Critical, Critical, Critical].map(&mut takes), [false, false, true]);
        assert_eq!([Critical, Passing, Passing].map(&mut takes), [false, false, true]);
        assert_eq!([Warning, Critical, Warning].map(&mut takes), [false; 3], "the outcomes do not agree");
    }

    #[tokio::test(start_paused = true)]
    async fn check_that_hangs_is_critical_at_its_time_limit() {
        let check = Check::with(std::future::pending).within(Duration::from_secs(1));
        assert_eq!(check.outcome().await, CheckOutcome::Critical("no answer within 1s".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn ttl_is_critical_without_a_report() {
        let (check, ttl) = Check::ttl(Duration::from_secs(10));
        assert_eq!(check.outcome().await, CheckOutcome::Passing);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(check.outcome().await, CheckOutcome::Critical("no report for 10s".to_owned()));
        ttl.report(CheckOutcome::Warning("slow".to_owned()));
        assert_eq!(check.outcome().await, CheckOutcome::Warning("slow".to_owned()));
        ttl.passing();
        assert_eq!(check.outcome().await, CheckOutcome::Passing);
        // A longer time for the same reports: the last one still counts, and so do later ones.
        let longer = ttl.check(Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(check.outcome().await, CheckOutcome::Critical("no report for 10s".to_owned()));
        assert_eq!(longer.outcome().await, CheckOutcome::Passing);
        ttl.report(CheckOutcome::Warning("slow".to_owned()));
        assert_eq!(longer.outcome().await, CheckOutcome::Warning("slow".to_owned()));
    }

    #[tokio::test]
    async fn tcp_check_tells_open_from_closed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        assert_eq!(Check::tcp(addr).outcome().await, CheckOutcome::Passing);
        drop(listener);
        assert!(matches!(Check::tcp(addr).outcome().await, CheckOutcome::Critical(_)));
    }
}
