//! Claims about members: whether this member believes them, and what a change of the view causes.

use std::collections::BTreeSet;
use std::sync::Arc;

use kinfolk_core::{Cause, Change, Incarnation, NodeId, NodeState, NodeStatus, Reason};

use super::Owners;
use crate::context::Context;
use crate::fact::Spread;
use crate::interface::output::RefusedJoin;
use crate::members::{ask_for_description, lacks_description};
use crate::purpose::{DESCRIBES_MAX, Purpose};
use crate::repair::join::clocks_differ;
use crate::report::finding_of;
use crate::wire::message::{Reception, Update};

impl Owners {
    /// Takes in the gossip updates of a message from `from`.
    pub(super) fn receive_gossip(&mut self, cx: &mut Context, from: &NodeId, gossip: &[Update]) {
        self.settle(cx);
        // Most messages carry no updates.
        if gossip.is_empty() {
            return;
        }
        let claims = gossip.iter().filter_map(|update| match update {
            Update::Node { status, .. } => Some(&**status),
            Update::User(_) | Update::Forget { .. } | Update::Accusation(_) | Update::Revocation(_) => None,
        });
        let mut are_new = cx.members.are_new(claims.clone()).into_iter();
        let mut accused: BTreeSet<&NodeId> = BTreeSet::new();
        for update in gossip {
            match update {
                Update::Node { status, .. } if self.needs_proof() && is_verdict(status) => {
                    are_new.next();
                    self.receive_verdict(cx, from, status, Spread::AllBut(from));
                }
                Update::Node { status, accusers } => {
                    let is_new = are_new.next().unwrap_or(true);
                    // A known suspicion may have a further accuser. A claim about this member may
                    // need a refutation. Both matter even if they change nothing in the view.
                    let matters = is_new
                        || status.state == NodeState::Suspect
                        || status.id == cx.me
                        || self.admission.is_far_ahead(&status.id);
                    if matters && self.believes(cx, from, status) {
                        self.claimed(cx, status, accusers.clone(), Spread::AllBut(from));
                    }
                }
                Update::Forget { status, up_to } => self.receive_forget(cx, from, (status, *up_to)),
                Update::Accusation(accusation) => {
                    if self.receive_accusation(cx, from, accusation) {
                        accused.insert(&accusation.subject);
                    }
                }
                Update::Revocation(revocation) => {
                    self.revoke(cx, revocation, Some(from));
                }
                // A higher instance of an origin replaces the lower ones. A false instance far
                // ahead would make all members ignore the origin's real broadcasts.
                Update::User(message) => {
                    if !self.admission.refuses(cx, from, (&message.origin, message.instance)) {
                        self.dissemination.receive_broadcast(cx, from, message);
                    }
                }
            }
            self.settle(cx);
        }
        // Only now, because the accusations of one proof come together. The first one alone would
        // be a suspicion, and this member would refute it without the check of its return.
        for subject in accused {
            self.weigh(cx, subject, Some(from));
            self.settle(cx);
        }
        // Mostly no member lacks its description. Then there is no look-up for each claim.
        if cx.members.incomplete_count() > 0 {
            for status in claims {
                self.complete(cx, from, &status.id);
            }
        }
    }

    /// Takes in a claim that a member is suspect or failed, where that needs a proof. The statement
    /// in it is the member's own word, and counts if it is newer. The verdict counts for nothing.
    fn receive_verdict(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        claim: &Arc<NodeStatus>,
        spread: Spread<'_>,
    ) {
        if claim.id == cx.me {
            return self.receive_verdict_on_us(cx, from, claim);
        }
        let known = cx.members.get(&claim.id);
        if let Some(known) = &known
            && known.incarnation >= claim.incarnation
        {
            // Higher states are worse. Another member may have the proof of what is known here.
            let is_worse = known.incarnation == claim.incarnation && known.state < claim.state;
            cx.stats.claims_unproved += u64::from(is_worse);
            return;
        }
        let statement = Arc::new(claim.with_state(NodeState::Alive));
        // An unknown member that others hold for failed is none here.
        let says_something = known.is_some() || claim.state == NodeState::Suspect;
        let is_believed = says_something
            && !(self.admission.refuses(cx, from, (&claim.id, claim.incarnation))
                || self.is_forgotten(cx, from, claim)
                || self.admission.asks_for_introduction(cx, from, &statement));
        if is_believed {
            self.claimed(cx, &statement, Vec::new(), spread);
        }
    }

    /// Takes in a claim that this member is suspect or failed.
    fn receive_verdict_on_us(&mut self, cx: &mut Context, from: &NodeId, claim: &NodeStatus) {
        let Some(mine) = cx.mine() else { return };
        if claim.incarnation < mine.incarnation {
            return self.claimed_of_us(cx, claim);
        }
        if self.admission.refuses(cx, from, (&claim.id, claim.incarnation)) {
            return;
        }
        if claim.incarnation > mine.incarnation {
            // A former instance of this member stated that, with a clock further ahead. Whatever
            // became of it, this instance must outrank it, or nobody hears of it.
            self.claimed_of_us(cx, &claim.with_state(NodeState::Suspect));
        } else {
            self.claimed_without_proof(cx, from);
        }
    }

    /// Whether this member takes in a claim that came by gossip.
    fn believes(&mut self, cx: &mut Context, from: &NodeId, claim: &Arc<NodeStatus>) -> bool {
        if self.admission.refuses(cx, from, (&claim.id, claim.incarnation))
            || self.is_forgotten(cx, from, claim)
        {
            return false;
        }
        // The first update about a new member is its own statement. So a suspicion about a member
        // that is unknown here comes from a member that was isolated, and may be old.
        claim.state != NodeState::Suspect || !self.admission.asks_for_introduction(cx, from, claim)
    }

