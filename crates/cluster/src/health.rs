//! Runs the health checker at each interval. Sends its verdicts to the protocol and to subscribers.

use std::time::Duration;

use kinfolk_core::EventBus;
use kinfolk_detector::HealthChecker;
use kinfolk_gossip::{Clock, SwimProtocol};
use tokio::time::{MissedTickBehavior, interval};

use crate::task::BackgroundTask;

/// Runs `checker` at each interval, until the task is stopped or the protocol has ended.
pub(crate) fn start(
    checker: HealthChecker,
    every: Duration,
    clock: Clock,
    protocol: SwimProtocol,
    events: EventBus,
) -> BackgroundTask {
    BackgroundTask::start(run_checks(checker, every, clock, protocol, events))
}

/// Returns only when the protocol has stopped.
async fn run_checks(
    checker: HealthChecker,
    every: Duration,
    clock: Clock,
    protocol: SwimProtocol,
    events: EventBus,
) {
    let mut ticks = interval(every);
    // After a pause of the process one check is enough: the checker itself detects the pause.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for verdict in checker.check(clock.now()) {
            events.publish(&verdict.event);
            if protocol.health_verdict(verdict).await.is_err() {
                return;
            }
        }
    }
}
