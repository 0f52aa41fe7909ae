//! What the application is told: changes as events, and why a member was suspected, spared or declared failed.
//!
//! ```text
//!   change ──┬─ flaps.rs           its coming and going is told, or not, because it flaps
//!            ├─ address_moves.rs   its new address is told, or not, because two processes have its name
//!            └─ findings.rs        why
//! ```
//!
//! It knows nothing but what it is told, and changes nothing but what is told.

mod address_moves;
mod findings;

use kinfolk_core::{Cause, Change, ClusterEvent, NodeId, NodeState};
use kinfolk_detector::{Evidence, Finding, FlapDamper, FlapPolicy, Telling};

use crate::context::Context;
use crate::timer::Timer;
use address_moves::{Moves, Standing, Verdict};
use findings::Findings;

/// What was told, and what is to be told later.
#[derive(Debug)]
pub(crate) struct Report {
    flaps: Option<FlapDamper>,
    moves: Moves,
    findings: Findings,
}

impl Report {
    /// With `flaps`, the coming and going of a member that flaps is told once, and once more when it has settled.
    pub(crate) fn new(flaps: Option<FlapPolicy>) -> Self {
        Self { flaps: flaps.map(FlapDamper::new), moves: Moves::default(), findings: Findings::default() }
    }

    /// Tells what a change means, or, of a member that flaps, only what is not about its coming and going. Nor is each
    /// change of an address told that two processes contend for.
    pub(crate) fn tell(&mut self, cx: &mut Context, change: &Change, cause: &Cause) {
        let Some(after) = change.after() else { return };
        let telling = self.flaps.as_mut().map_or(Telling::All, |flaps| flaps.changed(cx.now, change));
        let mut events = ClusterEvent::of_change(change, cause);
        if telling == Telling::Muted {
            events.retain(|event| matches!(event, ClusterEvent::NodeUpdated { .. }));
        }
        if !self.tells_update(cx, change) {
            events.retain(|event| !matches!(event, ClusterEvent::NodeUpdated { .. }));
        }
        for event in events {
            cx.event(event);
        }
        if let Telling::Flapping { returns, quiet } = telling {
            cx.stats.flapping += 1;
            cx.event(ClusterEvent::NodeFlapping { id: after.id.clone(), returns, quiet });
            cx.timers.schedule(cx.now + quiet, Timer::Settle(after.id.clone()));
        }
    }

    /// Whether the application should receive an update of this change. If the address goes back and forth, it receives a
    /// conflict instead.
    fn tells_update(&mut self, cx: &mut Context, change: &Change) -> bool {
        let Change::Applied { before: Some(before), after } = change else { return true };
        match self.moves.changed(cx.now, before, after) {
            Verdict::Update => return true,
            Verdict::Withheld => {}
            Verdict::Conflict => {
                let next = cx.now + address_moves::REPORT_INTERVAL;
                cx.timers.schedule(next, Timer::NameConflict(after.id.clone()));
                cx.event(ClusterEvent::NameConflict { id: after.id.clone(), addr: after.addr, count: 1 });
            }
        }
        false
    }

    /// A minute of a conflict about a name has passed.
    pub(crate) fn name_conflict_due(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(standing) = self.moves.standing(cx.now, id) else { return };
        match (standing, cx.members.member(id)) {
            (Standing::GoesOn { changes, until }, node) => {
                cx.timers.schedule(until, Timer::NameConflict(id.clone()));
                if let Some(node) = node.filter(|_| changes > 0) {
                    let (id, addr) = (id.clone(), node.addr);
                    cx.event(ClusterEvent::NameConflict { id, addr, count: changes });
                }
            }
            // The application has received no update since the conflict began.
            (Standing::Over, Some(node)) => cx.event(ClusterEvent::NodeUpdated { node }),
            (Standing::Over, None) => {}
        }
    }

    /// A flapping member may have settled; if not, it is looked at again when it could have. One timer each.
    pub(crate) fn settle_due(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(flaps) = &mut self.flaps else { return };
        if !flaps.settle(cx.now, id) {
            if let Some(at) = flaps.settles_at(id) {
                cx.timers.schedule(at, Timer::Settle(id.clone()));
            }
        } else if let Some(node) = cx.members.get(id) {
            cx.event(ClusterEvent::NodeSettled { node });
        }
    }

    /// A tombstone is removed.
    pub(crate) fn forget(&mut self, id: &NodeId) {
        self.moves.forget(id);
        if let Some(flaps) = &mut self.flaps {
            flaps.forget(id);
        }
    }

    /// Notes a finding about a member; with `once` only if the last one was another.
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

/// What a change is worth noting as: a change of another's state, other than between the living.
pub(crate) fn finding_of(cx: &Context, change: &Change) -> Option<Finding> {
    let Change::Applied { before, after } = change else { return None };
    let was = before.as_ref().map(|before| before.state);
    let notable =
        after.id != cx.me && was != Some(after.state) && !(was.is_none() && after.state == NodeState::Alive);
    notable.then_some(Finding::State(after.state))
}
