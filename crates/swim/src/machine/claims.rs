//! Claims about members: whether they are believed, and what a change leads to.

use std::sync::Arc;

use kinfolk_core::{Cause, Change, Incarnation, NodeId, NodeState, NodeStatus, Reason};

use super::Owners;
use crate::context::Context;
use crate::fact::Spread;
use crate::interface::output::RefusedJoin;
use crate::members::{ask_for_description, lacks_description};
use crate::purpose::{DESCRIBES_MAX, Purpose};
use crate::repair::join::clocks_differ;
use crate::report::finding_of;
use crate::wire::message::{Reception, Update};

impl Owners {
    /// Updates have come from a member.
    pub(super) fn gossiped(&mut self, cx: &mut Context, from: &NodeId, gossip: &[Update]) {
        self.settle(cx);
        // So it is at rest.
        if gossip.is_empty() {
            return;
        }
        let claims = gossip.iter().filter_map(|update| match update {
            Update::Node { status, .. } => Some(&**status),
            Update::User(_) | Update::Forget { .. } => None,
        });
        let mut news = cx.members.news(claims.clone()).into_iter();
        for update in gossip {
            match update {
                Update::Node { status, accusers } => {
                    let is_news = news.next().unwrap_or(true);
                    // A suspicion that is known may have another accuser, and what is said of us is ours to judge.
                    let matters = is_news
                        || status.state == NodeState::Suspect
                        || status.id == cx.me
                        || self.admission.is_far_ahead(&status.id);
                    if matters && self.believes(cx, from, status) {
                        self.claimed(cx, status, accusers.clone(), Spread::AllBut(from));
                    }
                }
                Update::Forget { id, incarnation } => self.forgotten(cx, from, (id, *incarnation)),
                // The instance of an origin outranks its earlier ones: a false one would silence it.
                Update::User(message) => {
                    if !self.admission.refuses(cx, from, (&message.origin, message.life)) {
                        self.dissemination.receive_broadcast(cx, from, message);
                    }
                }
            }
            self.settle(cx);
        }
        // Mostly nobody lacks a description: then no name is looked up.
        if cx.members.incomplete_count() > 0 {
            for status in claims {
                self.complete(cx, from, &status.id);
            }
        }
    }

    /// Whether a claim that came by gossip is to be taken in.
    fn believes(&mut self, cx: &mut Context, from: &NodeId, claim: &Arc<NodeStatus>) -> bool {
        if self.admission.refuses(cx, from, (&claim.id, claim.incarnation))
            || self.members.is_forgotten(cx, from, claim)
        {
            return false;
        }
        // News of a member that joins begins with its own statement. A suspicion about one that is
        // unknown here comes from a member that was cut off.
        claim.state != NodeState::Suspect || !self.admission.asks_for_introduction(cx, from, claim)
    }

    /// A member says that another is forgotten.
    fn forgotten(&mut self, cx: &mut Context, from: &NodeId, (id, incarnation): (&NodeId, Incarnation)) {
        if self.admission.refuses(cx, from, (id, incarnation)) {
            return;
        }
        match cx.mine().filter(|mine| mine.id == *id) {
            Some(mine) => {
                let claim = NodeStatus { incarnation, ..mine.with_state(NodeState::Failed) };
                self.claimed_of_us(cx, &claim);
            }
            None => self.members.heard_word(cx, from, (id, incarnation)),
        }
    }

    /// Takes in a page of nodes from `from`.
    pub(super) fn take_in(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        nodes: &[Arc<NodeStatus>],
        spread: Spread<'_>,
    ) {
        // A newcomer knows nobody, and believes the member that it joins through.
        let is_newcomer = matches!(spread, Spread::Nobody) && self.admission.has_started_lately(cx);
        for status in nodes {
            let is_believed = !(self.admission.refuses(cx, from, (&status.id, status.incarnation))
                || self.members.is_forgotten(cx, from, status)
                || self.members.is_of_no_use(status)
                || self.repair.puts_to_its_subject(cx, from, status)
                || !is_newcomer && self.admission.asks_for_introduction(cx, from, status));
            if is_believed {
                // Who holds a member for suspect need not accuse it: else each exchange would add a voice that is none.
                let accusers = match status.state {
                    NodeState::Failed => vec![from.clone()],
                    NodeState::Alive | NodeState::Suspect | NodeState::Left => Vec::new(),
                };
                self.claimed(cx, status, accusers, spread);
            }
            self.settle(cx);
        }
    }

    /// Takes in a page, and asks for the descriptions that it lacks.
    pub(super) fn take_in_and_complete(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        nodes: &[Arc<NodeStatus>],
        spread: Spread<'_>,
    ) {
        self.take_in(cx, from, nodes, spread);
        for node in nodes {
            self.complete(cx, from, &node.id);
        }
    }

    /// `from` has just spoken of `id`: if we lack its description, ask for it.
    fn complete(&mut self, cx: &mut Context, from: &NodeId, id: &NodeId) {
        if lacks_description(cx, id)
            && let Some(teller) = cx.members.get(from)
        {
            self.describe(cx, &teller, id);
        }
    }

