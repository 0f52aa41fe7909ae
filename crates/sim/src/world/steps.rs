//! Performs the script's steps: starts of nodes, and requests of their applications. Faults are in
//! `faults.rs`.

use std::time::Duration;

use kinfolk_swim::{Command, Outcome};

use super::{Arrival, CommandId, Fault, NodeIndex, Observed, Purpose, SharedNodeRegistry, Step, World};

/// How often a node tries to join, as the real cluster does by default.
const JOIN_ATTEMPTS_MAX: u32 = 10;
/// The wait after the first failed join. It doubles after each further one.
const JOIN_BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two joins.
const JOIN_BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long a process runs after its leave is reported.
const LEAVE_LINGER: Duration = Duration::from_millis(500);

impl World {
    pub(super) fn take_step(&mut self, step: usize) {
        let step = self.script[step].1.clone();
        self.take(&step);
    }

    pub(super) fn take(&mut self, step: &Step) {
        self.trace.line(self.now, None, "step", step);
        match step {
            Step::Start { node, via } => self.start(*node, *via),
            Step::Fault(fault) => self.fault(fault),
            Step::Leave(node) => {
                self.truth.node_mut(*node).left = true;
                self.command(*node, Purpose::Once, Command::Leave);
            }
            Step::SetTags(node, tags) => {
                let about = tags.clone().into();
                self.command(*node, Purpose::Once, Command::Describe { about, revision: 0 });
            }
            Step::Broadcast(node, payload) => {
                self.command(*node, Purpose::Once, Command::Broadcast(payload.clone()));
            }
            Step::Forget { node, of } => {
                let command = Command::Forget { id: self.id(*of), remembered: None };
                self.command(*node, Purpose::Once, command);
            }
        }
    }

    /// Starts an instance with an empty view.
    pub(super) fn start(&mut self, node: NodeIndex, via: Option<NodeIndex>) {
        self.begin_instance(node, self.incarnation(node), SharedNodeRegistry::new());
        let truth = self.truth.node_mut(node);
        // The first node has no group to join: it is the group.
        truth.joined = via.is_none();
        // Observers distinguish a first start from a restart, because a restart ends earlier
        // obligations.
        let step = if truth.instance == 1 {
            Step::Start { node, via }
        } else {
            Step::Fault(Fault::Restart { node, via: via.unwrap_or(node) })
        };
        self.observe(Observed::Step(&step));
        match via {
            Some(via) => self.join(node, via, 0),
            None => self.show_changes(node),
        }
        self.rearm(node);
    }

    pub(super) fn join(&mut self, node: NodeIndex, via: NodeIndex, attempt: u32) {
        let addr = self.nodes[via.0].addr;
        self.command(node, Purpose::Join(via, attempt), Command::Join { id: self.id(via), addr });
    }

    /// A node's application issues a command. The observers see the step before its effects.
    fn command(&mut self, node: NodeIndex, purpose: Purpose, command: Command) {
        let step = match &command {
            Command::Leave => Some(Step::Leave(node)),
            Command::Describe { about, .. } => Some(Step::SetTags(node, about.tags.clone())),
            Command::Broadcast(payload) => Some(Step::Broadcast(node, payload.clone())),
            Command::Forget { id, .. } => Some(Step::Forget { node, of: self.find(id) }),
            Command::Join { .. } | Command::Revoke(_) | Command::Compare(_) => None,
        };
        if let Some(step) = &step {
            self.observe(Observed::Step(step));
        }
        let Some(process) = self.process(node) else { return };
        let input = process.command(purpose, command);
        self.feed(node, input);
    }

    pub(super) fn done(&mut self, node: NodeIndex, id: CommandId, outcome: &Outcome) {
        self.trace.line(self.now, Some(node), "done", format_args!("{outcome:?}"));
        let purpose = self.process(node).and_then(|process| process.ended(id));
        let instance = self.instance(node);
        match (purpose, outcome) {
            // The machine must end each command once; the purpose was removed at the first end.
            (None, _) => {
                let how = format!("command {} of {node} ended twice", id.0);
                self.checks.violate("a command ends once", self.now, how);
            }
            (Some(_), Outcome::Joined { .. }) => self.truth.node_mut(node).joined = true,
            (Some(Purpose::Join(via, failed)), _) if failed + 1 < JOIN_ATTEMPTS_MAX => {
                // The delay doubles, as in the real cluster, so that a seed that is down is not
                // flooded.
                let backoff = (JOIN_BACKOFF_MIN * 2_u32.pow(failed)).min(JOIN_BACKOFF_MAX);
                let again = Arrival::JoinAgain { instance, via, attempt: failed + 1 };
                self.after(node, backoff, again);
            }
            (Some(_), Outcome::Forgotten(Ok(tombstone))) => {
                let of = self.find(&tombstone.id);
                self.truth.node_mut(of).forgotten = true;
            }
            (Some(_), Outcome::Left { .. }) => {
                self.after(node, LEAVE_LINGER, Arrival::Stop { instance });
            }
            (Some(_), _) => {}
        }
        self.observe(Observed::Done { node, outcome });
    }
}
