//! Which claims are admitted. A claim from the future is refused. A claim about a member that may
//! have failed or left long ago waits until that member states itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, NodeId, NodeState, NodeStatus};

use super::introduction::Introductions;
use super::wall_clock::{ClockJumps, WallClock};
use crate::context::{Context, DELIVERED_WITHIN};
use crate::fact::Fact;
use crate::interface::input::NoReply;
use crate::interface::output::{Output, RefusedClaim, RefusedJoin};
use crate::purpose::Purpose;
use crate::wire::buckets::Buckets;
use crate::wire::message::Message;

/// The wall clock, and the members that must state themselves first.
#[derive(Debug)]
pub(crate) struct Admission {
    wall_clock: WallClock,
    introductions: Introductions,
    /// The wall clock at the start of this member.
    started: Incarnation,
}

impl Admission {
    /// The admission of a member that starts now with this incarnation.
    pub(crate) fn new(cx: &Context, started: Incarnation) -> Self {
        let wall_clock = WallClock::new(cx.now, started);
        Self { wall_clock, introductions: Introductions::default(), started }
    }

    /// The incarnation that a member would start with now.
    pub(crate) fn clock(&self, cx: &Context) -> Incarnation {
        self.wall_clock.incarnation_at(cx.now)
    }

    /// How often the wall clock jumped.
    pub(crate) fn clock_jumps(&self) -> ClockJumps {
        self.wall_clock.jumps()
    }

    /// The driver has read the wall clock. If the clock was set back, statements from the wrong
    /// clock lie in the future: members with the right clock refuse them. So they must give way to
    /// statements from the right clock.
    pub(crate) fn read_clock(&mut self, cx: &mut Context, since_epoch: Duration) {
        let Some(clock) = self.wall_clock.read(cx.now, since_epoch) else { return };
        let snapshot = cx.members.snapshot();
        let far_ahead = snapshot.nodes().iter().filter(|node| !node.incarnation.is_plausible(clock));
        self.wall_clock.note_far_ahead(far_ahead.map(|node| node.id.clone()));
        if self.wall_clock.end_far_ahead(&cx.me) && !cx.has_left() {
            self.started = clock;
            cx.fact(Fact::ClockSetBack(clock));
        }
    }

    /// Whether the claim of `from` about `about` has an incarnation too far ahead of the clock. If
    /// so, counts and reports it; it must change nothing.
    pub(crate) fn refuses(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        (about, claimed): (&NodeId, Incarnation),
    ) -> bool {
        let clock = self.clock(cx);
        if claimed.is_plausible(clock) {
            return false;
        }
        let claim = RefusedClaim { from: from.clone(), about: about.clone(), claimed, clock, refused: 1 };
        if let Some(report) = self.wall_clock.refuse(cx.now, claim) {
            cx.output(Output::RefusedClaim(report));
        }
        true
    }

    /// Reports a join that is refused because the two wall clocks differ.
    pub(crate) fn refuse_join(&mut self, cx: &mut Context, join: RefusedJoin) {
        if let Some(report) = self.wall_clock.refuse_join(cx.now, join) {
            cx.output(Output::RefusedJoin(report));
        }
    }

    /// Whether the known incarnation of `id` lay too far ahead when the clock was set back.
    pub(crate) fn is_far_ahead(&self, id: &NodeId) -> bool {
        self.wall_clock.is_far_ahead(id)
    }

    /// Whether any claim about `id` replaces what is known, because the known incarnation still
    /// lies too far ahead since the clock was set back.
    pub(crate) fn is_replaced_by_any(&mut self, cx: &Context, id: &NodeId) -> bool {
        if !self.wall_clock.end_far_ahead(id) {
            return false;
        }
        let clock = self.clock(cx);
        cx.members.get(id).is_some_and(|known| !known.incarnation.is_plausible(clock))
    }

    /// If `from` claims that an old, unknown node is a member, asks that node for its own
    /// statement. Returns whether this is such a claim. Then it must change nothing.
    pub(crate) fn asks_for_introduction(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        claim: &Arc<NodeStatus>,
    ) -> bool {
        let may_be_gone = claim.state.is_member() && claim.id != *from && self.is_old(cx, claim.incarnation);
        if !may_be_gone || claim.id == cx.me || cx.members.get(&claim.id).is_some() {
            return false;
        }
        self.ask_itself(cx, from, claim);
        true
    }

    /// Asks the node of a claim by `from` for its own statement.
    pub(crate) fn ask_itself(&mut self, cx: &mut Context, from: &NodeId, claim: &Arc<NodeStatus>) {
        // Without a description the address is unknown. The next exchange of views brings the claim
        // again.
        if claim.is_complete() {
            if !self.introductions.add(claim, from) {
                cx.stats.introductions_full += 1;
            }
            self.introduce_next(cx);
        }
    }

    /// A member that waits for its introduction stated itself. Returns the source of the first
    /// claim.
    pub(crate) fn introduced(&mut self, id: &NodeId) -> Option<NodeId> {
        self.introductions.end(id)
    }

