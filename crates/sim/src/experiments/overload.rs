//! Overload: a group has too little CPU while it forms, loses all its connections at once, and has
//! its CPU taken away and given back. The group must not fall into a storm of handshakes that
//! sustains itself (Bronson et al., Metastable Failures in Distributed Systems, 2021). No running
//! member may be declared failed.

use std::time::Duration;

use super::large::Mode;
use super::{Bar, Page, Row, Sample, Settings, Table, side_by_side};
use crate::faults::Step;
use crate::load::{LoadConfig, Transport};
use crate::node::NodeIndex;
use crate::seen::What;
use crate::world::World;

/// The interval of the checks whether all views are complete, which is the resolution of the
/// measured times.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The length of each phase. A group must be idle in its second half.
const PHASE: Duration = Duration::from_mins(1);

/// The number of members that share a host.
const HOST: usize = 32;

/// The cores that the members of a host have together.
const PLENTY: f64 = 2.0;
const SCARCE: [f64; 2] = [0.1, 0.05];
/// The same, if each member has its own part of the cores: then the seed alone must make a
/// handshake with all others.
const SCARCE_OWN: [f64; 2] = [1.0, 0.5];

/// The highest number of handshakes of a member, started and accepted, while it joins and in the
/// minute after. It is a third of the number in a storm.
const HANDSHAKES_MAX: f64 = 15.0;
/// The same in the second half of each phase. A round of anti-entropy with a random member needs
/// one handshake at each end. Since decision 0015 only about eight members of the whole group start
/// such a round each minute, so the measured values are far lower.
const IDLE_MAX: f64 = 4.0;

/// What happens in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// All members join at once through one seed.
    Join,
    /// All connections are lost.
    Loss,
    /// The group has a fortieth of its CPU.
    LittleCpu,
    /// The group has its full CPU again.
    FullCpu,
}

/// A group, and the cores that 32 of its members have together.
#[derive(Debug, Clone, Copy)]
struct Cell {
    transport: Transport,
    nodes: usize,
    cores: f64,
    /// Whether the members of a host share its CPU; otherwise each has its own part.
    shared: bool,
}

/// The results of a phase of one run.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// The seconds until all views were complete; `None` if they were not at the end.
    settled: Option<f64>,
    /// The handshakes of a member in the whole phase and in its second half, counted at both ends.
    handshakes: f64,
    at_rest: f64,
    /// The dials that a member started, with the unsuccessful ones.
    dials: f64,
    /// The reported failures. All are false.
    failures: f64,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Join, Self::Loss, Self::LittleCpu, Self::FullCpu];

    const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Loss => "all connections lost",
            Self::LittleCpu => "a fortieth of the CPU",
            Self::FullCpu => "full CPU again",
        }
    }
}

/// Runs the experiment.
pub(super) fn run(settings: &Settings) -> Page {
    let text = format!(
        "Groups in which a handshake costs 1 ms of CPU at each end and a message 0.3 ms (as \
         measured). 32 members share a CPU; the table gives its cores. All members join at once. A \
         minute later all connections are lost. Then the group has a fortieth of {PLENTY} cores \
         for a minute, and then {PLENTY} cores again. *Kinfolk* is Kinfolk's transport. *Eager* \
         closes a connection at each time-out and lets all members dial at once. Handshakes are \
         counted at both ends, in each phase and in its last {} s. Every reported failure is \
         false.",
        PHASE.as_secs() / 2
    );
    let mut page = Page::new("overload", "Too little CPU", settings, text);
    let cells = cells(settings.either(&[32, 128, 1_000], &[32]), settings.either(2, 1));
    let found = measure(&cells, settings.seeds(5, 2));
    page.bars = found.iter().flat_map(|(cell, runs)| bars(*cell, runs)).collect();
    page.tables = vec![table(&found)];
    page
}

