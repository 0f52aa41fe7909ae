//! Overload: a group that has too little CPU while it forms, that loses all its connections at once, and whose CPU is taken
//! away and given back. A group must not fall into a storm of handshakes that feeds itself (Bronson et al., Metastable
//! Failures in Distributed Systems, 2021), and nobody who lives may be declared failed.

use std::time::Duration;

use super::large::Mode;
use super::{Bar, Page, Row, Sample, Settings, Table, side_by_side};
use crate::faults::Step;
use crate::load::{LoadConfig, Transport};
use crate::node::NodeIndex;
use crate::seen::What;
use crate::world::World;

/// How exactly it is seen when all views are equal.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// How long each phase lasts. A group has to be at rest in its second half.
const PHASE: Duration = Duration::from_mins(1);

/// So many members share a host.
const HOST: usize = 32;

/// The CPU that they have together.
const PLENTY: f64 = 2.0;
const SCARCE: [f64; 2] = [0.1, 0.05];
/// The same, where each has its part to itself: then the seed alone has to make a handshake with all.
const SCARCE_OWN: [f64; 2] = [1.0, 0.5];

/// How many handshakes a member may make or take while it joins and in the minute after: a third of what it may be in a storm.
const HANDSHAKES_MAX: f64 = 15.0;
/// In the second half of each phase: a comparison each 30 s needs one at each end.
const AT_REST_MAX: f64 = 4.0;

/// What happens in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// All join at once through one seed.
    Join,
    /// All connections are gone.
    Loss,
    /// There is a fortieth of the CPU.
    Starved,
    /// There is plenty again.
    Fed,
}

/// A group, and how much CPU 32 of its members have together.
#[derive(Debug, Clone, Copy)]
struct Cell {
    transport: Transport,
    nodes: usize,
    cores: f64,
    /// Whether the members share the CPU of a host; otherwise each has its part to itself.
    shared: bool,
}

/// What a phase of one run came to.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// How long it took until all views were equal and whole; `None` if they were not at its end.
    settled: Option<f64>,
    /// Handshakes of a member in the whole phase and in its second half, at both ends.
    handshakes: f64,
    at_rest: f64,
    /// Dials that a member began, whatever came of them.
    dials: f64,
    /// Failures told. All are false.
    failures: f64,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Join, Self::Loss, Self::Starved, Self::Fed];

    const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Loss => "all connections lost",
            Self::Starved => "a fortieth of the CPU",
            Self::Fed => "plenty again",
        }
    }
}

/// Runs it.
pub(super) fn run(settings: &Settings) -> Page {
    let text = format!(
        "Groups in which a handshake costs 1 ms of CPU at each end and a message 0.3 ms (as measured). A CPU is shared by 32 \
         members; its cores are given. All join at once; a minute later all connections are lost; then for a minute there \
         is a fortieth of {PLENTY} cores; then {PLENTY} cores again. *Patient* is Kinfolk's transport. *Eager* gives a \
         connection up at each time-out and lets everybody dial at once. Handshakes are counted at both ends, each phase \
         and in its last {} s. Every failure that is told is false.",
        PHASE.as_secs() / 2
    );
    let mut page = Page::new("overload", "Too little CPU", settings, text);
    let cells = cells(settings.either(&[32, 128, 1_000], &[32]), settings.either(2, 1));
    let found = measure(&cells, settings.seeds(5, 2));
    page.bars = found.iter().flat_map(|(cell, runs)| bars(*cell, runs)).collect();
    page.tables = vec![table(&found)];
    page
}