    /// A member that waits for its introduction did not answer.
    pub(crate) fn not_introduced(&mut self, cx: &mut Context, id: &NodeId, why: NoReply) {
        self.introductions.end(id);
        if why != NoReply::Local {
            cx.stats.introductions_failed += 1;
        }
        self.introduce_next(cx);
    }

    /// Asks the next members that wait, up to the limit of requests at a time.
    pub(crate) fn introduce_next(&mut self, cx: &mut Context) {
        while let Some(claim) = self.introductions.next() {
            if cx.members.get(&claim.id).is_some() {
                // The member joined meanwhile.
                self.introductions.end(&claim.id);
                continue;
            }
            let purpose = Purpose::Introduction(claim.id.clone());
            let message = Message::Describe { id: claim.id.clone() };
            cx.ask_plainly((&claim.id, claim.addr), message, purpose, DELIVERED_WITHIN);
        }
    }

    /// Whether all members may have removed the tombstone of the member with this incarnation. A
    /// member that started later has a later incarnation. Half of `tombstone_ttl` is a margin for
    /// clocks that differ.
    fn is_old(&self, cx: &Context, incarnation: Incarnation) -> bool {
        incarnation.later_by(cx.config.tombstone_ttl / 2) < self.clock(cx)
    }

    /// Whether this member started so lately that no tombstone since then can have been removed.
    pub(crate) fn has_started_lately(&self, cx: &Context) -> bool {
        !self.is_old(cx, self.started)
    }

    /// A peer sent a page of its view: the names after `after`, in the buckets `only`. `more`:
    /// other pages follow. Returns old live members that belong on the page and are missing. They
    /// may have failed long ago, and possibly no other member watches them.
    pub(crate) fn missed(
        &self,
        cx: &Context,
        (after, page, more): (Option<&NodeId>, &[Arc<NodeStatus>], bool),
        only: Buckets,
    ) -> Vec<NodeId> {
        let end = page.last().map(|node| &node.id).filter(|_| more);
        let theirs: BTreeSet<&NodeId> = page.iter().map(|node| &node.id).collect();
        let may_be_gone = |ours: &NodeStatus| {
            ours.id != cx.me && ours.state == NodeState::Alive && self.is_old(cx, ours.incarnation)
        };
        let is_missed = |ours: &&Arc<NodeStatus>| {
            Some(&ours.id) > after
                && end.is_none_or(|end| ours.id <= *end)
                && may_be_gone(ours)
                && only.hold(&ours.id)
                && !theirs.contains(&ours.id)
        };
        let snapshot = cx.members.snapshot();
        snapshot.nodes().iter().filter(is_missed).map(|node| node.id.clone()).collect()
    }

    /// The number of refused claims.
    pub(crate) fn refused(&self) -> u64 {
        self.wall_clock.refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::config::SwimConfig;
    use kinfolk_core::NodeState::{Alive, Suspect};

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    #[test]
    fn old_members_absent_from_a_page_are_missed() {
        let others = [("a", Alive), ("b", Suspect), ("c", Alive), ("d", Alive), ("e", Alive)];
        let mut cx = Context::of_others(SwimConfig::verified(), &others);
        let admission = Admission::new(&cx, Incarnation::new(1));
        let page: Vec<_> = ["c", "d"].map(|name| cx.members.get(&id(name)).unwrap()).into();
        let missed = |cx: &Context, after: Option<&str>, page: &[Arc<NodeStatus>], more, only| {
            let missed = admission.missed(cx, (after.map(id).as_ref(), page, more), only);
            missed.iter().map(NodeId::to_string).collect::<String>()
        };
        assert_eq!(missed(&cx, None, &[], false, Buckets::ALL), "", "all started lately");
        cx.now += cx.config.tombstone_ttl / 2 + Duration::from_millis(1);
        assert_eq!(
            missed(&cx, None, &[], false, Buckets::ALL),
            "acde",
            "neither the suspect nor this member"
        );
        assert_eq!(missed(&cx, Some("c"), &[], false, Buckets::ALL), "de");
        assert_eq!(missed(&cx, None, &page, false, Buckets::ALL), "ae");
        assert_eq!(missed(&cx, None, &page, true, Buckets::ALL), "a", "others may be on the next page");
        let mut only = Buckets::NONE;
        only.insert(usize::from(kinfolk_core::RegistryView::bucket_of(&id("e"))));
        assert_eq!(missed(&cx, None, &page, false, only), "e");
    }

    #[test]
    fn incarnation_is_old_after_half_the_tombstone_ttl() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        let admission = Admission::new(&cx, Incarnation::new(1));
        cx.now += cx.config.tombstone_ttl / 2;
        assert!(admission.has_started_lately(&cx));
        cx.now += Duration::from_millis(1);
        assert!(!admission.has_started_lately(&cx));
    }
}
