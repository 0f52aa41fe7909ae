//! Accusations (`Mode::Verified`): from one that arrives, or that this member makes, to a change of
//! the view. Suspicions and failures of others follow from accusations alone. A claim that a member
//! is suspect or failed changes nothing by itself.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher as _};
use std::slice;
use std::sync::Arc;

use kinfolk_core::signed::{Accusation, Charge};
use kinfolk_core::{Cause, ClusterEvent, NodeId, NodeState, NodeStatus, Reason};
use kinfolk_detector::Finding;

use super::Owners;
use crate::accusations::{Accusations, Proved};
use crate::context::Context;
use crate::detection::{charge_of, may_watch, relay_failed};
use crate::fact::Spread;
use crate::interface::delivery::Dial;
use crate::interface::priority::Priority;
use crate::purpose::Relay;
use crate::wire::codec::UPDATES_MAX;
use crate::wire::message::Update;

impl Owners {
    /// Whether suspicions and failures need accusations: in `Mode::Verified`.
    pub(super) fn needs_proof(&self) -> bool {
        self.accusations.is_some()
    }

    /// Takes in an accusation that `from` sent. Returns whether to weigh its subject's accusations.
    pub(super) fn receive_accusation(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        accusation: &Accusation,
    ) -> bool {
        let Accusation { subject, incarnation, .. } = accusation;
        if !self.needs_proof() || self.admission.refuses(cx, from, (subject, *incarnation)) {
            return false;
        }
        let known = cx.members.get(subject);
        if known.as_ref().is_some_and(|known| known.incarnation > *incarnation) {
            // Refuted already. If it is about this member, the sender may not have heard the
            // refutation. It is repeated, and not raised: each neighbour passes on a copy.
            if *subject == cx.me
                && let Some(mine) = cx.mine()
                && self.myself.answers_any(cx, slice::from_ref(from), true)
            {
                let refuted = NodeStatus { incarnation: *incarnation, ..mine.with_state(NodeState::Suspect) };
                self.claimed_of_us(cx, &refuted);
            }
            return false;
        }
        let Some(accusations) = &mut self.accusations else { return false };
        let is_new = accusations.add(cx.now, accusation, known.map(|known| known.incarnation));
        cx.stats.accusations += u64::from(is_new);
        is_new || *subject == cx.me
    }

    /// This member's own verdict: signs the accusation, and passes it on with those of its
    /// witnesses.
    pub(super) fn accuse(&mut self, cx: &mut Context, status: &NodeStatus, reason: Reason) {
        let Some(accusations) = &mut self.accusations else { return };
        let Some(charge) = charge_of(reason) else { return };
        let own = self.myself.accuse(cx, status, charge);
        let is_new = |own: &Accusation| accusations.add(cx.now, own, Some(status.incarnation));
        let own = own.filter(is_new);
        let entitled = entitled(cx, accusations, status);
        let about = (cx.now, &status.id, status.incarnation);
        let mut fresh = accusations.take_fresh(about, |accuser| entitled.contains(accuser));
        // This member's own goes out in any case: the others decide whether it counts for them.
        if let Some(own) = own.filter(|own| !fresh.contains(own)) {
            fresh.push(own);
        }
        let priority = priority(status.state);
        for accusation in fresh {
            self.dissemination.push(Update::Accusation(accusation), priority, None);
        }
    }

    /// Weighs the accusations against a member. Passes on those that count, and applies what they
    /// prove. `teller` sent the latest one.
    pub(super) fn weigh(&mut self, cx: &mut Context, id: &NodeId, teller: Option<&NodeId>) {
        let Some(known) = cx.members.get(id).filter(|known| known.state != NodeState::Left) else { return };
        let is_me = *id == cx.me;
        let Some(accusations) = &mut self.accusations else { return };
        let entitled = entitled(cx, accusations, &known);
        let is_entitled = |accuser: &NodeId| entitled.contains(accuser);
        let needed = accusers_needed(cx);
        let about = (cx.now, id, known.incarnation);
        let proved = accusations.prove(about, is_entitled, needed);
        let counting = accusations.take_fresh(about, is_entitled);
        let accusers = accusations.accusers(id, known.incarnation);
        let state = match proved {
            Proved::Nothing => None,
            Proved::Suspicion => Some(NodeState::Suspect),
            Proved::Failure => Some(NodeState::Failed),
        };
        for accusation in counting {
            let priority = priority(state.unwrap_or(NodeState::Suspect));
            self.dissemination.push(Update::Accusation(accusation), priority, teller);
        }
        let Some(state) = state else {
            // An accuser that is not trusted may be sick. Its own view must not stay wrong.
            if is_me && !accusers.is_empty() && self.myself.answers_any(cx, &accusers, false) {
                self.claimed_of_us(cx, &known.with_state(NodeState::Suspect));
            }
            return;
        };
        if is_me {
            return self.accused(cx, &known, state, &accusers);
        }
        // A member that has failed here, by this member's own evidence, stays what it is.
        let change = self.members.apply(known.with_state(state));
        let cause = Cause { reason: Reason::Reported, accusers };
        self.changed(cx, &change, &cause, Spread::Nobody);
    }

