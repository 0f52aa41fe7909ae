//! The loop that asks the health checker at each interval and hands its verdicts to the protocol and to subscribers.

use std::time::Duration;

use kinfolk_core::EventBus;
use kinfolk_detector::HealthChecker;
use kinfolk_gossip::{Clock, SwimProtocol};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// The running loop.
#[derive(Debug)]
pub(crate) struct HealthLoop {
    stop: watch::Sender<bool>,
    /// Closed when the loop has ended.
    ended: watch::Receiver<()>,
}

impl HealthLoop {
    pub(crate) fn start(
        checker: HealthChecker,
        every: Duration,
        clock: Clock,
        protocol: SwimProtocol,
        events: EventBus,
    ) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let (running, ended) = watch::channel(());
        tokio::spawn(async move {
            let checking = check_for_ever(checker, every, clock, protocol, events);
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => {}
                () = checking => {}
            }
            drop(running);
        });
        Self { stop, ended }
    }

    /// Ends the loop and does not wait for it.
    pub(crate) fn signal_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends the loop and waits until it has.
    pub(crate) async fn stop(&self) {
        self.signal_stop();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

/// Returns only when the protocol has stopped.
async fn check_for_ever(
    checker: HealthChecker,
    every: Duration,
    clock: Clock,
    protocol: SwimProtocol,
    events: EventBus,
) {
    let mut ticks = interval(every);
    // After a pause one check is enough; the checker itself sees that there was one.
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
