//! The memory of a member for each other member that it knows, from the growth of the process. This
//! is the only figure here that is measured and not simulated, so it differs a little between
//! machines.

use std::fs;
use std::sync::Arc;

use kinfolk_core::{Incarnation, Instant, NodeStatus, Rng, SharedNodeRegistry, Tags};
use kinfolk_swim::Machine;

use super::super::large::Mode;
use super::super::{Row, Table};
use crate::node::{Node, NodeIndex};
use crate::world::keys;

/// The number of entries for each size, so that the growth is much larger than a page.
const ENTRIES: usize = 80_000;

/// The memory of one mode in one size.
pub(super) struct Memory {
    mode: &'static str,
    nodes: usize,
    /// The bytes of a member for each member that it knows; `None` where the system does not report
    /// memory.
    per_known: Option<f64>,
}

/// Measures all modes and sizes. Keeps all members until the end: the allocator would reuse freed
/// memory, and the growth would not show.
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

/// A member that has learned of all others from messages, so that it shares no memory with them.
fn knows_all(mode: &Mode, nodes: usize, member: NodeIndex) -> Machine {
    let registry = SharedNodeRegistry::new();
    let keys = keys(1);
    let key = |place: usize| keys.key_of(NodeIndex(place).id());
    let status = |place: usize| {
        let Node { id, addr, .. } = Node::new(NodeIndex(place));
        let status = NodeStatus::alive(id, addr, Incarnation::new(1_700_000_000_000), Tags::empty());
        // Signed, because each member also keeps the signatures.
        status.signed(&key(place))
    };
    for place in (0..nodes).filter(|place| *place != member.0) {
        let change = registry.apply(status(place));
        assert!(change.after().is_some(), "the registry has room for all members");
    }
    Machine::new(
        mode.config.clone(),
        status(member.0),
        Arc::new(key(member.0)),
        registry,
        Rng::from_seed(member.0 as u64),
        Instant::ORIGIN,
    )
}

/// The memory that the process holds, in bytes; `None` where the system does not report it (other
/// than Linux).
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

pub(super) fn table(found: &[Memory]) -> Table {
    let columns =
        [("mode", "mode"), ("n", "N"), ("per_known", "B for each known"), ("total", "KiB a member")];
    let text = "The memory of a member's protocol and its view of the group. It is measured by the \
                growth of the process when it creates members that know all others, 80,000 entries \
                for each size (Linux only). The transport's connections are not included. Unlike \
                all others here, these figures depend on the machine that printed them.";
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
    fn members_with_large_views_grow_the_process() {
        let Some(before) = resident() else { return };
        let kept: Vec<_> =
            (0..8).map(|member| knows_all(&Mode::all()[0], 1_000, NodeIndex(member))).collect();
        assert!(kept.iter().all(|machine| machine.registry().len() == 1_000));
        assert!(before > 0 && resident() > Some(before), "8,000 entries need more than the free memory");
    }
}
