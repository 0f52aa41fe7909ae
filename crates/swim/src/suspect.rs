//! Suspicion: from the first accusation to the refutation or the failure (SWIM, section 4.2; Lifeguard, section IV-B).

use kinfolk_core::{Cause, Instant, NodeId, NodeState, NodeStatus, Reason};
use kinfolk_detector::Suspicion;

use crate::machine::Machine;
use crate::message::Update;
use crate::on_change::Spread;
use crate::queue::Priority;
use crate::timer::{Timer, TimerKey};

/// A suspected member: who accuses it, and when we shall declare it failed. `None` in `Mode::Verified`, where only those
/// judge who accuse by their own evidence (`verdict.rs`).
#[derive(Debug)]
pub(crate) struct Suspected {
    pub suspicion: Suspicion,
    timer: Option<TimerKey>,
}

impl Machine {
    /// We ourselves accuse `id`.
    pub(crate) fn suspect(&mut self, now: Instant, id: &NodeId, reason: Reason) {
        let Some(node) = self.registry.get(id).filter(|node| node.state.is_member()) else { return };
        let me = self.me.id.clone();
        if node.state == NodeState::Suspect {
            return self.confirm(now, &node, &[me]);
        }
        self.stats.suspicions += 1;
        let change = self.registry.apply(node.with_state(NodeState::Suspect));
        self.on_change(now, &change, &Cause::by(me, reason), Spread::All);
    }

    /// A member has become suspect: its clock starts.
    pub(crate) fn start_suspicion(&mut self, now: Instant, node: &NodeStatus, accusers: &[NodeId]) {
        self.end_suspicion(&node.id);
        let mut suspicion = Suspicion::new(node.incarnation, accusers.first().cloned(), now);
        for accuser in accusers.iter().skip(1) {
            suspicion.confirm(accuser, &self.config.suspicion);
        }
        let timer = self.schedule_suspicion(&node.id, &suspicion);
        self.suspicions.insert(node.id.clone(), Suspected { suspicion, timer });
    }

    /// More members accuse one that is suspect already: independent ones shorten its time, and are passed on.
    pub(crate) fn confirm(&mut self, now: Instant, node: &NodeStatus, accusers: &[NodeId]) {
        let Some(mut suspected) = self.suspicions.remove(&node.id) else {
            return self.start_suspicion(now, node, accusers);
        };
        let rule = &self.config.suspicion;
        let news = accusers.iter().filter(|accuser| suspected.suspicion.confirm(accuser, rule)).count();
        if news > 0 {
            if let Some(timer) = suspected.timer {
                self.timers.cancel(timer);
            }
            suspected.timer = self.schedule_suspicion(&node.id, &suspected.suspicion);
        }
        let accusers = suspected.suspicion.accusers().to_vec();
        self.suspicions.insert(node.id.clone(), suspected);
        if news > 0 {
            self.queue.push(Update::Node { status: node.clone().into(), accusers }, Priority::High);
        }
    }

    pub(crate) fn end_suspicion(&mut self, id: &NodeId) {
        if let Some(timer) = self.suspicions.remove(id).and_then(|ended| ended.timer) {
            self.timers.cancel(timer);
        }
    }

    /// Who accuses `id`, as far as we know.
    pub(crate) fn accusers_of(&self, id: &NodeId) -> Vec<NodeId> {
        let known = self.suspicions.get(id).map(|suspected| suspected.suspicion.accusers());
        known.unwrap_or_default().iter().take(Cause::ACCUSERS_MAX).cloned().collect()
    }

    pub(crate) fn on_suspicion_due(&mut self, now: Instant, id: &NodeId) {
        let Some(mut suspected) = self.suspicions.remove(id) else { return };
        // The group may have grown since: then the time is longer.
        if self.deadline(&suspected.suspicion) > now {
            suspected.timer = self.schedule_suspicion(id, &suspected.suspicion);
            self.suspicions.insert(id.clone(), suspected);
            return;
        }
        let suspicion = suspected.suspicion;
        let Some(node) = self.registry.get(id) else { return };
        if node.state != NodeState::Suspect || node.incarnation != suspicion.incarnation() {
            return;
        }
        self.stats.failures += 1;
        let accusers = suspicion.accusers().iter().take(Cause::ACCUSERS_MAX).cloned().collect();
        let reason = Reason::SuspicionExpired { suspected_for: now.since(suspicion.started()) };
        let change = self.registry.apply(node.with_state(NodeState::Failed));
        self.on_change(now, &change, &Cause { reason, accusers }, Spread::All);
    }

    fn schedule_suspicion(&mut self, id: &NodeId, suspicion: &Suspicion) -> Option<TimerKey> {
        let judges = !self.config.is_verified();
        judges.then(|| self.timers.schedule(self.deadline(suspicion), Timer::Suspicion(id.clone())))
    }

    fn deadline(&self, suspicion: &Suspicion) -> Instant {
        suspicion.deadline(&self.config.suspicion, self.registry.member_count(), self.config.probe_interval)
    }
}
