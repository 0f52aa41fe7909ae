//! What a run measured: how long news took, and what was sent.

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
    /// From the beginning until every member knew all, for the first time.
    pub join: Option<Duration>,
    /// From a crash until the first member had it as failed, the worst of all crashes.
    pub crash_first: Option<Duration>,
    /// The same until the last member had.
    pub crash_last: Option<Duration>,
    /// From a leave until the last member knew.
    pub leave_last: Option<Duration>,
    /// From new tags until the last member had them.
    pub tags_last: Option<Duration>,
    /// From a broadcast until the last member got it.
    pub broadcast_last: Option<Duration>,
    /// How many messages were sent, requests, answers and lost ones included.
    pub messages: u64,
    /// How many bytes they had, encoded, without what QUIC adds.
    pub bytes: u64,
    /// How often a member became suspect in somebody's view.
    pub suspected: u64,
    /// How often a running node became failed in somebody's view.
    pub false_failures: u64,
    nodes: usize,
    /// How many members each view has.
    sizes: BTreeMap<NodeIndex, usize>,
    /// When each kind of news about each node began.
    began: BTreeMap<(News, NodeId), Began>,
}

/// News on its way, and who has not heard it yet. It does not count for those who came later.
#[derive(Debug, Clone, PartialEq)]
struct Began {
    at: Instant,
    heard: bool,
    waiting: BTreeSet<NodeIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Crash,
    Leave,
    Tags,
    Broadcast,
}

impl Figures {
    /// Nothing measured yet, in a world of so many nodes.
    pub fn new(nodes: usize) -> Self {
        Self { nodes, ..Self::default() }
    }

    /// Takes in one moment.
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
                        self.heard(moment.now, *node, News::Tags, &after.id);
                    }
                }
            }
            Observed::Event { node, event: ClusterEvent::Broadcast { from, .. } } => {
                self.heard(moment.now, *node, News::Broadcast, from);
            }
            Observed::Event { .. } | Observed::Done { .. } | Observed::Load { .. } | Observed::Second => {}
        }
    }

    fn begin(&mut self, moment: &Moment<'_>, step: &Step) {
        let (news, node) = match step {
            Step::Fault(Fault::Crash(node) | Fault::Silence(node)) => (News::Crash, *node),
            Step::Fault(Fault::Restart { node, .. }) => {
                self.began.remove(&(News::Crash, node.id()));
                self.sizes.remove(node);
                for began in self.began.values_mut() {
                    began.waiting.remove(node);
                }
                return;
            }
            Step::Leave(node) => (News::Leave, *node),
            Step::SetTags(node, _) => (News::Tags, *node),
            Step::Broadcast(node, _) => (News::Broadcast, *node),
            Step::Start { .. } | Step::Fault(_) | Step::Forget { .. } => return,
        };
        let waiting =
            moment.truth.members().map(|(member, _)| member).filter(|member| *member != node).collect();
        self.began.insert((news, node.id()), Began { at: moment.now, heard: false, waiting });
    }

    fn count(&mut self, now: Instant, node: NodeIndex, was: Option<NodeState>, is: Option<NodeState>) {
        let member = |state: Option<NodeState>| state.is_some_and(NodeState::is_member);
        let size = self.sizes.entry(node).or_default();
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
            NodeState::Failed if runs => self.false_failures += 1,
            NodeState::Failed => self.heard(moment.now, node, News::Crash, id),
            NodeState::Left => self.heard(moment.now, node, News::Leave, id),
        }
    }

    fn heard(&mut self, now: Instant, node: NodeIndex, news: News, about: &NodeId) {
        let Some(began) = self.began.get_mut(&(news, about.clone())) else { return };
        if !began.waiting.remove(&node) {
            return;
        }
        let took = now.since(began.at);
        let longer =
            |known: &mut Option<Duration>| *known = Some(known.map_or(took, |known| known.max(took)));
        if news == News::Crash && !began.heard {
            longer(&mut self.crash_first);
        }
        began.heard = true;
        match news {
            News::Crash => longer(&mut self.crash_last),
            News::Leave => longer(&mut self.leave_last),
            News::Tags => longer(&mut self.tags_last),
            News::Broadcast => longer(&mut self.broadcast_last),
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
    fn the_join_ends_when_the_last_view_is_whole() {
        let (mut figures, truth) = (Figures::new(2), Truth::new((0..2).map(|node| NodeIndex(node).id())));
        for (ms, node, subject) in [(1, 0, 0), (2, 1, 1), (3, 1, 0), (4, 0, 1)] {
            assert_eq!(figures.join, None, "before {ms} ms");
            let what = Observed::View { node: NodeIndex(node), before: None, after: Some(&member(subject)) };
            see(&mut figures, &truth, ms, what);
        }
        assert_eq!(figures.join, Some(Duration::from_millis(4)));
    }

    #[test]
    fn a_crash_is_measured_by_those_who_were_there() {
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
