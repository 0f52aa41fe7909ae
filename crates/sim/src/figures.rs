//! What a run measured: how long dissemination took, and how much was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use kinfolk_core::{ClusterEvent, Instant, NodeId, NodeState};

use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// The figures of one run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// From the origin until every member knew all members, for the first time.
    pub join: Option<Duration>,
    /// From a crash until the first member had it as failed; the maximum of all crashes.
    pub crash_first: Option<Duration>,
    /// From a crash until the last member had it as failed; the maximum of all crashes.
    pub crash_last: Option<Duration>,
    /// From a leave until the last member knew of it.
    pub leave_last: Option<Duration>,
    /// From a change of tags until the last member had the new ones.
    pub tags_last: Option<Duration>,
    /// From a broadcast until the last member received it.
    pub broadcast_last: Option<Duration>,
    /// The number of messages sent, with requests, replies, and lost messages.
    pub messages: u64,
    /// Their encoded bytes, without the overhead of QUIC.
    pub bytes: u64,
    /// How often a member became suspect in the view of another.
    pub suspected: u64,
    /// How often a running node became failed in the view of another.
    pub false_failures: u64,
    nodes: usize,
    /// The number of members in each view.
    sizes: BTreeMap<NodeIndex, usize>,
    /// The dissemination of each topic about each node.
    spreads: BTreeMap<(Topic, NodeId), Spread>,
}

/// One dissemination, and the members that it has not reached. Members that join later do not
/// count, because they learn of it from the view that they receive at the join.
#[derive(Debug, Clone, PartialEq)]
struct Spread {
    at: Instant,
    any_reached: bool,
    waiting: BTreeSet<NodeIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Crash,
    Leave,
    Tags,
    Broadcast,
}

impl Figures {
    /// Figures without measurements, for a world of so many nodes.
    pub fn new(nodes: usize) -> Self {
        Self { nodes, ..Self::default() }
    }

    /// Updates the figures with one moment.
    pub fn observe(&mut self, moment: &Moment<'_>) {
        match &moment.what {
            Observed::Sent { bytes } => {
                self.messages += 1;
                self.bytes += *bytes as u64;
            }
            Observed::Step(step) => self.begin(moment, step),
            Observed::View { node, before, after } => {
                let was = before.map(|status| status.state);
                self.count(moment.now, *node, was, after.map(|status| status.state));
                if let Some(after) = after {
                    self.verdict(moment, *node, &after.id, was, after.state);
                    if *before.map_or(&kinfolk_core::Tags::empty(), |status| &status.tags) != after.tags {
                        self.reached(moment.now, *node, Topic::Tags, &after.id);
                    }
                }
            }
            Observed::Event { node, event: ClusterEvent::Broadcast { from, .. } } => {
                self.reached(moment.now, *node, Topic::Broadcast, from);
            }
            Observed::Event { .. } | Observed::Done { .. } | Observed::Load { .. } | Observed::Second => {}
        }
    }

    fn begin(&mut self, moment: &Moment<'_>, step: &Step) {
        let (topic, node) = match step {
            Step::Fault(Fault::Crash(node) | Fault::Silence(node)) => (Topic::Crash, *node),
            Step::Fault(Fault::Restart { node, .. }) => {
                // A node that runs again makes its crash untrue. Its new instance also knows
                // nothing of older topics, so it must not count as waiting for them.
                self.spreads.remove(&(Topic::Crash, node.id()));
                self.sizes.remove(node);
                for spread in self.spreads.values_mut() {
                    spread.waiting.remove(node);
                }
                return;
            }
            Step::Leave(node) => (Topic::Leave, *node),
            Step::SetTags(node, _) => (Topic::Tags, *node),
            Step::Broadcast(node, _) => (Topic::Broadcast, *node),
            Step::Start { .. } | Step::Fault(_) | Step::Forget { .. } => return,
        };
        let waiting =
            moment.truth.members().map(|(member, _)| member).filter(|member| *member != node).collect();
        self.spreads.insert((topic, node.id()), Spread { at: moment.now, any_reached: false, waiting });
    }

    fn count(&mut self, now: Instant, node: NodeIndex, was: Option<NodeState>, is: Option<NodeState>) {
        let member = |state: Option<NodeState>| state.is_some_and(NodeState::is_member);
        let size = self.sizes.entry(node).or_default();
        // Counts instead of walking through the whole view at each change: a view changes often
        // while a group forms.
        *size = (*size + usize::from(member(is))).saturating_sub(usize::from(member(was)));
        if self.join.is_none()
            && self.sizes.len() == self.nodes
            && self.sizes.values().all(|size| *size == self.nodes)
        {
            self.join = Some(now.since(Instant::ORIGIN));
        }
    }