/// For each size: groups on shared hosts with so many of the scarce amounts of CPU, for both transports; groups whose members
/// have a part of their own; and with plenty.
fn cells(sizes: &[usize], scarce: usize) -> Vec<Cell> {
    let patient = |nodes, cores, shared| Cell { transport: Transport::Patient, nodes, cores, shared };
    let of_size = |&nodes: &usize| {
        // A thousand that join through one seed need more than a host with so little can do for its own.
        let shared = SCARCE.iter().take(if nodes <= 128 { scarce } else { 0 }).flat_map(move |&cores| {
            let eager = Cell { transport: Transport::Eager, ..patient(nodes, cores, true) };
            [patient(nodes, cores, true), eager]
        });
        // The seed has a handshake to make with each: what it has to itself must suffice for that.
        let own = SCARCE_OWN.iter().take(if nodes <= HOST { scarce } else { 0 });
        let own = own.map(move |&cores| patient(nodes, cores, false));
        shared.chain(own).chain([patient(nodes, PLENTY, true)])
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
    let mode = modes.iter().find(|mode| mode.name == Mode::PROMISED).expect("it is one of them");
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
            Phase::Starved => world.set_cores(share(PLENTY / 40.0)),
            Phase::Fed => world.set_cores(share(PLENTY)),
        }
        pass(&mut world, cell.nodes)
    })
}

/// Lets a phase pass.
fn pass(world: &mut World, nodes: usize) -> Course {
    let (begin, (before, dials)) = (world.now(), world.handshakes());
    let (mut settled, mut failures, mut half) = (None, 0, before);
    while world.now() < begin + PHASE {
        let now = world.now() + LOOKED_EVERY;
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

/// Whether each member has all in its view, be they suspect: most suspicions end well.
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
    let cpu = if cell.shared { "cores for 32" } else { "cores for 32, each its part" };
    let who = format!("{} members, {} {cpu}", cell.nodes, cell.cores);
    let phases = |of: fn(&Course) -> f64| runs.iter().flatten().map(of).fold(0.0, f64::max);
    let failures = phases(|course| course.failures);
    let unsettled =
        runs.iter().flatten().filter(|course| course.settled.is_none_or(|after| after > 30.0)).count();
    let join = runs.iter().map(|run| run[0].handshakes).fold(0.0, f64::max);
    let at_rest = phases(|course| course.at_rest);
    vec![
        Bar::new(format!("{who}: no false failure"), format!("{failures:.0}"), failures == 0.0),
        Bar::new(
            format!("{who}: all see all within 30 s of each change"),
            format!("{unsettled} phases do not"),
            unsettled == 0,
        ),
        Bar::new(
            format!("{who}: at most {HANDSHAKES_MAX} handshakes per member to join"),
            format!("{join:.1}"),
            join <= HANDSHAKES_MAX,
        ),
        Bar::new(
            format!("{who}: at most {AT_REST_MAX} handshakes per member in half a minute at rest"),
            format!("{at_rest:.1}"),
            at_rest <= AT_REST_MAX,
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
        ("settled", "all see all, s, mean"),
        ("unsettled", "runs that do not"),
        ("handshakes", "handshakes/member"),
        ("at_rest", "in the 2nd half"),
        ("dials", "dials/member"),
        ("failures", "false failures"),
    ];
    let mut table = Table::new("overload", "A group with too little CPU", "", columns);
    for (cell, runs) in found {
        for (place, phase) in Phase::ALL.into_iter().enumerate() {
            let of = |value: fn(&Course) -> f64| mean(runs.iter().map(|run| value(&run[place])));
            let transport = if cell.transport == Transport::Patient { "patient" } else { "eager" };
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
    fn a_patient_transport_keeps_its_connections_where_an_eager_one_dials_for_nothing() {
        let cell = |transport| Cell { transport, nodes: 32, cores: 0.05, shared: true };
        for course in once(cell(Transport::Patient), 1) {
            assert!(course.settled.is_some_and(|after| after < 30.0), "{course:?}");
            assert!(course.handshakes <= HANDSHAKES_MAX && course.at_rest <= AT_REST_MAX, "{course:?}");
            assert!(course.dials <= HANDSHAKES_MAX && course.failures == 0.0, "{course:?}");
        }
        let [_, eager, ..] = once(cell(Transport::Eager), 1);
        assert!(eager.dials > 2.0 * HANDSHAKES_MAX && eager.handshakes < 1.0, "{eager:?}");
    }

    #[test]
    fn one_seed_gives_one_course() {
        let run = || {
            format!(
                "{:?}",
                once(Cell { transport: Transport::Patient, nodes: 8, cores: 0.05, shared: false }, 7)
            )
        };
        assert_eq!(run(), run());
    }
}