    /// This member is accused. A proved failure is answered in any case. A suspicion is answered
    /// once for each accuser and some time, so that a flood of accusations causes no flood of
    /// refutations.
    fn accused(&mut self, cx: &mut Context, mine: &NodeStatus, state: NodeState, accusers: &[NodeId]) {
        if state == NodeState::Failed || self.myself.answers_any(cx, accusers, true) {
            self.claimed_of_us(cx, &mine.with_state(state));
        }
    }

    /// A message of `from` has a forged statement. No part of it reached this member.
    pub(super) fn forged(&mut self, cx: &mut Context, from: &NodeId) {
        self.lied(cx, from);
    }

    /// A member said something false.
    pub(super) fn lied(&mut self, cx: &mut Context, id: &NodeId) {
        if self.accusations.as_mut().is_some_and(|known| known.lied(cx.now, id)) {
            self.distrust(cx, id.clone());
        }
    }

    /// Weighs the accusations again that a change of the view may have given another weight. Not
    /// during the change itself: one failure may prove the next, in a long chain.
    pub(super) fn weigh_due(&mut self, cx: &mut Context) {
        for _ in 0..WEIGHED_MAX {
            let Some(id) = self.accusations.as_mut().and_then(Accusations::next_due) else { return };
            self.weigh(cx, &id, None);
            self.settle(cx);
        }
    }

    /// A member has a new status. If it refutes accusations, their accusers accused falsely. If it
    /// has failed, they were right.
    pub(super) fn settle_accusations(&mut self, cx: &mut Context, after: &NodeStatus) {
        let Some(accusations) = &mut self.accusations else { return };
        match after.state {
            NodeState::Failed => accusations.confirmed(cx.now, &after.id, after.incarnation),
            NodeState::Left => accusations.forget(&after.id),
            NodeState::Suspect | NodeState::Alive => {
                let refuted = accusations.refuted(cx.now, &after.id, after.incarnation);
                cx.stats.accusations_refuted += refuted.count;
                for id in refuted.distrusted {
                    self.distrust(cx, id);
                }
            }
        }
    }

    /// Reports a member that accuses falsely.
    fn distrust(&mut self, cx: &mut Context, id: NodeId) {
        let Some(record) = self.accusations.as_ref().and_then(|known| known.record(&id)) else { return };
        let (refuted, confirmed) = (record.refuted, record.confirmed);
        let cause = Cause::by(cx.me.clone(), Reason::FalseAccusations { refuted, confirmed });
        let evidence = self.detection.evidence(cx, &id, Finding::Distrusted, cause);
        self.report.note(&id, evidence, false);
        cx.event(ClusterEvent::MemberDistrusted { id, refuted, confirmed });
    }

    /// A probe for another member failed. The nack has what this member itself holds against the
    /// target.
    pub(super) fn relay_failed(&mut self, cx: &mut Context, relay: &Relay, closed: bool) {
        let accusation = self.testify(cx, &relay.target, closed);
        relay_failed(cx, relay, closed, accusation);
    }

    fn testify(&mut self, cx: &mut Context, target: &NodeId, closed: bool) -> Option<Accusation> {
        let accusations = self.accusations.as_mut()?;
        let status = cx.members.member(target).filter(|_| !cx.is_absent(target) && !cx.is_late())?;
        let charge: Charge = self.detection.testimony(cx, target, closed)?;
        let accusation = self.myself.accuse(cx, &status, charge)?;
        accusations.testified(target, status.incarnation);
        Some(accusation)
    }

