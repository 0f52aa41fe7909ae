//! The protocol as one pure state machine. Inputs come in and outputs go out.
//!
//! Each piece of state has one owner, and no owner knows another. Only this folder knows all
//! owners, and passes the facts of one owner to the others
//! (`docs/decisions/0013-owners-and-facts.md`).
//!
//! ```text
//!   Input ──> handle ──┬─ inputs.rs    a message, a command ┐
//!                      ├─ replies.rs   an answer            ├─> an owner ─> outputs ─> poll_output
//!                      └─ due.rs       a timer              ┘    │  ^
//!                                                          facts v  │
//!   intake.rs, verdicts.rs   what peers say ──> claims.rs  what a change causes <── facts.rs
//! ```
//!
//! | owner | state |
//! |---|---|
//! | [`Members`], [`Admission`] | the members of the group; which claims about them are believed |
//! | [`Myself`] | the statements of this member about itself |
//! | [`Detection`], [`Helper`] | which members are alive; probes for other members |
//! | [`Dissemination`] | the updates that wait to be sent |
//! | [`Repair`] | exchanges of views |
//! | [`Report`] | what the application is told, and why |
//! | [`Accusations`] | who accuses which member, and what that proves |
//! | [`Revocations`] | the certificates that authorities have revoked |
//! | [`Requests`] | the open requests and their purposes |
//!
//! Each owner's method gets a [`Context`], which has what all owners may use.

mod accusations;
mod back_pressure;
mod claims;
mod due;
mod facts;
mod inputs;
mod intake;
mod replies;
mod revocations;
mod start;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::Sign;
use kinfolk_core::{Instant, NodeId, NodeStatus, RegistryView, RegistryWriter, Rng};
use kinfolk_detector::{Evidence, PartitionStatus, SuspicionStatus};

use crate::accusations::Accusations;
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
use crate::revocations::Revocations;
use back_pressure::BackPressure;

/// The protocol of one member: pure, without a clock, socket, runtime, or random numbers of its
/// own.
///
/// Pass each input to [`handle`](Self::handle), then take every output with
/// [`poll_output`](Self::poll_output). Pass [`Input::Timeout`] at the time of
/// [`next_timeout`](Self::next_timeout). The same inputs at the same times with the same seed give
/// the same outputs. The driver, the simulator, and the tests run this machine.
///
/// Every [`Output::Send`] with a `request` must lead to exactly one [`Input::Reply`] or
/// [`Input::NoReply`].
#[derive(Debug)]
pub struct Machine {
    cx: Context,
    owners: Owners,
    back_pressure: BackPressure,
}

/// All owners of state. `repr(C)` keeps the order: the owners that every input uses come first, so
/// that they share few cache lines.
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
    revocations: Revocations,
    /// `None` in the papers' modes, which believe every claim.
    accusations: Option<Accusations>,
}

impl Machine {
    /// Makes a machine for the member `me`, which must be the statement that it is alive. Signs
    /// `me`, as all later statements, with `signer`. Enters it into `registry`, which may already
    /// have other members. Many machines may share one configuration.
    ///
    /// # Panics
    /// If `me` is not alive and complete ([`NodeStatus::alive`] makes such a status).
    pub fn new(
        config: impl Into<Arc<SwimConfig>>,
        me: NodeStatus,
        signer: Arc<dyn Sign>,
        registry: impl Into<RegistryWriter>,
        rng: Rng,
        now: Instant,
    ) -> Self {
        let (cx, owners) = start::start(config.into(), me, signer, registry.into(), rng, now);
        Self { cx, owners, back_pressure: BackPressure::default() }
    }

    /// Handles one input. [`poll_output`](Self::poll_output) returns the outputs that it causes.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let Self { cx, owners, back_pressure } = self;
        cx.now = now;
        // If a timer was due long ago, this member was paused. Then the silence of others since
        // that time proves nothing, so it is taken out before the input is handled.
        if let Some(due) = cx.timers.next() {
            owners.detection.was_paused(cx, due);
        }
        match input {
            Input::Timeout => due::timeout(owners, cx),
            Input::Late { by } => owners.detection.was_late(cx, by),
            Input::BackPressure => back_pressure.begin(cx),
            Input::BackPressureEnded => {
                if let Some(since) = back_pressure.end(cx) {
                    due::back_pressure_ended(owners, cx, since);
                }
            }
            input => owners.take(cx, input),
        }
        owners.weigh_due(cx);
        // Only now are all updates known that the sender of the input lacks.
        owners.members.send_owed_forgets(cx);
        owners.settle(cx);
        owners.dissemination.schedule_fresh(cx);
    }

    /// Takes the next output, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.cx.pop_output()
    }

    /// When [`Input::Timeout`] is due next. `None` only after a leave.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.cx.timers.next()
    }

    /// The name of this member.
    pub fn id(&self) -> &NodeId {
        &self.cx.me
    }

    /// The view of the group. Every holder of the registry shares it.
    pub fn registry(&self) -> &RegistryView {
        self.owners.members.registry()
    }

    /// The configuration.
    pub fn config(&self) -> &SwimConfig {
        &self.cx.config
    }

    /// The counters and gauges.
    pub fn stats(&self) -> SwimStats {
        let Owners { dissemination, members, admission, accusations, revocations, .. } = &self.owners;
        let (now, jumps) = (self.cx.now, admission.clock_jumps());
        SwimStats {
            clock_jumps_ahead: jumps.ahead,
            clock_jumps_back: jumps.back,
            declared_failed: self.is_declared_failed(),
            local_health: self.cx.health.score(),
            queued: dissemination.waiting(),
            forgotten_names: members.forgotten_names(),
            forgets_dropped: members.forgets_dropped(),
            revocations_kept: revocations.len(),
            revocations_full: revocations.refused_full(),
            claims_refused: admission.refused(),
            distrusted: accusations.as_ref().map_or(0, |accusations| accusations.distrusted(now)),
            broadcasts_dropped: dissemination.broadcasts_dropped(),
            ..self.cx.stats
        }
    }

    /// The number of alive members, and whether the group is partitioned.
    pub fn partition(&self) -> PartitionStatus {
        self.owners.detection.partition_status()
    }

    /// The findings about a member, this member's own and reported ones, the oldest first. At most
    /// 8 are kept.
    pub fn explain(&self, id: &NodeId) -> Vec<Evidence> {
        self.owners.report.explain(id)
    }

    /// The members that do not answer this member or are suspect in its view, ordered by name.
    pub fn suspicion_status(&self, now: Instant) -> Vec<SuspicionStatus> {
        let Owners { detection, report, .. } = &self.owners;
        detection.suspicion_status(now, |id| report.last_finding(id))
    }

    /// How late this member is with its timers and messages.
    pub fn lateness(&self, now: Instant) -> Duration {
        self.cx.lateness.at(now)
    }

    /// Whether others declared this member failed, as far as it knows, and it has not refuted that
    /// yet. It refutes when it reaches enough of its neighbours.
    pub fn is_declared_failed(&self) -> bool {
        self.owners.myself.was_declared_failed()
    }
}

#[cfg(test)]
mod tests;