    /// Asks `whom` for the description of `id`, unless that is under way, or too many are.
    pub(super) fn describe(&mut self, cx: &mut Context, whom: &NodeStatus, id: &NodeId) {
        let asked = |purpose: &Purpose| matches!(purpose, Purpose::Describe(asked) if asked.id == *id);
        let all = self.requests.count(|purpose| matches!(purpose, Purpose::Describe(_)));
        if all < DESCRIBES_MAX && self.requests.count(asked) == 0 {
            ask_for_description(cx, whom, id);
            self.settle(cx);
        }
    }

    /// A peer, whose wall clock says `theirs`, wants to join through us.
    pub(super) fn receive(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        (ours, theirs): (Incarnation, Incarnation),
        me: &Arc<NodeStatus>,
    ) -> Reception {
        if cx.has_left() {
            return Reception::Leaving;
        }
        if clocks_differ(ours, theirs) {
            self.admission.refuse_join(cx, RefusedJoin { from: from.clone(), theirs, ours });
            return Reception::ClocksDiffer;
        }
        if self.admission.refuses(cx, from, (&me.id, me.incarnation)) {
            return Reception::FarAhead;
        }
        // The pages that follow say so, and it refutes.
        if self.members.is_forgotten(cx, from, me) {
            return Reception::Seen;
        }
        self.claimed(cx, me, Vec::new(), Spread::AllBut(from));
        if cx.members.get(from).is_some() { Reception::Seen } else { Reception::Full }
    }

    /// Takes in a claim about any member that is believed, and passes it on as `spread` says if it is news.
    pub(super) fn claimed(
        &mut self,
        cx: &mut Context,
        claim: &Arc<NodeStatus>,
        accusers: Vec<NodeId>,
        spread: Spread<'_>,
    ) {
        self.settle(cx);
        if claim.id == cx.me {
            return self.claimed_of_us(cx, claim);
        }
        let change = if self.admission.gives_way(cx, &claim.id) {
            self.members.replace(Arc::clone(claim))
        } else {
            self.members.apply(Arc::clone(claim))
        };
        match change {
            Change::None if claim.state == NodeState::Suspect => {
                let known = cx.members.get(&claim.id);
                let is_suspect = |known: &Arc<NodeStatus>| {
                    (known.incarnation, known.state) == (claim.incarnation, NodeState::Suspect)
                };
                if let Some(known) = known.filter(is_suspect) {
                    self.detection.confirm(cx, &known, &accusers);
                    self.settle(cx);
                }
            }
            Change::None => {}
            change => self.changed(cx, &change, &Cause { reason: Reason::Reported, accusers }, spread),
        }
    }

    fn claimed_of_us(&mut self, cx: &mut Context, claim: &NodeStatus) {
        let known = (self.detection.reaches_few(), self.dissemination.is_waiting(&cx.me));
        self.myself.claimed(cx, claim, known);
        self.settle(cx);
    }

    /// Follows one change of the view through, and passes it on as `spread` says.
    pub(super) fn changed(&mut self, cx: &mut Context, change: &Change, cause: &Cause, spread: Spread<'_>) {
        let (before, after) = match change {
            Change::None => return,
            Change::Full => return cx.stats.registry_full += 1,
            Change::Applied { before, after } => (before, after),
        };
        self.report.tell(cx, change, cause);
        if let Some(finding) = finding_of(cx, change) {
            let evidence = self.detection.evidence(cx, &after.id, finding, cause.clone());
            self.report.note(&after.id, evidence, false);
        }
        if after.id != cx.me {
            let was_member = before.as_ref().is_some_and(|before| before.state.is_member());
            self.other_changed(cx, was_member, after, cause);
        }
        let was_here = before.as_ref().is_some_and(|before| before.state != after.state);
        if was_here && after.state == NodeState::Left {
            self.detection.left();
        }
        self.detection.recount(cx);
        self.settle(cx);
        self.dissemination.pass_on(Arc::clone(after), &cause.accusers, spread);
    }

    /// Keeps probes, suspicions and tombstones in step with the view.
    fn other_changed(&mut self, cx: &mut Context, was_member: bool, after: &NodeStatus, cause: &Cause) {
        let is_member = after.state.is_member();
        if was_member != is_member {
            if is_member {
                cx.roster.insert(&after.id, &mut cx.rng);
            } else {
                cx.roster.remove(&after.id);
            }
            self.detection.came_or_went(cx, &after.id, is_member);
        }
        let failed_at = self.members.changed(cx, after);
        if let Some(failed_at) = failed_at.filter(|_| self.members.remembers_words())
            && self.detection.tells_who_is_back(cx, &after.id)
        {
            self.members.tell_missed_words(cx, after, failed_at);
        }
        self.detection.stands(cx, after, &cause.accusers);
        if !is_member {
            self.members.keep_tombstone(cx, after);
        }
    }
}
