//! Repair: makes views equal where dissemination has left a difference.
//!
//! ```text
//!   join.rs             compares clocks, then exchanges views
//!   guests.rs           members that have just exchanged views with this member
//!   exchange.rs         exchanges views, page by page
//!   compare.rs          compares digests, then exchanges only what differs (Verified)
//!   healer.rs           contacts failed members, so that the parts of a partition meet
//!   pending_verdict.rs  asks the subject of an old verdict before believing it (Verified)
//! ```
//!
//! This module does not know how members are probed and judged.

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

/// How many members of the whole group choose a random peer in each period (`Mode::Verified`). Such
/// a round finds a difference between `a` members and `b` members with a chance of `2ab/N²`.
/// `docs/decisions/0015-a-node-costs-what-its-probes-cost.md` has what follows from it.
const RANDOM_PEERS_PER_PERIOD: f64 = 4.0;

/// The next anti-entropy round, the open verdicts of other members, and the guests.
#[derive(Debug)]
pub(crate) struct Repair {
    next_sync: TimerKey,
    /// Whether digests are compared before views are exchanged.
    compares_digests: bool,
    /// The open verdicts that came by an exchange of views, by their subjects.
    pending: BTreeMap<NodeId, PendingVerdict>,
    guests: Guests,
}

impl Repair {
    /// Exchanges whole views, and believes the claims in them.
    pub(crate) fn by_exchange(cx: &mut Context) -> Self {
        Self::new(cx, false)
    }

    /// Compares digests first, and asks the subjects of the verdicts that come by an exchange.
    pub(crate) fn by_digest(cx: &mut Context) -> Self {
        Self::new(cx, true)
    }

    fn new(cx: &mut Context, compares_digests: bool) -> Self {
        // At random, so that members that start together do not exchange at the same times.
        let at = cx.now + cx.config.sync_interval.mul_f64(cx.rng.unit());
        let next_sync = cx.timers.schedule(at, Timer::Sync);
        Self { next_sync, compares_digests, pending: BTreeMap::new(), guests: Guests::default() }
    }

    /// Starts an anti-entropy round with a random member. If digests are compared, the peer is
    /// mostly one of `near`: this member has connections to those, and each other member costs one.
    pub(crate) fn sync_due(&mut self, cx: &mut Context, near: impl FnOnce() -> Vec<NodeId>) {
        // A round may cost a connection, so members that started together must not drift into step.
        let factor = if self.compares_digests { 0.5 + cx.rng.unit() } else { 1.0 };
        let next = cx.now + cx.config.sync_interval.mul_f64(factor);
        self.next_sync = cx.timers.schedule(next, Timer::Sync);
        if self.compares_digests && cx.is_late() {
            // The round can wait, and a handshake would make this member later.
            cx.stats.anti_entropy_postponed += 1;
            return;
        }
        let peer =
            if self.compares_digests { choose_peer(cx, &near()) } else { cx.random_members(1, None).pop() };
        if let Some(peer) = peer {
            self.compare_or_exchange(cx, &peer);
        }
    }

    /// Makes a member that exchanged views a guest. Only the flood uses guests.
    pub(crate) fn exchanged_with(&mut self, cx: &Context, id: &NodeId) {
        if self.compares_digests {
            self.guests.insert(cx.now, id);
        }
    }

    /// The members that have just exchanged views with this member.
    pub(crate) fn guests(&self, now: Instant) -> impl Iterator<Item = &NodeId> {
        self.guests.at(now)
    }

    /// Exchanges views with a member. If digests are compared, only if the views differ, and only
    /// what differs.
    fn compare_or_exchange(&mut self, cx: &mut Context, peer: &Arc<NodeStatus>) {
        if self.compares_digests {
            compare::ping_digest(cx, peer);
        } else {
            exchange::begin_with(cx, peer);
        }
    }
}

/// Chooses the peer of an anti-entropy round: a member of `near`, or sometimes any member.
fn choose_peer(cx: &mut Context, near: &[NodeId]) -> Option<Arc<NodeStatus>> {
    // With no member in `near`, this member may be isolated from its neighbours, and the flood does
    // not reach it. A random member may reach it.
    if near.is_empty() || cx.rng.unit() * (cx.roster.len() as f64) < RANDOM_PEERS_PER_PERIOD {
        cx.stats.anti_entropy_random += 1;
        return cx.random_members(1, None).pop();
    }
    cx.members.get(&near[cx.rng.below(near.len())])
}
