//! This member: what it states about itself, and how it answers claims of others. Only the member
//! itself raises its incarnation: above a false claim (SWIM, section 4.2), or above that of its
//! former instance.
//!
//! ```text
//!   a claim ──┬─ failed ───────────> return_check.rs   check first that others answer (Verified)
//!             ├─ another process ──> contention.rs     outrank it, but not too often
//!             └─ other ────────────> restate ──> reserve.rs   not above what is written
//! ```
//!
//! This module does not know how other members are probed and judged.

mod answers;
mod contention;
mod leave;
mod reserve;
mod return_check;

use std::sync::Arc;

use bytes::Bytes;
use kinfolk_core::signed::{Accusation, Charge, Proof, Sign, prove};
use kinfolk_core::{About, ClusterEvent, Incarnation, NodeId, NodeState, NodeStatus};

use crate::context::Context;
use crate::fact::Fact;
use crate::interface::error::CommandError;
use crate::interface::priority::Priority;
use crate::wire::codec::USER_PAYLOAD_MAX;
use crate::wire::message::{Update, UserMessage};
use answers::Answers;
use contention::Contention;
use leave::Leave;
use reserve::{Held, Reserve};
use return_check::ReturnCheck;

/// What this member knows about itself beyond its entry in the view.
#[derive(Debug)]
pub(crate) struct Myself {
    /// Signs what this member says about itself. A signature takes about 20 us, once for each
    /// statement, so it is made here and not on another thread.
    signer: Arc<dyn Sign>,
    /// The incarnation that this instance started with. It identifies the broadcasts of this
    /// instance.
    instance: Incarnation,
    /// The number of broadcasts so far.
    broadcasts: u64,
    /// The latest revision of what this member says about itself.
    revision: u64,
    /// The highest incarnation that this member may take, and the statement that waits for a higher
    /// one.
    reserve: Reserve,
    /// Conflicts with other processes of the same name.
    contention: Contention,
    /// The members that accused this one, and when it answered each.
    answers: Answers,
    /// Set when the leave starts.
    leave: Option<Leave>,
    return_check: ReturnCheck,
    /// Whether this member checks that it reaches others before it refutes a failure.
    checks_return: bool,
}

impl Myself {
    /// An instance that refutes every claim at once.
    pub(crate) fn refuting_at_once(instance: Incarnation, signer: Arc<dyn Sign>) -> Self {
        Self::new(instance, signer, false)
    }

    /// An instance that refutes a failure only when it reaches others.
    pub(crate) fn checking_its_return(instance: Incarnation, signer: Arc<dyn Sign>) -> Self {
        Self::new(instance, signer, true)
    }

    fn new(instance: Incarnation, signer: Arc<dyn Sign>, checks_return: bool) -> Self {
        Self {
            signer,
            instance,
            broadcasts: 0,
            revision: 0,
            reserve: Reserve::default(),
            contention: Contention::default(),
            answers: Answers::default(),
            leave: None,
            return_check: ReturnCheck::default(),
            checks_return,
        }
    }

    /// A peer claims something about this member. `reaches_few`: this member may be hard to reach.
    /// `is_waiting`: an update about this member waits to be sent already.
    pub(crate) fn claimed(
        &mut self,
        cx: &mut Context,
        claim: &NodeStatus,
        (reaches_few, is_waiting): (bool, bool),
    ) {
        let Some(mine) = cx.mine().filter(|_| !cx.has_left()) else { return };
        if !contradicts(claim, &mine) {
            // The sender has not received the refutation. It goes out again, and piggybacks on the
            // answer.
            if claim.state != NodeState::Alive && !is_waiting {
                let update = Update::Node { status: mine, accusers: Vec::new() };
                cx.disseminate(update, Priority::Critical, None);
            }
            return;
        }
        if is_another_process(claim, &mine) && !self.may_contend(cx, claim) {
            return;
        }
        let failed = claim.state == NodeState::Failed
            || claim.state == NodeState::Suspect && self.return_check.may_have_failed(cx, reaches_few);
        if failed && self.checks_return {
            return self.return_check.declared_failed(cx, claim.incarnation);
        }
        if claim.state != NodeState::Alive {
            cx.stats.refutations += 1;
            // This member was too slow for a peer (Lifeguard, section IV-A).
            cx.health.raise(1);
        }
        self.restate(cx, claim.incarnation.next(), None, Priority::Critical);
    }

