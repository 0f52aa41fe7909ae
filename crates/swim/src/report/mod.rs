//! What the application learns: changes as events, and why a member was suspected, kept or declared
//! failed.
//!
//! ```text
//!   change ──┬─ tally.rs          counted by what it means
//!            ├─ flap damper        no events of its coming and going while it flaps
//!            ├─ shown.rs           not more than one suspicion of each accuser and minute
//!            ├─ address_moves.rs   no updates of its address while two processes have its name
//!            └─ findings.rs        the reasons
//! ```
//!
//! This module only receives changes. It decides which events they become.

mod address_moves;
mod findings;
mod shown;
mod tally;

use kinfolk_core::{Cause, Change, ClusterEvent, NodeId, NodeState};
use kinfolk_detector::{EventDamping, Evidence, Finding, FlapDamper, FlapPolicy};

use crate::context::Context;
use crate::timer::Timer;
use address_moves::{AddressMoves, ConflictState, MoveReport};
use findings::Findings;
use shown::ShownSuspicions;

/// What was reported, and what is to be reported later.
#[derive(Debug)]
pub(crate) struct Report {
    flaps: Option<FlapDamper>,
    moves: AddressMoves,
    findings: Findings,
    shown: ShownSuspicions,
}

impl Report {
    /// With `flaps`, a flapping member is reported once, and again when it has settled.
    pub(crate) fn new(flaps: Option<FlapPolicy>) -> Self {
        Self {
            flaps: flaps.map(FlapDamper::new),
            moves: AddressMoves::default(),
            findings: Findings::default(),
            shown: ShownSuspicions::default(),
        }
    }

    /// Emits the events of a change, and counts the change. A flapping member only emits updates of
    /// its address and tags. An address conflict emits no update for each change.
    pub(crate) fn emit_events(&mut self, cx: &mut Context, change: &Change, cause: &Cause) {
        let Some(after) = change.after() else { return };
        tally::count(&mut cx.stats.changes, &cx.me, change, &cause.reason);
        let telling = self.flaps.as_mut().map_or(EventDamping::All, |flaps| flaps.changed(cx.now, change));
        let mut events = ClusterEvent::of_change(change, cause);
        if telling == EventDamping::Muted {
            // New tags and addresses are no flapping: the application needs them to reach the
            // member.
            events.retain(|event| matches!(event, ClusterEvent::NodeUpdated { .. }));
        }
        events.retain(|event| self.shown.is_shown(cx.now, &cx.me, event));
        if !self.emits_update(cx, change) {
            events.retain(|event| !matches!(event, ClusterEvent::NodeUpdated { .. }));
        }
        for event in events {
            cx.event(event);
        }
        if let EventDamping::Flapping { returns, quiet } = telling {
            cx.stats.flapping += 1;
            cx.event(ClusterEvent::NodeFlapping { id: after.id.clone(), returns, quiet });
            cx.timers.schedule(cx.now + quiet, Timer::FlapQuiet(after.id.clone()));
        }
    }

    /// Whether this change emits an update event. If the address goes back and forth, it emits a
    /// conflict event instead.
    fn emits_update(&mut self, cx: &mut Context, change: &Change) -> bool {
        let Change::Applied { before: Some(before), after } = change else { return true };
        match self.moves.changed(cx.now, before, after) {
            MoveReport::Update => return true,
            MoveReport::Withheld => {}
            MoveReport::Conflict => {
                let next = cx.now + address_moves::REPORT_INTERVAL;
                cx.timers.schedule(next, Timer::NameConflict(after.id.clone()));
                cx.event(ClusterEvent::NameConflict { id: after.id.clone(), addr: after.addr, count: 1 });
            }
        }
        false
    }

    /// The report of a name conflict is due.
    pub(crate) fn name_conflict_due(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(state) = self.moves.conflict_state(cx.now, id) else { return };
        match (state, cx.members.member(id)) {
            (ConflictState::Continues { changes, until }, node) => {
                cx.timers.schedule(until, Timer::NameConflict(id.clone()));
                if let Some(node) = node.filter(|_| changes > 0) {
                    let (id, addr) = (id.clone(), node.addr);
                    cx.event(ClusterEvent::NameConflict { id, addr, count: changes });
                }
            }
            // The application has received no update since the conflict began.
            (ConflictState::Over, Some(node)) => cx.event(ClusterEvent::NodeUpdated { node }),
            (ConflictState::Over, None) => {}
        }
    }

    /// A flapping member may have settled. If not, the timer starts again for the time when it may
    /// have. Each member has one timer.
    pub(crate) fn settle_due(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(flaps) = &mut self.flaps else { return };
        if !flaps.settle(cx.now, id) {
            if let Some(at) = flaps.settles_at(id) {
                cx.timers.schedule(at, Timer::FlapQuiet(id.clone()));
            }
        } else if let Some(node) = cx.members.get(id) {
            cx.event(ClusterEvent::NodeSettled { node });
        }
    }

    /// A tombstone was removed.
    pub(crate) fn forget(&mut self, id: &NodeId) {
        self.moves.forget(id);
        if let Some(flaps) = &mut self.flaps {
            flaps.forget(id);
        }
    }

