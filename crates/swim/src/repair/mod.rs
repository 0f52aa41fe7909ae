//! Repair: what brings views together that news has left apart.
//!
//! ```text
//!   join.rs             clocks are compared, then views are exchanged
//!   exchange.rs         two members exchange their views, page by page
//!   compare.rs          digests first: only views that differ are exchanged, and only what differs (Verified)
//!   healer.rs           failed members are contacted, so that the halves of a partition meet
//!   pending_verdict.rs  a verdict that comes by an exchange is put to its subject first (Verified)
//! ```
//!
//! It knows nothing of how members are probed and judged.

pub(crate) mod compare;
mod exchange;
mod healer;
pub(crate) mod join;
mod pending_verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{NodeId, NodeStatus};

use crate::context::Context;
use crate::timer::{Timer, TimerKey};
pub(crate) use exchange::Page;
pub(crate) use healer::schedule_heal;
use pending_verdict::PendingVerdict;

/// When views are exchanged next, and which verdicts of others are open.
#[derive(Debug)]
pub(crate) struct Repair {
    next_sync: TimerKey,
    /// Whether views are compared before they are exchanged.
    compares: bool,
    /// Verdicts that came by an exchange, by their subjects, who have been asked.
    pending: BTreeMap<NodeId, PendingVerdict>,
}

impl Repair {
    /// Whole views are exchanged, and what comes with them is believed.
    pub(crate) fn by_exchange(cx: &mut Context) -> Self {
        Self::new(cx, false)
    }

    /// Views are compared first, and verdicts that come with them are put to their subjects.
    pub(crate) fn by_comparison(cx: &mut Context) -> Self {
        Self::new(cx, true)
    }

    fn new(cx: &mut Context, compares: bool) -> Self {
        // Members that start together should not exchange in step.
        let at = cx.now + cx.config.sync_interval.mul_f64(cx.rng.unit());
        let next_sync = cx.timers.schedule(at, Timer::Sync);
        Self { next_sync, compares, pending: BTreeMap::new() }
    }

    /// It is time to exchange views with a random member.
    pub(crate) fn sync_due(&mut self, cx: &mut Context) {
        self.next_sync = cx.timers.schedule(cx.now + cx.config.sync_interval, Timer::Sync);
        if self.compares && cx.is_late() {
            // It can wait, and would cost a connection.
            cx.stats.comparisons_postponed += 1;
            return;
        }
        if let Some(peer) = cx.random_members(1, None).pop() {
            self.compare_or_exchange(cx, &peer);
        }
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
