//! How much memory a member takes for each other member that it knows, by how the process grows. It is the one figure
//! here that is measured and not simulated, so it differs a little from machine to machine.

use std::fs;

use kinfolk_core::{Incarnation, Instant, NodeStatus, Rng, SharedNodeRegistry, Tags};
use kinfolk_swim::Machine;

use super::super::large::Mode;
use super::super::{Row, Table};
use crate::node::{Node, NodeIndex};

/// So many entries are made for each size, so that the growth is much larger than a page.
const ENTRIES: usize = 80_000;

/// What one mode takes in one size.
pub(super) struct Memory {
    mode: &'static str,
    nodes: usize,
    /// Bytes of a member for each that it knows; `None` where the system does not tell.
    per_known: Option<f64>,
}

/// Nothing is given back before all is measured: freed memory would be used again, and growth would not show.
pub(super) fn measure(modes: &[Mode], sizes: &[usize]) -> Vec<Memory> {
    let mut kept = Vec::new();
    let mut found = Vec::new();
    for (nodes, mode) in sizes.iter().flat_map(|nodes| modes.iter().map(move |mode| (*nodes, mode))) {
        let (before, members) = (resident(), ENTRIES / nodes);
        kept.extend((0..members).map(|member| knows_all(mode, nodes, NodeIndex(member))));
        let grown = resident().zip(before).map(|(after, before)| after.saturating_sub(before));
        let per_known = grown.map(|bytes| bytes as f64 / (members * nodes) as f64);
        found.push(Memory { mode: mode.name, nodes, per_known });
    }
    drop(kept);
    found
}

/// A member that has learned of all others from messages, so that it shares nothing with them.
fn knows_all(mode: &Mode, nodes: usize, member: NodeIndex) -> Machine {
    let registry = SharedNodeRegistry::new();
    let status = |place: usize| {
        let node = Node::new(NodeIndex(place));
        NodeStatus::alive(node.id, node.addr, Incarnation::new(1_700_000_000_000), Tags::empty())
    };
    for place in (0..nodes).filter(|place| *place != member.0) {
        let change = registry.apply(status(place));
        assert!(change.after().is_some(), "the registry has room for all");
    }
    Machine::new(
        mode.config.clone(),
        status(member.0),
        registry,
        Rng::from_seed(member.0 as u64),
        Instant::ORIGIN,
    )
}

/// The memory that the process holds, in bytes, where the system tells (Linux).
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

pub(super) fn table(found: &[Memory]) -> Table {
    let columns =
        [("mode", "mode"), ("n", "N"), ("per_known", "B for each known"), ("total", "KiB a member")];
    let text = "What a member's protocol and view of the group take in memory, by how the process grows when \
                members that know all others are made, 80,000 entries of each size (Linux only). The transport's connections are not in it. \
                These figures, unlike all others here, are of the machine that printed them.";
    let mut table = Table::new("memory", "Memory", text, columns);
    for one in found {
        let row = Row::new().with("mode", one.mode).with("n", one.nodes).real("per_known", one.per_known, 0);
        table.push(row.real("total", one.per_known.map(|bytes| bytes * one.nodes as f64 / 1_024.0), 0));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_knows_a_thousand_grows_the_process_where_the_system_tells() {
        let Some(before) = resident() else { return };
        let kept: Vec<_> =
            (0..8).map(|member| knows_all(&Mode::all()[0], 1_000, NodeIndex(member))).collect();
        assert!(kept.iter().all(|machine| machine.registry().len() == 1_000));
        assert!(before > 0 && resident() > Some(before), "8,000 entries take more than what was free");
    }
}
