//! Something has changed in the registry: tell the application, keep clocks and orders in step, pass it on.

use std::sync::Arc;

use kinfolk_core::{Cause, Change, ClusterEvent, Instant, NodeState, NodeStatus};

use crate::machine::Machine;
use crate::message::Update;
use crate::output::Output;
use crate::queue::Priority;
use crate::timer::Timer;

impl Machine {
    /// Our own entry, at the start.
    pub(crate) fn introduce(&mut self, me: NodeStatus) {
        if let Change::Applied { after, .. } = self.registry.apply(me) {
            self.pass_on(after, &[]);
        }
    }

    pub(crate) fn on_health(&mut self, now: Instant, change: &Change, cause: &Cause) {
        self.stats.suspicions += u64::from(change.after().is_some());
        self.on_change(now, change, cause, true);
    }

    /// Follows one change of the registry through. `spread` says whether it is passed on.
    pub(crate) fn on_change(&mut self, now: Instant, change: &Change, cause: &Cause, spread: bool) {
        let (before, after) = match change {
            Change::None => return,
            Change::Full => return self.stats.registry_full += 1,
            Change::Applied { before, after } => (before, Arc::clone(after)),
        };
        for event in ClusterEvent::of_change(change, cause) {
            self.output(Output::Event(event));
        }
        if after.id != self.me.id {
            let was_member = before.as_ref().is_some_and(|before| before.state.is_member());
            self.follow(now, was_member, &after, cause);
        }
        if spread {
            self.pass_on(after, &cause.accusers);
        }
    }

    /// Keeps the order of probes, the clocks of suspicion and the tombstones in step with the registry.
    fn follow(&mut self, now: Instant, was_member: bool, after: &NodeStatus, cause: &Cause) {
        match (was_member, after.state.is_member()) {
            (false, true) => self.overlay.insert(&after.id, &mut self.rng),
            (true, false) => self.overlay.remove(&after.id),
            _ => {}
        }
        if let Some(former) = self.tombstones.remove(&after.id) {
            self.timers.cancel(former);
        }
        match after.state {
            NodeState::Alive => self.end_suspicion(&after.id),
            NodeState::Suspect => {
                let known = self.suspicions.get(&after.id);
                if known.is_some_and(|known| known.suspicion.incarnation() == after.incarnation) {
                    self.confirm(now, after, &cause.accusers);
                } else {
                    self.start_suspicion(now, after, &cause.accusers);
                }
            }
            NodeState::Failed | NodeState::Left => {
                self.end_suspicion(&after.id);
                let at = now + self.config.tombstone_ttl;
                let timer = self.timers.schedule(at, Timer::Reap(after.id.clone(), after.incarnation));
                self.tombstones.insert(after.id.clone(), timer);
            }
        }
    }

    fn pass_on(&mut self, status: Arc<NodeStatus>, accusers: &[kinfolk_core::NodeId]) {
        let priority = match status.state {
            NodeState::Failed | NodeState::Left => Priority::Critical,
            NodeState::Suspect => Priority::High,
            NodeState::Alive => Priority::Medium,
        };
        let accusers = match status.state {
            NodeState::Suspect | NodeState::Failed => accusers.to_vec(),
            NodeState::Alive | NodeState::Left => Vec::new(),
        };
        self.queue.push(Update::Node { status, accusers }, priority);
    }
}
