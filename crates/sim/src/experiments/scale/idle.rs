//! The cost of a member while nothing happens: bytes, messages, and the number of other members
//! with which it exchanges messages in a minute.

use std::time::Duration;

use kinfolk_core::Instant;

use super::super::large::Mode;
use super::super::{Axis, Bar, Plot, Row, Sample, Settings, Table, side_by_side};
use crate::node::NodeIndex;
use crate::traffic::Traffic;
use crate::world::World;

/// The start of the counting, and its length: two of the longest intervals of the protocol.
const BEGIN: Duration = Duration::from_secs(10);
const COUNTED: Duration = Duration::from_mins(1);

/// The cost of one mode in one size, per member.
pub(super) struct Idle {
    mode: &'static str,
    nodes: usize,
    /// Bytes sent a second.
    bytes: Sample,
    packets: Sample,
    /// The number of others with which it exchanged messages; it needs so many connections.
    peers: Sample,
}

pub(super) fn measure(modes: &[Mode], sizes: &[usize], settings: &Settings) -> Vec<Idle> {
    let jobs: Vec<_> = super::cells(modes, sizes).collect();
    let counted = settings.either(COUNTED, COUNTED / 2);
    side_by_side(&jobs, |(nodes, mode)| run(mode, *nodes, counted))
}

fn run(mode: &Mode, nodes: usize, counted: Duration) -> Idle {
    let mut world = World::light_preformed(&mode.group(nodes), 1);
    world.run_until(Instant::ORIGIN + BEGIN);
    // Only now: the exchanges while members are new would count peers that an idle member does not
    // need.
    world.count_peers();
    let all = || (0..nodes).map(NodeIndex);
    let before: Vec<Traffic> = all().map(|node| world.traffic(node)).collect();
    world.run_until(Instant::ORIGIN + BEGIN + counted);
    let passed: Vec<Traffic> = all().zip(before).map(|(node, before)| world.traffic(node) - before).collect();
    let a_second = |count: u64| count as f64 / counted.as_secs_f64();
    Idle {
        mode: mode.name,
        nodes,
        bytes: passed.iter().map(|traffic| a_second(traffic.bytes_sent)).collect(),
        packets: passed.iter().map(|traffic| a_second(traffic.messages_sent)).collect(),
        peers: all().map(|node| world.peers(node) as f64).collect(),
    }
}

impl Idle {
    fn row(&self) -> Row {
        Row::new()
            .with("mode", self.mode)
            .with("n", self.nodes)
            .real("bytes", self.bytes.mean(), 1)
            .real("bytes_max", self.bytes.max(), 1)
            .real("packets", self.packets.mean(), 2)
            .real("packets_max", self.packets.max(), 2)
            .real("peers", self.peers.mean(), 1)
            .real("peers_max", self.peers.max(), 0)
    }
}

pub(super) fn table(found: &[Idle]) -> Table {
    let columns = [
        ("mode", "mode"),
        ("n", "N"),
        ("bytes", "B/s, mean"),
        ("bytes_max", "most"),
        ("packets", "messages/s, mean"),
        ("packets_max", "most"),
        ("peers", "peers in a minute, mean"),
        ("peers_max", "most"),
    ];
    let text = "What a member sends while nothing happens, over a minute (half of it in the quick \
                form): the mean of all members, and the highest member. *Peers*: the number of \
                others with which it exchanged a message in that time; each of them needs a \
                connection.";
    let mut table = Table::new("idle", "Idle traffic", text, columns);
    table.rows = found.iter().map(Idle::row).collect();
    table
}

pub(super) fn bars(found: &[Idle]) -> Vec<Bar> {
    let flat = |what, of: fn(&Idle) -> &Sample| {
        let promised = found.iter().filter(|one| one.mode == Mode::PROMISED);
        let values: Vec<_> = promised.filter_map(|one| Some((one.nodes, of(one).mean()?))).collect();
        super::flat(what, &values)
    };
    let bars = [
        flat("idle bytes a member and second", |one| &one.bytes),
        flat("idle messages a member and second", |one| &one.packets),
    ];
    bars.into_iter().flatten().collect()
}

pub(super) fn plot(modes: &[Mode], found: &[Idle]) -> Plot {
    let of = |mode: &Mode| {
        let own = found.iter().filter(|one| one.mode == mode.name);
        (mode.name.to_owned(), own.filter_map(|one| Some((one.nodes as f64, one.bytes.mean()?))).collect())
    };
    Plot {
        name: "idle",
        after: "idle",
        title: "Bytes that an idle member sends a second".to_owned(),
        x: Axis { label: "members", log: true },
        y: Axis { label: "B/s", log: false },
        curves: modes.iter().map(of).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_member_exchanges_with_some_peers() {
        for mode in Mode::all() {
            let idle = run(&mode, 20, Duration::from_secs(20));
            assert!(
                idle.bytes.percentile(0.0) > Some(0.0) && idle.packets.percentile(0.0) > Some(0.0),
                "{}",
                mode.name
            );
            assert!(
                idle.peers.percentile(0.0) >= Some(1.0) && idle.peers.max() <= Some(19.0),
                "{}",
                mode.name
            );
        }
    }
}
