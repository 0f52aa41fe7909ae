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

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus};

use crate::input::NoReply;
use crate::machine::Machine;
use crate::message::{Message, Update};
use crate::on_change::Spread;
use crate::requests::Purpose;
use crate::timer::Timer;

/// How many verdicts may be open. One more is left out and counted; the next exchange brings it again.
const DISPUTES_MAX: usize = 64;
/// How long the subject has to refute: twice the longest that a trial takes before a member comes back.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// A verdict whose subject has been asked.
#[derive(Debug)]
pub(crate) struct Dispute {
    verdict: Arc<NodeStatus>,
    teller: NodeId,
}

impl Machine {
    /// If the claim, which came by an exchange, is a verdict about a member, its subject is told of it. Returns whether that is
    /// so, and the claim not to be believed yet.
    pub(crate) fn put_to_its_subject(
        &mut self,
        now: Instant,
        from: &NodeId,
        claim: &Arc<NodeStatus>,
    ) -> bool {
        if !self.config.is_verified() || claim.state != NodeState::Failed || claim.id == self.me.id {
            return false;
        }
        let known = self.registry.get(&claim.id).filter(|known| contradicts(known, claim));
        let Some(known) = known else { return false };
        if self.disputes.contains_key(&claim.id) {
            return true;
        }
        if self.disputes.len() >= DISPUTES_MAX {
            self.stats.disputes_full += 1;
            return true;
        }
        self.stats.disputes += 1;
        let dispute = Dispute { verdict: claim.clone(), teller: from.clone() };
        self.send(&known, Message::Gossip { gossip: vec![dispute.update()] });
        self.timers.schedule(now + ANSWERED_WITHIN, Timer::Dispute(claim.id.clone()));
        self.disputes.insert(claim.id.clone(), dispute);
        true
    }

    /// The subject has had its time. Its refutation may not have come this way: then it is on its answer.
    pub(crate) fn on_dispute_due(&mut self, id: &NodeId) {
        let Some(dispute) = self.disputes.get(id) else { return };
        match self.registry.get(id).filter(|known| contradicts(known, &dispute.verdict)) {
            Some(known) => {
                let gossip = vec![dispute.update()];
                let (ping, within) = (Message::Ping { digest: 0, gossip }, self.config.probe_timeout);
                self.request(&known, ping, Purpose::Dispute(id.clone()), within);
            }
            None => drop(self.disputes.remove(id)),
        }
    }

    /// The subject has been asked: unless it has refuted, the verdict stands. If a limit of ours kept the question back, nothing
    /// is known, and the next exchange brings the verdict again.
    pub(crate) fn end_dispute(&mut self, now: Instant, id: &NodeId, unanswered: Option<NoReply>) {
        let Some(Dispute { verdict, teller }) = self.disputes.remove(id) else { return };
        if unanswered != Some(NoReply::Local) && !self.is_forgotten(now, &teller, &verdict) {
            self.on_claim(now, &verdict, vec![teller.clone()], Spread::AllBut(&teller));
        }
    }
}

impl Dispute {
    /// The verdict as it is told to its subject.
    fn update(&self) -> Update {
        Update::Node { status: self.verdict.clone(), accusers: vec![self.teller.clone()] }
    }
}

/// Whether the verdict is about a member, and would be believed.
fn contradicts(known: &NodeStatus, verdict: &NodeStatus) -> bool {
    known.state.is_member() && known.incarnation <= verdict.incarnation
}
