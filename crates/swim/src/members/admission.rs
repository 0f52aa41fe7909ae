//! Which claims may change anything: none from the future, and none about a member that may be gone for long, before that
//! member has spoken for itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, NodeId, NodeState, NodeStatus};

use super::introduction::Introductions;
use super::wall_clock::WallClock;
use crate::context::{Context, DELIVERED_WITHIN};
use crate::fact::Fact;
use crate::interface::input::NoReply;
use crate::interface::output::{Output, RefusedClaim, RefusedJoin};
use crate::purpose::Purpose;
use crate::wire::buckets::Buckets;
use crate::wire::message::Message;

/// What the wall clock says, and who has to speak for itself first.
#[derive(Debug)]
pub(crate) struct Admission {
    wall_clock: WallClock,
    introductions: Introductions,
    /// What the wall clock said when we started.
    started: Incarnation,
}

impl Admission {
    /// That of a member that starts now with this incarnation.
    pub(crate) fn new(cx: &Context, started: Incarnation) -> Self {
        let wall_clock = WallClock::new(cx.now, started);
        Self { wall_clock, introductions: Introductions::default(), started }
    }

    /// The incarnation that a member would start with now.
    pub(crate) fn clock(&self, cx: &Context) -> Incarnation {
        self.wall_clock.says(cx.now)
    }

    /// The driver has read the wall clock. If it was set back, what was said by the wrong clock would now be refused by
    /// every member whose clock is right, so it must not stand in the way of what is said by the right one.
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

    /// Whether the claim of `from` that `about` has this incarnation lies too far ahead. Then it is counted and reported,
    /// and must change nothing.
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
            cx.output(Output::Refused(report));
        }
        true
    }

    /// A join is refused, because the two wall clocks differ.
    pub(crate) fn refuse_join(&mut self, cx: &mut Context, join: RefusedJoin) {
        if let Some(report) = self.wall_clock.refuse_join(cx.now, join) {
            cx.output(Output::RefusedJoin(report));
        }
    }

    /// Whether what was known of `id` when the clock was set back lay too far ahead.
    pub(crate) fn is_far_ahead(&self, id: &NodeId) -> bool {
        self.wall_clock.is_far_ahead(id)
    }

    /// Whether any claim about `id` replaces what is known, because that still lies too far ahead since the clock was set
    /// back.
    pub(crate) fn gives_way(&mut self, cx: &Context, id: &NodeId) -> bool {
        if !self.wall_clock.end_far_ahead(id) {
            return false;
        }
        let clock = self.clock(cx);
        cx.members.get(id).is_some_and(|known| !known.incarnation.is_plausible(clock))
    }

    /// If `from` speaks of a member that is unknown here and may be long gone, the member itself is asked. Returns whether
    /// that is so, and the claim not to be believed.
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
        // Without its description its address is unknown. The next exchange brings it again.
        if claim.is_complete() {
            if !self.introductions.add(claim, from) {
                cx.stats.introductions_full += 1;
            }
            self.introduce_next(cx);
        }
        true
    }

    /// A member that waits for its introduction has said what it is. Returns who spoke of it first.
    pub(crate) fn introduced(&mut self, id: &NodeId) -> Option<NodeId> {
        self.introductions.end(id)
    }

    /// A member that waits for its introduction has not answered.
    pub(crate) fn not_introduced(&mut self, cx: &mut Context, id: &NodeId, why: NoReply) {
        self.introductions.end(id);
        if why != NoReply::Local {
            cx.stats.ghosts += 1;
        }
        self.introduce_next(cx);
    }

    /// Asks the next that wait, as many as may be asked at a time.
    pub(crate) fn introduce_next(&mut self, cx: &mut Context) {
        while let Some(claim) = self.introductions.next() {
            if cx.members.get(&claim.id).is_some() {
                // It has joined meanwhile.
                self.introductions.end(&claim.id);
                continue;
            }
            let purpose = Purpose::Introduction(claim.id.clone());
            let message = Message::Describe { id: claim.id.clone() };
            cx.ask_plainly((&claim.id, claim.addr), message, purpose, DELIVERED_WITHIN);
        }
    }

    /// Whether a claim of this incarnation may be about a member whose tombstone nobody keeps any more. A member that
    /// started since then has an incarnation from since then. Half of the time is left for clocks that differ.
    fn is_old(&self, cx: &Context, incarnation: Incarnation) -> bool {
        incarnation.later_by(cx.config.tombstone_ttl / 2) < self.clock(cx)
    }

    /// Whether no tombstone that we could have known is gone yet.
    pub(crate) fn has_started_lately(&self, cx: &Context) -> bool {
        !self.is_old(cx, self.started)
    }

    /// A peer has sent this page of what it knows in these buckets, after that name; `more` says whether other pages
    /// follow. Returns those of our members that should be on it and are not. They may be gone for long, and nobody else
    /// watches them.
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

    /// How many claims were refused.
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
    fn members_that_should_be_on_a_page_and_are_not_are_missed_if_they_may_be_gone() {
        let others = [("a", Alive), ("b", Suspect), ("c", Alive), ("d", Alive), ("e", Alive)];
        let mut cx = Context::of_others(SwimConfig::verified(), &others);
        let admission = Admission::new(&cx, Incarnation::new(1));
        let page: Vec<_> = ["c", "d"].map(|name| cx.members.get(&id(name)).unwrap()).into();
        let missed = |cx: &Context, after: Option<&str>, page: &[Arc<NodeStatus>], more, only| {
            let missed = admission.missed(cx, (after.map(id).as_ref(), page, more), only);
            missed.iter().map(NodeId::to_string).collect::<String>()
        };
        assert_eq!(missed(&cx, None, &[], false, Buckets::ALL), "", "all have started lately");
        cx.now += cx.config.tombstone_ttl / 2 + Duration::from_millis(1);
        assert_eq!(missed(&cx, None, &[], false, Buckets::ALL), "acde", "not a suspect, nor ourselves");
        assert_eq!(missed(&cx, Some("c"), &[], false, Buckets::ALL), "de");
        assert_eq!(missed(&cx, None, &page, false, Buckets::ALL), "ae");
        assert_eq!(missed(&cx, None, &page, true, Buckets::ALL), "a", "others may be on the next page");
        let mut only = Buckets::NONE;
        only.insert(usize::from(kinfolk_core::RegistryView::bucket_of(&id("e"))));
        assert_eq!(missed(&cx, None, &page, false, only), "e");
    }

    #[test]
    fn half_the_life_of_a_tombstone_makes_an_incarnation_old() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        let admission = Admission::new(&cx, Incarnation::new(1));
        cx.now += cx.config.tombstone_ttl / 2;
        assert!(admission.has_started_lately(&cx));
        cx.now += Duration::from_millis(1);
        assert!(!admission.has_started_lately(&cx));
    }
}
