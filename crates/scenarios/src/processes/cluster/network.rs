//! The faults of the network, and when reports of failures that follow from them are right.

use anyhow::Result;

use super::{AgentCluster, TOLERATED_PAUSE};
use crate::processes::event_history::{Kind, unix_ms};
use crate::processes::faults::{Faults, Nodes};
use crate::processes::lan::second_addr;
use crate::processes::truth::By;

impl AgentCluster {
    /// Takes an agent's link down, or up again. Returns the time.
    pub(in crate::processes) fn link(&mut self, node: usize, up: bool) -> Result<u64> {
        let at = unix_ms();
        // The window opens before the fault is made, so that no right report counts as false.
        if !up {
            self.silence(node, By::All, at);
        }
        self.lan.link(node, up)?;
        if up {
            self.end_fault(node);
        }
        Ok(at)
    }

    /// Changes the faults of the network. Members that are deaf or mute may then be reported as
    /// failed. The members of each side of a partition may be reported by the other side. Returns
    /// the time.
    pub(in crate::processes) fn network(&mut self, change: impl FnOnce(&mut Faults)) -> Result<u64> {
        let before = self.lan.faults().clone();
        let mut after = before.clone();
        change(&mut after);
        let at = unix_ms();
        let cut = |faults: &Faults| &faults.deaf | &faults.mute;
        for node in &cut(&after) - &cut(&before) {
            self.silence(node, By::All, at);
        }
        if let Some((left, right)) = after.partition.as_ref().filter(|_| before.partition.is_none()) {
            for (subjects, observers) in [(left, right), (right, left)] {
                let observers = By::These(observers.iter().map(|&node| self.name(node)).collect());
                for &node in subjects {
                    self.silence(node, observers.clone(), at);
                }
            }
        }
        self.lan.set(after.clone())?;
        let healed = before.partition.as_ref().filter(|_| after.partition.is_none());
        let sides = healed.into_iter().flat_map(|(left, right)| left | right).collect::<Nodes>();
        for node in &(&cut(&before) - &cut(&after)) | &sides {
            self.end_fault(node);
        }
        // After the heal, verdicts of one side also reach the members of the other side, before the
        // refutations reach all. So they may report these failures too, for a short time.
        for &node in &sides {
            self.allow(node, Kind::NodeFailed, By::All, at);
            self.end_fault(node);
        }
        Ok(at)
    }

    /// Makes `node` resolve `name` to the current address of `host`.
    pub(in crate::processes) fn name_host(&self, node: usize, name: &str, host: usize) -> Result<()> {
        self.lan.name_host(node, name, self.agents[host].addr)
    }

    /// Gives another address to an agent that does not run.
    pub(in crate::processes) fn renumber(&mut self, node: usize) -> Result<()> {
        let (from, to) = (self.agents[node].addr, second_addr(node));
        self.lan.renumber(node, from, to)?;
        self.agents[node].addr = to;
        Ok(())
    }

    /// Allows reports of a failure from the tolerated pause on: a shorter silence is no failure.
    pub(super) fn silence(&mut self, node: usize, by: By, at: u64) {
        let tolerated = u64::try_from(TOLERATED_PAUSE.as_millis()).unwrap_or(u64::MAX);
        self.allow(node, Kind::NodeFailed, by, at + tolerated);
    }

    pub(super) fn allow(&mut self, node: usize, kind: Kind, by: By, from: u64) {
        let window = self.truth.allow(kind, &self.agents[node].name, by, from);
        self.open_windows.entry(node).or_default().push(window);
    }

    pub(super) fn end_fault(&mut self, node: usize) {
        let at = unix_ms();
        for window in self.open_windows.remove(&node).unwrap_or_default() {
            self.truth.end(window, at);
        }
    }
}
