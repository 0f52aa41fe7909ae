//! Checks of a port: whether the host of a silent member says that nobody listens there, which a process that merely stalls
//! cannot cause. The driver makes the check; here is whom it was for.

use kinfolk_core::{Instant, NodeId};

use crate::input::{CheckId, RequestId};
use crate::machine::Machine;
use crate::output::Output;
use crate::requests::{Purpose, RELAYS_MAX};

/// How many checks are under way at the most: one a subject, and one for each whom we are a witness for.
const CHECKS_MAX: usize = RELAYS_MAX;

/// For whom a port is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// For ourselves: a subject of ours.
    Subject(NodeId),
    /// For a member that asked us to be its witness, whose probe is this request.
    Relay(RequestId),
}

impl Machine {
    /// Checks the port of a subject that has not answered, unless that is under way or known.
    pub(crate) fn check_port_of_subject(&mut self, id: &NodeId) {
        let checked = Checked::Subject(id.clone());
        let known = self.watch.subjects.get(id).is_none_or(|subject| subject.port_closed);
        if !known && !self.watch.checks.values().any(|running| *running == checked) {
            self.check_port(id, checked);
        }
    }

    /// Checks the port of a member. At the bound nothing is checked, which proves nothing, and it is counted.
    pub(crate) fn check_port(&mut self, id: &NodeId, checked: Checked) {
        let Some(node) = self.registry.get(id) else { return };
        if self.watch.checks.len() >= CHECKS_MAX {
            self.stats.port_checks_refused += 1;
            return;
        }
        let check = CheckId(self.watch.checks_made);
        self.watch.checks_made += 1;
        self.watch.checks.insert(check, checked);
        self.stats.port_checks += 1;
        self.output(Output::CheckPort { check, node: id.clone(), addr: node.addr });
    }

    pub(crate) fn on_port_checked(&mut self, now: Instant, check: CheckId, closed: bool) {
        let Some(checked) = self.watch.checks.remove(&check) else {
            self.stats.unexpected += 1;
            return;
        };
        if !closed {
            return;
        }
        match checked {
            Checked::Subject(id) => {
                if self.watch.subjects.get(&id).is_some_and(|subject| subject.probe.is_some()) {
                    // No answer will come to the probe that is under way.
                    self.missed(now, &id);
                }
                let subject = self.watch.subjects.get_mut(&id);
                // It may have answered meanwhile, as it does when it has just been started anew.
                if let Some(subject) = subject.filter(|subject| subject.silent_since.is_some()) {
                    subject.port_closed = true;
                    self.conclude_if_ready(now, &id);
                    // Where it comes after we have accused it, witnesses may find it too.
                    self.doubt(now, &id);
                }
            }
            Checked::Relay(request) => {
                if let Some(Purpose::Relay(relay)) = self.requests.take(request) {
                    self.timers.cancel(relay.timer);
                    self.nack(&relay, true);
                }
            }
        }
    }
}