    /// Records a finding about a member. With `once`, only if the last finding was another one.
    pub(crate) fn note(&mut self, id: &NodeId, evidence: Evidence, once: bool) {
        let repeats = || self.findings.last(id).is_some_and(|last| last.finding == evidence.finding);
        if !(once && repeats()) {
            self.findings.add(id, evidence);
        }
    }

    /// The findings about a member, the oldest first.
    pub(crate) fn explain(&self, id: &NodeId) -> Vec<Evidence> {
        self.findings.of(id)
    }

    /// The last finding about a member.
    pub(crate) fn last_finding(&self, id: &NodeId) -> Option<&Evidence> {
        self.findings.last(id)
    }
}

/// The finding for a change: another member has a new state. That a member joins is no finding.
pub(crate) fn finding_of(cx: &Context, change: &Change) -> Option<Finding> {
    let Change::Applied { before, after } = change else { return None };
    let was = before.as_ref().map(|before| before.state);
    let notable =
        after.id != cx.me && was != Some(after.state) && !(was.is_none() && after.state == NodeState::Alive);
    notable.then_some(Finding::State(after.state))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use kinfolk_core::NodeState::{Alive, Failed};
    use kinfolk_core::{Incarnation, NodeAddr, NodeStatus, Reason, Tags};

    use super::*;
    use crate::interface::config::SwimConfig;

    fn context() -> Context {
        Context::of_others(SwimConfig::verified(), &[("a", Alive)])
    }

    fn id() -> NodeId {
        NodeId::new("a").unwrap()
    }

    fn at_port(port: u16) -> Arc<NodeStatus> {
        let addr = NodeAddr::new(([127, 0, 0, 1], port).into());
        NodeStatus::alive(id(), addr, Incarnation::new(1), Tags::empty()).into()
    }

    fn change(report: &mut Report, cx: &mut Context, before: Arc<NodeStatus>, after: Arc<NodeStatus>) {
        let cause = Cause::by(id(), Reason::Reported);
        report.emit_events(cx, &Change::Applied { before: Some(before), after }, &cause);
    }

    /// The member fails and returns. Returns the time of the next timer.
    fn returns(report: &mut Report, cx: &mut Context) -> Option<kinfolk_core::Instant> {
        let failed: Arc<NodeStatus> = at_port(1).with_state(Failed).into();
        change(report, cx, at_port(1), Arc::clone(&failed));
        change(report, cx, failed, at_port(1));
        cx.timers.next()
    }

    fn conflicts(cx: &mut Context) -> Vec<u64> {
        let outputs = std::iter::from_fn(|| cx.pop_output());
        let conflict = |output| match output {
            crate::Output::Event(ClusterEvent::NameConflict { count, .. }) => Some(count),
            _ => None,
        };
        outputs.filter_map(conflict).collect()
    }

    #[test]
    fn repeated_finding_is_recorded_once_if_wanted() {
        let cx = context();
        let mut report = Report::new(None);
        let mut count_after = |finding, once| {
            let cause = Cause::by(id(), Reason::Reported);
            let at = cx.now;
            let incarnation = Incarnation::new(1);
            let evidence =
                Evidence { at, finding, cause, incarnation, phi: None, round_trip: None, local_health: 0 };
            report.note(&id(), evidence, once);
            report.explain(&id()).len()
        };
        assert_eq!([count_after(Finding::Held, true), count_after(Finding::Held, true)], [1, 1]);
        assert_eq!([count_after(Finding::Held, false), count_after(Finding::Isolated, true)], [2, 3]);
    }

    #[test]
    fn conflict_report_comes_after_a_minute_with_changes() {
        let (mut cx, mut report) = (context(), Report::new(None));
        change(&mut report, &mut cx, at_port(1), at_port(2));
        assert_eq!((conflicts(&mut cx), cx.timers.next()), (vec![], None));
        change(&mut report, &mut cx, at_port(2), at_port(1));
        let next = cx.now + Duration::from_mins(1);
        assert_eq!((conflicts(&mut cx), cx.timers.next()), (vec![1], Some(next)));
        report.name_conflict_due(&mut cx, &id());
        assert_eq!(conflicts(&mut cx), [0; 0], "nothing has changed since the first report");
        change(&mut report, &mut cx, at_port(1), at_port(2));
        assert_eq!(conflicts(&mut cx), [0; 0]);
        report.name_conflict_due(&mut cx, &id());
        assert_eq!(conflicts(&mut cx), [1]);
    }

    #[test]
    fn flapping_member_is_checked_after_its_quiet_time() {
        let policy = FlapPolicy::default();
        let (mut cx, mut report) = (context(), Report::new(Some(policy)));
        assert_eq!([returns(&mut report, &mut cx), returns(&mut report, &mut cx)], [None, None]);
        assert_eq!(returns(&mut report, &mut cx), Some(cx.now + policy.quiet));
        assert_eq!(cx.stats.flapping, 1);
    }

    #[test]
    fn forgotten_member_starts_with_no_returns() {
        let (mut cx, mut report) = (context(), Report::new(Some(FlapPolicy::default())));
        returns(&mut report, &mut cx);
        returns(&mut report, &mut cx);
        report.forget(&id());
        assert_eq!([returns(&mut report, &mut cx), returns(&mut report, &mut cx)], [None, None]);
        assert!(returns(&mut report, &mut cx).is_some());
    }
}
