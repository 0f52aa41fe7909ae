//! The protocol as one pure state machine. Here inputs come in and outputs go out. Each piece of state has one owner, who
//! knows no other; this folder is the only place that knows all of them, and says what follows from what.
//!
//! ```text
//!   Input ──> handle ──┬─ inputs.rs    a message, a command, ..     ┐
//!                      ├─ replies.rs   the answer to a request      ├──> an owner ──> outputs ──> poll_output
//!                      └─ due.rs       a timer                      ┘       │  ^
//!                                                                      facts v  │
//!                      claims.rs  a claim, and what a change leads to <── facts.rs
//! ```
//!
//! | owner | has |
//! |---|---|
//! | [`Members`], [`Admission`] | who belongs to the group, and which claims about that are believed |
//! | [`Myself`] | what we say of ourselves |
//! | [`Detection`], [`Helper`] | who is alive; what others ask us to find out |
//! | [`Dissemination`] | what waits to be passed on |
//! | [`Repair`] | exchanges of views |
//! | [`Report`] | what the application is told, and why |
//! | [`Requests`] | which answer belongs to what |
//!
//! Each owner's method gets a [`Context`], which has what all may use.

mod claims;
mod congestion;
mod due;
mod facts;
mod inputs;
mod replies;
mod start;

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeStatus, RegistryView, RegistryWriter, Rng};
use kinfolk_detector::{Evidence, PartitionStatus, SuspicionStatus};

use crate::context::Context;
use crate::detection::{Detection, Helper};
use crate::dissemination::Dissemination;
use crate::interface::config::SwimConfig;
use crate::interface::input::Input;
use crate::interface::output::Output;
use crate::interface::stats::SwimStats;
use crate::members::{Admission, Members};
use crate::myself::Myself;
use crate::repair::Repair;
use crate::report::Report;
use crate::requests::Requests;
use congestion::Congestion;

/// One member's protocol: pure, without clock, socket, runtime or randomness of its own.
///
/// Feed it with [`handle`](Self::handle), then take every output with [`poll_output`](Self::poll_output), and feed
/// [`Input::Timeout`] when [`next_timeout`](Self::next_timeout) has come. The same inputs at the same times from the
/// same seed give the same outputs. The same machine runs in the real driver, the simulator and the tests.
///
/// Every [`Output::Send`] with a `request` must come back as one [`Input::Reply`] or [`Input::NoReply`].
#[derive(Debug)]
pub struct Machine {
    cx: Context,
    owners: Owners,
    congestion: Congestion,
}

/// All owners of state, and what follows from what one of them says for the others.
#[derive(Debug)]
#[repr(C)]
struct Owners {
    requests: Requests,
    detection: Detection,
    dissemination: Dissemination,
    members: Members,
    admission: Admission,
    helper: Helper,
    myself: Myself,
    repair: Repair,
    report: Report,
}

impl Machine {
    /// A machine for the member `me`, which must be a statement that it is alive. Enters it into `registry`, which may
    /// already know others. Many machines may share one configuration.
    ///
    /// # Panics
    /// If `me` is not alive and complete ([`NodeStatus::alive`] makes one that is).
    pub fn new(
        config: impl Into<Arc<SwimConfig>>,
        me: NodeStatus,
        registry: impl Into<RegistryWriter>,
        rng: Rng,
        now: Instant,
    ) -> Self {
        let (cx, owners) = start::start(config.into(), me, registry.into(), rng, now);
        Self { cx, owners, congestion: Congestion::default() }
    }

    /// Takes one input. Outputs that it causes wait in [`poll_output`](Self::poll_output).
    pub fn handle(&mut self, now: Instant, input: Input) {
        let Self { cx, owners, congestion } = self;
        cx.now = now;
        // If a timer of ours should have been handled long before, we were paused.
        if let Some(due) = cx.timers.next() {
            owners.detection.was_deaf(cx, due);
        }
        match input {
            Input::Timeout => due::timeout(owners, cx),
            Input::Late { by } => owners.detection.was_late(cx, by),
            Input::Congested => congestion.begin(cx),
            Input::Clear => {
                if let Some(since) = congestion.end(cx) {
                    due::hear_again(owners, cx, since);
                }
            }
            input => owners.take(cx, input),
        }
        owners.members.tell_owed_words(cx);
        owners.settle(cx);
        owners.dissemination.schedule_fresh(cx);
    }

    /// The next thing to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.cx.pop_output()
    }

    /// When [`Input::Timeout`] is due next; `None` only after a leave.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.cx.timers.next()
    }

    /// Our name.
    pub fn id(&self) -> &NodeId {
        &self.cx.me
    }

    /// The view of the group, shared with whoever was given the registry.
    pub fn registry(&self) -> &RegistryView {
        self.owners.members.registry()
    }

    /// The configuration.
    pub fn config(&self) -> &SwimConfig {
        &self.cx.config
    }

    /// Counters and gauges.
    pub fn stats(&self) -> SwimStats {
        let Owners { dissemination, members, admission, .. } = &self.owners;
        SwimStats {
            local_health: self.cx.health.score(),
            queued: dissemination.waiting(),
            forgotten_names: members.forgotten_names(),
            forgets_dropped: members.words_dropped(),
            claims_refused: admission.refused(),
            broadcasts_dropped: dissemination.broadcasts_dropped(),
            ..self.cx.stats
        }
    }

    /// How the group stands: how many live, and whether that is a partition.
    pub fn partition(&self) -> PartitionStatus {
        self.owners.detection.partition_status()
    }

    /// What we have found out about this member and what we were told, the oldest first: at most 8 findings.
    pub fn explain(&self, id: &NodeId) -> Vec<Evidence> {
        self.owners.report.explain(id)
    }

    /// The members that do not answer this one, or that are suspect in its view, ordered by name.
    pub fn suspicion_status(&self, now: Instant) -> Vec<SuspicionStatus> {
        let Owners { detection, report, .. } = &self.owners;
        detection.suspicion_status(now, |id| report.last_finding(id))
    }

    /// How late this member is with what it has to do.
    pub fn lateness(&self, now: Instant) -> Duration {
        self.cx.lateness.at(now)
    }

    /// Whether others declared this member failed, as far as it knows, and it has not come back
    /// yet: it refutes once it reaches enough of its neighbours.
    pub fn is_declared_failed(&self) -> bool {
        self.owners.myself.is_out()
    }
}

#[cfg(test)]
mod tests;