    /// Takes in a forget update from `from`.
    fn receive_forget(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        (status, up_to): (&Arc<NodeStatus>, Incarnation),
    ) {
        if self.admission.refuses(cx, from, (&status.id, up_to)) {
            return;
        }
        if status.id == cx.me {
            // A forget update about this member is a claim that it failed. It refutes that.
            let claim = NodeStatus { incarnation: up_to, ..status.with_state(NodeState::Failed) };
            if self.needs_proof() {
                self.receive_verdict_on_us(cx, from, &claim);
            } else {
                self.claimed_of_us(cx, &claim);
            }
        } else {
            self.members.receive_forget(cx, from, (status, up_to));
        }
    }

    /// Whether the claim of `from` is about a forgotten member. If this member never had its
    /// tombstone, a liar may have invented that it was gone. Then the member itself is asked.
    fn is_forgotten(&mut self, cx: &mut Context, from: &NodeId, claim: &Arc<NodeStatus>) -> bool {
        let is_forgotten = self.members.is_forgotten(cx, from, claim);
        if is_forgotten && self.needs_proof() && self.members.is_forgotten_by_hearsay(cx, claim) {
            self.admission.ask_itself(cx, from, claim);
        }
        is_forgotten
    }

    /// Takes in a page of nodes from `from`, and passes changes on as `spread` says.
    pub(super) fn take_in(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        nodes: &[Arc<NodeStatus>],
        spread: Spread<'_>,
    ) {
        // A member that just started knows no other, and believes the member that it joins through.
        let is_newcomer = matches!(spread, Spread::Nobody) && self.admission.has_started_lately(cx);
        for status in nodes {
            if self.needs_proof() && is_verdict(status) {
                // The proof may come in a message of its own. If not, this member finds out by
                // itself, and a healthy subject refutes.
                if !self.admission.refuses(cx, from, (&status.id, status.incarnation)) {
                    self.repair.question(cx, from, status);
                    self.receive_verdict(cx, from, status, spread);
                }
                self.settle(cx);
                continue;
            }
            let is_believed = !(self.admission.refuses(cx, from, (&status.id, status.incarnation))
                || self.is_forgotten(cx, from, status)
                || self.members.is_unknown_tombstone(status)
                || !is_newcomer && self.admission.asks_for_introduction(cx, from, status));
            if is_believed {
                // A member that reports a suspicion is no accuser of its own. Otherwise each
                // exchange of views would add an accuser, and shorten the suspicion without
                // evidence.
                let accusers = match status.state {
                    NodeState::Failed => vec![from.clone()],
                    NodeState::Alive | NodeState::Suspect | NodeState::Left => Vec::new(),
                };
                self.claimed(cx, status, accusers, spread);
            }
            self.settle(cx);
        }
    }

    /// Takes in a page, and asks for the descriptions that are missing in it.
    pub(super) fn take_in_and_complete(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        nodes: &[Arc<NodeStatus>],
        spread: Spread<'_>,
    ) {
        self.take_in(cx, from, nodes, spread);
        for node in nodes {
            self.complete(cx, from, &node.id);
        }
    }

    /// Asks `from` for the description of `id`, if this member lacks it. `from` has just sent a
    /// claim about `id`, so it probably has the description.
    fn complete(&mut self, cx: &mut Context, from: &NodeId, id: &NodeId) {
        if lacks_description(cx, id)
            && let Some(teller) = cx.members.get(from)
        {
            self.describe(cx, &teller, id);
        }
    }

    /// Asks `peer` for the description of `id`, unless such a request or too many others wait for
    /// an answer.
    pub(super) fn describe(&mut self, cx: &mut Context, peer: &NodeStatus, id: &NodeId) {
        let asked = |purpose: &Purpose| matches!(purpose, Purpose::Describe(asked) if asked.id == *id);
        let all = self.requests.count(|purpose| matches!(purpose, Purpose::Describe(_)));
        if all < DESCRIBES_MAX && self.requests.count(asked) == 0 {
            ask_for_description(cx, peer, id);
            self.settle(cx);
        }
    }

    /// Decides on a peer that joins through this member. `theirs` is the time of the peer's wall
    /// clock, `ours` that of this member's.
    pub(super) fn receive_join(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        (ours, theirs): (Incarnation, Incarnation),
        me: &Arc<NodeStatus>,
    ) -> Reception {
        if cx.has_left() {
            return Reception::Leaving;
        }
        if clocks_differ(ours, theirs) {
            self.admission.refuse_join(cx, RefusedJoin { from: from.clone(), theirs, ours });
            return Reception::ClocksDiffer;
        }
        if self.admission.refuses(cx, from, (&me.id, me.incarnation)) {
            return Reception::FarAhead;
        }
        // The pages that follow carry the tombstone, and the peer refutes it.
        if self.members.is_forgotten(cx, from, me) {
            return Reception::Seen;
        }
        self.claimed(cx, me, Vec::new(), Spread::AllBut(from));
        self.send_revocations(cx, me);
        if cx.members.get(from).is_some() { Reception::Seen } else { Reception::Full }
    }

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

/// Whether this is what others believe of a member, and not its own word.
fn is_verdict(status: &NodeStatus) -> bool {
    matches!(status.state, NodeState::Suspect | NodeState::Failed)
}
