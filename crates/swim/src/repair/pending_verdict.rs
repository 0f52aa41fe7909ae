//! Old verdicts (`Mode::Verified`): failures that this member learns from an exchange of views.
//!
//! A new failure arrives by the flood, within moments. If a verdict comes by an exchange instead,
//! there are two cases. This member has missed the flood, or it meets a group that was isolated and
//! declared all members here failed. So a verdict about a member that is alive or suspect here goes
//! to its subject first. A healthy subject refutes it, and no false failure is reported.
//!
//! ```text
//!   exchange ──> Failed(subject) ──> gossip to the subject
//!     ├─ refuted within a second ───────> the verdict was old
//!     └─ else a ping to the subject
//!          ├─ its answer refutes ───────> the verdict was old
//!          └─ no answer ────────────────> this member watches the subject itself
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

/// How many verdicts may be open. A further one is dropped and counted, and the next exchange
/// brings it again.
const PENDING_MAX: usize = 64;
/// How long the subject has to refute: twice the default time limit of a return check, which the
/// subject must pass before it refutes.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// A verdict that waits for its subject's refutation.
#[derive(Debug)]
pub(super) struct PendingVerdict {
    verdict: Arc<NodeStatus>,
    teller: NodeId,
}

impl Repair {
    /// Sends a claim that came by an exchange to its subject, if it is a verdict about a member
    /// here.
    pub(crate) fn question(&mut self, cx: &mut Context, from: &NodeId, claim: &Arc<NodeStatus>) {
        if claim.state != NodeState::Failed || claim.id == cx.me {
            return;
        }
        let known = cx.members.get(&claim.id).filter(|known| contradicts(known, claim));
        let Some(known) = known.filter(|_| !self.pending.contains_key(&claim.id)) else { return };
        if self.pending.len() >= PENDING_MAX {
            cx.stats.old_verdicts_dropped += 1;
            return;
        }
        cx.stats.old_verdicts += 1;
        let pending = PendingVerdict { verdict: claim.clone(), teller: from.clone() };
        cx.send_gossip(&known, vec![pending.update()], Dial::Later);
        cx.timers.schedule(cx.now + ANSWERED_WITHIN, Timer::PendingVerdict(claim.id.clone()));
        self.pending.insert(claim.id.clone(), pending);
    }

    /// The subject's time to refute is over. Its refutation may not have reached this member. So
    /// this member pings the subject, and the answer carries the refutation.
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

    /// Ends an open verdict after the ping. Returns whether it still contradicts what is known.
    pub(crate) fn end_verdict(&mut self, cx: &Context, id: &NodeId) -> bool {
        let Some(PendingVerdict { verdict, .. }) = self.pending.remove(id) else { return false };
        cx.members.get(id).is_some_and(|known| contradicts(&known, &verdict))
    }

    #[cfg(test)]
    pub(crate) fn pending_verdicts(&self) -> usize {
        self.pending.len()
    }
}

impl PendingVerdict {
    /// The verdict as an update for its subject.
    fn update(&self) -> Update {
        Update::Node { status: self.verdict.clone(), accusers: vec![self.teller.clone()] }
    }
}

/// Whether the verdict is about a member that is alive or suspect here, and would outrank its
/// status.
fn contradicts(known: &NodeStatus, verdict: &NodeStatus) -> bool {
    known.state.is_member() && known.incarnation <= verdict.incarnation
}
