//! Performs faults of nodes and network, and ends them.

use super::{Fault, Input, Node, NodeIndex, Observed, Step, World};

impl World {
    pub(super) fn fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Crash(node) => self.stop(*node),
            Fault::Silence(node) => {
                self.stop(*node);
                self.truth.node_mut(*node).silent = true;
            }
            Fault::Restart { node, via } => return self.start(*node, Some(*via)),
            Fault::Pause(node) => self.truth.node_mut(*node).paused = true,
            Fault::Resume(node) => self.truth.node_mut(*node).paused = false,
            Fault::Block(node) => self.truth.node_mut(*node).blocked = true,
            Fault::Unblock(node) => self.truth.node_mut(*node).blocked = false,
            Fault::Slow { node, by } => self.nodes[node.0].slow = *by,
            Fault::Drift { node, rate } => {
                self.nodes[node.0].clock.set_rate(self.now, *rate);
                self.rearm(*node);
            }
            Fault::Jump { node, by } => {
                self.nodes[node.0].clock.jump(self.now, *by);
                self.rearm(*node);
            }
            Fault::SetBack { node, by } => self.nodes[node.0].set_back += *by,
            Fault::Cut { from, to } => self.network.cut(*from, *to),
            Fault::Partition(group) => self.network.partition(group),
            Fault::Heal => self.network.heal(),
            Fault::Loss(loss) => self.network.set_loss(*loss),
            Fault::Ingress { node, loss } => self.network.set_ingress(*node, *loss),
            Fault::Egress { node, loss } => self.network.set_egress(*node, *loss),
            Fault::Link { from, to, rule } => self.network.set_link(*from, *to, *rule),
            Fault::Duplication(share) => self.network.set_duplication(*share),
            Fault::Reordering(share) => self.network.set_reordering(*share),
        }
        match fault.affected() {
            // Invariants may excuse a false failure shortly after a fault, so the truth records its
            // time.
            Some(node) => self.truth.node_mut(node).disturbed = Some(self.now),
            None => self.truth.disturb_all(self.now),
        }
        self.observe(Observed::Step(&Step::Fault(fault.clone())));
        match fault {
            Fault::Resume(node) => self.catch_up(*node),
            Fault::Unblock(node) => self.unblock(*node),
            _ => {}
        }
    }

    /// Ends an instance, after a crash or a leave.
    pub(super) fn stop(&mut self, node: NodeIndex) {
        let remembers = self.remembers;
        let Node { id, process, waiting, held, outbox_full, remembered, .. } = &mut self.nodes[node.0];
        let Some(process) = process.take() else { return };
        self.wakes[node.0] = None;
        if remembers {
            *remembered = process.machine.registry().get(id).map(|own| own.incarnation);
        }
        // The messages that waited were for the process that ended.
        waiting.clear();
        held.clear();
        *outbox_full = false;
        let truth = self.truth.node_mut(node);
        (truth.running, truth.paused, truth.blocked) = (false, false, false);
    }

    /// Handles the messages that waited while the node was paused, in their order, and then the
    /// timers that are due.
    fn catch_up(&mut self, node: NodeIndex) {
        for arrival in std::mem::take(&mut self.nodes[node.0].waiting) {
            self.arrives(node, arrival);
        }
        self.feed(node, Input::Timeout);
    }

    /// A message of a blocked node waits to go out, so the node's driver waits too.
    pub(super) fn outbox_fills(&mut self, node: NodeIndex) {
        let stuck = self.truth.node(node).blocked && !self.nodes[node.0].held.is_empty();
        // The machine learns of a full outbox once, as the driver reports only changes.
        if stuck && !std::mem::replace(&mut self.nodes[node.0].outbox_full, true) {
            self.feed(node, Input::BackPressure);
        }
    }

    /// Sends the messages that waited, tells the machine that the outbox is free, and handles the
    /// messages that arrived.
    fn unblock(&mut self, node: NodeIndex) {
        self.release(node);
        if std::mem::take(&mut self.nodes[node.0].outbox_full) {
            self.feed(node, Input::BackPressureEnded);
        }
        for arrival in std::mem::take(&mut self.nodes[node.0].waiting) {
            self.arrives(node, arrival);
        }
    }
}
