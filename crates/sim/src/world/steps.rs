//! The script's steps: nodes that start, stop, stall and are cut off, and what their applications ask for.

use std::time::Duration;

use kinfolk_swim::{Command, Outcome};

use super::{
    Arrival, Asked, CHECK_INTERVAL, CommandId, Fault, Happening, Input, NodeIndex, Observed, Process, Step,
    World,
};

/// How often a node tries to join, as the real cluster does by default.
const JOIN_ATTEMPTS_MAX: u32 = 10;
/// The wait after the first failed join, doubled after each further one.
const JOIN_BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two joins.
const JOIN_BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long a process goes on after it has said that it leaves.
const LEAVE_LINGER: Duration = Duration::from_millis(500);

impl World {
    pub(super) fn take_step(&mut self, step: usize) {
        let step = self.script[step].1.clone();
        self.trace.line(self.now, None, "step", &step);
        match &step {
            Step::Start { node, via } => self.start(*node, *via),
            Step::Fault(fault) => self.fault(fault),
            Step::Leave(node) => {
                self.truth.node_mut(*node).left = true;
                self.ask(*node, Asked::Once, Command::Leave);
            }
            Step::SetTags(node, tags) => self.ask(*node, Asked::Once, Command::SetTags(tags.clone())),
            Step::Broadcast(node, payload) => {
                self.ask(*node, Asked::Once, Command::Broadcast(payload.clone()));
            }
        }
    }

    fn fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Crash(node) => self.stop(*node),
            Fault::Restart { node, via } => return self.start(*node, Some(*via)),
            Fault::Pause(node) => {
                self.truth.node_mut(*node).paused = true;
                self.truth.node_mut(*node).disturbed = Some(self.now);
            }
            Fault::Resume(node) => {
                self.truth.node_mut(*node).paused = false;
                self.truth.node_mut(*node).disturbed = Some(self.now);
            }
            Fault::Cut { from, to } => self.network.cut(*from, *to),
            Fault::Partition(group) => self.network.partition(group, self.nodes.len()),
            Fault::Heal => self.network.heal(),
            Fault::Loss(loss) => self.network.set_loss(*loss),
        }
        if matches!(fault, Fault::Cut { .. } | Fault::Partition(_) | Fault::Heal | Fault::Loss(_)) {
            self.truth.disturb_all(self.now);
        }
        self.observe(Observed::Step(&Step::Fault(fault.clone())));
        if let Fault::Resume(node) = fault {
            self.catch_up(*node);
        }
    }

    /// A life begins.
    fn start(&mut self, node: NodeIndex, via: Option<NodeIndex>) {
        let (incarnation, now) = (self.incarnation(), self.now);
        let truth = self.truth.node_mut(node);
        assert!(!truth.running, "the script starts only what does not run");
        truth.life += 1;
        (truth.running, truth.paused, truth.left, truth.joined) = (true, false, false, via.is_none());
        truth.born = incarnation;
        let life = truth.life;
        let rng = self.streams.node(node.0, life);
        self.nodes[node.0].process =
            Some(Process::start(&self.nodes[node.0], incarnation, &self.config, rng, now));
        let step = if life == 1 {
            Step::Start { node, via }
        } else {
            Step::Fault(Fault::Restart { node, via: via.unwrap_or(node) })
        };
        self.observe(Observed::Step(&step));
        self.schedule(now + CHECK_INTERVAL, Happening::Arrives(node, Arrival::Check { life }));
        match via {
            Some(via) => self.join(node, via, 0),
            None => self.watch(node),
        }
        self.rearm(node);
    }

    /// A life ends, whether by a crash or after a leave.
    pub(super) fn stop(&mut self, node: NodeIndex) {
        let Some(process) = self.nodes[node.0].process.take() else { return };
        process.wake.map(|key| self.queue.remove(&key));
        for flight in process.requests.values() {
            self.queue.remove(&flight.deadline);
            self.asked.remove(&flight.reply);
        }
        self.nodes[node.0].waiting.clear();
        let truth = self.truth.node_mut(node);
        (truth.running, truth.paused) = (false, false);
    }

    /// What waited while the node paused comes first, in its order; then what is due.
    fn catch_up(&mut self, node: NodeIndex) {
        for arrival in std::mem::take(&mut self.nodes[node.0].waiting) {
            self.arrives(node, arrival);
        }
        self.feed(node, Input::Timeout);
    }

    pub(super) fn join(&mut self, node: NodeIndex, via: NodeIndex, attempt: u32) {
        let addr = self.nodes[via.0].addr;
        self.ask(node, Asked::Join(via, attempt), Command::Join { id: self.id(via), addr });
    }

    /// A node's application wants something. The observers hear of it before they see what follows.
    fn ask(&mut self, node: NodeIndex, asked: Asked, command: Command) {
        let step = match &command {
            Command::Leave => Some(Step::Leave(node)),
            Command::SetTags(tags) => Some(Step::SetTags(node, tags.clone())),
            Command::Broadcast(payload) => Some(Step::Broadcast(node, payload.clone())),
            Command::Join { .. } => None,
        };
        if let Some(step) = &step {
            self.observe(Observed::Step(step));
        }
        let Some(process) = self.process(node) else { return };
        let input = process.command(asked, command);
        self.feed(node, input);
    }

    pub(super) fn done(&mut self, node: NodeIndex, id: CommandId, outcome: &Outcome) {
        self.trace.line(self.now, Some(node), "done", format_args!("{outcome:?}"));
        let asked = self.process(node).and_then(|process| process.ended(id));
        let life = self.life(node);
        match (asked, outcome) {
            (None, _) => {
                let how = format!("{node} was told twice that command {} has ended", id.0);
                self.checks.violate("a command ends once", self.now, how);
            }
            (Some(_), Outcome::Joined { .. }) => self.truth.node_mut(node).joined = true,
            (Some(Asked::Join(via, failed)), _) if failed + 1 < JOIN_ATTEMPTS_MAX => {
                let backoff = (JOIN_BACKOFF_MIN * 2_u32.pow(failed)).min(JOIN_BACKOFF_MAX);
                let again = Arrival::JoinAgain { life, via, attempt: failed + 1 };
                self.schedule(self.now + backoff, Happening::Arrives(node, again));
            }
            (Some(_), Outcome::Left { .. }) => {
                let stop = Happening::Arrives(node, Arrival::Stop { life });
                self.schedule(self.now + LEAVE_LINGER, stop);
            }
            (Some(_), _) => {}
        }
        self.observe(Observed::Done { node, outcome });
    }
}
