//! A start, a leave, new tags and a broadcast reach every member within a stated time, and a broadcast is told once
//! (SWIM, section 4.1: dissemination is infection-style and needs a logarithmic number of rounds).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterEvent, NodeId, NodeState, NodeStatus, Tags};

use super::Invariant;
use super::news::News;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// See the file's head.
#[derive(Debug)]
pub struct ReachesAll {
    within: Duration,
    under_way: BTreeMap<NodeId, Vec<(Topic, News)>>,
    /// Which life of which member has been told which broadcast.
    told: BTreeSet<(NodeIndex, u32, NodeId, Bytes)>,
}

#[derive(Debug)]
enum Topic {
    Start,
    Leave,
    Tags(Tags),
    Broadcast(Bytes),
}

impl ReachesAll {
    /// News must reach all within this time.
    pub fn within(within: Duration) -> Self {
        Self { within, under_way: BTreeMap::new(), told: BTreeSet::new() }
    }

    fn begin(&mut self, moment: &Moment<'_>, step: &Step) {
        let (node, topic) = match step {
            Step::Start { node, .. } | Step::Fault(Fault::Restart { node, .. }) => (*node, Topic::Start),
            Step::Leave(node) => (*node, Topic::Leave),
            Step::SetTags(node, tags) => (*node, Topic::Tags(tags.clone())),
            Step::Broadcast(node, payload) => (*node, Topic::Broadcast(payload.clone())),
            Step::Fault(Fault::Crash(node) | Fault::Silence(node)) => {
                // Who dies in the middle of a sentence owes nobody the end of it.
                self.under_way.remove(&node.id());
                return;
            }
            Step::Fault(_) | Step::Forget { .. } => return,
        };
        let news = News::new(moment, node, self.within, step.to_string());
        let open = self.under_way.entry(node.id()).or_default();
        match &topic {
            // What is newer stands for what is older.
            Topic::Leave => open.retain(|(topic, _)| matches!(topic, Topic::Broadcast(_))),
            Topic::Tags(_) => open.retain(|(topic, _)| !matches!(topic, Topic::Tags(_))),
            Topic::Start | Topic::Broadcast(_) => {}
        }
        open.push((topic, news));
    }

    fn claim(&mut self, moment: &Moment<'_>, node: NodeIndex, known: &NodeStatus) {
        let Some(open) = self.under_way.get_mut(&known.id) else { return };
        let born = moment.truth.find(&known.id).map(|subject| moment.truth.node(subject).born);
        for (topic, news) in open {
            let says = match topic {
                Topic::Start => known.state.is_member() && Some(known.incarnation) >= born,
                Topic::Leave => known.state == NodeState::Left,
                Topic::Tags(tags) => known.tags == *tags,
                Topic::Broadcast(_) => false,
            };
            if says {
                news.reached(node);
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
        for (topic, news) in self.under_way.get_mut(from).into_iter().flatten() {
            if matches!(topic, Topic::Broadcast(of) if of == payload) {
                news.reached(node);
            }
        }
        let life = moment.truth.node(node).life;
        if self.told.insert((node, life, from.clone(), payload.clone())) {
            return Ok(());
        }
        Err(format!("{node} was told a broadcast of {from} twice"))
    }
}

impl Invariant for ReachesAll {
    fn name(&self) -> &'static str {
        "news reaches all in time"
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
                    for (topic, mut news) in std::mem::take(open) {
                        if !news.done(moment)? {
                            still_open.push((topic, news));
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

    const NEWS: &[u8] = b"news";

    fn begun(step: &Step) -> (ReachesAll, Truth) {
        let (mut rule, truth) = (ReachesAll::within(Duration::from_secs(5)), truth(3));
        show(&mut rule, &truth, 0, Observed::Step(step)).unwrap();
        (rule, truth)
    }

    fn in_time(rule: &mut ReachesAll, truth: &Truth) -> bool {
        show(rule, truth, 5, Observed::Second).unwrap();
        show(rule, truth, 6, Observed::Second).is_ok()
    }

    fn hear(rule: &mut ReachesAll, truth: &Truth, node: NodeIndex) -> Result<(), String> {
        let event = ClusterEvent::Broadcast { from: A.id(), payload: Bytes::from_static(NEWS) };
        show(rule, truth, 1, Observed::Event { node, event: &event })
    }

    #[test]
    fn a_leave_that_one_member_misses_is_caught() {
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
    fn a_start_is_known_only_with_its_own_incarnation() {
        for (incarnation, known) in [(10, true), (9, false)] {
            let (mut rule, truth) = begun(&Step::Start { node: A, via: Some(B) });
            for node in [B, C] {
                view(&mut rule, &truth, node, None, &status(A, incarnation, Alive)).unwrap();
            }
            assert_eq!(in_time(&mut rule, &truth), known);
        }
    }

    #[test]
    fn tags_that_arrive_as_others_are_caught() {
        let tags = Tags::new([("k", "v")]).unwrap();
        let (mut rule, truth) = begun(&Step::SetTags(A, tags.clone()));
        let mut right = status(A, 11, Alive);
        right.tags = tags;
        view(&mut rule, &truth, B, None, &right).unwrap();
        view(&mut rule, &truth, C, None, &status(A, 11, Alive)).unwrap();
        assert!(!in_time(&mut rule, &truth));
    }

    #[test]
    fn a_broadcast_that_is_missed_or_told_twice_is_caught() {
        let (mut rule, truth) = begun(&Step::Broadcast(A, Bytes::from_static(NEWS)));
        hear(&mut rule, &truth, B).unwrap();
        assert!(hear(&mut rule, &truth, B).is_err());
        assert!(!in_time(&mut rule, &truth));
    }

    #[test]
    fn a_broadcast_that_all_hear_is_right_and_so_is_one_whose_origin_dies() {
        let (mut rule, truth) = begun(&Step::Broadcast(A, Bytes::from_static(NEWS)));
        for node in [B, C] {
            hear(&mut rule, &truth, node).unwrap();
        }
        assert!(in_time(&mut rule, &truth));
        let (mut rule, truth) = begun(&Step::Broadcast(A, Bytes::from_static(NEWS)));
        show(&mut rule, &truth, 0, Observed::Step(&Step::Fault(Fault::Crash(A)))).unwrap();
        assert!(in_time(&mut rule, &truth));
    }
}
