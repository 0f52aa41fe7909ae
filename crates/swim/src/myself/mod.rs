//! Ourselves: what we say of ourselves, and what we answer to what others say. Only we raise our incarnation: to one above a
//! claim that we are not as we are (SWIM, section 4.2), or above what is remembered of a former life of our name.
//!
//! ```text
//!   claim about us ──┬─ we failed ──────────> return_check.rs   see first whether we reach others (Verified)
//!                    ├─ another process ────> contention.rs     outrank it, but not again and again
//!                    └─ else ───────────────> state anew ──> reserve.rs   not above what is written down
//! ```
//!
//! It knows nothing of how other members are probed and judged.

mod contention;
mod leave;
mod reserve;
mod return_check;

use std::sync::Arc;

use bytes::Bytes;
use kinfolk_core::{ClusterEvent, Incarnation, NodeState, NodeStatus, Tags};

use crate::context::Context;
use crate::fact::Fact;
use crate::interface::error::CommandError;
use crate::interface::priority::Priority;
use crate::wire::codec::USER_PAYLOAD_MAX;
use crate::wire::message::{Update, UserMessage};
use contention::Contention;
use leave::Leave;
use reserve::{Held, Reserve};
use return_check::ReturnCheck;

/// What we know of ourselves beyond our entry in the view.
#[derive(Debug)]
pub(crate) struct Myself {
    /// The incarnation that this instance started with; numbers our broadcasts.
    life: Incarnation,
    /// How many broadcasts we have sent.
    broadcasts: u64,
    /// How high our incarnation may rise, and what waits until it may rise higher.
    reserve: Reserve,
    /// Other processes of our name.
    contention: Contention,
    /// Set once we have said that we leave.
    leave: Option<Leave>,
    return_check: ReturnCheck,
    /// Whether we see first that we reach others, before we refute that we failed.
    checks_return: bool,
}

impl Myself {
    /// The instance that starts with this incarnation, and refutes at once whatever is said of it.
    pub(crate) fn refuting_at_once(life: Incarnation) -> Self {
        Self::new(life, false)
    }

    /// The instance that starts with this incarnation, and refutes that it failed only when it reaches others.
    pub(crate) fn checking_its_return(life: Incarnation) -> Self {
        Self::new(life, true)
    }

    fn new(life: Incarnation, checks_return: bool) -> Self {
        Self {
            life,
            broadcasts: 0,
            reserve: Reserve::default(),
            contention: Contention::default(),
            leave: None,
            return_check: ReturnCheck::default(),
            checks_return,
        }
    }