/// The cells of each size. Groups on shared hosts have small amounts of CPU and run both
/// transports. Groups whose members have their own part, and groups with full CPU, run Kinfolk's.
fn cells(sizes: &[usize], scarce: usize) -> Vec<Cell> {
    let kinfolk = |nodes, cores, shared| Cell { transport: Transport::Kinfolk, nodes, cores, shared };
    let of_size = |&nodes: &usize| {
        // A join of a thousand members through one seed needs more CPU than such a host has for its
        // own work.
        let shared = SCARCE.iter().take(if nodes <= 128 { scarce } else { 0 }).flat_map(move |&cores| {
            let eager = Cell { transport: Transport::Eager, ..kinfolk(nodes, cores, true) };
            [kinfolk(nodes, cores, true), eager]
        });
        // The seed makes a handshake with each member, so its own part must be enough for that.
        let own = SCARCE_OWN.iter().take(if nodes <= HOST { scarce } else { 0 });
        let own = own.map(move |&cores| kinfolk(nodes, cores, false));
        shared.chain(own).chain([kinfolk(nodes, PLENTY, true)])
    };
    sizes.iter().flat_map(of_size).collect()
}

type Runs = Vec<[Course; 4]>;

fn measure(cells: &[Cell], seeds: u64) -> Vec<(Cell, Runs)> {
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (*cell, seed))).collect();
    let mut runs = side_by_side(&jobs, |(cell, seed)| once(*cell, *seed)).into_iter();
    let seeds = usize::try_from(seeds).unwrap_or(usize::MAX);
    cells.iter().map(|cell| (*cell, runs.by_ref().take(seeds).collect())).collect()
}

fn once(cell: Cell, seed: u64) -> [Course; 4] {
    let modes = Mode::all();
    let mode =
        modes.iter().find(|mode| mode.name == Mode::PROMISED).expect("the promised mode is one of all modes");
    let mut world = World::light(&mode.group(cell.nodes), seed);
    let per_host = if cell.shared { HOST } else { 1 };
    let share = |cores: f64| cores * per_host as f64 / HOST as f64;
    world.set_load(LoadConfig {
        transport: cell.transport,
        ..LoadConfig::with_cores(share(cell.cores), per_host)
    });
    Phase::ALL.map(|phase| {
        match phase {
            Phase::Join => {
                for node in (0..cell.nodes).map(NodeIndex) {
                    let via = (node.0 > 0).then_some(NodeIndex(0));
                    world.act(&Step::Start { node, via });
                }
            }
            Phase::Loss => world.lose_connections(),
            Phase::LittleCpu => world.set_cores(share(PLENTY / 40.0)),
            Phase::FullCpu => world.set_cores(share(PLENTY)),
        }
        pass(&mut world, cell.nodes)
    })
}

/// Runs a phase.
fn pass(world: &mut World, nodes: usize) -> Course {
    let (begin, (before, dials)) = (world.now(), world.handshakes());
    let (mut settled, mut failures, mut half) = (None, 0, before);
    while world.now() < begin + PHASE {
        let now = world.now() + CHECK_INTERVAL;
        world.run_until(now);
        failures += world.take_seen().iter().filter(|seen| matches!(seen.what, What::Failed(_))).count();
        if !is_whole(world, nodes) {
            settled = None;
        } else if settled.is_none() {
            settled = Some(now.since(begin).as_secs_f64());
        }
        if now <= begin + PHASE / 2 {
            half = world.handshakes().0;
        }
    }
    let per_node = |from: u64| 2.0 * (world.handshakes().0 - from) as f64 / nodes as f64;
    let dials = (world.handshakes().1 - dials) as f64 / nodes as f64;
    Course {
        settled,
        handshakes: per_node(before),
        at_rest: per_node(half),
        dials,
        failures: failures as f64,
    }
}

/// Whether each view holds all members. Suspect members count, because most suspicions are refuted.
fn is_whole(world: &World, nodes: usize) -> bool {
    let has_all = |node| world.registry(NodeIndex(node)).map(|registry| registry.member_count());
    (0..nodes).all(|node| has_all(node) == Some(nodes))
}

fn mean(of: impl Iterator<Item = f64>) -> f64 {
    of.collect::<Sample>().mean().unwrap_or(f64::NAN)
}

