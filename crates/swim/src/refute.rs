//! Claims about ourselves. Only we raise our incarnation: to one above a claim that we are not as we are (SWIM, section
//! 4.2), or above what is remembered of a former life of our name.

use std::sync::Arc;

use kinfolk_core::{Cause, Incarnation, Instant, NodeId, NodeState, NodeStatus, Reason, Tags};

use crate::machine::Machine;
use crate::message::{Message, Update};
use crate::on_change::Spread;
use crate::queue::Priority;
use crate::reserve::Held;

impl Machine {
    pub(crate) fn on_claim_about_me(&mut self, now: Instant, claim: &NodeStatus) {
        let Some(mine) = self.registry.get(&self.me.id) else { return };
        if self.has_left() {
            return;
        }
        if !contradicts(claim, &mine) {
            return self.say_again(claim, mine);
        }
        if is_another_process(claim, &mine) && !self.may_contend(now, claim) {
            return;
        }
        let failed = claim.state == NodeState::Failed
            || claim.state == NodeState::Suspect && self.may_have_failed(now);
        if failed && self.config.is_verified() {
            return self.on_declared_failed(now, claim.incarnation);
        }
        if claim.state != NodeState::Alive {
            self.stats.refutations += 1;
            // We were too slow for somebody (Lifeguard, section IV-A).
            self.local_health.raise(1);
        }
        self.state_anew(now, claim.incarnation.next(), None, Priority::Critical);
    }

    /// Whoever still claims what we have refuted has not heard so: it is said again, and rides on the very answer.
    fn say_again(&mut self, claim: &NodeStatus, mine: Arc<NodeStatus>) {
        if claim.state != NodeState::Alive && !self.queue.is_waiting(&self.me.id) {
            self.queue.push(Update::Node { status: mine, accusers: Vec::new() }, Priority::Critical);
        }
    }

    /// A member that answers us does not know us: it is told.
    pub(crate) fn introduce_to(&mut self, peer: &NodeId) {
        let gossip: Vec<Update> = self.gossip_about(&self.me.id).into_iter().collect();
        if let Some(peer) = self.registry.get(peer) {
            self.send(&peer, Message::Gossip { gossip });
        }
    }

    /// Says who we are once more at a lower incarnation: ours was taken by a wall clock that was
    /// wrong.
    pub(crate) fn restate(&mut self, incarnation: Incarnation) {
        let Some(mine) = self.registry.get(&self.me.id) else { return };
        let statement = NodeStatus::alive(mine.id.clone(), mine.addr, incarnation, mine.tags.clone());
        if let Some(status) = self.registry.replace(statement).after() {
            let update = Update::Node { status: status.clone(), accusers: Vec::new() };
            self.queue.push(update, Priority::Critical);
        }
    }

    /// Says who we are once more, at a higher incarnation, and with other tags where some are given; as soon as that
    /// incarnation is reserved.
    pub(crate) fn state_anew(
        &mut self,
        now: Instant,
        incarnation: Incarnation,
        tags: Option<Tags>,
        priority: Priority,
    ) {
        let Some(mine) = self.registry.get(&self.me.id) else { return };
        if !self.is_reserved(incarnation) {
            return self.hold(Held { incarnation, tags, priority });
        }
        let tags = tags.unwrap_or_else(|| mine.tags.clone());
        let statement = NodeStatus::alive(self.me.id.clone(), mine.addr, incarnation, tags);
        let change = self.registry.apply(statement);
        let cause = Cause::by(self.me.id.clone(), Reason::Reported);
        self.on_change(now, &change, &cause, Spread::Nobody);
        if let Some(status) = change.after() {
            self.queue.push(Update::Node { status: status.clone(), accusers: Vec::new() }, priority);
        }
    }
}

/// Whether `claim` is the word of a process that listens elsewhere than we do.
fn is_another_process(claim: &NodeStatus, mine: &NodeStatus) -> bool {
    claim.state == NodeState::Alive && claim.is_complete() && claim.addr != mine.addr
}

/// Whether `claim` says something of us that is not so: that we are not alive, or that we are another than we are.
fn contradicts(claim: &NodeStatus, mine: &NodeStatus) -> bool {
    if claim.incarnation != mine.incarnation {
        return claim.incarnation > mine.incarnation;
    }
    let other_description = claim.is_complete() && (claim.addr, &claim.tags) != (mine.addr, &mine.tags);
    claim.state != NodeState::Alive || other_description
}
