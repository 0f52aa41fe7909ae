//! Suspicions, from the first accusation to the refutation or the failure (SWIM, section 4.2;
//! Lifeguard, section IV-B).

use std::collections::BTreeMap;

use kinfolk_core::{Cause, Instant, NodeId, NodeState, NodeStatus, Reason};
use kinfolk_detector::Suspicion;

use crate::context::Context;
use crate::interface::priority::Priority;
use crate::timer::{Timer, TimerKey};
use crate::wire::message::Update;

/// The suspected members, and the accusers of each.
#[derive(Debug)]
pub(super) struct Suspicions {
    of: BTreeMap<NodeId, Suspected>,
    /// Whether a suspicion expires into a failure. In the rings it does not: only members that
    /// accuse by their own evidence judge.
    expire: bool,
}

/// A suspected member: its accusers, and the timer of its failure.
#[derive(Debug)]
struct Suspected {
    suspicion: Suspicion,
    timer: Option<TimerKey>,
}

impl Suspicions {
    /// Suspicions that expire into a failure.
    pub(super) fn expiring() -> Self {
        Self { of: BTreeMap::new(), expire: true }
    }

    /// Suspicions that end only by the claims of other members.
    pub(super) fn without_clock() -> Self {
        Self { of: BTreeMap::new(), expire: false }
    }

    /// A member is suspect from now on, or is suspect already and has other accusers.
    pub(super) fn suspected(&mut self, cx: &mut Context, node: &NodeStatus, accusers: &[NodeId]) {
        let known = self.of.get(&node.id);
        if known.is_some_and(|known| known.suspicion.incarnation() == node.incarnation) {
            self.confirm(cx, node, accusers);
        } else {
            self.start(cx, node, accusers);
        }
    }

    fn start(&mut self, cx: &mut Context, node: &NodeStatus, accusers: &[NodeId]) {
        self.end(cx, &node.id);
        let mut suspicion = Suspicion::new(node.incarnation, accusers.first().cloned(), cx.now);
        for accuser in accusers.iter().skip(1) {
            suspicion.confirm(accuser, &cx.config.suspicion);
        }
        let timer = self.schedule(cx, &node.id, &suspicion);
        self.of.insert(node.id.clone(), Suspected { suspicion, timer });
    }

    /// More members accuse a suspect member. Independent accusers shorten its time (Lifeguard,
    /// section IV-B), and are passed on.
    pub(super) fn confirm(&mut self, cx: &mut Context, node: &NodeStatus, accusers: &[NodeId]) {
        let Some(mut suspected) = self.of.remove(&node.id) else {
            return self.start(cx, node, accusers);
        };
        let rule = &cx.config.suspicion;
        let confirmed = accusers.iter().filter(|accuser| suspected.suspicion.confirm(accuser, rule)).count();
        if confirmed > 0 {
            if let Some(timer) = suspected.timer {
                cx.timers.cancel(timer);
            }
            suspected.timer = self.schedule(cx, &node.id, &suspected.suspicion);
        }
        let accusers = suspected.suspicion.accusers().to_vec();
        self.of.insert(node.id.clone(), suspected);
        if confirmed > 0 {
            let update = Update::Node { status: node.clone().into(), accusers };
            cx.disseminate(update, Priority::High, None);
        }
    }

    /// Ends the suspicion of a member.
    pub(super) fn end(&mut self, cx: &mut Context, id: &NodeId) {
        if let Some(timer) = self.of.remove(id).and_then(|ended| ended.timer) {
            cx.timers.cancel(timer);
        }
    }

    /// The accusers of `id`, as far as this member knows.
    pub(super) fn accusers_of(&self, id: &NodeId) -> Vec<NodeId> {
        let known = self.of.get(id).map(|suspected| suspected.suspicion.accusers());
        known.unwrap_or_default().iter().take(Cause::ACCUSERS_MAX).cloned().collect()
    }

    /// The suspected members.
    pub(super) fn ids(&self) -> impl Iterator<Item = &NodeId> {
        self.of.keys()
    }

    /// When the suspicion of `id` began.
    pub(super) fn started(&self, id: &NodeId) -> Option<Instant> {
        self.of.get(id).map(|suspected| suspected.suspicion.started())
    }

    /// The timer of a suspicion is due.
    pub(super) fn due(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(mut suspected) = self.of.remove(id) else { return };
        // The group may have grown since, which makes the time longer.
        if deadline(cx, &suspected.suspicion) > cx.now {
            suspected.timer = self.schedule(cx, id, &suspected.suspicion);
            self.of.insert(id.clone(), suspected);
            return;
        }
        let suspicion = suspected.suspicion;
        let Some(node) = cx.members.get(id) else { return };
        if node.state != NodeState::Suspect || node.incarnation != suspicion.incarnation() {
            return;
        }
        cx.stats.failures += 1;
        let accusers = suspicion.accusers().iter().take(Cause::ACCUSERS_MAX).cloned().collect();
        let reason = Reason::SuspicionExpired { suspected_for: cx.now.since(suspicion.started()) };
        cx.judge(&node, NodeState::Failed, Cause { reason, accusers });
    }

    fn schedule(&self, cx: &mut Context, id: &NodeId, suspicion: &Suspicion) -> Option<TimerKey> {
        let at = deadline(cx, suspicion);
        self.expire.then(|| cx.timers.schedule(at, Timer::Suspicion(id.clone())))
    }
}

fn deadline(cx: &Context, suspicion: &Suspicion) -> Instant {
    suspicion.deadline(&cx.config.suspicion, cx.members.member_count(), cx.config.probe_interval)
}
