//! Repair: what brings views together that news has left apart.
//!
//! ```text
//!   join.rs             clocks are compared, then views are exchanged
//!   guests.rs           who has just exchanged views with us, and is told what is new
//!   exchange.rs         two members exchange their views, page by page
//!   compare.rs          digests first: only views that differ are exchanged, and only what differs (Verified)
//!   healer.rs           failed members are contacted, so that the halves of a partition meet
//!   pending_verdict.rs  a verdict that comes by an exchange is put to its subject first (Verified)
//! ```
//!
//! It knows nothing of how members are probed and judged.

pub(crate) mod compare;
mod exchange;
mod guests;
mod healer;
pub(crate) mod join;
mod pending_verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{Instant, NodeId, NodeStatus};

use crate::context::Context;
use crate::timer::{Timer, TimerKey};
pub(crate) use exchange::Page;
use guests::Guests;
pub(crate) use healer::schedule_heal;
use pending_verdict::PendingVerdict;

/// How many members of the whole group ask a random one in a period, where views are compared. Each such
/// question finds a difference between `a` members and `b` with a chance of `2ab/N²`. Decision 15 has
/// what follows from it.
const FAR_QUESTIONS: f64 = 4.0;

/// When views are exchanged next, and which verdicts of others are open.
#[derive(Debug)]
pub(crate) struct Repair {
    next_sync: TimerKey,
    /// Whether views are compared before they are exchanged.
    compares: bool,
    /// Verdicts that came by an exchange, by their subjects, who have been asked.
    pending: BTreeMap<NodeId, PendingVerdict>,
    guests: Guests,
}

impl Repair {
    /// Whole views are exchanged, and what comes with them is believed.
    pub(crate) fn by_exchange(cx: &mut Context) -> Self {
        Self::new(cx, false)
    }

    /// Views are compared first, and verdicts that come with them are put to their subjects.
    pub(crate) fn by_digest(cx: &mut Context) -> Self {
        Self::new(cx, true)
    }

    fn new(cx: &mut Context, compares: bool) -> Self {
        // Members that start together should not exchange in step.
        let at = cx.now + cx.config.sync_interval.mul_f64(cx.rng.unit());
        let next_sync = cx.timers.schedule(at, Timer::Sync);
        Self { next_sync, compares, pending: BTreeMap::new(), guests: Guests::default() }
    }

    /// It is time to exchange views with a random member. Where views are compared it is mostly one of those that are `near`: of
    /// them we have a connection, and each other member costs one.
    pub(crate) fn sync_due(&mut self, cx: &mut Context, near: impl FnOnce() -> Vec<NodeId>) {
        // Where it costs a connection, members that began together should not ask in step.
        let factor = if self.compares { 0.5 + cx.rng.unit() } else { 1.0 };
        let next = cx.now + cx.config.sync_interval.mul_f64(factor);
        self.next_sync = cx.timers.schedule(next, Timer::Sync);
        if self.compares && cx.is_late() {
            // It can wait, and may cost a connection.
            cx.stats.comparisons_postponed += 1;
            return;
        }
        let peer = if self.compares { near_or_far(cx, &near()) } else { cx.random_members(1, None).pop() };
        if let Some(peer) = peer {
            self.compare_or_exchange(cx, &peer);
        }
    }

    /// This member has exchanged views with us.
    pub(crate) fn visited_by(&mut self, cx: &Context, id: &NodeId) {
        if self.compares {
            self.guests.came(cx.now, id);
        }
    }

    /// Who has exchanged views with us a moment ago.
    pub(crate) fn guests(&self, now: Instant) -> impl Iterator<Item = &NodeId> {
        self.guests.now(now)
    }

    /// Exchanges views with a member; where views are compared, only if they differ, and only what differs.
    fn compare_or_exchange(&mut self, cx: &mut Context, peer: &Arc<NodeStatus>) {
        if self.compares {
            compare::glance_at(cx, peer);
        } else {
            exchange::begin_with(cx, peer);
        }
    }
}

/// Whom to compare views with: one of those that are near, or now and then anybody.
fn near_or_far(cx: &mut Context, near: &[NodeId]) -> Option<Arc<NodeStatus>> {
    // Who has nobody near may be cut off from its neighbours, and asks far and wide.
    if near.is_empty() || cx.rng.unit() * (cx.roster.len() as f64) < FAR_QUESTIONS {
        cx.stats.comparisons_far += 1;
        return cx.random_members(1, None).pop();
    }
    cx.members.get(&near[cx.rng.below(near.len())])
}
