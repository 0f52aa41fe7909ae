//! A start, a leave, new tags, and a broadcast reach every member within a stated time. Each member
//! delivers a broadcast once. (SWIM, section 4.1: dissemination is infection-style and needs a
//! logarithmic number of rounds.)

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterEvent, NodeId, NodeState, NodeStatus, Tags};

use super::Invariant;
use super::dissemination::Dissemination;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// Tracks each dissemination until it is complete; see the module.
#[derive(Debug)]
pub struct ReachesAll {
    within: Duration,
    under_way: BTreeMap<NodeId, Vec<(Topic, Dissemination)>>,
    /// The broadcasts that each instance of each member has delivered.
    delivered: BTreeSet<(NodeIndex, u32, NodeId, Bytes)>,
}

#[derive(Debug)]
enum Topic {
    Start,
    Leave,
    Tags(Tags),
    Broadcast(Bytes),
}

impl ReachesAll {
    /// Each topic must reach all members within this time.
    pub fn within(within: Duration) -> Self {
        Self { within, under_way: BTreeMap::new(), delivered: BTreeSet::new() }
    }

    fn begin(&mut self, moment: &Moment<'_>, step: &Step) {
        let (node, topic) = match step {
            Step::Start { node, .. } | Step::Fault(Fault::Restart { node, .. }) => (*node, Topic::Start),
            Step::Leave(node) => (*node, Topic::Leave),
            Step::SetTags(node, tags) => (*node, Topic::Tags(tags.clone())),
            Step::Broadcast(node, payload) => (*node, Topic::Broadcast(payload.clone())),
            Step::Fault(Fault::Crash(node) | Fault::Silence(node)) => {
                // The source crashed before the dissemination was complete. The protocol does not
                // promise that the remaining members learn of it.
                self.under_way.remove(&node.id());
                return;
            }
            Step::Fault(_) | Step::Forget { .. } => return,
        };
        let update = Dissemination::new(moment, node, self.within, step.to_string());
        let open = self.under_way.entry(node.id()).or_default();
        match &topic {
            // A newer topic replaces an older one: members keep only the latest statement.
            Topic::Leave => open.retain(|(topic, _)| matches!(topic, Topic::Broadcast(_))),
            Topic::Tags(_) => open.retain(|(topic, _)| !matches!(topic, Topic::Tags(_))),
            Topic::Start | Topic::Broadcast(_) => {}
        }
        open.push((topic, update));
    }

    fn claim(&mut self, moment: &Moment<'_>, node: NodeIndex, known: &NodeStatus) {
        let Some(open) = self.under_way.get_mut(&known.id) else { return };
        let born = moment.truth.find(&known.id).map(|subject| moment.truth.node(subject).born);
        for (topic, update) in open {
            let says = match topic {
                // An incarnation below the one of the start belongs to the previous instance.
                Topic::Start => known.state.is_member() && Some(known.incarnation) >= born,
                Topic::Leave => known.state == NodeState::Left,
                Topic::Tags(tags) => known.tags == *tags,
                Topic::Broadcast(_) => false,
            };
            if says {
                update.reached(node);
            }
        }
    }

    fn broadcast(
        &mut self,
        moment: &Moment<'_>,
        node: NodeIndex,
        from: &NodeId,
        payload: &Bytes,
    ) -> Result<(), String> {
        for (topic, update) in self.under_way.get_mut(from).into_iter().flatten() {
            if matches!(topic, Topic::Broadcast(of) if of == payload) {
                update.reached(node);
            }
        }
        let instance = moment.truth.node(node).instance;
        if self.delivered.insert((node, instance, from.clone(), payload.clone())) {
            return Ok(());
        }
        Err(format!("{node} delivered a broadcast of {from} twice"))
    }
}

