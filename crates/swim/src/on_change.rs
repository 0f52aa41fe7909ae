//! Something has changed in the registry: tell the application, keep clocks and orders in step, pass it on.

use std::sync::Arc;

use kinfolk_core::{Cause, Change, Instant, NodeId, NodeState, NodeStatus};

use crate::machine::Machine;
use crate::message::Update;
use crate::queue::Priority;
use crate::timer::Timer;

/// To whom a change is passed on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spread<'a> {
    /// The group knows it already.
    Nobody,
    All,
    /// To all but the one who told us.
    AllBut(&'a NodeId),
}

impl Machine {
    /// Our own entry, at the start.
    pub(crate) fn introduce(&mut self, me: NodeStatus) {
        if let Change::Applied { after, .. } = self.registry.apply(me) {
            self.pass_on(after, &[], None);
        }
    }

    pub(crate) fn on_health(&mut self, now: Instant, id: &NodeId, change: &Change, cause: &Cause) {
        self.stats.suspicions += u64::from(change.after().is_some());
        self.on_change(now, change, cause, Spread::All);
        if self.config.is_verified() {
            self.on_phi(now, id, cause.reason);
        }
    }

    /// Follows one change of the registry through, and passes it on as `spread` says.
    pub(crate) fn on_change(&mut self, now: Instant, change: &Change, cause: &Cause, spread: Spread<'_>) {
        let (before, after) = match change {
            Change::None => return,
            Change::Full => return self.stats.registry_full += 1,
            Change::Applied { before, after } => (before, Arc::clone(after)),
        };
        self.tell_change(now, change, cause);
        self.note_change(now, change, cause);
        if after.id != self.me.id {
            let was_member = before.as_ref().is_some_and(|before| before.state.is_member());
            self.follow(now, was_member, &after, cause);
        }
        let has_left =
            |before: &Arc<NodeStatus>| before.state != after.state && after.state == NodeState::Left;
        if before.as_ref().is_some_and(has_left) {
            self.mass.left();
        }
        self.recount(now);
        match spread {
            Spread::Nobody => {}
            Spread::All => self.pass_on(after, &cause.accusers, None),
            Spread::AllBut(teller) => self.pass_on(after, &cause.accusers, Some(teller)),
        }
    }

    /// Keeps the order of probes, the clocks of suspicion and the tombstones in step with the registry.
    fn follow(&mut self, now: Instant, was_member: bool, after: &NodeStatus, cause: &Cause) {
        match (was_member, after.state.is_member()) {
            (false, true) => self.come(now, &after.id),
            (true, false) => self.go(now, &after.id),
            _ => {}
        }
        self.forgotten.remove(&after.id);
        if let Some(former) = self.tombstones.remove(&after.id) {
            let reaped_at = self.timers.due_at(former);
            self.timers.cancel(former);
            if let Some(at) = reaped_at.filter(|_| after.state.is_member()) {
                self.tell_missed_words(now, after, at - self.config.tombstone_ttl);
            }
        }
        match after.state {
            NodeState::Alive => {
                self.end_suspicion(&after.id);
                // It has just said so itself.
                self.heard_from(now, &after.id);
            }
            NodeState::Suspect => {
                self.on_subject_suspected(now, &after.id);
                let known = self.suspicions.get(&after.id);
                if known.is_some_and(|known| known.suspicion.incarnation() == after.incarnation) {
                    self.confirm(now, after, &cause.accusers);
                } else {
                    self.start_suspicion(now, after, &cause.accusers);
                }
            }
            NodeState::Failed | NodeState::Left => {
                self.end_suspicion(&after.id);
                self.keep_tombstone(now, after);
            }
        }
    }

    /// Keeps this tombstone from now on for as long as the configuration says.
    pub(crate) fn keep_tombstone(&mut self, now: Instant, node: &NodeStatus) {
        let at = now + self.config.tombstone_ttl;
        let timer = self.timers.schedule(at, Timer::Reap(node.id.clone(), node.incarnation));
        self.tombstones.insert(node.id.clone(), timer);
    }

    fn come(&mut self, now: Instant, id: &NodeId) {
        self.overlay.insert(id, &mut self.rng);
        self.watch.rings.insert(id);
        self.rewatch(now);
    }

    fn go(&mut self, now: Instant, id: &NodeId) {
        self.overlay.remove(id);
        self.watch.rings.remove(id, self.overlay.ids().iter());
        self.rewatch(now);
    }

    fn pass_on(&mut self, status: Arc<NodeStatus>, accusers: &[NodeId], teller: Option<&NodeId>) {
        let priority = match status.state {
            NodeState::Failed | NodeState::Left => Priority::Critical,
            NodeState::Suspect => Priority::High,
            NodeState::Alive => Priority::Medium,
        };
        let accusers = match status.state {
            NodeState::Suspect | NodeState::Failed => accusers.to_vec(),
            NodeState::Alive | NodeState::Left => Vec::new(),
        };
        self.queue.push_heard_from(Update::Node { status, accusers }, priority, teller);
    }
}