    /// A witness's nack has its own accusation of the subject that it was asked about. Any other
    /// accusation counts for nothing here: it did not pass the checks of gossip.
    pub(super) fn testimony_arrived(
        &mut self,
        cx: &Context,
        (witness, id): (&NodeId, &NodeId),
        accusation: Option<&Accusation>,
    ) {
        let present = cx.members.get(id).map(|known| known.incarnation);
        let is_expected = |accusation: &&Accusation| {
            (&accusation.accuser, &accusation.subject) == (witness, id)
                && Some(accusation.incarnation) == present
        };
        if let (Some(accusations), Some(accusation)) = (&mut self.accusations, accusation.filter(is_expected))
        {
            accusations.add(cx.now, accusation, present);
        }
    }

    /// If this member has watched `id` only for a moment, its witnesses may have seen enough. Less
    /// than a proof waits for this member's own verdict, which is then passed on with it.
    pub(super) fn weigh_testimonies(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(known) = cx.members.member(id) else { return };
        let needed = accusers_needed(cx);
        let is_enough = self.accusations.as_ref().is_some_and(|accusations| {
            accusations.prove((cx.now, id, known.incarnation), |_| true, needed) == Proved::Failure
        });
        if is_enough {
            self.weigh(cx, id, None);
        }
    }

    /// A subject answers. If this member accused it as a witness, the subject must raise its
    /// incarnation. Otherwise a liar could keep the accusation and use it later.
    pub(super) fn answered_after_testimony(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(status) = cx.members.get(id) else { return };
        let Some(accusations) = &mut self.accusations else { return };
        if accusations.owes_notice(id, status.incarnation)
            && let Some(own) = self.myself.accuse(cx, &status, Charge::Silent { for_ms: 0 })
        {
            cx.send_gossip(&status, vec![Update::Accusation(own)], Dial::Later);
        }
    }

    /// The accusations against a member, as updates for it or for a peer that lacks them.
    pub(super) fn proof_of(&self, status: &NodeStatus) -> Vec<Update> {
        let proof = self.accusations.as_ref().map(|accusations| accusations.proof_of(status));
        proof.unwrap_or_default().into_iter().map(Update::Accusation).collect()
    }

    /// Sends the proofs of the suspicions and failures on a page to the member that gets the page.
    pub(super) fn send_proofs(&self, cx: &mut Context, to: &NodeId, nodes: &[Arc<NodeStatus>]) {
        let Some(to) = cx.members.get(to) else { return };
        let is_accused = |node: &&Arc<NodeStatus>| {
            matches!(node.state, NodeState::Suspect | NodeState::Failed) && node.id != to.id
        };
        let proofs: Vec<Update> =
            nodes.iter().filter(is_accused).flat_map(|node| self.proof_of(node)).take(PROOFS_MAX).collect();
        for some in proofs.chunks(UPDATES_MAX) {
            cx.send_gossip(&to, some.to_vec(), Dial::Later);
        }
    }
}

/// The accusers of this statement whose accusations may count, by the view of this member.
fn entitled(cx: &Context, accusations: &mut Accusations, status: &NodeStatus) -> Vec<NodeId> {
    let id = &status.id;
    let gone: BTreeSet<NodeId> = accusations.suspects(cx, id);
    let gone: BTreeSet<&NodeId> = gone.iter().collect();
    // The members here may all be failed in the view of a member that was isolated.
    let is_known = |accuser: &NodeId| match cx.members.get(accuser) {
        Some(node) => node.state.is_member() || *id == cx.me,
        None => false,
    };
    accusations.entitled((id, status.incarnation), generation(cx, &gone), |accuser| {
        *accuser == cx.me || is_known(accuser) && may_watch(cx, accuser, id, &gone)
    })
}

/// How many members are weighed again after one input. The rest waits for the next input.
const WEIGHED_MAX: usize = 64;

/// How many accusers a failure needs: all other members if there are fewer.
fn accusers_needed(cx: &Context) -> usize {
    cx.config.accusers_required.min(cx.roster.len()).max(1)
}

/// A number that changes when other members may be entitled: with the members, and with
/// the suspects among them.
fn generation(cx: &Context, gone: &BTreeSet<&NodeId>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    (cx.roster.generation(), gone).hash(&mut hasher);
    hasher.finish()
}

/// How many accusations go with one page. The next exchange of views brings more.
const PROOFS_MAX: usize = 10 * UPDATES_MAX;

/// A failure goes before a suspicion.
fn priority(state: NodeState) -> Priority {
    if state == NodeState::Failed { Priority::Critical } else { Priority::High }
}
