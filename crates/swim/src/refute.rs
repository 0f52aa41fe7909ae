//! Claims about ourselves. Only we raise our incarnation: to one above a claim that we are not as we are (SWIM, section
//! 4.2), or above what is remembered of a former life of our name.

use kinfolk_core::{Incarnation, Instant, NodeState, NodeStatus, Tags};

use crate::machine::Machine;
use crate::message::Update;
use crate::queue::Priority;

impl Machine {
    pub(crate) fn on_claim_about_me(&mut self, now: Instant, claim: &NodeStatus) {
        let Some(mine) = self.registry.get(&self.me.id) else { return };
        if self.has_left() || !contradicts(claim, &mine) {
            return;
        }
        // What a clock that started with ours would say now.
        let expected = self.me.life.later_by(now.since(self.me.started)).max(mine.incarnation);
        if !claim.incarnation.is_plausible(expected) {
            self.stats.claims_refused += 1;
            return;
        }
        if claim.state != NodeState::Alive {
            self.stats.refutations += 1;
            // We were too slow for somebody (Lifeguard, section IV-A).
            if self.config.is_lifeguard() {
                self.local_health.raise(1);
            }
        }
        self.state_anew(now, claim.incarnation.next(), mine.tags.clone(), Priority::Critical);
    }

    /// Says who we are once more, at a higher incarnation.
    pub(crate) fn state_anew(
        &mut self,
        now: Instant,
        incarnation: Incarnation,
        tags: Tags,
        priority: Priority,
    ) {
        let Some(mine) = self.registry.get(&self.me.id) else { return };
        let statement = NodeStatus::alive(self.me.id.clone(), mine.addr, incarnation, tags);
        let change = self.registry.apply(statement);
        let cause = kinfolk_core::Cause::by(self.me.id.clone(), kinfolk_core::Reason::Reported);
        self.on_change(now, &change, &cause, false);
        if let Some(status) = change.after() {
            self.queue.push(Update::Node { status: status.clone(), accusers: Vec::new() }, priority);
        }
    }
}

/// Whether `claim` says something of us that is not so: that we are not alive, or that we are another than we are.
fn contradicts(claim: &NodeStatus, mine: &NodeStatus) -> bool {
    if claim.incarnation != mine.incarnation {
        return claim.incarnation > mine.incarnation;
    }
    let other_description = claim.is_complete() && (claim.addr, &claim.tags) != (mine.addr, &mine.tags);
    claim.state != NodeState::Alive || other_description
}
