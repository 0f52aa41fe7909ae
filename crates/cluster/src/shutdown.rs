//! The shutdown of a member: six phases in order, each with a time limit and a report. A forced
//! shutdown stops all parts at once.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::cluster::Inner;
use crate::state_dir::StateDir;

/// The phases of a shutdown, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Notifies the other members that this member leaves.
    BroadcastLeave,
    /// Stops the protocol: it sends no more probes and answers. Writes its last view to the state
    /// directory, if there is one.
    StopGossip,
    /// Stops the health checker.
    StopHealthChecker,
    /// Closes each connection with a close frame to its peer, then both sockets, so that their
    /// ports are free again.
    CloseConnections,
    /// Clears the registry.
    ClearRegistry,
    /// Closes the event bus. A subscription ends after the events that it still holds.
    CloseEvents,
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseOutcome {
    /// The phase ended within its limit.
    Done,
    /// The time limit passed. The next phase started all the same.
    TimedOut,
}

/// The result of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseReport {
    /// The phase.
    pub phase: Phase,
    /// How long the phase took.
    pub took: Duration,
    /// How the phase ended.
    pub outcome: PhaseOutcome,
}

/// The result of a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownReport {
    /// All six phases, in order.
    pub phases: Vec<PhaseReport>,
}

impl ShutdownReport {
    /// Whether each phase ended within its limit.
    pub fn is_clean(&self) -> bool {
        self.phases.iter().all(|phase| phase.outcome == PhaseOutcome::Done)
    }
}

impl Inner {
    pub(crate) async fn shutdown(&self) -> ShutdownReport {
        self.shutdown.get_or_init(|| self.run_phases()).await.clone()
    }

    /// Stops all parts at once. Blocks on nothing, because `Drop` calls it too.
    pub(crate) fn stop_now(&self) {
        self.tasks.signal_stop();
        self.rejoin.iter().for_each(|rejoin| rejoin.task().signal_stop());
        self.state_dir.iter().for_each(StateDir::signal_stop);
        self.protocol.signal_stop();
        self.health_loop.signal_stop();
        self.transport.abort();
        self.registry_end.close();
        self.events.close();
    }

    /// Stops the protocol and the tasks that use it.
    async fn stop_gossip(&self) {
        self.tasks.stop().await;
        // Before the protocol, so that no contact joins the group again.
        if let Some(rejoin) = &self.rejoin {
            rejoin.task().stop().await;
        }
        self.protocol.stop().await;
        // After the protocol, so that the state directory receives its last view.
        if let Some(state_dir) = &self.state_dir {
            state_dir.stop().await;
        }
    }

    async fn run_phases(&self) -> ShutdownReport {
        let limits = self.limits;
        // The other members receive the same leave in both cases. Only this member records whether
        // its next instance rejoins (decision 12).
        if !self.rejoin_after_stop {
            self.contacts.lock().leave();
        }
        let leave = async {
            if let Err(error) = self.protocol.leave().await {
                // The protocol had stopped before the shutdown began. What to do: nothing.
                tracing::debug!(%error, "cannot notify other members of the leave");
            }
        };
        let phases = vec![
            phase(Phase::BroadcastLeave, limits.leave, leave).await,
            phase(Phase::StopGossip, limits.stop, self.stop_gossip()).await,
            phase(Phase::StopHealthChecker, limits.stop, self.health_loop.stop()).await,
            // The transport enforces its limit itself, and then closes the rest gracefully. The
            // double limit here applies only if that does not end.
            phase(Phase::CloseConnections, limits.close * 2, self.transport.close(limits.close)).await,
            phase(Phase::ClearRegistry, limits.stop, async { self.registry_end.close() }).await,
            phase(Phase::CloseEvents, limits.stop, async { self.events.close() }).await,
        ];
        ShutdownReport { phases }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // After a complete shutdown everything is stopped already.
        if !self.shutdown.initialized() {
            self.stop_now();
        }
    }
}

async fn phase(phase: Phase, limit: Duration, work: impl Future<Output = ()>) -> PhaseReport {
    let began = Instant::now();
    let span = tracing::info_span!("shutdown", %phase);
    let ended = timeout(limit, work.instrument(span)).await;
    let outcome = if ended.is_ok() { PhaseOutcome::Done } else { PhaseOutcome::TimedOut };
    let took = began.elapsed();
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    // One phase of the shutdown ended; `outcome` is `done` or `timed out`. The phase is a field of
    // the line, not of a span, because not every log format prints spans. What to do: nothing.
    // After `timed out`, look at the state of the phase's part, or raise its limit.
    tracing::info!(parent: None, %phase, %outcome, took_ms, "a phase of the shutdown ended");
    PhaseReport { phase, took, outcome }
}

impl fmt::Display for PhaseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::TimedOut => "timed out",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BroadcastLeave => "broadcast leave",
            Self::StopGossip => "stop gossip",
            Self::StopHealthChecker => "stop health checker",
            Self::CloseConnections => "close connections",
            Self::ClearRegistry => "clear registry",
            Self::CloseEvents => "close events",
        })
    }
}