    /// Another process claims this name: a former instance, or a process with the same certificate.
    /// Returns whether this member may outrank it now.
    fn may_contend(&mut self, cx: &mut Context, claim: &NodeStatus) -> bool {
        if !self.contention.may_contend(cx.now) {
            return false;
        }
        cx.stats.name_conflicts += 1;
        if let Some(count) = self.contention.report(cx.now) {
            cx.event(ClusterEvent::NameConflict { id: claim.id.clone(), addr: claim.addr, count });
        }
        true
    }

    /// States this member with a higher incarnation, and says `about` of it, if given. Waits
    /// until that incarnation is reserved.
    fn restate(
        &mut self,
        cx: &mut Context,
        incarnation: Incarnation,
        about: Option<About>,
        priority: Priority,
    ) {
        let Some(mine) = cx.mine() else { return };
        if !self.reserve.covers(incarnation) {
            return self.reserve.hold(cx, Held { incarnation, about, priority });
        }
        let about = about.unwrap_or_else(|| mine.about());
        let status = NodeStatus::described(cx.me.clone(), mine.addr, incarnation, about);
        cx.fact(Fact::Stated { status: status.signed(&*self.signer).into(), priority });
    }

    /// The statement of this member with another incarnation, signed.
    pub(crate) fn statement_at(&self, cx: &Context, incarnation: Incarnation) -> Option<NodeStatus> {
        let mine = cx.mine()?;
        let statement = NodeStatus::described(mine.id.clone(), mine.addr, incarnation, mine.about());
        Some(statement.signed(&*self.signer))
    }

    /// Incarnations up to `up_to` are reserved: makes the statement that waited for them.
    pub(crate) fn reserved(&mut self, cx: &mut Context, up_to: Incarnation) {
        let held = self.reserve.raise(up_to);
        if let Some(Held { incarnation, about, priority }) = held.filter(|_| !cx.has_left()) {
            self.restate(cx, incarnation, about, priority);
        }
    }

    /// Replaces what this member says about itself, unless a later revision did so already.
    pub(crate) fn describe(
        &mut self,
        cx: &mut Context,
        about: About,
        revision: u64,
    ) -> Result<(), CommandError> {
        let mine = cx.mine().filter(|_| !cx.has_left()).ok_or(CommandError::Left)?;
        if revision < self.revision {
            return Ok(());
        }
        self.revision = revision;
        // A coordinate alone is not urgent: the others only use it to estimate.
        let moves = about.coordinate() != mine.coordinate() && about.is_alike(&mine.about());
        let priority = if moves { Priority::Medium } else { Priority::High };
        if let Some(about) = self.return_check.keep_description(about) {
            self.restate(cx, mine.incarnation.next(), Some(about), priority);
        }
        Ok(())
    }

    /// Sends an application message to all members.
    pub(crate) fn broadcast(&mut self, cx: &mut Context, payload: Bytes) -> Result<(), CommandError> {
        if cx.has_left() {
            return Err(CommandError::Left);
        }
        if payload.len() > USER_PAYLOAD_MAX {
            return Err(CommandError::TooLarge { len: payload.len(), max: USER_PAYLOAD_MAX });
        }
        let (origin, instance, number) = (cx.me.clone(), self.instance, self.broadcasts);
        self.broadcasts += 1;
        let unsigned = UserMessage { origin, instance, number, payload, proof: Proof::default() };
        let message = UserMessage { proof: prove(&*self.signer, &unsigned), ..unsigned };
        cx.disseminate(Update::User(message), Priority::Low, None);
        Ok(())
    }

