//! Old verdicts (`Mode::Verified`). News of a failure comes by the flood, within moments; who hears of one in an exchange of
//! views has either missed it, or meets a group that was cut off and holds everybody here for failed. So a verdict that
//! comes by an exchange, about somebody who is a member here, is put to its subject first: who is well refutes it, and
//! nobody is told of a failure that was none.
//!
//! ```text
//!   exchange ──> Failed(subject) ──> told to the subject ──┬─ refuted within a second: outdated
//!                                                          └─ not: asked ──┬─ its answer refutes: outdated
//!                                                                          └─ else: the verdict stands
//! ```

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeId, NodeState, NodeStatus};

use super::Repair;
use crate::context::Context;
use crate::interface::delivery::Dial;
use crate::purpose::Purpose;
use crate::timer::Timer;
use crate::wire::message::{Message, Update};

/// How many verdicts may be open. One more is left out and counted; the next exchange brings it again.
const PENDING_MAX: usize = 64;
/// How long the subject has to refute: twice the longest that a trial takes before a member comes back.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// A verdict whose subject has been asked.
#[derive(Debug)]
pub(super) struct PendingVerdict {
    verdict: Arc<NodeStatus>,
    teller: NodeId,
}

impl Repair {
    /// If the claim, which came by an exchange, is a verdict about a member, its subject is told of it. Returns whether that is
    /// so, and the claim not to be believed yet.
    pub(crate) fn puts_to_its_subject(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        claim: &Arc<NodeStatus>,
    ) -> bool {
        if !self.compares || claim.state != NodeState::Failed || claim.id == cx.me {
            return false;
        }
        let known = cx.members.get(&claim.id).filter(|known| contradicts(known, claim));
        let Some(known) = known else { return false };
        if self.pending.contains_key(&claim.id) {
            return true;
        }
        if self.pending.len() >= PENDING_MAX {
            cx.stats.disputes_full += 1;
            return true;
        }
        cx.stats.disputes += 1;
        let pending = PendingVerdict { verdict: claim.clone(), teller: from.clone() };
        cx.send_gossip(&known, vec![pending.update()], Dial::Later);
        cx.timers.schedule(cx.now + ANSWERED_WITHIN, Timer::PendingVerdict(claim.id.clone()));
        self.pending.insert(claim.id.clone(), pending);
        true
    }

    /// The subject has had its time. Its refutation may not have come this way: then it is on its answer.
    pub(crate) fn verdict_due(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(pending) = self.pending.get(id) else { return };
        match cx.members.get(id).filter(|known| contradicts(known, &pending.verdict)) {
            Some(known) => {
                let ping = Message::Ping { digest: 0, gossip: vec![pending.update()] };
                let within = cx.config.probe_timeout;
                cx.ask_plainly((id, known.addr), ping, Purpose::PendingVerdict(id.clone()), within);
            }
            None => drop(self.pending.remove(id)),
        }
    }

    /// The subject has been asked: unless it has refuted, the verdict stands. Returns it, and who told it.
    pub(crate) fn end_verdict(&mut self, id: &NodeId) -> Option<(Arc<NodeStatus>, NodeId)> {
        self.pending.remove(id).map(|PendingVerdict { verdict, teller }| (verdict, teller))
    }

    #[cfg(test)]
    pub(crate) fn pending_verdicts(&self) -> usize {
        self.pending.len()
    }
}

impl PendingVerdict {
    /// The verdict as it is told to its subject.
    fn update(&self) -> Update {
        Update::Node { status: self.verdict.clone(), accusers: vec![self.teller.clone()] }
    }
}

/// Whether the verdict is about a member, and would be believed.
fn contradicts(known: &NodeStatus, verdict: &NodeStatus) -> bool {
    known.state.is_member() && known.incarnation <= verdict.incarnation
}
