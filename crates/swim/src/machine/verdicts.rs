//! Claims that a member is suspect or failed, where that needs a proof (`Mode::Verified`). They
//! change nothing by themselves. `accusations.rs` has the proofs.

use std::slice;
use std::sync::Arc;

use kinfolk_core::{NodeId, NodeState, NodeStatus};

use super::Owners;
use crate::context::Context;
use crate::fact::Spread;

impl Owners {
    /// Takes in a claim that a member is suspect or failed, where that needs a proof. The statement
    /// in it is the member's own word, and counts if it is newer. The verdict counts for nothing.
    /// `is_own`: it is the word of `from`, and not what another one told it.
    pub(super) fn receive_verdict(
        &mut self,
        cx: &mut Context,
        (from, is_own): (&NodeId, bool),
        claim: &Arc<NodeStatus>,
        spread: Spread<'_>,
    ) {
        if claim.id == cx.me {
            return self.receive_verdict_on_us(cx, (from, is_own), claim);
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
    pub(super) fn receive_verdict_on_us(
        &mut self,
        cx: &mut Context,
        (from, is_own): (&NodeId, bool),
        claim: &NodeStatus,
    ) {
        let Some(mine) = cx.mine() else { return };
        if claim.incarnation < mine.incarnation {
            // Refuted already. The answer goes to all neighbours, so a flood must not repeat it.
            if self.myself.answers_any(cx, slice::from_ref(from), true) {
                self.claimed_of_us(cx, claim);
            }
            return;
        }
        if self.admission.refuses(cx, from, (&claim.id, claim.incarnation)) {
            return;
        }
        if claim.incarnation > mine.incarnation {
            // A former instance of this member stated that, with a clock further ahead. Whatever
            // became of it, this instance must outrank it, or nobody hears of it.
            self.claimed_of_us(cx, &claim.with_state(NodeState::Suspect));
        } else {
            self.claimed_without_proof(cx, from, is_own);
        }
    }

    /// `from` claims that this member is suspect or failed, without proof, or has not heard its
    /// refutation. It is answered as a suspicion is. `is_own`: the claim is its own word. Then an
    /// answer counts as the refutation of an accusation, and so does a flood of claims without an
    /// answer. After a partition a correct member claims that once or twice, until it hears of the
    /// refutation.
    fn claimed_without_proof(&mut self, cx: &mut Context, from: &NodeId, is_own: bool) {
        let is_trusted = !self.accusations.as_ref().is_some_and(|known| known.distrusts(cx.now, from));
        let Some(mine) = cx.mine() else { return };
        // One refutation serves all senders, so they share one limit under this member's own name.
        let me = cx.me.clone();
        let is_due = self.myself.answers_any(cx, slice::from_ref(from), is_trusted)
            && self.myself.answers_any(cx, slice::from_ref(&me), true);
        if is_due {
            self.claimed_of_us(cx, &mine.with_state(NodeState::Suspect));
        }
        if is_own && (is_due || self.myself.is_flooded_by(from)) {
            self.lied(cx, from);
        }
    }
}

/// Whether this is what others believe of a member, and not its own word.
pub(super) fn is_verdict(status: &NodeStatus) -> bool {
    matches!(status.state, NodeState::Suspect | NodeState::Failed)
}