    /// Signs an accusation of another member's statement.
    pub(crate) fn accuse(&self, cx: &Context, status: &NodeStatus, charge: Charge) -> Option<Accusation> {
        let accuser_incarnation = cx.mine()?.incarnation;
        let (subject, incarnation) = (status.id.clone(), status.incarnation);
        let (accuser, proof) = (cx.me.clone(), Proof::default());
        let unsigned = Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof };
        Some(Accusation { proof: prove(&*self.signer, &unsigned), ..unsigned })
    }

    /// Signs with another key from now on, and states this member again with it. The same key
    /// changes nothing.
    pub(crate) fn sign_with(&mut self, cx: &mut Context, signer: Arc<dyn Sign>) {
        let before = std::mem::replace(&mut self.signer, signer).certificate();
        let Some(mine) = cx.mine().filter(|_| !cx.has_left()) else { return };
        // A member that was declared failed states itself when it returns.
        if before != self.signer.certificate() && !self.return_check.is_pending() {
            self.restate(cx, mine.incarnation.next(), None, Priority::High);
        }
    }

    /// Whether a claim of these members, which may be unproved, is answered now. Each is answered
    /// once in some time, and less often if its accusations do not count.
    pub(crate) fn answers_any(&mut self, cx: &mut Context, accusers: &[NodeId], count: bool) -> bool {
        let answers = self.answers.may_answer_any(cx.now, accusers, count);
        cx.stats.unproved_unanswered += u64::from(!answers);
        answers
    }

    /// Whether the claim of this member that got no answer just now completes a flood of them.
    pub(crate) fn is_flooded_by(&self, accuser: &NodeId) -> bool {
        self.answers.completes_flood(accuser)
    }

    /// The wall clock was wrong at the start: this instance gets another incarnation.
    pub(crate) fn restart_instance(&mut self, instance: Incarnation) {
        self.instance = instance;
    }

    /// A peer answered a probe of this member.
    pub(crate) fn probe_answered(&mut self, cx: &Context) {
        self.return_check.probe_answered(cx);
    }

    /// Whether this member was declared failed, as far as it knows, and has not refuted yet.
    pub(crate) fn was_declared_failed(&self) -> bool {
        self.return_check.is_pending()
    }
}

/// Whether `claim` comes from a process with another address.
fn is_another_process(claim: &NodeStatus, mine: &NodeStatus) -> bool {
    claim.state == NodeState::Alive && claim.is_complete() && claim.addr != mine.addr
}

/// Whether `claim` says something false about this member: a state other than alive, or another
/// address, or other words about itself.
fn contradicts(claim: &NodeStatus, mine: &Arc<NodeStatus>) -> bool {
    if claim.incarnation != mine.incarnation {
        return claim.incarnation > mine.incarnation;
    }
    let other_description = claim.is_complete() && !claim.is_described_as(mine);
    claim.state != NodeState::Alive || other_description
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, NodeId, Tags};

    use super::*;

    fn status(incarnation: u64, port: u16, tag: &str) -> NodeStatus {
        let addr = NodeAddr::new(([127, 0, 0, 1], port).into());
        let tags = Tags::new([("tag", tag)]).unwrap();
        NodeStatus::alive(NodeId::new("me").unwrap(), addr, Incarnation::new(incarnation), tags)
    }

    #[test]
    fn newer_or_different_claim_contradicts() {
        let mine = Arc::new(status(5, 1, "x"));
        let failed = |incarnation| status(incarnation, 1, "x").with_state(NodeState::Failed);
        let table = [
            (status(5, 1, "x"), false),
            (status(5, 2, "x"), true),
            (status(5, 1, "y"), true),
            (status(5, 2, "y").without_description(), false),
            (failed(5), true),
            (failed(4), false),
            (status(4, 2, "y"), false),
            (status(6, 1, "x"), true),
        ];
        for (claim, expected) in table {
            assert_eq!(contradicts(&claim, &mine), expected, "{claim:?}");
        }
    }

    #[test]
    fn complete_alive_claim_elsewhere_is_another_process() {
        let mine = Arc::new(status(5, 1, "x"));
        assert!(is_another_process(&status(6, 2, "x"), &mine));
        assert!(!is_another_process(&status(6, 1, "y"), &mine), "same address");
        assert!(!is_another_process(&status(6, 2, "x").without_description(), &mine));
        assert!(!is_another_process(&status(6, 2, "x").with_state(NodeState::Failed), &mine));
    }
}