impl Invariant for ReachesAll {
    fn name(&self) -> &'static str {
        "every update reaches all members in time"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        match &moment.what {
            Observed::Step(step) => self.begin(moment, step),
            Observed::View { node, after: Some(after), .. } => self.claim(moment, *node, after),
            Observed::Event { node, event: ClusterEvent::Broadcast { from, payload } } => {
                self.broadcast(moment, *node, from, payload)?;
            }
            Observed::Second => {
                for open in self.under_way.values_mut() {
                    let mut still_open = Vec::new();
                    for (topic, mut update) in std::mem::take(open) {
                        if !update.done(moment)? {
                            still_open.push((topic, update));
                        }
                    }
                    *open = still_open;
                }
                self.under_way.retain(|_, open| !open.is_empty());
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Left};

    use super::super::testing::{A, B, C, show, status, truth, view};
    use super::*;
    use crate::truth::Truth;

    const PAYLOAD: &[u8] = b"update";

    fn begun(step: &Step) -> (ReachesAll, Truth) {
        let (mut rule, truth) = (ReachesAll::within(Duration::from_secs(5)), truth(3));
        show(&mut rule, &truth, 0, Observed::Step(step)).unwrap();
        (rule, truth)
    }

    fn in_time(rule: &mut ReachesAll, truth: &Truth) -> bool {
        show(rule, truth, 5, Observed::Second).unwrap();
        show(rule, truth, 6, Observed::Second).is_ok()
    }

    fn receive(rule: &mut ReachesAll, truth: &Truth, node: NodeIndex) -> Result<(), String> {
        let event = ClusterEvent::Broadcast { from: A.id(), payload: Bytes::from_static(PAYLOAD) };
        show(rule, truth, 1, Observed::Event { node, event: &event })
    }

    #[test]
    fn leave_that_misses_a_member_is_caught() {
        let (mut rule, truth) = begun(&Step::Leave(A));
        view(&mut rule, &truth, B, None, &status(A, 10, Left)).unwrap();
        assert!(!in_time(&mut rule, &truth));
        let (mut rule, truth) = begun(&Step::Leave(A));
        for node in [B, C] {
            view(&mut rule, &truth, node, None, &status(A, 10, Left)).unwrap();
        }
        assert!(in_time(&mut rule, &truth));
    }

    #[test]
    fn start_counts_only_with_its_incarnation() {
        for (incarnation, known) in [(10, true), (9, false)] {
            let (mut rule, truth) = begun(&Step::Start { node: A, via: Some(B) });
            for node in [B, C] {
                view(&mut rule, &truth, node, None, &status(A, incarnation, Alive)).unwrap();
            }
            assert_eq!(in_time(&mut rule, &truth), known);
        }
    }

    #[test]
    fn wrong_tags_are_caught() {
        let tags = Tags::new([("k", "v")]).unwrap();
        let (mut rule, truth) = begun(&Step::SetTags(A, tags.clone()));
        let mut right = status(A, 11, Alive);
        right.tags = tags;
        view(&mut rule, &truth, B, None, &right).unwrap();
        view(&mut rule, &truth, C, None, &status(A, 11, Alive)).unwrap();
        assert!(!in_time(&mut rule, &truth));
    }

    #[test]
    fn missed_or_repeated_broadcast_is_caught() {
        let (mut rule, truth) = begun(&Step::Broadcast(A, Bytes::from_static(PAYLOAD)));
        receive(&mut rule, &truth, B).unwrap();
        assert!(receive(&mut rule, &truth, B).is_err());
        assert!(!in_time(&mut rule, &truth));
    }

    #[test]
    /// A broadcast is orphaned when its origin crashes before all members have it.
    fn complete_or_orphaned_broadcast_is_accepted() {
        let (mut rule, truth) = begun(&Step::Broadcast(A, Bytes::from_static(PAYLOAD)));
        for node in [B, C] {
            receive(&mut rule, &truth, node).unwrap();
        }
        assert!(in_time(&mut rule, &truth));
        let (mut rule, truth) = begun(&Step::Broadcast(A, Bytes::from_static(PAYLOAD)));
        show(&mut rule, &truth, 0, Observed::Step(&Step::Fault(Fault::Crash(A)))).unwrap();
        assert!(in_time(&mut rule, &truth));
    }
}
