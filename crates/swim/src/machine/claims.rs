//! Believed claims about members, and all that a change of the view causes.

use std::sync::Arc;

use kinfolk_core::{Cause, Change, NodeId, NodeState, NodeStatus, Reason};

use super::Owners;
use super::verdicts::is_verdict;
use crate::context::Context;
use crate::fact::Spread;
use crate::report::finding_of;

impl Owners {
    /// Takes in a believed claim about any member. If it changes the view, passes it on as `spread`
    /// says.
    pub(super) fn claimed(
        &mut self,
        cx: &mut Context,
        claim: &Arc<NodeStatus>,
        accusers: Vec<NodeId>,
        spread: Spread<'_>,
    ) {
        self.settle(cx);
        if claim.id == cx.me {
            return self.claimed_of_us(cx, claim);
        }
        // The known status may come from a wall clock that was far ahead. It must not outrank
        // claims by the corrected clock.
        let change = if self.admission.is_replaced_by_any(cx, &claim.id) {
            self.members.replace(Arc::clone(claim))
        } else {
            self.members.apply(Arc::clone(claim))
        };
        match change {
            // The suspicion is known. New accusers shorten it (Lifeguard, section IV-B).
            Change::None if claim.state == NodeState::Suspect => {
                let known = cx.members.get(&claim.id);
                let is_suspect = |known: &Arc<NodeStatus>| {
                    (known.incarnation, known.state) == (claim.incarnation, NodeState::Suspect)
                };
                if let Some(known) = known.filter(is_suspect) {
                    self.detection.confirm(cx, &known, &accusers);
                    self.settle(cx);
                }
            }
            Change::None => {}
            change => self.changed(cx, &change, &Cause { reason: Reason::Reported, accusers }, spread),
        }
    }

    /// Takes in a claim about this member, which may refute it.
    pub(super) fn claimed_of_us(&mut self, cx: &mut Context, claim: &NodeStatus) {
        let known = (self.detection.reaches_few(), self.dissemination.is_waiting(&cx.me));
        self.myself.claimed(cx, claim, known);
        self.settle(cx);
    }

    /// Applies all consequences of one change of the view, and passes it on as `spread` says.
    pub(super) fn changed(&mut self, cx: &mut Context, change: &Change, cause: &Cause, spread: Spread<'_>) {
        let (before, after) = match change {
            Change::None => return,
            Change::Full => return cx.stats.registry_full += 1,
            Change::Applied { before, after } => (before, after),
        };
        self.report.emit_events(cx, change, cause);
        if let Some(finding) = finding_of(cx, change) {
            let evidence = self.detection.evidence(cx, &after.id, finding, cause.clone());
            self.report.note(&after.id, evidence, false);
        }
        if after.id != cx.me {
            let was_member = before.as_ref().is_some_and(|before| before.state.is_member());
            self.other_changed(cx, was_member, after, cause);
        }
        // A leave is no partition, so it lowers the highest known size. An unknown member was never
        // part of that size.
        let was_here = before.as_ref().is_some_and(|before| before.state != after.state);
        if was_here && after.state == NodeState::Left {
            self.detection.left();
        }
        self.detection.recount(cx);
        self.settle_accusations(cx, after);
        // What follows from the change is queued first, so this update gets the newest rank.
        self.settle(cx);
        // A verdict that needs a proof spreads by its accusations alone.
        if !(self.needs_proof() && is_verdict(after)) {
            self.dissemination.pass_on(Arc::clone(after), &cause.accusers, spread);
        }
        if let Some(accusations) = &mut self.accusations {
            let was = before.as_ref().filter(|before| !before.state.is_member());
            if let Some(was) = was.filter(|_| after.state.is_member()) {
                accusations.returned(&after.id, was.incarnation);
            }
            accusations.view_changed(&after.id);
        }
    }

    /// Updates the roster, probes, suspicions, and tombstones after a change of another member.
    fn other_changed(&mut self, cx: &mut Context, was_member: bool, after: &NodeStatus, cause: &Cause) {
        let is_member = after.state.is_member();
        if was_member != is_member {
            if is_member {
                cx.roster.insert(&after.id, &mut cx.rng);
            } else {
                cx.roster.remove(&after.id);
            }
            self.detection.membership_changed(cx, &after.id, is_member);
        }
        cx.absences.note(cx.now, after);
        let failed_at = self.members.changed(cx, after);
        let may_miss = self.members.remembers_forgotten() || self.has_revocations();
        if let Some(failed_at) = failed_at.filter(|_| may_miss)
            // About four members send what it missed, not the whole group.
            && self.detection.updates_returned_member(cx, &after.id)
        {
            self.send_revocations(cx, after);
            self.members.send_missed_forgets(cx, after, failed_at);
        }
        self.detection.state_changed(cx, after, &cause.accusers);
        if !is_member {
            self.members.keep_tombstone(cx, after);
        }
    }
}