    /// Somebody says something of us. `reaches_few` is whether we may hardly be reached ourselves, and `is_waiting` whether
    /// news of us waits already.
    pub(crate) fn claimed(
        &mut self,
        cx: &mut Context,
        claim: &NodeStatus,
        (reaches_few, is_waiting): (bool, bool),
    ) {
        let Some(mine) = cx.mine().filter(|_| !cx.has_left()) else { return };
        if !contradicts(claim, &mine) {
            // Whoever still claims what we have refuted has not heard so: it is said again, and rides on the very answer.
            if claim.state != NodeState::Alive && !is_waiting {
                let update = Update::Node { status: mine, accusers: Vec::new() };
                cx.news(update, Priority::Critical, None);
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
            // We were too slow for somebody (Lifeguard, section IV-A).
            cx.health.raise(1);
        }
        self.state_anew(cx, claim.incarnation.next(), None, Priority::Critical);
    }

    /// Another process claims our name: a former instance, which one statement outranks, or one that uses the same
    /// certificate. Whether we may outrank it now.
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

    /// Says who we are once more, at a higher incarnation, and with other tags where some are given; as soon as that
    /// incarnation is reserved.
    fn state_anew(
        &mut self,
        cx: &mut Context,
        incarnation: Incarnation,
        tags: Option<Tags>,
        priority: Priority,
    ) {
        let Some(mine) = cx.mine() else { return };
        if !self.reserve.covers(incarnation) {
            return self.reserve.hold(cx, Held { incarnation, tags, priority });
        }
        let tags = tags.unwrap_or_else(|| mine.tags.clone());
        let status = NodeStatus::alive(cx.me.clone(), mine.addr, incarnation, tags).into();
        cx.fact(Fact::Stated { status, priority });
    }

    /// Incarnations up to this one are reserved: what waited for that is said.
    pub(crate) fn reserved(&mut self, cx: &mut Context, up_to: Incarnation) {
        let held = self.reserve.raise(up_to);
        if let Some(Held { incarnation, tags, priority }) = held.filter(|_| !cx.has_left()) {
            self.state_anew(cx, incarnation, tags, priority);
        }
    }

    /// Has our tags replaced.
    pub(crate) fn set_tags(&mut self, cx: &mut Context, tags: Tags) -> Result<(), CommandError> {
        let mine = cx.mine().filter(|_| !cx.has_left()).ok_or(CommandError::Left)?;
        if let Some(tags) = self.return_check.keep_tags(tags) {
            self.state_anew(cx, mine.incarnation.next(), Some(tags), Priority::High);
        }
        Ok(())
    }

    /// Sends an application's message to all members.
    pub(crate) fn broadcast(&mut self, cx: &mut Context, payload: Bytes) -> Result<(), CommandError> {
        if cx.has_left() {
            return Err(CommandError::Left);
        }
        if payload.len() > USER_PAYLOAD_MAX {
            return Err(CommandError::TooLarge { len: payload.len(), max: USER_PAYLOAD_MAX });
        }
        let (origin, life, number) = (cx.me.clone(), self.life, self.broadcasts);
        self.broadcasts += 1;
        let update = Update::User(UserMessage { origin, life, number, payload });
        cx.news(update, Priority::Low, None);
        Ok(())
    }

    /// What the wall clock said when we started was wrong: this instance is that of another incarnation.
    pub(crate) fn restart_life(&mut self, life: Incarnation) {
        self.life = life;
    }

    /// A probe of ours has been answered.
    pub(crate) fn reached_somebody(&mut self, cx: &Context) {
        self.return_check.reached_somebody(cx);
    }

    /// Whether others declared us failed, as far as we know, and we have not come back yet.
    pub(crate) fn is_out(&self) -> bool {
        self.return_check.is_out()
    }
}

/// Whether `claim` is the word of a process that listens elsewhere than we do.
fn is_another_process(claim: &NodeStatus, mine: &NodeStatus) -> bool {
    claim.state == NodeState::Alive && claim.is_complete() && claim.addr != mine.addr
}

/// Whether `claim` says something of us that is not so: that we are not alive, or that we are another than we are.
fn contradicts(claim: &NodeStatus, mine: &Arc<NodeStatus>) -> bool {
    if claim.incarnation != mine.incarnation {
        return claim.incarnation > mine.incarnation;
    }
    let other_description = claim.is_complete() && (claim.addr, &claim.tags) != (mine.addr, &mine.tags);
    claim.state != NodeState::Alive || other_description
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, NodeId};

    use super::*;

    fn status(incarnation: u64, port: u16, tag: &str) -> NodeStatus {
        let addr = NodeAddr::new(([127, 0, 0, 1], port).into());
        let tags = Tags::new([("tag", tag)]).unwrap();
        NodeStatus::alive(NodeId::new("me").unwrap(), addr, Incarnation::new(incarnation), tags)
    }

    #[test]
    fn a_claim_contradicts_us_if_it_is_newer_or_says_something_else_of_the_same_incarnation() {
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
    fn only_whole_statements_to_be_alive_elsewhere_are_of_another_process() {
        let mine = Arc::new(status(5, 1, "x"));
        assert!(is_another_process(&status(6, 2, "x"), &mine));
        assert!(!is_another_process(&status(6, 1, "y"), &mine), "it listens where we do");
        assert!(!is_another_process(&status(6, 2, "x").without_description(), &mine));
        assert!(!is_another_process(&status(6, 2, "x").with_state(NodeState::Failed), &mine));
    }
}
