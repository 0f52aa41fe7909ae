//! The end of a member: six phases in order, each with its limit, each observable; or all at once.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::cluster::Inner;
use crate::memory::Memory;

/// The phases of a shutdown, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The others are told that we leave.
    BroadcastLeave,
    /// The protocol ends: no probe, no answer. What it knew is written into the state directory, if there is one.
    StopGossip,
    /// The health checker ends.
    StopHealthChecker,
    /// The connections are closed, each with a word to its peer, and both ports become free.
    CloseConnections,
    /// The registry is emptied.
    ClearRegistry,
    /// Subscriptions end after what they still hold.
    CloseEvents,
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseOutcome {
    /// It did what it should.
    Done,
    /// Its limit ended it; the next phase went on from there.
    TimedOut,
}

/// One phase of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseReport {
    /// Which.
    pub phase: Phase,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: PhaseOutcome,
}

/// How a shutdown went: its phases in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownReport {
    /// All six.
    pub phases: Vec<PhaseReport>,
}

impl ShutdownReport {
    /// Whether every phase did what it should within its limit.
    pub fn is_clean(&self) -> bool {
        self.phases.iter().all(|phase| phase.outcome == PhaseOutcome::Done)
    }
}

impl Inner {
    pub(crate) async fn shutdown(&self) -> ShutdownReport {
        self.shutdown.get_or_init(|| self.run_phases()).await.clone()
    }

    pub(crate) fn stop_now(&self) {
        self.reunion.iter().for_each(|reunion| reunion.task().signal_stop());
        self.memory.iter().for_each(Memory::signal_stop);
        self.protocol.signal_stop();
        self.health_loop.signal_stop();
        self.transport.abort();
        self.registry_end.close();
        self.events.close();
    }

    /// Ends the protocol and what works with it; what it knew at its end is what the memory keeps.
    async fn stop_gossip(&self) {
        if let Some(reunion) = &self.reunion {
            reunion.task().stop().await;
        }
        self.protocol.stop().await;
        if let Some(memory) = &self.memory {
            memory.stop().await;
        }
    }

    async fn run_phases(&self) -> ShutdownReport {
        let limits = self.limits;
        if !self.rejoin_after_stop {
            self.contacts.lock().leaves();
        }
        let leave = async {
            if let Err(error) = self.protocol.leave().await {
                tracing::debug!(%error, "there was nothing left to leave");
            }
        };
        let phases = vec![
            phase(Phase::BroadcastLeave, limits.leave, leave).await,
            phase(Phase::StopGossip, limits.stop, self.stop_gossip()).await,
            phase(Phase::StopHealthChecker, limits.stop, self.health_loop.stop()).await,
            // The transport keeps its limit itself, so that what is closed at its end is closed in good order.
            phase(Phase::CloseConnections, limits.close * 2, self.transport.close(limits.close)).await,
            phase(Phase::ClearRegistry, limits.stop, async { self.registry_end.close() }).await,
            phase(Phase::CloseEvents, limits.stop, async { self.events.close() }).await,
        ];
        ShutdownReport { phases }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
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
    // The line itself has the phase as a field, which is in every format of the log.
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