fn bars(cell: Cell, runs: &Runs) -> Vec<Bar> {
    if cell.transport == Transport::Eager {
        return Vec::new();
    }
    let cpu = if cell.shared { "cores for 32" } else { "cores for 32, not shared" };
    let group = format!("{} members, {} {cpu}", cell.nodes, cell.cores);
    let phases = |of: fn(&Course) -> f64| runs.iter().flatten().map(of).fold(0.0, f64::max);
    let failures = phases(|course| course.failures);
    let unsettled =
        runs.iter().flatten().filter(|course| course.settled.is_none_or(|after| after > 30.0)).count();
    let join = runs.iter().map(|run| run[0].handshakes).fold(0.0, f64::max);
    let at_rest = phases(|course| course.at_rest);
    vec![
        Bar::new(format!("{group}: no false failure"), format!("{failures:.0}"), failures == 0.0),
        Bar::new(
            format!("{group}: all views complete within 30 s of each change"),
            format!("{unsettled} phases later"),
            unsettled == 0,
        ),
        Bar::new(
            format!("{group}: at most {HANDSHAKES_MAX} handshakes per member to join"),
            format!("{join:.1}"),
            join <= HANDSHAKES_MAX,
        ),
        Bar::new(
            format!("{group}: at most {IDLE_MAX} handshakes per member in an idle half-minute"),
            format!("{at_rest:.1}"),
            at_rest <= IDLE_MAX,
        ),
    ]
}

fn table(found: &[(Cell, Runs)]) -> Table {
    let columns = [
        ("transport", "transport"),
        ("nodes", "members"),
        ("cores", "cores for 32"),
        ("shared", "shared"),
        ("phase", "phase"),
        ("settled", "views complete, s, mean"),
        ("unsettled", "runs incomplete"),
        ("handshakes", "handshakes/member"),
        ("at_rest", "in the 2nd half"),
        ("dials", "dials/member"),
        ("failures", "false failures"),
    ];
    let mut table = Table::new("overload", "A group with too little CPU", "", columns);
    for (cell, runs) in found {
        for (place, phase) in Phase::ALL.into_iter().enumerate() {
            let of = |value: fn(&Course) -> f64| mean(runs.iter().map(|run| value(&run[place])));
            let transport = if cell.transport == Transport::Kinfolk { "kinfolk" } else { "eager" };
            let row = Row::new()
                .with("transport", transport)
                .with("nodes", cell.nodes)
                .real("cores", cell.cores, 2)
                .with("shared", if cell.shared { "yes" } else { "no" })
                .with("phase", phase.name())
                .real("settled", mean(runs.iter().filter_map(|run| run[place].settled)), 2)
                .with("unsettled", runs.iter().filter(|run| run[place].settled.is_none()).count());
            let row = row.real("handshakes", of(|course| course.handshakes), 1);
            let row = row.real("at_rest", of(|course| course.at_rest), 1);
            table.push(row.real("dials", of(|course| course.dials), 1).real(
                "failures",
                of(|course| course.failures),
                1,
            ));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overloaded_group_keeps_connections_unless_eager() {
        let cell = |transport| Cell { transport, nodes: 32, cores: 0.05, shared: true };
        for course in once(cell(Transport::Kinfolk), 1) {
            assert!(course.settled.is_some_and(|after| after < 30.0), "{course:?}");
            assert!(course.handshakes <= HANDSHAKES_MAX && course.at_rest <= IDLE_MAX, "{course:?}");
            assert!(course.dials <= HANDSHAKES_MAX && course.failures == 0.0, "{course:?}");
        }
        let [_, eager, ..] = once(cell(Transport::Eager), 1);
        assert!(eager.dials > 2.0 * HANDSHAKES_MAX && eager.handshakes < 1.0, "{eager:?}");
    }

    #[test]
    fn same_seed_gives_same_course() {
        let run = || {
            format!(
                "{:?}",
                once(Cell { transport: Transport::Kinfolk, nodes: 8, cores: 0.05, shared: false }, 7)
            )
        };
        assert_eq!(run(), run());
    }
}