    fn verdict(
        &mut self,
        moment: &Moment<'_>,
        node: NodeIndex,
        id: &NodeId,
        was: Option<NodeState>,
        is: NodeState,
    ) {
        if was == Some(is) {
            return;
        }
        let runs = moment.truth.find(id).is_some_and(|subject| moment.truth.node(subject).running);
        match is {
            NodeState::Alive => {}
            NodeState::Suspect => self.suspected += 1,
            // Only the simulator can tell a false failure from a true one.
            NodeState::Failed if runs => self.false_failures += 1,
            NodeState::Failed => self.reached(moment.now, node, Topic::Crash, id),
            NodeState::Left => self.reached(moment.now, node, Topic::Leave, id),
        }
    }

    fn reached(&mut self, now: Instant, node: NodeIndex, topic: Topic, about: &NodeId) {
        let Some(spread) = self.spreads.get_mut(&(topic, about.clone())) else { return };
        if !spread.waiting.remove(&node) {
            return;
        }
        let took = now.since(spread.at);
        let longer =
            |known: &mut Option<Duration>| *known = Some(known.map_or(took, |known| known.max(took)));
        if topic == Topic::Crash && !spread.any_reached {
            longer(&mut self.crash_first);
        }
        spread.any_reached = true;
        match topic {
            Topic::Crash => longer(&mut self.crash_last),
            Topic::Leave => longer(&mut self.leave_last),
            Topic::Tags => longer(&mut self.tags_last),
            Topic::Broadcast => longer(&mut self.broadcast_last),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} msgs {:>10} B", self.messages, self.bytes)?;
        let measured = [
            ("join", self.join),
            ("crash first", self.crash_first),
            ("crash last", self.crash_last),
            ("leave last", self.leave_last),
            ("tags last", self.tags_last),
            ("broadcast last", self.broadcast_last),
        ];
        for (name, time) in measured {
            if let Some(time) = time {
                write!(f, "  {name} {:.3} s", time.as_secs_f64())?;
            }
        }
        for (name, count) in [("suspected", self.suspected), ("false failures", self.false_failures)] {
            if count > 0 {
                write!(f, "  {name} {count}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{Incarnation, NodeAddr, NodeStatus, Tags};

    use super::*;
    use crate::truth::Truth;

    fn member(node: usize) -> NodeStatus {
        let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
        NodeStatus::alive(NodeIndex(node).id(), addr, Incarnation::new(1), Tags::empty())
    }

    fn see(figures: &mut Figures, truth: &Truth, ms: u64, what: Observed<'_>) {
        figures.observe(&Moment { now: Instant::ORIGIN + Duration::from_millis(ms), truth, what });
    }

    #[test]
    fn join_ends_when_last_view_is_complete() {
        let (mut figures, truth) = (Figures::new(2), Truth::new((0..2).map(|node| NodeIndex(node).id())));
        for (ms, node, subject) in [(1, 0, 0), (2, 1, 1), (3, 1, 0), (4, 0, 1)] {
            assert_eq!(figures.join, None, "before {ms} ms");
            let what = Observed::View { node: NodeIndex(node), before: None, after: Some(&member(subject)) };
            see(&mut figures, &truth, ms, what);
        }
        assert_eq!(figures.join, Some(Duration::from_millis(4)));
    }

    #[test]
    fn crash_is_measured_at_members_of_that_time() {
        let mut truth = Truth::new((0..4).map(|node| NodeIndex(node).id()));
        for node in 1..3 {
            (truth.node_mut(NodeIndex(node)).running, truth.node_mut(NodeIndex(node)).joined) = (true, true);
        }
        let mut figures = Figures::new(4);
        see(&mut figures, &truth, 1_000, Observed::Step(&Step::Fault(Fault::Crash(NodeIndex(0)))));
        let (alive, failed) = (member(0), member(0).with_state(NodeState::Failed));
        for (ms, node) in [(3_000, 1), (4_000, 2), (9_000, 3)] {
            let what = Observed::View { node: NodeIndex(node), before: Some(&alive), after: Some(&failed) };
            see(&mut figures, &truth, ms, what);
        }
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((figures.crash_first, figures.crash_last), (seconds(2), seconds(3)));
        assert_eq!(figures.false_failures, 0);
    }
}
