//! What a peer says about members, in gossip, on pages, and in joins: which claims this member
//! believes. `verdicts.rs` has the claims that a member is suspect or failed, and `claims.rs` what
//! a believed claim causes.

use std::collections::BTreeSet;
use std::sync::Arc;

use kinfolk_core::{Incarnation, NodeId, NodeState, NodeStatus};

use super::Owners;
use super::verdicts::is_verdict;
use crate::context::Context;
use crate::fact::Spread;
use crate::interface::output::RefusedJoin;
use crate::members::{ask_for_description, lacks_description};
use crate::purpose::{DESCRIBES_MAX, Purpose};
use crate::repair::join::clocks_differ;
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
                Update::Node { status, accusers } if self.needs_proof() && is_verdict(status) => {
                    are_new.next();
                    // A member passes on what an exchange of views told it, with its teller.
                    let is_own = !matches!(accusers.as_slice(), [teller] if teller != from);
                    self.receive_verdict(cx, (from, is_own), status, Spread::AllBut(from));
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
                // A forget update comes from an operator, and each member passes it on.
                self.receive_verdict_on_us(cx, (from, false), &claim);
            } else {
                self.claimed_of_us(cx, &claim);
            }
        } else {
            self.members.receive_forget(cx, from, (status, up_to));
        }
    }

    /// Whether the claim of `from` is about a forgotten member. If this member never had its
    /// tombstone, a liar may have invented that it was gone. Then the member itself is asked.
    pub(super) fn is_forgotten(&mut self, cx: &mut Context, from: &NodeId, claim: &Arc<NodeStatus>) -> bool {
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
                    self.receive_verdict(cx, (from, true), status, spread);
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
}
